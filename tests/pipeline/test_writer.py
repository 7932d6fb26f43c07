"""What `predict --save`, --classes and --pages write, beside masks and overlays."""

import csv
import json

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask
from small_runs import records, smooth, tree

from segcli.labels import VOC, from_names
from segcli.pipeline.outputs import Outputs


def array(path):
    return np.asarray(Image.open(path))


def test_every_kind_says_the_same_of_a_photo(segcli, photos, tmp_path):
    kinds = "mask,cutout,classes,polygons,gallery"
    result = segcli(photos / "b.png", "-o", "out", "--save", kinds)
    assert result.exit_code == 0, result.output
    mask = array(tmp_path / "out/masks/b.png")
    cut = array(tmp_path / "out/cutouts/b.png")
    inner = np.zeros(mask.shape, bool)
    inner[1:-1, 1:-1] = True
    for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):  # where all neighbours are alike, nothing is softened
        inner &= (mask == np.roll(mask, (dy, dx), (0, 1))) & (mask == np.roll(mask, (-dy, -dx), (0, 1)))
    assert np.array_equal(cut[..., 3][inner] == 255, (mask != 0)[inner])
    outlined = np.zeros_like(mask)
    for annotation in json.loads((tmp_path / "out/polygons.json").read_text())["annotations"]:
        region = coco_mask.decode(coco_mask.frPyObjects(annotation["segmentation"], *mask.shape))[..., 0]
        outlined[region.astype(bool)] = annotation["category_id"]
    assert np.array_equal(outlined, mask)
    found = {VOC.names[label] for label in np.unique(mask)} - {"background"}
    assert len(found) > 1
    assert tree(tmp_path / "out/classes") == {f"b.{name}.png" for name in found}
    for name in found:
        assert np.array_equal(array(tmp_path / f"out/classes/b.{name}.png") == 255, mask == VOC.names.index(name))
    assert "data:image/jpeg" in (tmp_path / "out/gallery.html").read_text()


def test_an_empty_cutout_is_noted_and_counted(segcli, photos, tmp_path):
    segcli(photos / "b.png", "-o", "all", "--save", "mask")
    found = set(records(tmp_path / "all")["b"]["areas"])
    absent = next(name for name in VOC.names[1:] if name not in found)
    result = segcli(photos / "b.png", "-o", "one", "--classes", absent, "--save", "mask,cutout")
    assert result.exit_code == 0, result.output
    assert "b.png: Its cutout is empty" in result.stderr
    assert "1 of the cutouts is empty" in result.stdout
    assert records(tmp_path / "one")["b"]["notes"] == ["Its cutout is empty: no pixel has a class to keep."]


def test_a_later_run_completes_what_sums_up_the_folder(segcli, photos, tmp_path):
    segcli(photos / "b.png", "-o", "out", "--save", "polygons,gallery")
    segcli(photos, "-o", "out", "--save", "polygons,gallery")
    assert len(json.loads((tmp_path / "out/polygons.json").read_text())["images"]) == 5
    assert (tmp_path / "out/gallery.html").read_text().count('class="entry"') == 5


def test_only_the_chosen_classes_are_kept(segcli, photos, tmp_path):
    segcli(photos, "-o", "all")
    whole = array(tmp_path / "all/masks/b.png")
    chosen = int(np.unique(whole)[-1])
    name = VOC.names[chosen]
    segcli(photos, "-o", "one", "--classes", name, "--save", "mask,classes,cutout", "--cutout-background", "#ff000a")
    assert np.array_equal(array(tmp_path / "one/masks/b.png"), np.where(whole == chosen, chosen, 0))
    assert tree(tmp_path / "one/classes") == {f"{path}.{name}.png" for path in records(tmp_path / "one")}
    assert set(records(tmp_path / "one")["b"]["areas"]) == {"background", name}
    assert (array(tmp_path / "one/cutouts/b.png")[whole != chosen] == (255, 0, 10)).all(1).any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--classes", "person,dragon"], "--classes dragon"),
        (["--save", "cutout", "--cutout-background", "reddish"], "--cutout-background reddish"),
    ],
)
def test_wrong_usage(segcli, photos, arguments, message):
    result = segcli(photos, "-o", "out", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr


def test_without_a_background_a_cutout_needs_classes(segcli, photos):
    arguments = ("--model", "v3plus-xception@cityscapes")
    result = segcli(photos, "-o", "out", "--save", "cutout", model=arguments)
    assert result.exit_code == 2
    assert "--classes" in result.stderr


def test_a_class_that_is_no_more_found_leaves_no_mask(segcli, photos, tmp_path):
    segcli(photos, "-o", "out", "--save", "classes")
    name = next(iter(set(records(tmp_path / "out")["a"]["areas"]) - {"background"}))
    assert (tmp_path / f"out/classes/a.{name}.png").exists()
    other = next(known for known in VOC.names[1:] if known != name)
    segcli(photos, "-o", "out", "--save", "classes", "--classes", other)
    assert tree(tmp_path / "out/classes") == {f"{path}.{other}.png" for path in records(tmp_path / "out")}


def test_files_of_classes_keep_to_the_folder(tmp_path):
    labels = from_names(["background", "../../evil", "a b", "a-b", "A-B", "x" * 300])
    outputs = Outputs(tmp_path, labels, frozenset({"classes"}), {})
    suffixes = list(outputs.class_suffixes.values())
    assert len({suffix.casefold() for suffix in suffixes}) == len(labels)
    assert all("/" not in suffix and len(suffix) < 50 for suffix in suffixes)


def test_review_lists_the_most_uncertain_first(segcli, photos, tmp_path):
    segcli(photos, "-o", "out")
    rows = list(csv.DictReader((tmp_path / "out/review.csv").open()))
    assert len(rows) == 5
    values = [float(row["uncertainty"]) for row in rows]
    assert values == sorted(values, reverse=True)
    assert 0 < values[-1] < values[0] < 1
    assert (tmp_path / "out" / rows[0]["output"]).exists()


def test_every_page_gets_its_mask(segcli, tmp_path):
    pages = [Image.fromarray(smooth(index, 90, 70)) for index in range(3)]
    pages[0].save(tmp_path / "scan.tif", save_all=True, append_images=pages[1:])
    for index, page in enumerate(pages):
        page.save(tmp_path / f"{index}.png")
    first = segcli("scan.tif", "-o", "first")
    assert "--pages" in first.stderr
    assert "3 segmented" in segcli("scan.tif", "-o", "all", "--pages").stdout
    segcli(*(f"{index}.png" for index in range(3)), "-o", "alone")
    for index in range(3):
        alone = array(tmp_path / f"alone/masks/{index}.png")
        assert np.array_equal(array(tmp_path / f"all/masks/scan-p{index + 1:04}.png"), alone)
    assert "0 segmented, 3 done before" in segcli("scan.tif", "-o", "all", "--pages").stdout
