import struct
from io import BytesIO

import numpy as np
import pytest
from mask_files import as_file, indexed, read_masks, scenes
from PIL import Image, ImageFilter

from segcli.data.classes import Named
from segcli.data.pictures.binary import read_alpha, read_binary
from segcli.errors import DatasetError, InputError

TWO = ("background", "leaf")
LEAVES = scenes(classes=2)
INVERTED = [[255 - grey] * 3 for grey in range(256)]


def white(ids: np.ndarray) -> np.ndarray:
    return (ids * 255).astype(np.uint8)


def grey_alpha(ids: np.ndarray) -> Image.Image:
    return Image.merge("LA", [Image.fromarray(white(ids)), Image.new("L", ids.shape[::-1], 255)])


def one_bit(ids: np.ndarray) -> Image.Image:
    return Image.fromarray(white(ids)).convert("1")


def white_is_zero(ids: np.ndarray, path, _):
    """A TIFF of 8 bits whose white is 0, as ImageJ writes masks with its inverting table."""
    path = path.with_suffix(".tif")
    height, width = ids.shape
    tags = [(256, width), (257, height), (258, 8), (259, 1), (262, 0), (273, 122), (277, 1), (278, height)]
    tags.append((279, ids.size))
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    path.write_bytes(b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + white(ids).tobytes())
    return path


FILES = {
    "grey": as_file(white),
    "grey with alpha": as_file(grey_alpha),
    "16 bits": as_file(lambda ids: ids.astype(np.uint16) * 65535),
    "16 bits, 255": as_file(lambda ids: ids.astype(np.uint16) * 255),
    "32 bits": as_file(lambda ids: ids.astype(np.int32) * 255, "tif"),
    "reals": as_file(lambda ids: ids.astype(np.float32) * 255, "tif"),
    "RGB": as_file(lambda ids: np.stack([white(ids)] * 3, 2)),
    "RGBA": as_file(lambda ids: np.dstack([white(ids)] * 3 + [np.full_like(ids, 255)])),
    "GIF": as_file(white, "gif"),
    "GIF, index 1 black": as_file(lambda ids: indexed(1 - ids, [[255] * 3, [0] * 3]), "gif"),
    "palette, index 1 black": as_file(lambda ids: indexed(1 - ids, [[255] * 3, [0] * 3])),
    "inverting table": as_file(lambda ids: indexed(white(ids), INVERTED)),
    "TIFF whose white is 0": white_is_zero,
    "JPEG": as_file(white, "jpg", quality=70),
    "poor JPEG": as_file(lambda ids: np.stack([white(ids)] * 3, 2), "jpg", quality=25),
    "WebP": as_file(white, "webp", quality=60),
}


@pytest.mark.parametrize("write", FILES.values(), ids=FILES)
def test_white_is_the_class_whatever_the_file(tmp_path, write):
    masks = read_masks(tmp_path, write, LEAVES, TWO)
    assert masks.are(LEAVES)
    assert masks.pictures.reading.as_ == "binary"
    assert len(masks.notes) == 1


def test_the_note_says_how_to_choose_the_other_reading(tmp_path):
    masks = read_masks(tmp_path, as_file(white), LEAVES, TWO)
    assert masks.notes == (
        "read 255 as the class 'leaf', because the masks hold only 0 and 255; if 255 is void, add --void 255",
    )
    void = read_masks(tmp_path, as_file(white), LEAVES, TWO, void=(255,))
    assert void.are([ids * 255 for ids in LEAVES])
    assert void.notes == ()


@pytest.mark.parametrize("write", [as_file(lambda ids: ids), as_file(one_bit)])
def test_values_0_and_1_are_plain_ids_without_a_note(tmp_path, write):
    masks = read_masks(tmp_path, write, LEAVES, TWO)
    assert masks.are(LEAVES)
    assert (masks.pictures.reading.form, masks.notes) == ("class ids", ())


def test_files_of_several_kinds_are_read_in_one_way(tmp_path):
    kinds = [FILES["grey"], as_file(one_bit), FILES["RGB"]]
    assert read_masks(tmp_path, lambda ids, path, n: kinds[n](ids, path, n), LEAVES, TWO).are(LEAVES)


@pytest.mark.parametrize(
    ("classes", "found"),
    [
        (("leaf",), ("background", "leaf")),
        (None, ("background", "object")),
        (("soil", "leaf"), ("soil", "leaf")),
    ],
)
def test_the_class_is_the_one_that_is_not_background(tmp_path, classes, found):
    masks = read_masks(tmp_path, as_file(white), LEAVES, classes)
    assert masks.are(LEAVES)
    assert masks.pictures.labels.names == found


def test_background_may_be_named_last(tmp_path):
    masks = read_masks(tmp_path, as_file(lambda ids: white(1 - ids)), LEAVES, ("thing", "background"))
    assert masks.are(LEAVES)


def test_a_class_on_nearly_all_pixels_is_told(tmp_path):
    ids = np.ones((48, 64), np.uint8)
    ids[:3] = 0
    share, black = read_masks(tmp_path, as_file(white), [ids], TWO).notes[1].split("; ")
    assert share == "the class 'leaf' takes 94 % of the pixels"
    assert black == 'if black is the class, write ids = {"background" = 255, "leaf" = 0} in a label-set TOML'


def test_masks_of_255_alone_are_void_as_they_were(tmp_path):
    masks = read_masks(tmp_path, as_file(white), [np.ones((4, 5), np.uint8)], TWO)
    assert masks.are([np.full((4, 5), 255)])


def test_a_file_beside_the_masks_may_name_255(tmp_path):
    table = (Named("leaf", 0), Named("background", 255))
    masks = read_masks(tmp_path, as_file(lambda ids: white(1 - ids)), LEAVES, TWO, table)
    assert masks.are(LEAVES)
    assert masks.notes == ()


def test_three_classes_keep_255_for_void_and_say_so(tmp_path):
    masks = read_masks(tmp_path, as_file(white), LEAVES)
    assert masks.are([ids * 255 for ids in LEAVES])
    assert "read 255 as void" in masks.notes[0]


def disc(scale: int) -> np.ndarray:
    rows, columns = np.mgrid[: 48 * scale, : 64 * scale]
    return white((rows - 24 * scale) ** 2 + (columns - 30 * scale) ** 2 < (13 * scale) ** 2)


class TestSmoothedEdges:
    @pytest.mark.parametrize("scale", [2, 3, 8])
    @pytest.mark.parametrize("method", [Image.Resampling.BOX, Image.Resampling.LANCZOS])
    def test_are_cut_at_the_middle(self, tmp_path, scale, method):
        small = Image.fromarray(disc(scale)).resize((64, 48), method)
        masks = read_masks(tmp_path, as_file(lambda _: small), [(np.asarray(small) >= 128).astype(np.uint8)], TWO)
        assert all(np.array_equal(ids, np.asarray(small) >= 128) for ids in masks.ids)
        assert "at the middle" in masks.notes[0]

    def test_may_be_wide(self, tmp_path):
        soft = Image.fromarray(disc(1)).filter(ImageFilter.GaussianBlur(1.5))
        masks = read_masks(tmp_path, as_file(lambda _: soft), [(np.asarray(soft) >= 128).astype(np.uint8)], TWO)
        assert np.array_equal(masks.ids[0], np.asarray(soft) >= 128)

    def test_may_have_been_jpeg_once(self, tmp_path):
        def through_jpeg(ids: np.ndarray) -> Image.Image:
            data = BytesIO()
            Image.fromarray(white(ids)).save(data, "JPEG", quality=90)
            return Image.open(data).convert("L")

        assert read_masks(tmp_path, as_file(through_jpeg), LEAVES, TWO).are(LEAVES)

    @pytest.mark.parametrize("suffix", ["png", "jpg"])
    def test_are_no_third_class(self, tmp_path, suffix):
        ids = np.zeros((48, 64), np.uint8)
        ids[8:30, 10:40] = 255
        ids[36:42, 10:20] = 90
        if suffix == "jpg":
            with pytest.raises(DatasetError, match="keeps no ids"):
                read_masks(tmp_path, as_file(lambda ids: ids, suffix), [ids], TWO)
        else:
            note = read_masks(tmp_path, as_file(lambda ids: ids, suffix), [ids], TWO).notes[0]
            assert note.startswith("read 0 as the class 'background', 90 as the class 'leaf' and 255 as void")

    def test_are_no_ids_beside_255(self, tmp_path):
        """Values 0 to 3 and 255 are all near black or white."""
        masks = read_masks(tmp_path, as_file(lambda ids: ids), scenes(classes=4, void=True), TWO)
        assert masks.illegal.keys() == {2, 3}


class TestTransparency:
    PHOTO = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)

    @pytest.mark.parametrize("colour", [(255, 255, 255), (0, 200, 0), None], ids=["white", "green", "photo"])
    def test_cuts_out_the_class(self, tmp_path, colour):
        inside = self.PHOTO if colour is None else np.full((48, 64, 3), colour, np.uint8)
        masks = read_masks(tmp_path, as_file(lambda ids: np.dstack([inside, white(ids)])), LEAVES, TWO)
        assert masks.are(LEAVES)
        assert "not transparent" in masks.notes[0]

    def test_of_one_mask_only_is_asked_of_all(self, tmp_path):
        write = as_file(lambda ids: np.dstack([np.full((48, 64, 3), 9, np.uint8), white(ids)]))
        masks = read_masks(tmp_path, write, LEAVES, TWO)
        Image.new("RGB", (64, 48)).save(tmp_path / "odd.png")
        with pytest.raises(InputError, match=r"odd\.png has no transparency"):
            masks.pictures.read(tmp_path / "odd.png")
        assert read_alpha(masks.paths[0]).dtype == np.uint8


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0, 7), (0, 255), (1, 2)])
def test_one_mask_alone_has_the_higher_of_two_values_inside(tmp_path, low, high):
    ids = LEAVES[0]
    Image.fromarray(np.where(ids == 1, high, low).astype(np.uint8)).save(tmp_path / "x.png")
    assert np.array_equal(read_binary(tmp_path / "x.png"), ids == 1)


@pytest.mark.parametrize("value", [0, 1, 255])
def test_one_mask_alone_of_one_value_is_all_inside_or_outside(tmp_path, value):
    Image.new("L", (5, 4), value).save(tmp_path / "x.png")
    assert read_binary(tmp_path / "x.png").all() == (value > 0)


def test_the_users_word_takes_any_black_and_white(tmp_path):
    files = [as_file(lambda ids: ids), as_file(lambda ids: ids * 7), FILES["grey"]]
    assert read_masks(tmp_path, lambda ids, path, n: files[n](ids, path, n), LEAVES, TWO, as_="binary").are(LEAVES)
    with pytest.raises(DatasetError, match="takes two classes, and 3 are named"):
        read_masks(tmp_path, FILES["grey"], LEAVES, as_="binary")
