"""Pictures that are done in parts: the files are those of the whole, whatever moment the work was stopped at."""

import json
import os
import random
import shutil
import signal
import time
from dataclasses import replace

import geotiffs
import numpy as np
import pytest
import torch
from heard import Heard
from in_parts import KINDS, model, run
from PIL import Image
from pycocotools.coco import COCO
from small_runs import records, smooth, tree
from tiny import PooledNetwork, tiny_model

from segcli.crf.params import CRFParams
from segcli.crf.settings import CRFSettings
from segcli.errors import UsageError
from segcli.files import headroom, workplaces
from segcli.images.geo.place import read_place
from segcli.inference.options import ModelOptions
from segcli.inference.segmenter import Segmenter
from segcli.pipeline.giants import journal, plan
from segcli.pipeline.model import Model
from segcli.weights.model_io import LoadedModel

NO_DATA = (42113, 2, None, "0", True)
SMALL = {"max_pixels": 30_000}
"""A limit that the pictures here are above."""


def raster(path, holes: bool = False):
    pixels = np.array(smooth(3, 170, 300)).clip(1)
    if holes:
        pixels[125:] = pixels[:40, 100:] = pixels[::9, ::4] = 0
    return geotiffs.write(
        path, geotiffs.PLACES["utm"], 300, 170, pixels, tile=(64, 64), extratags=[NO_DATA] if holes else []
    )


def compare(whole, parts):
    assert tree(parts) == tree(whole)
    for name in tree(whole) - {"manifest.jsonl", "run.toml"}:
        assert (parts / name).read_bytes() == (whole / name).read_bytes(), name
    for before, after in zip(records(whole).values(), records(parts).values(), strict=True):
        assert {**before, "seconds": 0} == {**after, "seconds": 0}


@pytest.mark.parametrize("holes", [False, True])
def test_small_pictures_have_the_same_files_both_ways(holes, tmp_path):
    raster(tmp_path / "in" / "a.tif", holes)
    kinds = KINDS[:3] if holes else KINDS  # what a network says of what is not there is not asked
    run(tmp_path / "in", tmp_path / "whole", save=kinds)
    heard = Heard()
    run(tmp_path / "in", tmp_path / "parts", save=kinds, listener=heard, **SMALL)
    compare(tmp_path / "whole", tmp_path / "parts")
    assert any("done in parts: 8 windows of 129 at full size" in note for note in heard.notes)
    assert (records(tmp_path / "parts")["a"].get("no_data", 0) > 10_000) == holes


def test_windows_without_data_are_not_looked_at(tmp_path):
    use, asked = model(), []
    use.segmenter.network.register_forward_hook(lambda network, args, result: asked.append(args[0].shape))
    for holes in (False, True):
        path = raster(tmp_path / f"{holes}" / "a.tif", holes)
        run(path, tmp_path / "out" / f"{holes}", use=use, save=["mask"], **SMALL)
    without, with_holes = 8 + 1, len(asked) - 9  # one more asks how large the scores are
    assert with_holes < without


class StoppedError(Exception):
    """Somebody has pressed Ctrl-C."""


@pytest.mark.parametrize("holes", [False, True])
def test_a_run_that_is_stopped_goes_on_at_its_row_of_windows(holes, tmp_path, monkeypatch):
    path = raster(tmp_path / "a.tif", holes)
    run(path, tmp_path / "alone", **SMALL)
    note, notes = journal.Journal.note, []

    def stopping(self, facts, arrays):
        note(self, facts, arrays)
        notes.append(facts["row"])
        raise StoppedError

    monkeypatch.setattr(journal.Journal, "note", stopping)
    for _ in range(3):
        with pytest.raises(StoppedError):
            run(path, tmp_path / "out", **SMALL)
        labels = next((tmp_path / "out" / workplaces.GIANTS).rglob("labels"))
        with labels.open("ab") as file:
            file.write(b"what a process wrote before it was killed")
    assert notes == [1, 2, 3]
    monkeypatch.setattr(journal.Journal, "note", note)
    heard = Heard()
    run(path, tmp_path / "out", listener=heard, **SMALL)
    assert any("3 of 4 rows of them are done" in text for text in heard.notes)
    compare(tmp_path / "alone", tmp_path / "out")


def test_a_run_that_is_killed_at_any_moment_ends_with_the_same_files(tmp_path):
    path, use, random_moment = raster(tmp_path / "a.tif", True), model(), random.Random(0)
    begun = time.monotonic()
    run(path, tmp_path / "alone", use=use, save=["mask"], **SMALL)
    seconds, kills = time.monotonic() - begun, 0
    for _ in range(10):
        child = os.fork()
        if not child:
            run(path, tmp_path / "out", use=use, save=["mask"], **SMALL)
            os._exit(0)
        time.sleep(random_moment.uniform(0, seconds))
        os.kill(child, signal.SIGKILL)
        if os.WIFSIGNALED(os.waitpid(child, 0)[1]):
            kills += 1
        else:  # it was through, which the first run took longer for
            shutil.rmtree(tmp_path / "out")
            seconds /= 2
    assert kills
    run(path, tmp_path / "out", use=use, save=["mask"], **SMALL)
    for left in (tmp_path / "out").rglob("*.part"):
        left.unlink()
    compare(tmp_path / "alone", tmp_path / "out")


def stages(heard):
    """What was told: each stage with its events."""
    return {stage: [one for one in heard if one.stage == stage] for stage in ("values", "mean", "labels", "files")}


def test_progress_is_told_window_by_window(tmp_path):
    heard = []
    run(raster(tmp_path / "a.tif", True), tmp_path / "out", save=["mask"], watch=heard.append, **SMALL)
    told = stages(heard)
    assert told["values"][-1].pixels == 170 * 300
    assert not told["mean"]
    assert sorted({one.windows for one in told["labels"]}) == list(range(1, 9))
    assert [one.pixels for one in told["labels"]] == sorted(one.pixels for one in told["labels"])
    assert (heard[-1].stage, heard[-1].share, heard[-1].pixels) == ("files", 1.0, 170 * 300)
    assert {(one.of_windows, one.of_pixels, one.passes) for one in heard} == {(8, 170 * 300, (1, 1))}


def test_what_changes_the_result_begins_anew(tmp_path, monkeypatch):
    path = raster(tmp_path / "a.tif")
    monkeypatch.setattr(journal.Journal, "remove", lambda self: self.close())
    run(path, tmp_path / "out", save=["mask"], **SMALL)
    heard = Heard()
    run(path, tmp_path / "out", save=["mask"], use=model(tile=161), listener=heard, **SMALL)
    assert not any("are done" in note for note in heard.notes)
    assert len(list((tmp_path / "out" / workplaces.GIANTS).rglob("state.npz"))) == 1


@pytest.mark.parametrize(
    ("options", "asked", "reason"),
    [
        ({"flip": True}, {}, "--flip"),
        ({}, {"save": ["mask", "yolo", "labelme"]}, "--save labelme,yolo"),
        ({}, {"save": ["polygons"], "fill_holes": True}, "--fill-holes"),
    ],
)
def test_what_is_not_done_in_parts_is_refused_before_any_work(options, asked, reason, tmp_path):
    path, asked = raster(tmp_path / "in" / "a.tif"), {"save": ["mask"], **asked, **SMALL}
    with pytest.raises(UsageError, match=rf"a\.tif: it is too large for memory.*{reason}") as refused:
        run(path, tmp_path / "out", use=model(**options), **asked)
    assert "cut it into parts" in refused.value.hint
    assert not (tmp_path / "out").exists()
    geotiffs.write(tmp_path / "in" / "b.tif", geotiffs.PLACES["utm"], 60, 90)
    found = run(tmp_path / "in", tmp_path / "out", use=model(**options), **asked)
    assert [one.status for one in found] == ["failed", "done"], "the others go on"
    assert reason in found[0].error


def test_cutouts_and_masks_of_classes_are_those_of_the_whole(tmp_path):
    raster(tmp_path / "in" / "a.tif", True)
    for name, limit in (("whole", {}), ("parts", SMALL)):
        (record,) = run(tmp_path / "in", tmp_path / name, save=["cutout", "classes"], **limit)
        assert record.status == "done"
    pairs = {
        path: tmp_path / "parts" / path.relative_to(tmp_path / "whole").with_suffix(".tif")
        for path in (tmp_path / "whole").rglob("*.png")
    }
    assert len(pairs) > 2
    for whole, parts in pairs.items():
        pixels = geotiffs.tifffile.imread(parts)
        assert np.array_equal(pixels, np.asarray(Image.open(whole))), whole
        assert read_place(parts)[0].transform == read_place(tmp_path / "in" / "a.tif")[0].transform
    assert set((tmp_path / "parts").rglob("*.tif")) == set(pairs.values())


def test_objects_are_those_of_the_whole(tmp_path):
    path = raster(tmp_path / "a.tif", True)
    for name, limit in (("whole", {}), ("parts", SMALL)):
        (record,) = run(path, tmp_path / name, save=["objects", "probs"], min_area=40, **limit)
        assert record.specks
        assert sum(record.objects.values()) > 5
    assert (tmp_path / "parts" / "objects.csv").read_bytes() == (tmp_path / "whole" / "objects.csv").read_bytes()


def test_coco_polygons_are_those_of_the_whole(tmp_path):
    path, areas = raster(tmp_path / "a.tif", True), []
    for name, limit in (("whole", {}), ("parts", SMALL)):
        (record,) = run(path, tmp_path / name, save=["polygons"], min_area=40, **limit)
        coco = COCO(tmp_path / name / "polygons.json")
        drawn = [(one["category_id"], coco.annToMask(one).tobytes(), one["area"]) for one in coco.anns.values()]
        areas.append((record.specks, sorted(drawn)))
    assert areas[0] == areas[1]
    assert len(areas[0][1]) > 5


def test_a_row_of_windows_beyond_the_limit_is_refused(tmp_path):
    found = run(raster(tmp_path / "a.tif"), tmp_path / "out", save=["mask"], max_pixels=129 * 193 - 1)
    assert "a row of its windows has" in found[0].error


def test_values_of_16_bits_are_measured_in_parts_as_whole(tmp_path):
    pixels = np.array(smooth(3, 170, 300)).astype(np.uint16) * 11 + 40
    path = geotiffs.write(tmp_path / "a.tif", geotiffs.PLACES["utm"], 300, 170, pixels, tile=(64, 64))
    for name, limit in (("whole", {}), ("parts", SMALL)):
        run(path, tmp_path / name, value_range="auto", **limit)
    compare(tmp_path / "whole", tmp_path / "parts")


def test_small_and_large_pictures_share_a_folder(tmp_path):
    raster(tmp_path / "in" / "b.tif")
    for name in ("a", "c"):
        geotiffs.write(tmp_path / "in" / f"{name}.tif", geotiffs.PLACES["utm"], 60, 90)
    found = run(tmp_path / "in", tmp_path / "out", **SMALL)
    assert [one.name for one in found] == ["a", "b", "c"]
    assert not run(tmp_path / "in", tmp_path / "out", **SMALL)
    summed = json.loads((tmp_path / "out" / "manifest.jsonl").read_text().splitlines()[1])
    assert summed["status"] == "done"


def test_a_ground_resolution_is_that_of_the_whole_but_for_rounding(tmp_path):
    path, masks = raster(tmp_path / "a.tif"), []
    use = model(size=None)
    for name, limit in (("whole", {}), ("parts", SMALL)):
        run(path, tmp_path / name, use=use, save=["mask"], gsd=40.0, **limit)
        masks.append(geotiffs.tifffile.imread(tmp_path / name / "masks" / "a.tif"))
    assert np.mean(masks[0] == masks[1]) > 0.99


def test_polygons_are_those_of_the_whole(tmp_path):
    path = raster(tmp_path / "a.tif", True)
    features = []
    for name, limit in (("whole", {}), ("parts", SMALL)):
        found = run(path, tmp_path / name, save=["geojson"], min_area=40, **limit)
        text = (tmp_path / name / "geojson" / "a.geojson").read_text()
        features.append(sorted(map(plain, json.loads(text)["features"])))
        features.append(found[0].specks)
    assert features[0] == features[2]
    assert len(features[0]) > 5
    assert features[1] == features[3] > 0


def plain(feature: dict) -> tuple:
    """A feature whatever its rings begin with."""
    rings = [ring[:-1] for ring in feature["geometry"]["coordinates"]]
    turned = [ring[ring.index(min(ring)) :] + ring[: ring.index(min(ring))] for ring in rings]
    return str(feature["properties"]), str(turned[0]), str(sorted(turned[1:]))


def test_the_crf_refines_windows_with_margins(tmp_path):
    path, masks = raster(tmp_path / "a.tif"), {}
    crf = CRFSettings(CRFParams(iterations=1, sigma_alpha=8, w1=12), size=96)
    for name, settings, limit in (("plain", None, SMALL), ("whole", replace(crf, size=0), {}), ("parts", crf, SMALL)):
        run(path, tmp_path / name, save=["mask"], crf=settings, **limit)
        masks[name] = geotiffs.tifffile.imread(tmp_path / name / "masks" / "a.tif")
    changed = masks["plain"] != masks["whole"]
    assert np.mean(changed) > 0.005
    assert np.mean(masks["parts"][changed] == masks["whole"][changed]) > 0.9
    assert np.mean(masks["parts"] == masks["whole"]) > 0.995


def test_image_pooling_hears_of_the_whole_picture(tmp_path):
    path, masks = raster(tmp_path / "a.tif"), []
    torch.manual_seed(1)
    pooled = LoadedModel(**{**vars(tiny_model()), "network": PooledNetwork().eval()})
    options = ModelOptions(size=0, tile=129, engine="torch")
    use = Model(Segmenter(pooled, size=0, tile=129), options)
    heard = []
    for name, limit in (("whole", {}), ("parts", SMALL)):
        run(path, tmp_path / name, use=use, save=["mask"], watch=heard.append, **limit)
        masks.append(geotiffs.tifffile.imread(tmp_path / name / "masks" / "a.tif"))
    told = stages(heard)
    assert [one.share for one in told["mean"]] == [windows / 16 for windows in range(1, 9)]
    assert {one.share for one in told["labels"]} == {windows / 16 for windows in range(9, 17)}
    assert len(np.unique(masks[0])) > 2
    assert np.mean(masks[0] == masks[1]) > 0.9999


def test_a_picture_that_memory_is_short_for_is_seen_as_ever(tmp_path, monkeypatch):
    path, masks, heard = raster(tmp_path / "a.tif"), [], Heard()
    use = model(size=None, tile=None)
    for name in ("whole", "parts"):
        run(path, tmp_path / name, use=use, save=["mask"], listener=heard)
        masks.append(geotiffs.tifffile.imread(tmp_path / name / "masks" / "a.tif"))
        monkeypatch.setattr(plan, "SMALL", 0)
        monkeypatch.setattr(headroom, "of_host", lambda: headroom.Headroom(1000, 10**9))
    assert any("1 windows of 65 at 37 x 65 pixels" in note for note in heard.notes)
    assert np.mean(masks[0] == masks[1]) > 0.99
