"""`--save objects`: what the tables hold, what is counted, and what becomes of specks and holes."""

import csv
import json

import numpy as np
import pytest
import tifffile
from PIL import Image
from scipy import ndimage
from small_runs import records, smooth, tree
from typer.testing import CliRunner

import segcli as package
from segcli.cli.app import app
from segcli.errors import UsageError
from segcli.images.masks import write_label_map
from segcli.labels import VOC, from_names
from segcli.pipeline.objects import HEADINGS, drawn

CELLS = from_names(["background", "cell", "nucleus"])


def ring_and_specks() -> np.ndarray:
    """A ring of 12 pixels around a hole with a speck in it, a square of 4 at the border, and a speck of one pixel."""
    label_map = np.zeros((20, 30), np.uint8)
    label_map[5:12, 5:12] = 1
    label_map[6:11, 6:11] = 0
    label_map[8, 8] = 2
    label_map[18:20, 28:30] = 2
    label_map[15, 3] = 1
    return label_map


def table(path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def crf(tmp_path, monkeypatch):
    """Runs `segcli crf` on two photos so that it keeps their rough labels as they are."""
    photo = smooth(3, 30, 20)
    sizes = {"PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
    (tmp_path / "photos").mkdir()
    (tmp_path / "rough").mkdir()
    tifffile.imwrite(tmp_path / "photos/a.ome.tif", photo, photometric="rgb", metadata={"axes": "YXS", **sizes})
    Image.fromarray(photo).save(tmp_path / "photos/b.png")
    for name in ("a.ome", "b"):
        write_label_map(tmp_path / f"rough/{name}.png", ring_and_specks(), CELLS, {})
    monkeypatch.chdir(tmp_path)
    common = "crf photos --labels rough -o out --gt-prob 0.999 --crf-set iterations=0".split()
    return lambda *options, save="mask,objects": CliRunner().invoke(app, [*common, "--save", save, *options])


class TestTables:
    def test_hold_each_object_of_each_photo(self, crf, tmp_path):
        assert crf().exit_code == 0
        assert tree(tmp_path / "out/objects") == {"a.ome.csv", "b.csv"}
        rows = table(tmp_path / "out/objects.csv")
        assert tuple(rows[0]) == HEADINGS
        assert rows == table(tmp_path / "out/objects/a.ome.csv") + table(tmp_path / "out/objects/b.csv")
        mine = [(row["class"], row["object"], row["pixels"], row["at_border"]) for row in rows[:4]]
        assert mine == [
            ("cell", "1", "24", "0"),
            ("nucleus", "2", "1", "0"),
            ("cell", "3", "1", "0"),
            ("nucleus", "4", "4", "1"),
        ]
        square = rows[3]
        assert (square["x"], square["y"]) == ("28.50", "18.50")
        assert [square[side] for side in ("left", "top", "width", "height")] == ["28", "18", "2", "2"]
        assert (square["diameter"], square["certainty"]) == ("2.26", "0.9990")

    def test_micrometres_are_known_where_the_file_states_them(self, crf, tmp_path):
        crf()
        known, unknown = (table(tmp_path / f"out/objects/{name}.csv")[3] for name in ("a.ome", "b"))
        assert (known["area_um2"], known["diameter_um"]) == ("1", "1.12838")
        assert (unknown["area_um2"], unknown["diameter_um"]) == ("", "")

    def test_counts_stand_in_the_last_lines_and_the_records(self, crf, tmp_path):
        told = crf().stdout.splitlines()
        assert told[-2] == "objects: 8 (4 cell, 4 nucleus)"
        assert records(tmp_path / "out")["b"]["objects"] == {"cell": 2, "nucleus": 2}
        assert crf().stdout.splitlines()[-2:-1] == told[-2:-1]
        assert json.loads(crf("--json").stdout)["objects"] == {"cell": 4, "nucleus": 4}

    def test_nothing_of_it_is_written_unless_it_is_asked_for(self, segcli, photos, tmp_path):
        told = json.loads(segcli(photos / "b.png", "-o", "out", "--json").stdout)
        assert "objects" not in told
        assert all("objects" not in record for record in records(tmp_path / "out").values())
        assert "fill_holes" not in (tmp_path / "out/run.toml").read_text()
        assert tree(tmp_path / "out") == {
            "areas.csv",
            "manifest.jsonl",
            "masks/b.png",
            "overlays/b.jpg",
            "review.csv",
            "run.toml",
        }

    def test_of_a_network_are_the_regions_of_its_masks(self, segcli, photos, tmp_path):
        result = segcli(photos / "b.png", "-o", "out", "--save", "mask,objects")
        assert result.exit_code == 0, result.output
        mask = np.asarray(Image.open(tmp_path / "out/masks/b.png"))
        sizes = [np.bincount(ndimage.label(mask == label)[0].ravel())[1:] for label in range(1, len(VOC))]
        rows = table(tmp_path / "out/objects.csv")
        assert sorted(int(row["pixels"]) for row in rows) == sorted(np.concatenate(sizes))
        assert all(1 / len(VOC) < float(row["certainty"]) <= 1 for row in rows)


class TestTidying:
    def test_holes_and_specks(self, crf, tmp_path):
        lines = crf("--min-area", "3", "--fill-holes").stdout.splitlines()
        assert "left out 4 regions below 3 pixels, only from the label files and objects" in lines
        rows = table(tmp_path / "out/objects/b.csv")
        assert [(row["class"], row["pixels"]) for row in rows] == [("cell", "49"), ("nucleus", "4")]
        mask = np.asarray(Image.open(tmp_path / "out/masks/b.png"))
        assert np.array_equal(mask, ring_and_specks())

    def test_is_part_of_what_decides_the_outputs(self, crf, tmp_path):
        crf()
        assert "2 refined" in crf("--fill-holes").stdout
        assert "2 done before" in crf("--fill-holes").stdout
        assert "fill_holes = true" in (tmp_path / "out/run.toml").read_text()

    def test_polygons_are_without_holes_too(self, crf, tmp_path):
        crf("--fill-holes", save="polygons")
        areas = [one["area"] for one in json.loads((tmp_path / "out/polygons.json").read_text())["annotations"]]
        assert sorted(areas[:4]) == [1, 1, 4, 24]  # what another object is in is no hole

    def test_a_hole_with_a_speck_is_one_once_the_speck_is_gone(self):
        tidy, specks = drawn(ring_and_specks(), None, CELLS, 0, 2, True)
        assert specks == 2
        assert (tidy[5:12, 5:12] == 1).all()

    def test_no_data_is_never_filled(self):
        valid = np.ones((20, 30), bool)
        valid[9, 9] = False
        label_map = np.where(ring_and_specks() == 2, 0, ring_and_specks()).astype(np.uint8)
        tidy, _ = drawn(label_map, valid, CELLS, 0, 0, True)
        assert (tidy[5:12, 5:12] == 0).sum() == 1

    @pytest.mark.parametrize("kinds", ["mask", "mask,overlay,classes"])
    def test_holes_without_objects_are_refused(self, segcli, photos, kinds):
        result = segcli(photos, "-o", "out", "--fill-holes", "--save", kinds)
        assert result.exit_code == 2
        assert "--fill-holes works only on label files and objects" in result.stderr

    def test_holes_need_a_background(self, tmp_path):
        result = package.refine(smooth(3, 30, 20), ring_and_specks(), classes=["a", "b", "c"], crf=False)
        with pytest.raises(UsageError, match="has no background"):
            result.objects(fill_holes=True)
        result.save(tmp_path, ["objects"], classes=["b"], fill_holes=True)  # all else is background then
        assert [row["pixels"] for row in table(tmp_path / "objects/photo.csv")] == ["49", "1"]


class TestPython:
    def test_a_result_has_objects(self, tmp_path):
        result = package.refine(smooth(3, 30, 20), ring_and_specks(), classes=CELLS, crf=False, gt_prob=0.9)
        assert [(result.names[one.label], one.pixels) for one in result.objects()] == [
            *(("cell", 24), ("nucleus", 1), ("cell", 1), ("nucleus", 4)),
        ]
        ring, square = result.objects(min_area=3, fill_holes=True)
        assert (ring.pixels, square.at_border) == (49, True)
        assert 0.8 < ring.certainty <= 0.9
        path = result.save(tmp_path, ["objects"], min_area=3, fill_holes=True)["objects"]
        assert [row["pixels"] for row in table(path)] == ["49", "4"]
