"""The 8-bit form in a run: used where the labels stay on the first photos, and else floats, which is said."""

from dataclasses import replace

import numpy as np
import pytest
from heard import Heard
from PIL import Image
from small_int8 import PHOTO, model
from small_runs import smooth

from segcli.data.reading import Choice
from segcli.errors import InputError, SegcliError, UsageError
from segcli.export import int8_cache, kept_labels, onnx_cache
from segcli.images.photo import Photo
from segcli.inference.options import ModelOptions
from segcli.pipeline import int8
from segcli.pipeline.int8 import Seen, preferred
from segcli.weights.facts import Int8
from segcli.weights.reference import ModelReference, resolve

PROTOCOL = {"scales": (1.0,), "flip": False, "size": None, "tile": None}


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("SEGCLI_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def options(tmp_path):
    folder = tmp_path / "some"
    folder.mkdir()
    for seed in (1, 2):
        Image.fromarray(smooth(seed, 65, 65)).save(folder / f"{seed}.png")
    return ModelOptions(precision="int8", calibrate=folder)


def first(facts):
    assert facts.photos == model().photos
    yield Seen("mine.jpg", Photo(smooth(PHOTO, 80, 60)))


def test_it_is_made_once_compared_and_used(options, monkeypatch):
    monkeypatch.setattr(kept_labels, "ENOUGH", 0.8)  # many classes contend in a random network
    heard = Heard()
    form = preferred(model(), options, PROTOCOL, first, heard)
    assert (form.engine, form.int8.photos) == ("onnx", 2)
    assert heard.notes[0] == "making the 8-bit form of small, once: calibrating it on 2 photos"
    assert heard.notes[1].startswith("in 8 bits 9")
    assert heard.notes[1].endswith("on the worst, mine.jpg")
    assert heard.warnings == []
    again = Heard()
    assert preferred(model(), options, PROTOCOL, None, again).int8 == form.int8
    assert len(again.notes) == 1  # not made again; compared on the photos that it was calibrated on
    assert again.notes[0].endswith(("1.png", "2.png"))
    kept = onnx_cache.kept(model(), form.int8)
    assert onnx_cache.kept(model()) is None  # that is the one in floats
    Image.fromarray(smooth(3, 65, 65)).save(options.calibrate / "3.png")
    preferred(model(), options, PROTOCOL, first, Heard())
    assert len(list(kept.parent.glob("*.onnx"))) == 2  # other photos make another


def test_where_too_few_labels_stay_floats_compute_and_a_line_says_so(options, monkeypatch):
    class Other:
        def __call__(self, x):
            return model().network(x).roll(1, 1)

        to = eval = lambda self, *_, **__: self
        parameters = buffers = lambda self: iter(())

    other = replace(model(), network=Other(), engine="onnx", int8=Int8(2, "b" * 64))
    monkeypatch.setattr(int8_cache, "obtain", lambda *_: other)
    heard = Heard()
    assert preferred(model(), options, PROTOCOL, first, heard) is model()
    (line,) = heard.warnings
    assert line.startswith("the network computes in floats: in 8 bits only 0.")
    assert "mine.jpg, below 98%; --calibrate PHOTOS" in line


def test_where_it_cannot_be_made_floats_compute(options, monkeypatch):
    def fail(*_):
        raise SegcliError("this needs onnxruntime (gone)")

    monkeypatch.setattr(int8_cache, "obtain", fail)
    heard = Heard()
    assert preferred(model(), options, PROTOCOL, first, heard) is model()
    assert heard.warnings == ["the network computes in floats: this needs onnxruntime (gone)"]


def test_photos_to_calibrate_on_that_cannot_be_read_are_the_users_to_mend(options):
    (options.calibrate / "2.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(40))
    with pytest.raises(InputError, match=r"2\.png cannot be calibrated on"):
        preferred(model(), options, PROTOCOL, first, Heard())


@pytest.mark.parametrize(
    ("given", "file", "message"),
    [
        ({"tile": 129}, "street", "--tile needs torch"),
        ({"engine": "torch"}, "street", "--precision int8 needs onnxruntime"),
        ({"device": "cuda"}, "street", "runs on the CPU, not on cuda"),
        ({}, "a.onnx", "--precision int8 cannot change .*a.onnx"),
    ],
)
def test_what_8_bits_cannot_do_is_refused(given, file, message, tmp_path):
    reference = resolve(file) if file == "street" else ModelReference(path=tmp_path / file)
    with pytest.raises(UsageError, match=message):
        ModelOptions(precision="int8", **given).check(reference)
    with pytest.raises(UsageError, match="--calibrate goes with --precision int8"):
        ModelOptions(calibrate=tmp_path).check(resolve("street"))


def test_the_recipe_says_what_computed():
    form = replace(model(), engine="onnx", int8=Int8(2, "c" * 64))
    asked = ModelOptions(precision="int8")
    assert asked.recipe(form)["protocol"]["precision"] == "int8"
    assert asked.recipe(form)["model"]["int8"] == {"photos": 2, "calibration": "c" * 64, "weight_bits": 7}
    assert asked.recipe(model())["protocol"]["precision"] == "float32"
    assert "int8" not in asked.recipe(model())["model"]
    assert ModelOptions().recipe(form)["protocol"]["precision"] == "int8"  # an exported file
    assert ModelOptions(precision="bf16").recipe(model())["protocol"]["precision"] == "bf16"
    assert (asked.device_name(resolve("street")), asked.wanted_engine()) == ("cpu", "auto")


def test_windows_of_large_pictures_are_computed_in_floats(tmp_path):
    asked = ModelOptions(precision="int8", calibrate=tmp_path, size=0)
    assert asked.under_torch() == ModelOptions(engine="torch", size=0)
    asked.under_torch().check(resolve("street"))
    assert ModelOptions(precision="bf16").under_torch() == ModelOptions(precision="bf16", engine="torch")


def test_the_worst_photo_and_the_truth_come_from_a_folder(tmp_path):
    for folder in ("photos", "labels"):
        (tmp_path / folder).mkdir()
    Image.fromarray(smooth(PHOTO, 65, 65)).save(tmp_path / "photos/a.png")
    Image.fromarray(np.full((65, 65), 3, np.uint8)).save(tmp_path / "labels/a.png")
    truth = int8.Truth(tmp_path / "labels")
    (seen,) = int8.to_check(tmp_path / "photos", truth, model(), Heard())
    assert seen.name == "a"
    assert (seen.truth == 3).all()
    kept = int8.compared(model(), model(), PROTOCOL, [seen])
    assert kept.share == 1
    assert kept.mious[0] == kept.mious[1] is not None
    (void,) = int8.to_check(tmp_path / "photos", truth._replace(choice=Choice(void=(3,))), model(), Heard())
    assert (void.truth == 255).all()
    (tmp_path / "photos/b.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(40))
    heard = Heard()
    assert [one.truth for one in int8.to_check(tmp_path / "photos", None, model(), heard)] == [None]
    assert "b.png is left out" in heard.warnings[0]
