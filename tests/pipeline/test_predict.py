"""predict_folder: the command's run from Python, planned before anything is loaded."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_runs import records, smooth, tree

import segcli
from segcli.errors import InputError, SegcliError, UsageError
from segcli.images.reading import PhotoReading
from segcli.pipeline import model as models
from segcli.pipeline.job import PredictJob
from segcli.pipeline.reading import Reading
from segcli.pipeline.stages import WRITE_BEHIND


@pytest.fixture
def run(checkpoint, photos, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def begin(**options):
        options = {"model": checkpoint, "engine": "torch", "device": "cpu", **options}
        return segcli.predict_folder("photos", "out", **options)

    return begin


def test_fills_the_folder_as_the_command_does(run, segcli, photos, tmp_path):
    summary = _done(run())
    assert (summary.segmented, summary.skipped, summary.failed) == (5, 0, 0)
    assert segcli("photos", "-o", "other", "--engine", "torch").exit_code == 0
    for path in tree(tmp_path / "out"):
        ours, theirs = ((tmp_path / name / path).read_bytes() for name in ("out", "other"))
        if path.startswith(("masks/", "overlays/")):
            assert ours == theirs
        elif path.endswith(".csv"):  # the photos in the order in which their threads were through
            assert sorted(ours.splitlines()) == sorted(theirs.splitlines())
    ours, theirs = (records(tmp_path / name) for name in ("out", "other"))
    for record in (*ours.values(), *theirs.values()):
        del record["seconds"]
    assert ours == theirs


def test_goes_on_where_it_stopped(run, photos, tmp_path):
    """More photos than may be written ahead of the caller."""
    many = 3 * WRITE_BEHIND
    for index in range(many):
        Image.fromarray(smooth(index, 40, 40)).save(photos / f"{index:03}.png")
    first = iter(run())
    next(first)
    first.close()
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out/masks").rglob("*.png")}
    assert 1 <= len(before) < many
    again = run()
    assert len(again) == 5 + many - len(records(tmp_path / "out"))
    assert _done(again).skipped == len(before)
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())


def test_a_run_that_is_taken_twice_does_nothing_twice(run):
    twice = run()
    assert len(list(twice)) == 5
    assert list(twice) == []
    assert twice.finish().segmented == 5


def test_a_run_can_be_finished_before_its_end(run, tmp_path):
    """What is done is summed up; the rest is left to the next run."""
    short = run()
    records_ = iter(short)
    first = next(records_)
    records_.close()
    summary = short.finish()
    assert first in summary.records
    assert summary.segmented == len(summary.records) <= 5
    assert (tmp_path / "out/areas.csv").is_file()


def test_a_loaded_model_is_used_as_it_is(run, checkpoint):
    model = segcli.load(checkpoint, device="cpu", engine="torch", flip=True)
    assert _done(segcli.predict_folder("photos", "out", model=model)).segmented == 5
    with pytest.raises(TypeError, match="loaded already; flip"):
        segcli.predict_folder("photos", "out", model=model, flip=True)


def test_with_nothing_to_do_no_network_is_loaded(run, monkeypatch):
    _done(run())

    def fail(*_, **__):
        raise AssertionError("a network was loaded")

    monkeypatch.setattr("segcli.pipeline.model.load_with", fail)
    again = run()
    assert len(again) == 0
    assert _done(again).skipped == 5


def test_other_settings_are_something_to_do(run):
    _done(run())
    assert len(run(flip=True)) == 5
    assert len(run(save=["mask"])) == 5


def test_a_bad_folder_is_told_before_anything_is_loaded(run, tmp_path, monkeypatch):
    (tmp_path / "out").write_text("a file")
    monkeypatch.setattr("segcli.pipeline.model.load_with", lambda *_, **__: pytest.fail("a network was loaded"))
    with pytest.raises(SegcliError, match="cannot write to out: Not a directory"):
        len(run())


def test_a_folder_that_may_not_be_written_to(run, tmp_path, monkeypatch):
    """The system's answer is made up: root, as whom tests may run, may write anywhere."""
    (tmp_path / "out").mkdir()
    monkeypatch.setattr("segcli.pipeline.records.os.access", lambda path, mode: Path(path).name != "out")
    with pytest.raises(SegcliError, match="cannot write to out: Permission denied"):
        len(run())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"save": ["smell"]}, "save smell: not known"),
        ({"classes": ["unicorn"], "model": "street", "engine": "auto"}, "--classes unicorn: not known"),
        ({"output_stride": 7, "model": "street"}, "cannot have output stride 7"),
        ({"model": "stret"}, "stret"),
        ({"batch": 0}, "batch cannot be 0. It must be a whole number from 1 on"),
        ({"batch": 1.5}, "batch cannot be 1.5"),
        ({"value_range": (9, 3)}, r"value_range cannot be \(9, 3\)"),
        ({"value_range": (0, float("inf"))}, "value_range cannot be"),
        ({"value_range": "0:4095"}, "value_range cannot be '0:4095'"),
        ({"value_range": (1, 2, 3)}, "value_range cannot be"),
        ({"max_pixels": "9"}, "max_pixels cannot be '9'"),
        ({"pages": "no"}, "pages cannot be 'no'"),
        ({"overlay_size": 0}, "overlay_size cannot be 0"),
        ({"overlay_size": 9}, "overlay_size cannot be 9"),
        ({"cutout_background": (300, 0, 0)}, "cutout_background cannot be"),
    ],
)
def test_wrong_options_leave_nothing_behind(run, tmp_path, options, message):
    with pytest.raises(UsageError, match=message):
        run(**options)
    assert not (tmp_path / "out").exists()


def test_no_photos(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no photos in empty"):
        segcli.predict_folder("empty", "out", model="street")


def test_one_bad_photo_does_not_stop_the_rest(run, photos, tmp_path):
    (photos / "bad.png").write_bytes((photos / "b.png").read_bytes()[:60])
    found = list(run())
    (bad,) = (record for record in found if record.status == "failed")
    assert bad.name == "bad"
    assert bad.error
    assert len(found) == 6


def test_what_jpeg_cannot_hold_is_that_photos_failure(run, photos, tmp_path):
    """An overlay of 70,000 pixels: JPEG ends at 65,500. The folder's disk is sound, and the others go on."""
    Image.fromarray(np.tile(smooth(1, 70, 4), (1, 1000, 1))).save(photos / "long.png")
    summary = _done(run(overlay_size=100_000))
    assert (summary.segmented, summary.failed, summary.exit_code) == (5, 1, 3)
    assert "its overlay cannot be written" in records(tmp_path / "out")["long"]["error"]


def test_the_style_of_overlays_is_on_record_and_changes_no_mask(run, photos, tmp_path):
    """A legend below makes the picture higher; a style that nobody asked for leaves run.toml as it always was."""
    plain = _done(run())
    recipe, mask = (tmp_path / "out/run.toml").read_text(), (tmp_path / "out/masks/b.png").read_bytes()
    assert [line for line in recipe.splitlines() if line.startswith("overlay_")] == ["overlay_size = 1920"]
    height = Image.open(tmp_path / "out/overlays/b.jpg").height
    styled = _done(run(overlay_size=300, overlay=segcli.OverlayStyle(legend="below", palette="distinct")))
    assert (plain.segmented, styled.segmented) == (5, 5)
    assert (tmp_path / "out/masks/b.png").read_bytes() == mask
    assert Image.open(tmp_path / "out/overlays/b.jpg").height >= height
    recipe = (tmp_path / "out/run.toml").read_text()
    assert 'overlay_size = 300\noverlay_legend = "below"\noverlay_palette = "distinct"' in recipe


@pytest.mark.parametrize("wrong", [{"opacity": 1.1}, {"legend": "above"}, {"palette": "nice"}, {"size": 9}])
def test_a_style_that_cannot_be(wrong):
    with pytest.raises(UsageError, match=f"{next(iter(wrong))} cannot be"):
        segcli.OverlayStyle(**wrong)


@pytest.mark.parametrize(("bounds", "text"), [(None, None), ("auto", "auto"), ((0.0, 4095.0), "0:4095")])
def test_a_range_is_on_record_as_it_is_typed(bounds, text):
    """So that runs of earlier versions, which kept the text, stay done."""
    assert Reading(PhotoReading(bounds)).to_dict() == {"range": text}


def test_a_range_as_it_was_typed_keeps_old_work_valid():
    assert Reading(PhotoReading((0.0, 4095.0)), range_text="0.0:4095.0").to_dict() == {"range": "0.0:4095.0"}


def test_one_kind_may_be_one_word(run, tmp_path):
    _done(run(save="mask"))
    assert not (tmp_path / "out/overlays").exists()


def test_finishing_before_the_work_counts_nothing_as_done(run):
    """What stands in the folder was made by other settings."""
    _done(run())
    summary = run(flip=True).finish()
    assert (summary.segmented, summary.skipped, summary.records) == (0, 0, ())


def test_what_has_changed_counts_once_it_is_done_again(run, photos):
    _done(run())
    Image.fromarray(smooth(7, 30, 40)).save(photos / "b.png")
    again = run()
    summary = again.finish()
    assert (summary.segmented, summary.skipped, len(summary.records)) == (0, 4, 4)
    assert _done(again).segmented == 1


def test_nothing_loads_torch_until_it_must(checkpoint):
    job = PredictJob(models.resolve(checkpoint), models.ModelOptions(engine="torch"))
    facts = job.foreseen()
    assert facts.spec.name == "v3-mobilenetv2-dm05"


def _done(run):
    for _ in run:
        pass
    return run.finish()
