"""What commit 4fe872892964ce0c7296b103a65f2a538c8d7150 left behind (tests/helpers/old_work.py made it) still counts.

A new version may read more; it must not make again what is done, nor refuse what was written. Where a test here fails
because outputs of the same settings differ on purpose, `REVISION` rises, CHANGELOG.md says so, and the fixture goes.
"""

import csv
import json
import os
import re
import shutil
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from typer.testing import CliRunner
from workspace import pretend_converted

from segcli.images.polygons import UNCORRECTED

OLD_WORK = Path(__file__).parent / "old_work"
FACTS = json.loads((OLD_WORK / "facts.json").read_text())
COMMIT = "4fe872892964ce0c7296b103a65f2a538c8d7150"
PLAIN_SETTINGS = "9bc75131730236b0"
"""The fingerprint of `predict --model street` without any other option."""
PHOTOS = {"plain": 3, "everything": 1, "own": 3, "refined": 3, "from-probs": 1}


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A copy of the old work, in which relative paths lead where they led; times are those that were recorded."""
    home = tmp_path / "home"
    shutil.copytree(OLD_WORK, home)
    for folder in ("photos", "labels", "rough", "everything/probs"):
        for path in filter(Path.is_file, (home / folder).rglob("*")):
            os.utime(path, ns=(FACTS["settled"], FACTS["settled"]))
    monkeypatch.chdir(home)
    return home


def segcli(*arguments):
    from segcli.cli.app import app

    result = CliRunner().invoke(app, list(map(str, arguments)))
    assert result.exit_code == 0, result.output
    return result


def contents(folder):
    """Every file's bytes, but those that each run writes anew."""
    anew = {"run.toml", "areas.csv", "review.csv", "gallery.html", "polygons.json"}
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name not in anew}


def summary(arguments):
    told = json.loads(segcli(*arguments, "--json").stdout)
    return told["segmented"], told["skipped"], told["failed"]


def test_the_fixtures_are_of_the_commit_that_is_named():
    assert FACTS["commit"] == COMMIT
    assert PHOTOS.keys() == FACTS["commands"].keys()


@pytest.mark.parametrize("folder", PHOTOS)
def test_the_same_command_has_nothing_to_do(home, folder):
    before, tables = contents(home / folder), (home / folder / "areas.csv").read_bytes()
    result = segcli(*FACTS["commands"][folder])
    verb = "refined" if FACTS["commands"][folder][0] == "crf" else "segmented"
    assert result.stdout.splitlines()[-1] == f"0 {verb}, {PHOTOS[folder]} done before: {folder}"
    assert contents(home / folder) == before
    assert (home / folder / "areas.csv").read_bytes() == tables


def test_what_sums_up_a_folder_is_written_again_with_the_same_bytes(home):
    before = (home / "everything/polygons.json").read_bytes()
    (home / "everything/polygons.json").unlink()
    segcli(*FACTS["commands"]["everything"])
    mark = f"{json.dumps({'info': UNCORRECTED})[1:-1]}, ".encode()  # which is new: nobody has corrected these
    assert (home / "everything/polygons.json").read_bytes().replace(mark, b"") == before


def test_the_new_gallery_shows_what_the_old_one_did(home):
    """The page itself is another; its photos are not made again."""
    before = found_in(home / "everything/gallery.html")
    segcli(*FACTS["commands"]["everything"])
    (facts, pictures), (old,) = found_in(home / "everything/gallery.html"), before
    assert facts.pop("input") == "photos/trip/avenue.jpg"
    assert facts.pop("files") == {kind: f"{kind}s/avenue.{end}" for kind, end in FILES.items()}
    assert facts | pictures == old


FILES = {"mask": "png", "overlay": "jpg", "cutout": "png"}


def found_in(page):
    """The data of the photos of a gallery."""
    texts = re.findall(r'<script type="application/json" class="(?:entry|pictures)">(.*?)</script>', page.read_text())
    return list(map(json.loads, texts))


def test_settings_at_their_default_are_not_part_of_the_fingerprint(home):
    """A new option whose default enters it would make every folder of every user stale."""
    from segcli.pipeline.ledger import Ledger

    spelt_out = "--scales 1 --save mask,overlay --precision float32 --overlay-size 1920 --batch 1 --device auto"
    assert summary([*FACTS["commands"]["plain"], *spelt_out.split()]) == (0, 3, 0)
    shutil.rmtree("plain/masks")
    assert summary(FACTS["commands"]["plain"]) == (3, 0, 0)
    assert {record.settings for record in Ledger(Path("plain")).records.values()} == {PLAIN_SETTINGS}


def test_where_times_differ_contents_decide(home):
    for path in filter(Path.is_file, (home / "photos").rglob("*")):
        os.utime(path, ns=(1, 1))
    assert summary(FACTS["commands"]["plain"]) == (0, 3, 0)
    assert summary([*FACTS["commands"]["plain"], "--verify"]) == (0, 3, 0)


def test_another_photo_of_the_same_name_is_segmented(home):
    shutil.copyfile("photos/morning.jpg", "photos/dusk.jpg")
    assert summary(FACTS["commands"]["plain"]) == (1, 2, 0)


def test_a_line_that_lacks_what_is_not_needed_counts_as_done(home):
    lacking = {"beside", "uncertainty", "seconds", "notes", "error", "areas", "width", "height"}
    rewrite(home / "plain", lambda line: {key: value for key, value in line.items() if key not in lacking})
    assert summary(FACTS["commands"]["plain"]) == (0, 3, 0)


def test_a_line_of_a_later_version_with_a_field_that_is_unknown_counts_as_done(home):
    rewrite(home / "plain", lambda line: {**line, "of_a_later_version": {"a": [1, None]}})
    assert summary(FACTS["commands"]["plain"]) == (0, 3, 0)


def rewrite(folder, change):
    path = folder / "manifest.jsonl"
    lines = [json.dumps(change(json.loads(line))) for line in path.read_text().splitlines()]
    path.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize("folder", ["plain", "everything", "own"])
def test_a_run_is_repeated_from_its_run_toml(home, folder):
    before = contents(home / folder)
    assert segcli("predict", "--from", f"{folder}/run.toml").stdout.startswith("0 segmented,")
    assert contents(home / folder) == before
    told = tomllib.loads((OLD_WORK / folder / "run.toml").read_text())
    again = tomllib.loads((home / folder / "run.toml").read_text())
    assert {**again, "started": 0, "segcli": 0} == {**told, "started": 0, "segcli": 0}


def test_stored_label_maps_are_scored_and_not_computed(home):
    before = contents(home / "predictions")
    told = json.loads(segcli(*FACTS["score"], "--json").stdout)
    assert told["reused"] == 3
    assert contents(home / "predictions") == before
    old, new = (json.loads((folder / "scores" / "scores.json").read_text()) for folder in (OLD_WORK, home))
    assert [new[key] for key in ("miou", "pixel_accuracy")] == [old[key] for key in ("miou", "pixel_accuracy")]


def test_a_checkpoint_predicts(home):
    own = [*FACTS["commands"]["own"][:-1], "new"]
    assert summary(own) == (3, 0, 0)
    shares = [agreement(path, home / "new" / path.relative_to(home / "own")) for path in (home / "own").rglob("*.png")]
    assert min(shares) > 0.99


def agreement(one, other):
    import numpy as np
    from PIL import Image

    return float((np.asarray(Image.open(one)) == np.asarray(Image.open(other))).mean())


def test_a_checkpoint_says_what_it_was_trained_on_and_reached(home):
    from segcli.weights import checkpoint

    saved = checkpoint.read(home / "run" / "small.safetensors")
    assert (saved.spec.name, saved.spec.backbone.width, len(saved.labels)) == ("tiny", 0.125, 11)
    assert saved.recipe["schedule"]["iterations"] == 4
    assert saved.scores["iteration"] == 2


def test_a_recipe_that_a_run_wrote_is_read_and_nothing_of_it_changes(home):
    from segcli.training import recipe

    written = tomllib.loads((home / "run" / "recipe.toml").read_text())
    defaults = recipe.Recipe().to_dict()  # of keys that are newer than the recipe
    whole = {table: {**defaults[table], **keys} for table, keys in written.items()}
    assert recipe.read(home / "run" / "recipe.toml").to_dict() == whole


def test_a_training_goes_on_from_its_state_by_the_recipe_that_it_wrote(home):
    arguments = ["train", "--config", "run/recipe.toml", "-o", "run", "--resume", "--set", "run.save_every=4"]
    assert "going on after iteration 2" in segcli(*arguments).stderr
    rows, old = (list(csv.DictReader((folder / "run" / "metrics.csv").open())) for folder in (home, OLD_WORK))
    assert [row["iteration"] for row in rows] == ["0", "1", "2", "3", "4"]
    assert [{key: row[key] for key in old[0]} for row in rows[:3]] == old[:3]
    assert [any(value for key, value in row.items() if key.startswith("iou ")) for row in rows] == [False] * 4 + [True]
    assert (home / "run" / "last.safetensors").is_file()


@pytest.mark.parametrize("name", FACTS["converted"])
def test_weights_that_were_downloaded_and_converted_are_not_again(name, tmp_path, monkeypatch):
    """The converted file's name holds a digest of all that conversion depends on; its content does not matter here."""
    from segcli.weights import cache, manifest

    monkeypatch.setenv("SEGCLI_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    path = pretend_converted(tmp_path, name, b"converted")
    here = cache.obtain(manifest.find(name))
    assert (here.path, here.problem(), here.record.commit) == (path, "", "5282e0e")


@pytest.mark.parametrize(("name", "stride"), [("street", None), ("street", 8), ("tiny", None)])
def test_networks_converted_for_onnxruntime_are_not_again(name, stride, tmp_path, monkeypatch):
    from segcli.export import conversions
    from segcli.weights import model_io

    installed = {"torch": "2.0", "onnx": "1.0", "onnxruntime": "1.0"}
    monkeypatch.setattr(metadata, "version", installed.get)
    monkeypatch.setattr(conversions, "__version__", "0")
    monkeypatch.setenv("SEGCLI_CACHE_DIR", str(tmp_path))
    monkeypatch.chdir(OLD_WORK)
    model = model_io.load(Path("run/small.safetensors") if name == "tiny" else name, stride)
    assert conversions.kept(model) is None
    key = FACTS["onnx"][f"{name} at {stride}" if stride else name]
    path = tmp_path / "onnx" / f"{key}-0123456789ab.onnx"
    path.parent.mkdir()
    path.write_bytes(b"a graph")
    assert conversions.kept(model) == path
