"""Grey of many bits, colour profiles, transparency and palettes, as files bring them."""

import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, TiffImagePlugin

from segcli.images.read import read_photo, read_rgb
from segcli.images.reading import PhotoReading, ValueRange


def saved(image: Image.Image, path: Path, **options) -> Path:
    image.save(path, **options)
    return path


class TestModes:
    """Each mode that a file can have, against the colours that were put in."""

    @pytest.mark.parametrize(
        ("mode", "suffix"),
        [("RGB", "png"), ("RGB", "bmp"), ("RGB", "ppm"), ("RGB", "tiff"), ("RGBX", "tiff"), ("P", "png"), ("P", "gif")],
    )
    def test_of_colour_are_read_exactly(self, colours, tmp_path, mode, suffix):
        image = colours.quantize(256) if mode == "P" else colours.convert(mode)
        assert np.array_equal(read_rgb(saved(image, tmp_path / f"x.{suffix}")), np.asarray(image.convert("RGB")))

    @pytest.mark.parametrize(
        ("mode", "suffix"), [("1", "png"), ("1", "tiff"), ("L", "png"), ("L", "jpg"), ("L", "pgm")]
    )
    def test_of_grey_become_three_equal_channels(self, colours, tmp_path, mode, suffix):
        path = saved(colours.convert(mode), tmp_path / f"x.{suffix}")
        rgb = read_rgb(path)
        assert np.array_equal(rgb[..., 0], np.asarray(Image.open(path).convert("L")))
        assert np.array_equal(rgb[..., 0], rgb[..., 1])
        assert np.array_equal(rgb[..., 0], rgb[..., 2])

    @pytest.mark.parametrize(
        ("mode", "suffix"),
        [("CMYK", "jpg"), ("CMYK", "tiff"), ("YCbCr", "jpg"), ("YCbCr", "tiff"), ("LAB", "tiff")],
    )
    def test_of_other_colour_spaces_look_the_same(self, colours, tmp_path, mode, suffix):
        if mode == "LAB":
            lab = ImageCms.createProfile("LAB")
            image = ImageCms.profileToProfile(colours, ImageCms.createProfile("sRGB"), lab, outputMode="LAB")
        else:
            image = colours.convert(mode)
        options = {"quality": 100, "subsampling": 0} if suffix == "jpg" else {}
        difference = read_rgb(saved(image, tmp_path / f"x.{suffix}", **options)).astype(int) - np.asarray(colours)
        assert np.abs(difference).mean() < 2

    @pytest.mark.parametrize(("mode", "suffix"), [("RGBA", "png"), ("RGBA", "webp"), ("LA", "png")])
    def test_with_alpha_lie_on_white(self, tmp_path, mode, suffix):
        # Left to right: opaque, half and fully transparent, all hiding the same grey.
        image = Image.fromarray(np.full((4, 6, 4), 100, np.uint8), "RGBA")
        image.putalpha(Image.fromarray(np.repeat(np.uint8([[255, 255, 128, 128, 0, 0]]), 4, 0)))
        options = {"lossless": True, "exact": True} if suffix == "webp" else {}
        rgb = read_rgb(saved(image.convert(mode), tmp_path / f"x.{suffix}", **options))
        half = round((100 * 128 + 255 * 127) / 255)
        assert np.abs(rgb[0, :, 0].astype(int) - [100, 100, half, half, 255, 255]).max() <= 1

    def test_of_a_tiff_with_alpha_have_no_data_where_it_is_transparent(self, tmp_path):
        """A drone's mosaic: what lies outside is void in the mask, and no white ground."""
        image = Image.new("RGBA", (6, 4), (100, 100, 100, 255))
        image.paste((9, 9, 9, 0), (0, 0, 2, 4))
        photo = read_photo(saved(image, tmp_path / "x.tiff"))
        assert photo.rgb.tolist() == [[[100] * 3] * 6] * 4
        assert photo.valid.tolist() == [[False] * 2 + [True] * 4] * 4
        over_white = read_photo(tmp_path / "x.tiff", PhotoReading(alpha="over-white"))
        assert over_white.rgb[0, :, 0].tolist() == [255, 255, 100, 100, 100, 100]

    @pytest.mark.parametrize("mode", ["P", "L", "RGB"])
    def test_with_one_transparent_colour_lie_on_white(self, tmp_path, mode):
        image = Image.new("RGB", (2, 1), (10, 20, 30))
        image.putpixel((1, 0), (200, 200, 200))
        image = image.quantize(2) if mode == "P" else image.convert(mode)
        rgb = read_rgb(saved(image, tmp_path / "x.png", transparency=image.getpixel((0, 0))))
        assert rgb[0].tolist() == [[255] * 3, [200] * 3]

    @pytest.mark.parametrize(
        ("values", "expected", "noted"),
        [((0x1234, 0x80FF, 0xFFFF), [0x12, 0x80, 0xFF], ""), ((0, 700, 4095), [0, 44, 255], "taken for 12 bits")],
    )
    def test_of_16_bits_a_colour_keep_the_high_byte_or_are_taken_for_12_bits_with_a_note(
        self, tmp_path, values, expected, noted
    ):
        header = struct.pack(">IIBBBBB", 1, 1, 16, 2, 0, 0, 0)
        chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"\0" + struct.pack(">HHH", *values))), (b"IEND", b"")]
        data = b"".join(struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks)
        (tmp_path / "x.png").write_bytes(b"\x89PNG\r\n\x1a\n" + data)
        photo = read_photo(tmp_path / "x.png")
        assert photo.rgb.tolist() == [[expected]]
        assert noted in " ".join(photo.notes)
        assert bool(photo.notes) == bool(noted)


class TestDeepGrey:
    @staticmethod
    def values(path: Path, array: np.ndarray, value_range: ValueRange = None) -> tuple[list, tuple[str, ...]]:
        Image.fromarray(array).save(path)
        photo = read_photo(path, PhotoReading(value_range))
        return photo.rgb[0, :, 0].tolist(), photo.notes

    @pytest.mark.parametrize("suffix", ["png", "tiff", "pgm", "jp2"])
    def test_of_16_bits_spans_the_full_range(self, tmp_path, suffix):
        array = np.tile(np.uint16([0, 257 * 100, 257 * 200, 65535]), (4, 1))
        assert self.values(tmp_path / f"x.{suffix}", array) == ([0, 100, 200, 255], ())

    def test_is_read_in_either_byte_order(self, tmp_path):
        tags = TiffImagePlugin.ImageFileDirectory_v2(prefix=b"MM")
        Image.frombytes("I;16B", (2, 1), struct.pack(">HH", 257, 65535)).save(tmp_path / "x.tiff", tiffinfo=tags)
        assert read_rgb(tmp_path / "x.tiff")[0, :, 0].tolist() == [1, 255]

    @pytest.mark.parametrize(
        ("top", "expected", "said"),
        [
            (255, [0, 255], "8 bits, 0 to 255"),
            (1000, [0, 249], "10 bits, 0 to 1023"),
            (4095, [0, 255], "12 bits, 0 to 4095; --range 0:65535 takes them for 16"),
            (16383, [0, 64], "16 bits; --range 0:16383 takes them for 14"),
        ],
    )
    def test_of_fewer_bits_is_told_by_its_largest_value(self, tmp_path, top, expected, said):
        values, notes = self.values(tmp_path / "x.png", np.uint16([[0, top]]))
        assert values == expected
        assert said in notes[0]

    def test_of_little_contrast_says_so(self, tmp_path):
        values, notes = self.values(tmp_path / "x.png", np.uint16([[30000, 33000]]))
        assert values == [117, 128]
        assert "use 4.6 % of the range up to 65535" in notes[0]
        assert "--range auto" in notes[0]

    def test_takes_the_given_range(self, tmp_path):
        array = np.uint16([[0, 100, 600, 1100, 5000]])
        values, notes = self.values(tmp_path / "x.png", array, value_range=(100, 1100))
        assert values == [0, 0, 128, 255, 255]
        assert notes == ("40 % of its values lie outside 100 to 1100, which become black and white; see --range.",)

    def test_stretched_automatically_ignores_hot_pixels(self, tmp_path):
        array = np.full((100, 100), 1000, np.uint16)
        array[:, 50:] = 2000
        array[7, 7] = 65535
        photo = read_photo(saved(Image.fromarray(array), tmp_path / "x.png"), PhotoReading("auto"))
        assert (photo.rgb[0, 0, 0], photo.rgb[0, 99, 0], photo.notes) == (0, 255, ())

    @pytest.mark.parametrize("value_range", [None, "auto", (3, 9)])
    @pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float32])
    def test_of_one_value_is_no_division_by_zero(self, tmp_path, dtype, value_range):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            self.values(tmp_path / "x.tiff", np.full((2, 3), 1, dtype), value_range=value_range)

    @pytest.mark.parametrize("value_range", [None, "auto"])
    def test_without_any_number_is_black(self, tmp_path, value_range):
        values, _ = self.values(tmp_path / "x.tiff", np.full((1, 2), np.nan, np.float32), value_range=value_range)
        assert values == [0, 0]

    def test_of_floats_from_0_to_1_is_taken_so(self, tmp_path):
        array = np.float32([[0, 0.5, 1]])
        assert self.values(tmp_path / "x.tiff", array) == ([0, 128, 255], ())

    def test_that_is_no_number_is_no_data(self, tmp_path):
        values, notes = self.values(tmp_path / "x.tiff", np.float32([[0, 0.5, 1, np.nan]]))
        assert values == [0, 128, 255, 255]  # as the pixel beside it
        assert notes == ("25 % of its pixels have no data: they are void.",)

    def test_without_a_usual_white_is_stretched_and_says_so(self, tmp_path):
        values, notes = self.values(tmp_path / "x.tiff", np.float32([[-1, 0, 3]]))
        assert values == [0, 64, 255]
        assert "-1 to 3, have no usual white" in notes[0]

    def test_leaves_8_bits_alone(self, tmp_path):
        assert self.values(tmp_path / "x.png", np.uint8([[3, 9]]), value_range=(3, 9)) == ([3, 9], ())


class TestColourProfiles:
    @staticmethod
    def profile(gamma: float) -> bytes:
        """A matrix profile: sRGB's own, with the three tone curves replaced by a pure gamma."""
        data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
        count = struct.unpack_from(">I", data, 128)[0]
        for i in range(count):
            kind, start, _ = struct.unpack_from(">4sII", data, 132 + 12 * i)
            if kind == b"rTRC":
                struct.pack_into(">4sIIH", data, start, b"curv", 0, 1, round(gamma * 256))
            if kind == b"desc":
                data[start : start + 64] = data[start : start + 64].replace("sRGB".encode("utf-16-be"), b"\0t\0e\0s\0t")
        return bytes(data)

    @pytest.mark.parametrize("mode", ["RGB", "P"])
    def test_other_than_srgb_are_converted(self, tmp_path, mode):
        image = Image.new("RGB", (2, 2), (128, 128, 128)).convert(mode, palette=Image.Palette.ADAPTIVE)
        rgb = read_rgb(saved(image, tmp_path / "x.png", icc_profile=self.profile(1.0)))
        # Linear light 128/255 in sRGB's curve (IEC 61966-2-1).
        expected = 255 * (1.055 * (128 / 255) ** (1 / 2.4) - 0.055)
        assert np.abs(rgb.astype(int) - round(expected)).max() <= 1

    def test_of_srgb_change_nothing(self, colours, tmp_path):
        profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        path = saved(colours, tmp_path / "x.png", icc_profile=profile)
        assert np.array_equal(read_rgb(path), np.asarray(colours))

    def test_that_are_broken_are_noted(self, colours, tmp_path):
        photo = read_photo(saved(colours, tmp_path / "x.png", icc_profile=b"no profile"))
        assert np.array_equal(photo.rgb, np.asarray(colours))
        assert "profile" in photo.notes[0]
