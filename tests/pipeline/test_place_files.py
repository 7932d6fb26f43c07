"""Photos with a place through whole runs: what `predict` and `crf` write of them, and who reads it."""

import csv
import json

import geotiffs
import numpy as np
import pytest
import tifffile
from PIL import Image
from small_runs import records, smooth, tree

from segcli.data.folder import open_folder
from segcli.errors import DatasetError, UsageError
from segcli.evaluation import predictions
from segcli.files.sources import Source, find
from segcli.images.geo.geotags import MOST
from segcli.images.masks import read_label_map
from segcli.pipeline import place_files, reading

WORLD = "0.5\n0\n0\n-0.5\n500000.25\n5299999.75\n"
PRJ = 'PROJCS["WGS_1984_UTM_Zone_32N",GEOGCS["GCS_WGS_1984"],UNIT["Meter",1.0]]'


@pytest.fixture
def placed(tmp_path):
    """An ordinary photo, a GeoTIFF, one with control points only, and a PNG with a world file."""
    folder = tmp_path / "places"
    geotiffs.write(folder / "ortho.tif", geotiffs.PLACES["utm"], 60, 80)
    geotiffs.write(folder / "points.tif", geotiffs.PLACES["control points"], 60, 80)
    for name in ("plain", "world"):
        Image.fromarray(smooth(5, 80, 60)).save(folder / f"{name}.png")
    (folder / "world.pgw").write_text(WORLD)
    (folder / "world.prj").write_text(PRJ)
    return folder


def geotags(path):
    return {tag.code: tag.value for tag in tifffile.TiffFile(path).pages[0].tags if tag.code in MOST}


def test_each_photo_gets_a_mask_that_lies_where_it_does(segcli, placed, tmp_path):
    result = segcli(placed, "-o", "out", "--save", "mask,geojson,gallery,probs", "--min-area", "4")
    assert result.exit_code == 0, result.output
    out = tmp_path / "out"
    beside = {"ortho.tif.aux.xml", "points.tif.aux.xml", "world.pgw", "world.prj", "world.png.aux.xml"}
    assert tree(out / "masks") == {"ortho.tif", "points.tif", "plain.png", "world.png", *beside}
    for name in ("ortho.tif", "points.tif"):
        assert geotags(out / "masks" / name) == geotags(placed / name)
    assert (out / "masks/world.pgw").read_text() == WORLD
    assert (out / "masks/world.prj").read_text() == PRJ
    done = records(out)
    assert done["ortho"]["outputs"].keys() == {"mask", "mask names", "geojson", "gallery", "probs"}
    assert done["world"]["outputs"].keys() == {
        "mask",
        "mask pgw",
        "mask prj",
        "mask names",
        "geojson",
        "gallery",
        "probs",
    }
    assert done["plain"]["outputs"].keys() == {"mask", "gallery", "probs"}
    assert done["plain"].keys() == done["ortho"].keys() - {"pixel_area"}
    assert done["ortho"]["pixel_area"] == 0.125
    assert done["plain"]["notes"] == ["It has no place on earth, and so no GeoJSON."]
    assert tree(out / "geojson") == {"ortho.geojson", "world.geojson"}
    merged = json.loads((out / "polygons.geojson").read_text())
    images = {feature["properties"]["image"] for feature in merged["features"]}
    assert images == {str(placed / "ortho.tif"), str(placed / "world.png")}


def test_areas_have_square_metres_where_they_are_known(segcli, placed, tmp_path):
    segcli(placed, "-o", "out")
    with (tmp_path / "out/areas.csv").open() as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        metres = {"ortho.tif": 0.125, "world.png": 0.25}.get(row["image"].rpartition("/")[2])
        assert row["m2"] == "" if metres is None else float(row["m2"]) == metres * int(row["pixels"])
    segcli(placed / "plain.png", "-o", "alone")
    assert (tmp_path / "alone/areas.csv").read_text().startswith("image,class,pixels,percent\n")


def test_a_run_goes_on_and_misses_what_is_gone(segcli, placed, tmp_path):
    segcli(placed, "-o", "out")
    assert "0 segmented, 4 done before" in segcli(placed, "-o", "out", "--verify").output
    (tmp_path / "out/masks/world.pgw").unlink()
    (tmp_path / "out/masks/ortho.tif.aux.xml").write_text("")
    assert "2 segmented, 2 done before" in segcli(placed, "-o", "out").output


def test_a_mask_under_the_other_suffix_makes_way(segcli, placed, tmp_path):
    """Unless somebody else's: a folder of results may hold what segcli did not write."""
    masks = tmp_path / "out/masks"
    segcli(placed / "ortho.tif", "-o", "out")
    before = read_label_map(masks / "ortho.tif")
    geotiffs.write(placed / "ortho.tif", {}, 60, 80)
    segcli(placed / "ortho.tif", "-o", "out")
    assert tree(masks) == {"ortho.png"}
    assert np.array_equal(read_label_map(masks / "ortho.png"), before)
    Image.fromarray(before).save(masks / "ortho.tif")
    geotiffs.write(placed / "ortho.tif", {}, 60, 80, compression="zlib")
    segcli(placed / "ortho.tif", "-o", "out")
    assert tree(masks) == {"ortho.png", "ortho.tif"}


def test_the_crf_and_comparisons_read_and_write_both(segcli, placed, tmp_path):
    from typer.testing import CliRunner

    from segcli.cli.app import app

    segcli(placed, "-o", "out", "--save", "mask,probs")
    run = CliRunner()
    for arguments in (["--probs", "out"], ["--labels", "out"]):
        result = run.invoke(app, ["crf", str(placed), *arguments, "-o", f"{arguments[0][2:]}", "--save", "mask"])
        assert result.exit_code == 0, result.output
        assert tree(tmp_path / arguments[0][2:] / "masks") == tree(tmp_path / "out/masks")
        assert geotags(tmp_path / arguments[0][2:] / "masks/ortho.tif") == geotags(placed / "ortho.tif")
    result = run.invoke(app, ["compare", "out", "probs", "-o", "differences"])
    assert "in 4 images" in result.output, result.output
    found = predictions.find(tmp_path / "out")
    assert {name: path.suffix for name, path in found.items()} == {
        "ortho": ".tif", "points": ".tif", "plain": ".png", "world": ".png"
    }  # fmt: skip


def test_masks_that_nobody_has_corrected_are_no_labels(segcli, placed, tmp_path):
    segcli(placed / "ortho.tif", "-o", "out")
    with pytest.raises(DatasetError, match="predictions"):
        open_folder(placed, tmp_path / "out/masks")
    mask = tmp_path / "out/masks/ortho.tif"
    tags = {tag.code: tag.value for tag in tifffile.TiffFile(mask).pages[0].tags}
    label_map = read_label_map(mask)
    label_map[5:9, 5:9] = 3
    tifffile.imwrite(mask, label_map, metadata=None, extratags=[(42112, 2, None, tags[42112], True)])
    assert "ortho" in {sample.name for sample in open_folder(placed, tmp_path / "out/masks").samples}


def test_the_ground_resolution_sets_the_size_that_the_network_sees(placed):
    source = Source(placed / "ortho.tif", None)
    assert reading.Reading(gsd=25.0).read(source).working == (60, 160)
    assert reading.Reading().read(source).working is None


def test_a_photo_without_metres_fails_alone(segcli, placed, tmp_path):
    result = segcli(placed, "-o", "out", "--gsd", "50")
    assert result.exit_code == 3
    failed = {
        name: record["error"] for name, record in records(tmp_path / "out").items() if record["status"] == "failed"
    }
    assert failed.keys() == {"plain", "points"}
    assert all(error.startswith("it has no place in metres") for error in failed.values())
    assert "gsd = 50.0" in (tmp_path / "out/run.toml").read_text()
    segcli(placed, "-o", "all", "--save", "mask")
    assert "gsd" not in (tmp_path / "all/run.toml").read_text()
    assert not np.array_equal(*(read_label_map(tmp_path / run / "masks/ortho.tif") for run in ("out", "all")))


def test_what_cannot_be_together_is_refused(segcli, placed):
    assert "--gsd and --size cannot be used together" in segcli(placed, "--gsd", "50", "--size", "200").output
    assert "--geojson-crs goes with --save geojson" in segcli(placed, "--geojson-crs", "own").output
    assert segcli(placed, "--gsd", "0").exit_code == 2


def test_without_rasterio_the_run_says_so_before_it_begins(segcli, placed, tmp_path, monkeypatch):
    geotiffs.write(placed / "belgium.tif", {**geotiffs.NORTH_UP, geotiffs.KEYS: geotiffs.BELGIAN}, 60, 80)
    monkeypatch.setattr(place_files.RASTER.__class__, "installed", False)
    with pytest.raises(UsageError, match=r"belgium\.tif lies in EPSG:31370") as caught:
        place_files.check({"geojson"}, "wgs84", find([placed]).files)
    assert "pip install rasterio" in caught.value.hint
    result = segcli(placed, "-o", "out", "--save", "geojson")
    assert result.exit_code == 2
    assert not (tmp_path / "out").exists()
    assert segcli(placed, "-o", "out", "--save", "geojson", "--geojson-crs", "own").exit_code == 0


def test_python_users_get_the_same(placed, checkpoint, tmp_path):
    import segcli

    result = segcli.load(checkpoint).predict(placed / "ortho.tif")
    files = result.save(tmp_path / "saved", ["mask", "geojson"])
    assert files["mask"] == tmp_path / "saved/masks/ortho.tif"
    assert geotags(files["mask"]) == geotags(placed / "ortho.tif")
