import json
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from segcli import labels
from segcli.errors import InputError
from segcli.images.masks import (
    areas,
    ids_by_colour,
    labels_of,
    nearest_indices,
    read_label_map,
    shrink_label_map,
    write_label_map,
)
from segcli.labels import VOC, LabelSet

VOC_MASKS = Path("voc-mini/VOCdevkit/VOC2012/SegmentationClass")


@pytest.fixture
def label_map() -> np.ndarray:
    ids = np.append(np.arange(21), 255).astype(np.uint8)
    return np.random.default_rng(0).choice(ids, (13, 17))


def saved(array: np.ndarray, path: Path, **options) -> Path:
    Image.fromarray(array).save(path, **options)
    return path


def grey_png(ids: np.ndarray, bits: int) -> bytes:
    """A grey PNG of 1, 2, 4 or 8 bits a pixel, by the book; Pillow writes none of 2 or 4."""
    height, width = ids.shape
    places = np.unpackbits(ids[..., None], axis=2)[..., 8 - bits :].reshape(height, width * bits)
    rows = np.insert(np.packbits(places, axis=1), 0, 0, axis=1)  # each row begins with its filter, 0 for none
    header = struct.pack(">2I5B", width, height, bits, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes())), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


class TestWritten:
    def test_masks_hold_the_ids_for_any_program(self, label_map, tmp_path):
        write_label_map(tmp_path / "x.png", label_map, VOC)
        image = Image.open(tmp_path / "x.png")
        assert (image.format, image.mode) == ("PNG", "P")
        assert np.array_equal(np.asarray(image), label_map)

    @pytest.mark.shared
    def test_masks_look_as_the_voc_devkit_paints_them(self, shared_data, tmp_path):
        path = shared_data / VOC_MASKS / "2007_000032.png"
        write_label_map(tmp_path / "x.png", read_label_map(path), VOC)
        ours, theirs = (np.asarray(Image.open(p).convert("RGB")) for p in (tmp_path / "x.png", path))
        assert np.array_equal(ours, theirs)

    def test_masks_explain_themselves(self, label_map, tmp_path):
        write_label_map(
            tmp_path / "x.png", label_map, VOC, {"model": "v3-mobilenetv2", "source": "Küche 道 \udce9.jpg"}
        )
        text = Image.open(tmp_path / "x.png").text
        assert text["Software"].startswith("segcli ")
        assert LabelSet.from_dict(json.loads(text["segcli:labels"])) == VOC
        assert (text["segcli:model"], text["segcli:source"]) == ("v3-mobilenetv2", "Küche 道 \\udce9.jpg")

    def test_masks_of_more_than_256_classes_have_16_bits(self, tmp_path):
        many = LabelSet("many", tuple(map(str, range(300))), ((0, 0, 0),) * 300)
        ids = np.arange(300, dtype=np.uint16).reshape(15, 20)
        write_label_map(tmp_path / "x.png", ids, many)
        assert np.array_equal(read_label_map(tmp_path / "x.png"), ids)

    @pytest.mark.parametrize(
        "wrong", [np.zeros((2, 2), np.int64), np.zeros((2, 2, 3), np.uint8)], ids=["type", "shape"]
    )
    def test_only_label_maps_are_masks(self, wrong, tmp_path):
        with pytest.raises(ValueError, match="label map"):
            write_label_map(tmp_path / "x.png", wrong, VOC)
        assert not list(tmp_path.iterdir())

    def test_a_full_disk_leaves_the_old_mask(self, label_map, tmp_path, monkeypatch):
        write_label_map(tmp_path / "x.png", label_map, VOC)

        def fail(self, file, *_, **__):
            file.write(b"\x89PNG")
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(Image.Image, "save", fail)
        with pytest.raises(OSError, match="No space left"):
            write_label_map(tmp_path / "x.png", label_map * 0, VOC)
        assert np.array_equal(read_label_map(tmp_path / "x.png"), label_map)
        assert len(list(tmp_path.iterdir())) == 1


class TestRead:
    @pytest.mark.parametrize("suffix", ["png", "bmp", "tiff", "pgm"])
    def test_grey_pictures_hold_ids(self, label_map, tmp_path, suffix):
        ids = read_label_map(saved(label_map, tmp_path / f"x.{suffix}"))
        assert ids.dtype == np.uint8
        assert np.array_equal(ids, label_map)

    @pytest.mark.parametrize("bits", [1, 2, 4, 8])
    def test_palette_pictures_hold_ids_whatever_their_colours(self, tmp_path, bits):
        ids = np.random.default_rng(0).integers(0, 2**bits, (9, 11), np.uint8)
        image = Image.fromarray(ids)
        image.putpalette(np.random.default_rng(1).integers(0, 256, 3 * 2**bits, np.uint8).tobytes())
        image.save(tmp_path / "x.png", bits=bits)
        assert np.array_equal(read_label_map(tmp_path / "x.png", VOC), ids)

    @pytest.mark.parametrize("bits", [1, 2, 4, 8])
    def test_grey_pictures_of_few_bits_hold_ids_as_they_are(self, tmp_path, bits):
        ids = np.random.default_rng(0).integers(0, 2**bits, (9, 11), np.uint8)
        (tmp_path / "x.png").write_bytes(grey_png(ids, bits))
        assert np.array_equal(read_label_map(tmp_path / "x.png"), ids)

    @pytest.mark.parametrize("white", [20, 255, 300, 65535])
    def test_portable_grey_maps_hold_ids_as_they_are(self, tmp_path, white):
        """Whatever they call white: maps of 21 classes may well call it 20."""
        ids = np.random.default_rng(0).integers(0, white + 1, (9, 11))
        pixels = ids.astype(np.uint8 if white < 256 else ">u2").tobytes()
        (tmp_path / "binary.pgm").write_bytes(b"P5 11 9 %d\n" % white + pixels)
        (tmp_path / "plain.pgm").write_text(f"P2 11 9 {white}\n" + " ".join(map(str, ids.ravel())))
        assert np.array_equal(read_label_map(tmp_path / "binary.pgm"), ids)
        assert np.array_equal(read_label_map(tmp_path / "plain.pgm"), ids)

    def test_bilevel_pictures_hold_0_and_1(self, tmp_path):
        path = saved(np.array([[True, False, True]]), tmp_path / "x.png")
        assert read_label_map(path).tolist() == [[1, 0, 1]]

    def test_alpha_is_no_class(self, label_map, tmp_path):
        image = Image.fromarray(label_map).convert("LA")
        image.putalpha(7)
        image.save(tmp_path / "x.png")
        assert np.array_equal(read_label_map(tmp_path / "x.png"), label_map)

    @pytest.mark.parametrize("dtype", [np.uint16, np.int32])
    def test_deep_pictures_hold_large_ids(self, tmp_path, dtype):
        ids = read_label_map(saved(np.array([[0, 33, 40_000]], dtype), tmp_path / "x.tiff"))
        assert (ids.dtype, ids.tolist()) == (np.uint16, [[0, 33, 40_000]])

    def test_values_that_are_no_ids_are_refused(self, tmp_path):
        with pytest.raises(InputError, match="-1 to 7"):
            read_label_map(saved(np.array([[-1, 7]], np.int32), tmp_path / "x.tiff"))
        with pytest.raises(InputError, match="mode F"):
            read_label_map(saved(np.zeros((2, 2), np.float32), tmp_path / "x.tiff"))

    @pytest.mark.parametrize("name", labels.LABEL_SETS)
    def test_colours_become_the_ids_they_stand_for(self, tmp_path, name):
        label_set = labels.get(name)
        ids = np.append(np.arange(len(label_set)), 255).astype(np.uint8)[None]
        path = saved(label_set.colours()[ids], tmp_path / "x.png")
        found = read_label_map(path, label_set)
        assert found.dtype == np.uint8
        # Two classes of one colour cannot be told apart; the first stands for both.
        first = [label_set.palette.index(label_set.palette[i]) if i < len(label_set) else i for i in ids[0]]
        assert found[0].tolist() == first

    def test_black_is_void_where_no_class_is_black(self, tmp_path):
        path = saved(np.zeros((1, 1, 3), np.uint8), tmp_path / "x.png")
        assert read_label_map(path, labels.CITYSCAPES).item() == 255
        assert read_label_map(path, VOC).item() == 0

    def test_no_colour_is_void_where_255_is_a_class(self, tmp_path):
        colours = tuple((1, i // 256, i % 256) for i in range(300))
        many = LabelSet("many", tuple(map(str, range(300))), colours)
        ids = read_label_map(saved(np.uint8(colours)[None], tmp_path / "x.png"), many)
        assert (ids.dtype, ids[0].tolist()) == (np.uint16, list(range(300)))
        with pytest.raises(InputError, match=r"\(0, 0, 0\)"):
            read_label_map(saved(np.zeros((1, 1, 3), np.uint8), tmp_path / "x.png"), many)

    def test_a_colour_of_no_class_is_an_error_that_says_which(self, label_map, tmp_path):
        rgb = VOC.colours()[label_map]
        rgb[3, 4:6] = 1, 2, 3
        rgb[5, 5] = 9, 9, 9
        with pytest.raises(InputError, match=r"3 pixels in 2 colours that no class of voc2012 .*\(1, 2, 3\)"):
            read_label_map(saved(rgb, tmp_path / "x.png"), VOC)

    def test_colours_without_a_palette_are_an_error(self, label_map, tmp_path):
        with pytest.raises(InputError, match="colours, not class ids"):
            read_label_map(saved(VOC.colours()[label_map], tmp_path / "x.png"))

    @pytest.mark.parametrize(
        ("suffix", "options"), [("jpg", {}), ("webp", {}), ("gif", {}), ("tiff", {"compression": "jpeg"})]
    )
    def test_formats_that_change_ids_are_refused(self, label_map, tmp_path, suffix, options):
        with pytest.raises(InputError, match="may have changed"):
            read_label_map(saved(label_map, tmp_path / f"x.{suffix}", **options))

    def test_missing_and_damaged_masks_are_input_errors(self, label_map, tmp_path):
        with pytest.raises(InputError, match="cannot be read"):
            read_label_map(tmp_path / "x.png")
        write_label_map(tmp_path / "x.png", label_map, VOC)
        (tmp_path / "x.png").write_bytes((tmp_path / "x.png").read_bytes()[:-200])
        with pytest.raises(InputError, match="cannot be decoded"):
            read_label_map(tmp_path / "x.png")

    @pytest.mark.shared
    def test_every_voc_mask_survives_ids_colours_and_back(self, shared_data, tmp_path):
        for path in sorted((shared_data / VOC_MASKS).iterdir())[:8]:
            ids = read_label_map(path)
            write_label_map(tmp_path / "ids.png", ids, VOC)
            saved(VOC.colours()[ids], tmp_path / "colours.png")
            assert np.array_equal(read_label_map(tmp_path / "ids.png"), ids)
            assert np.array_equal(read_label_map(tmp_path / "colours.png", VOC), ids)


@pytest.mark.parametrize("text", ["[" * 100_000, "{}", "null", '{"name": 1, "names": ["a"], "palette": [[300, 0, 0]]}'])
def test_a_text_chunk_that_is_no_label_set_is_none(text, tmp_path):
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text("segcli:labels", text)
    Image.new("P", (2, 2)).save(tmp_path / "x.png", pnginfo=chunks)
    assert labels_of(tmp_path / "x.png") is None


def test_of_two_classes_of_one_colour_the_first_counts():
    twins = LabelSet("twins", ("a", "b", "c"), ((1, 2, 3), (9, 9, 9), (1, 2, 3)))
    assert ids_by_colour(twins) == {(1, 2, 3): 0, (9, 9, 9): 1, (0, 0, 0): 255, (224, 224, 192): 255}


class TestAreas:
    def test_are_counts_and_shares_of_the_whole_picture(self):
        label_map = np.uint8([[0, 0, 0, 2], [2, 255, 255, 0]])
        pixels, percent = areas(label_map, 4)
        assert (pixels.dtype, pixels.tolist()) == (np.int64, [4, 0, 2, 0])
        assert percent.tolist() == [50, 0, 25, 0]

    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
    def test_of_large_maps_agree_with_numpy(self, dtype):
        label_map = np.random.default_rng(0).integers(0, 21, (3001, 2999)).astype(dtype)
        assert areas(label_map, 21)[0].tolist() == np.unique(label_map, return_counts=True)[1].tolist()

    def test_of_no_pixel_are_no_division_by_zero(self):
        assert areas(np.zeros((0, 4), np.uint8), 2)[1].tolist() == [0, 0]


class TestShrunk:
    def test_each_pixel_takes_the_one_that_its_centre_lies_in(self):
        assert nearest_indices(7, 3).tolist() == [1, 3, 5]
        assert nearest_indices(3, 6).tolist() == [0, 0, 1, 1, 2, 2]
        assert nearest_indices(5, 1).tolist() == [2]

    def test_a_centre_on_an_edge_takes_the_pixel_after_it(self):
        """In exact numbers: 26 / 23 as a quotient is rounded, and would put the centre at 11.5 * 26 / 23 = 13 at 12."""
        assert nearest_indices(26, 23)[11] == 13
        assert nearest_indices(4, 2).tolist() == [1, 3]

    def test_aligned_corners_keep_every_eighth_pixel(self):
        assert nearest_indices(321, 41, align_corners=True).tolist() == list(range(0, 321, 8))
        assert nearest_indices(9, 1, align_corners=True).tolist() == [0]

    def test_rows_and_columns_are_not_mixed_up(self):
        label_map = np.arange(24, dtype=np.uint8).reshape(4, 6)
        assert shrink_label_map(label_map, (2, 3)).tolist() == [[7, 9, 11], [19, 21, 23]]
