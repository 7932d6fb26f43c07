from xml.etree import ElementTree

import geotiffs
import numpy as np
import pytest
import tifffile
from extras import extra
from PIL import Image

from segcli.images.geo import geotiff
from segcli.images.geo.geotags import MOST
from segcli.images.geo.place import read_place
from segcli.images.masks import labels_of, read_label_map
from segcli.images.stored import read_stored
from segcli.labels import VOC, LabelSet, from_names, voc_palette

ODD = from_names(['a "b" & <c>', "ümlaut", "tab\there", "background"], "odd")


@pytest.fixture
def label_map():
    drawn = np.random.default_rng(0).integers(0, 21, (30, 40)).astype(np.uint8)
    drawn[3, :7] = 255
    return drawn


def written(folder, tags, label_map, labels=VOC, **options):
    """The photo's file and its mask's."""
    photo = geotiffs.write(folder / "photo.tif", tags, *label_map.shape, **options)
    place, _ = read_place(photo)
    geotiff.write_label_map(folder / "mask.tif", label_map, labels, place, {"model": "m", "photos": "{}"})
    return photo, folder / "mask.tif"


@pytest.mark.parametrize("name", geotiffs.PLACES)
def test_the_tags_are_carried_over_as_they_are(name, label_map, tmp_path):
    """The oracle is tifffile; the camera model of 92 numbers is what satellites have."""
    tags = {**geotiffs.PLACES[name], 50844: tuple(np.linspace(-1, 1, 92))}
    files = [tifffile.TiffFile(path) for path in written(tmp_path, tags, label_map)]
    pages = [file.pages[0] for file in files]
    before, after = ({tag.code: (tag.dtype, tag.value) for tag in page.tags if tag.code in MOST} for page in pages)
    assert before == after
    assert before.keys() == tags.keys()


def test_a_mask_is_a_tiled_deflated_palette_that_holds_the_ids(label_map, tmp_path):
    _, mask = written(tmp_path, geotiffs.PLACES["utm"], label_map)
    with tifffile.TiffFile(mask) as file:
        page = file.pages[0]
        tags = {tag.code: tag.value for tag in page.tags}
        assert (page.tile, page.compression, page.predictor) == ((512, 512), 8, 1)
        assert tags[42113] == "255"
        assert np.array_equal(page.colormap.T[:21] // 257, VOC.palette)
        assert (page.colormap.T[255] // 257).tolist() == [224, 224, 192]
        assert '<Item name="CLASS_3">bird</Item>' in tags[42112]
        assert tags[305].startswith("segcli ")
        assert np.array_equal(page.asarray(), label_map)
    assert np.array_equal(Image.open(mask), label_map)
    assert np.array_equal(read_label_map(mask), label_map)
    assert labels_of(mask) == VOC


def test_the_mark_of_a_prediction_goes_with_the_first_changed_pixel(label_map, tmp_path):
    _, mask = written(tmp_path, geotiffs.PLACES["utm"], label_map)
    assert read_stored(mask).text["segcli:model"] == "m"
    tags = {tag.code: tag.value for tag in tifffile.TiffFile(mask).pages[0].tags}
    label_map[9, 9] ^= 1
    tifffile.imwrite(mask, label_map, metadata=None, extratags=[(42112, 2, None, tags[42112], True)])
    assert "segcli:model" not in read_stored(mask).text
    assert labels_of(mask) == VOC


def test_odd_names_come_back(label_map, tmp_path):
    _, mask = written(tmp_path, geotiffs.PLACES["utm"], label_map % 4, ODD)
    assert labels_of(mask) == ODD
    root = ElementTree.parse(mask.with_name("mask.tif.aux.xml")).getroot()
    assert [node.text for node in root.iter("Category")] == ['a "b" & <c>', "ümlaut", "tabhere", "background"]


def test_more_than_255_classes_take_16_bits(tmp_path):
    labels = LabelSet("many", tuple(f"class {index}" for index in range(300)), voc_palette(300))
    label_map = (np.arange(1200).reshape(30, 40) % 300).astype(np.uint16)
    label_map[0, 0] = 65535
    _, mask = written(tmp_path, geotiffs.PLACES["utm"], label_map, labels)
    assert np.array_equal(read_label_map(mask), label_map)
    with tifffile.TiffFile(mask) as file:
        assert {tag.code: tag.value for tag in file.pages[0].tags}[42113] == "65535"
    rows = list(ElementTree.parse(mask.with_name("mask.tif.aux.xml")).getroot().iter("Row"))
    assert [cell.text for cell in rows[299]] == ["299", "class 299", *map(str, labels.palette[299])]


def test_a_mask_of_another_size_lies_on_the_same_ground(tmp_path):
    rasterio = extra("rasterio")
    for name in ("utm", "points", "rotated", "south up", "degrees"):
        photo = geotiffs.write(tmp_path / "photo.tif", geotiffs.PLACES[name])
        place, _ = read_place(photo)
        geotiff.write_label_map(tmp_path / "m.tif", np.zeros((10, 20), np.uint8), VOC, place)
        with rasterio.open(photo) as first, rasterio.open(tmp_path / "m.tif") as second:
            assert first.crs == second.crs
            assert place.of_size((10, 20)).transform == pytest.approx(tuple(second.transform)[:6], rel=1e-14)


@pytest.mark.parametrize(
    ("name", "options"),
    [*((name, {}) for name in geotiffs.PLACES), ("utm", {"bigtiff": True}), ("rotated points", {"byteorder": ">"})],
)
def test_gdal_sees_the_photos_place_the_colours_the_names_and_no_data(name, options, label_map, tmp_path):
    """Category names are asked of a VRT that GDAL makes of the mask, since rasterio has no call for them."""
    rasterio = extra("rasterio")
    from rasterio import shutil

    photo, mask = written(tmp_path, geotiffs.PLACES[name], label_map, **options)
    with rasterio.open(photo) as first, rasterio.open(mask) as second:
        assert (first.crs, first.transform) == (second.crs, second.transform)
        assert first.tags().get("AREA_OR_POINT") == second.tags().get("AREA_OR_POINT")
        points = [[p.asdict() for p in one.gcps[0]] for one in (first, second)]
        assert [{**p, "id": 0} for p in points[0]] == [{**p, "id": 0} for p in points[1]]
        assert first.gcps[1] == second.gcps[1]
        assert (second.nodata, second.dtypes, second.count) == (255, ("uint8",), 1)
        colours = second.colormap(1)
        assert [colours[label][:3] for label in range(21)] == [tuple(colour) for colour in VOC.palette]
        assert colours[255] == (224, 224, 192, 0)
        assert second.tags()["CLASS_20"] == "tvmonitor"
        assert second.tags()["segcli_model"] == "m"
        assert np.array_equal(second.read(1), label_map)
    shutil.copy(mask, tmp_path / "mask.vrt", driver="VRT")
    root = ElementTree.parse(tmp_path / "mask.vrt").getroot()
    assert tuple(node.text for node in root.iter("Category")) == VOC.names
    assert len(list(root.iter("Row"))) == 21


def test_texts_of_files_of_others_are_none(tmp_path):
    for name, text in {"plain": "<GDALMetadata/>", "entity": "<!DOCTYPE a>segcli_", "broken": "<a>segcli_"}.items():
        tifffile.imwrite(tmp_path / name, np.zeros((4, 4), np.uint8), extratags=[(42112, 2, None, text, True)])
        assert geotiff.texts_of(tmp_path / name) == {}
    assert geotiff.texts_of(tmp_path / "nowhere") == {}
