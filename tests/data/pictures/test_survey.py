import numpy as np
from mask_files import VOC, indexed, scenes
from PIL import Image

from segcli.data.pictures import survey as survey_of
from segcli.data.pictures.pixels import read_pixels
from segcli.data.pictures.survey import MOST, facts


def looked_at(tmp_path, image: Image.Image | np.ndarray, suffix: str = "png", **options) -> survey_of.Facts:
    path = tmp_path / f"x.{suffix}"
    (Image.fromarray(image) if isinstance(image, np.ndarray) else image).save(path, **options)
    return facts(path, read_pixels(path))


def counted(pixels: np.ndarray) -> dict[int, int]:
    return dict(zip(*(part.tolist() for part in np.unique(pixels, return_counts=True)), strict=True))


def test_values_are_counted_at_any_depth(tmp_path):
    ids = scenes(void=True)[0]
    for kind, suffix in ((np.uint8, "png"), (np.uint16, "png"), (np.int32, "tif"), (np.float32, "tif")):
        found = looked_at(tmp_path, ids.astype(kind), suffix)
        assert found.by_code() == counted(ids)
        assert (found.kind, found.deep) == ("values", kind != np.uint8)


def test_palettes_keep_their_colours_where_they_are_used(tmp_path):
    ids = scenes(void=True)[0]
    found = looked_at(tmp_path, indexed(ids, VOC))
    assert found.kind == "palette"
    assert found.shown.tolist() == [0, 0x800000, 0x008000, 0xE0E0C0]
    assert found.grey is None


def test_colours_are_counted_and_grey_ones_are_values(tmp_path):
    ids = scenes()[0]
    found = looked_at(tmp_path, VOC[ids])
    packed = VOC.astype(int) @ [65536, 256, 1]
    assert found.by_code() == counted(packed[ids])
    grey = looked_at(tmp_path, np.stack([ids] * 3, 2))
    assert (grey.kind, grey.by_code()) == ("values", counted(ids))


def test_of_very_many_colours_the_commonest_are_kept(tmp_path):
    rgb = np.random.default_rng(0).integers(0, 256, (60, 50, 3), np.uint8)
    rgb[:30] = 7, 8, 9
    found = looked_at(tmp_path, rgb)
    assert not found.complete
    assert len(found.codes) == MOST
    assert found.by_code()[0x070809] == 1500


def test_what_fills_3_by_3_pixels_is_solid(tmp_path):
    ids = np.zeros((12, 12), np.uint8)
    ids[1:4, 1:4] = 1
    ids[6:8, 1:10] = 2
    for image, code in ((ids, 2), (VOC[ids], 0x008000), (indexed(ids, VOC), 2)):
        found = looked_at(tmp_path, image)
        solid = dict(zip(found.codes.tolist(), found.solid.tolist(), strict=True))
        assert [other for other, is_solid in solid.items() if not is_solid] == [code]


def test_small_pictures_have_facts_too(tmp_path):
    for shape in ((1, 1), (2, 9), (9, 2), (3, 3)):
        found = looked_at(tmp_path, np.random.default_rng(0).integers(0, 5, shape, np.uint8))
        assert found.pixels == shape[0] * shape[1] == found.counts.sum()


def test_transparent_pixels_are_left_out_where_others_are_opaque(tmp_path):
    ids = scenes(classes=2)[0]
    rgba = np.dstack([np.full((*ids.shape, 3), (9, 8, 7), np.uint8), ids * 255])
    found = looked_at(tmp_path, rgba)
    assert found.by_code() == {0: int((ids == 0).sum()), 0x090807: int((ids == 1).sum())}
    assert found.clear == (int((ids == 0).sum()), 0)
    grey = looked_at(tmp_path, Image.merge("LA", [Image.new("L", (64, 48), 200), Image.fromarray(ids * 255)]))
    assert grey.by_code() == {200: int((ids == 1).sum())}


def test_greys_merge_what_is_shown_alike(tmp_path):
    found = looked_at(tmp_path, indexed(np.arange(6, dtype=np.uint8).reshape(2, 3), [[0] * 3, [90] * 3] * 3))
    assert found.grey.by_code() == {0: 3, 90: 3}
