import os
import struct
import sys
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps, TiffImagePlugin

from segcli.errors import InputError
from segcli.images.read import read_photo, read_rgb

ORIENTATION = 0x0112
# EXIF 2.32, table 4: the turn that a photo of each orientation needs, as Pillow's own inverse of it.
STORED_AS = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@pytest.fixture(scope="module")
def colours() -> Image.Image:
    """A picture without any symmetry: 37 x 23 pixels of smooth random colours."""
    values = np.random.default_rng(0).integers(0, 256, (4, 5, 3), np.uint8)
    return Image.fromarray(values).resize((37, 23), Image.Resampling.BICUBIC)


def saved(image: Image.Image, path: Path, **options) -> Path:
    image.save(path, **options)
    return path


class TestOrientation:
    @pytest.mark.parametrize("orientation", range(1, 9))
    @pytest.mark.parametrize("suffix", ["png", "tiff", "webp"])
    def test_is_applied(self, colours, tmp_path, orientation, suffix):
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        stored = colours if orientation == 1 else colours.transpose(STORED_AS[orientation])
        path = saved(stored, tmp_path / f"x.{suffix}", exif=exif, **({"lossless": True} if suffix == "webp" else {}))
        assert np.array_equal(read_rgb(path), np.asarray(colours))

    @pytest.mark.shared
    def test_gives_eight_equal_photos(self, shared_data, tmp_path):
        # 4:4:4 and whole 8x8 blocks, so that JPEG itself commutes with turning.
        photo = Image.open(shared_data / "photos" / "cat_720p.jpg").crop((0, 0, 640, 480))
        photos = []
        for orientation, turn in STORED_AS.items():
            exif = Image.Exif()
            exif[ORIENTATION] = orientation
            stored = photo if turn is None else photo.transpose(turn)
            photos.append(read_rgb(saved(stored, tmp_path / f"{orientation}.png", exif=exif)))
        assert all(np.array_equal(photos[0], other) for other in photos[1:])

    @pytest.mark.parametrize(
        "exif", [b"Exif\0\0", b"Exif\0\0garbage", b"Exif\0\0MM\0*\0\0\0\x08\0\xff" + b"\x01\x12" * 9]
    )
    def test_of_damaged_exif_data_leaves_the_photo_readable(self, colours, tmp_path, exif):
        path = saved(colours, tmp_path / "x.jpg", exif=exif)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, about the EXIF data
            assert read_rgb(path).shape == (23, 37, 3)

    @pytest.mark.parametrize("value", [0, 9, 65535])
    def test_that_does_not_exist_is_none(self, colours, tmp_path, value):
        exif = Image.Exif()
        exif[ORIENTATION] = value
        assert np.array_equal(read_rgb(saved(colours, tmp_path / "x.png", exif=exif)), np.asarray(colours))

    @pytest.mark.shared
    @pytest.mark.parametrize("name", ["hopper_orientation_2.jpg", "hopper_orientation_6.webp", "avif__rot3mir1.avif"])
    def test_agrees_with_pillow(self, shared_data, name):
        expected = ImageOps.exif_transpose(Image.open(shared_data / "bad" / name)).convert("RGB")
        assert np.array_equal(read_rgb(shared_data / "bad" / name), np.asarray(expected))


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

    @pytest.mark.parametrize(("mode", "suffix"), [("RGBA", "png"), ("RGBA", "webp"), ("LA", "png"), ("RGBA", "tiff")])
    def test_with_alpha_lie_on_white(self, tmp_path, mode, suffix):
        # Left to right: opaque, half and fully transparent, all hiding the same grey.
        image = Image.fromarray(np.full((4, 6, 4), 100, np.uint8), "RGBA")
        image.putalpha(Image.fromarray(np.repeat(np.uint8([[255, 255, 128, 128, 0, 0]]), 4, 0)))
        options = {"lossless": True, "exact": True} if suffix == "webp" else {}
        rgb = read_rgb(saved(image.convert(mode), tmp_path / f"x.{suffix}", **options))
        half = round((100 * 128 + 255 * 127) / 255)
        assert np.abs(rgb[0, :, 0].astype(int) - [100, 100, half, half, 255, 255]).max() <= 1

    @pytest.mark.parametrize("mode", ["P", "L", "RGB"])
    def test_with_one_transparent_colour_lie_on_white(self, tmp_path, mode):
        image = Image.new("RGB", (2, 1), (10, 20, 30))
        image.putpixel((1, 0), (200, 200, 200))
        image = image.quantize(2) if mode == "P" else image.convert(mode)
        rgb = read_rgb(saved(image, tmp_path / "x.png", transparency=image.getpixel((0, 0))))
        assert rgb[0].tolist() == [[255] * 3, [200] * 3]

    @pytest.mark.parametrize(
        ("values", "expected", "noted"),
        [((0x1234, 0x80FF, 0xFFFF), [0x12, 0x80, 0xFF], False), ((0, 700, 4095), [0, 2, 15], True)],
    )
    def test_of_16_bits_a_colour_keep_the_high_byte_and_say_so_if_little_is_left(
        self, tmp_path, values, expected, noted
    ):
        header = struct.pack(">IIBBBBB", 1, 1, 16, 2, 0, 0, 0)
        chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"\0" + struct.pack(">HHH", *values))), (b"IEND", b"")]
        data = b"".join(struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks)
        (tmp_path / "x.png").write_bytes(b"\x89PNG\r\n\x1a\n" + data)
        photo = read_photo(tmp_path / "x.png")
        assert photo.rgb.tolist() == [[expected]]
        assert any("use 5.9 % of their range" in note for note in photo.notes) == noted


class TestDeepGrey:
    @staticmethod
    def values(path: Path, array: np.ndarray, **options) -> tuple[list, tuple[str, ...]]:
        Image.fromarray(array).save(path)
        photo = read_photo(path, **options)
        return photo.rgb[0, :, 0].tolist(), photo.notes

    @pytest.mark.parametrize("suffix", ["png", "tiff", "pgm", "jp2"])
    def test_of_16_bits_spans_the_full_range(self, tmp_path, suffix):
        array = np.tile(np.uint16([0, 257 * 100, 257 * 200, 65535]), (4, 1))
        assert self.values(tmp_path / f"x.{suffix}", array) == ([0, 100, 200, 255], ())

    def test_is_read_in_either_byte_order(self, tmp_path):
        tags = TiffImagePlugin.ImageFileDirectory_v2(prefix=b"MM")
        Image.frombytes("I;16B", (2, 1), struct.pack(">HH", 257, 65535)).save(tmp_path / "x.tiff", tiffinfo=tags)
        assert read_rgb(tmp_path / "x.tiff")[0, :, 0].tolist() == [1, 255]

    def test_of_12_bits_is_read_dark_and_says_so(self, tmp_path):
        values, notes = self.values(tmp_path / "x.png", np.uint16([[0, 4095]]))
        assert values == [0, 16]
        assert "use 6.2 % of the range up to 65535" in notes[0]
        assert "--range auto" in notes[0]

    def test_takes_the_given_range(self, tmp_path):
        array = np.uint16([[0, 100, 600, 1100, 5000]])
        assert self.values(tmp_path / "x.png", array, value_range=(100, 1100)) == ([0, 0, 128, 255, 255], ())

    def test_stretched_automatically_ignores_hot_pixels(self, tmp_path):
        array = np.full((100, 100), 1000, np.uint16)
        array[:, 50:] = 2000
        array[7, 7] = 65535
        photo = read_photo(saved(Image.fromarray(array), tmp_path / "x.png"), "auto")
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
        array = np.float32([[0, 0.5, 1, np.nan]])
        assert self.values(tmp_path / "x.tiff", array) == ([0, 128, 255, 0], ())

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


class TestRefusals:
    def check(self, path: Path, reason: str, **options) -> None:
        with pytest.raises(InputError, match=reason) as caught:
            read_photo(path, **options)
        assert str(caught.value).count(path.name) == 1
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize("suffix", ["jpg", "png", "tiff", "webp", "gif", "bmp", "ppm", "jp2", "avif"])
    @pytest.mark.parametrize("share", [0.5, 0.95])
    def test_of_files_that_were_cut_short(self, colours, tmp_path, suffix, share):
        path = saved(colours.resize((200, 200)), tmp_path / f"x.{suffix}")
        path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
        self.check(path, "cannot be decoded as")

    @pytest.mark.parametrize(
        ("head", "reason"),
        [
            (b"", "no picture"),
            (b"hello", "no picture"),
            (b"BM, said the poet, and went home", "no picture"),
            (b"8BPS\0\1", "a Photoshop file"),
            (b"%!PS-Adobe-3.0 EPSF-3.0", "a PostScript file"),
            (b"II*\0\x10\0\0\0CR\x02\0", "a camera raw file"),
            (b"SIMPLE  =                    T", "a FITS file"),
            (bytes(128) + b"DICM", "a DICOM file"),
            (b"\0\0\0\x20ftypisom", "a video file"),
            (b"\xff\x0a", "a JPEG XL file"),
        ],
    )
    def test_of_other_content_whatever_the_suffix(self, tmp_path, head, reason):
        (tmp_path / "x.jpg").write_bytes(head)
        self.check(tmp_path / "x.jpg", reason)

    def test_of_raw_photos_in_tiff_whose_first_page_is_a_thumbnail(self, colours, tmp_path):
        path = saved(colours, tmp_path / "x.nef", format="TIFF", tiffinfo={254: 1, 330: 8})
        self.check(path, "camera raw")

    def test_of_heic_without_its_package_names_the_extra(self, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "pillow_heif", None)
        monkeypatch.delitem(Image.OPEN, "HEIF", raising=False)
        (tmp_path / "x.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
        self.check(tmp_path / "x.heic", r'"heic": pip install pillow-heif')

    def test_of_too_many_pixels_before_they_are_decoded(self, tmp_path):
        header = struct.pack("<2sIHHIIiiHHIIiiII", b"BM", 0, 0, 0, 54, 40, 100_000, 50_000, 1, 24, 0, 0, 0, 0, 0, 0)
        (tmp_path / "x.bmp").write_bytes(header)
        self.check(tmp_path / "x.bmp", r"5000 megapixels \(100000 x 50000\), more than the limit of 200")

    def test_of_too_many_pixels_can_be_lifted(self, colours, tmp_path):
        path = saved(colours, tmp_path / "x.png")
        self.check(path, "more than the limit of 0.00085", max_pixels=850)
        assert read_rgb(path, max_pixels=851).shape == (23, 37, 3)

    def test_of_what_is_no_file(self, tmp_path):
        os.mkfifo(tmp_path / "pipe")
        self.check(tmp_path / "pipe", "no regular file")
        self.check(tmp_path / "gone", "No such file")
        self.check(tmp_path, "a folder that cannot be listed")

    def test_name_odd_files_on_one_line(self, tmp_path):
        (tmp_path / "a\nb").touch()
        with pytest.raises(InputError, match=r"a\\nb is no picture"):
            read_photo(tmp_path / "a\nb")


def test_pages_that_are_not_read_are_noted(colours, tmp_path):
    path = saved(colours, tmp_path / "x.tiff", save_all=True, append_images=[colours.rotate(180)] * 2)
    photo = read_photo(path)
    assert np.array_equal(photo.rgb, np.asarray(colours))
    assert photo.notes == ("Only the first of its 3 pages is read; --pages reads them all.",)


def test_the_array_is_the_callers(colours, tmp_path):
    rgb = read_rgb(saved(colours, tmp_path / "x.png"))
    assert (rgb.dtype, rgb.shape) == (np.uint8, (23, 37, 3))
    rgb[:] = 0


@pytest.mark.shared
@pytest.mark.filterwarnings("ignore::UserWarning:PIL.*")
def test_every_damaged_file_is_a_picture_or_one_clear_line(shared_data):
    shapes, errors = {}, {}
    for path in sorted((shared_data / "bad").iterdir()):
        try:
            shapes[path.name] = read_rgb(path).shape
        except InputError as error:
            errors[path.name] = str(error)
    assert len(shapes) > 50
    assert all(len(shape) == 3 and shape[2] == 3 and min(shape) > 0 for shape in shapes.values())
    assert all(text.count(name) == 1 and "\n" not in text for name, text in errors.items())


@pytest.mark.filterwarnings("ignore::UserWarning:PIL.*")
@pytest.mark.parametrize("suffix", ["jpg", "png", "tiff", "webp", "gif", "jp2", "bmp", "avif"])
def test_flipped_bits_never_raise_anything_else(colours, tmp_path, suffix):
    draw = np.random.default_rng(0)
    whole = np.frombuffer(saved(colours, tmp_path / f"x.{suffix}").read_bytes(), np.uint8)
    refused = 0
    for trial in range(100):
        data = whole.copy()
        places = draw.integers(0, len(data), 1 + trial % 5)
        data[places] ^= np.uint8(1) << draw.integers(0, 8, len(places), np.uint8)
        (tmp_path / "mutated").write_bytes(data.tobytes())
        try:
            read_rgb(tmp_path / "mutated")
        except InputError:
            refused += 1
    assert refused


def test_too_little_memory_is_not_called_damage(tmp_path, monkeypatch):
    def fail(self):
        raise MemoryError

    Image.new("RGB", (4, 4)).save(tmp_path / "x.png")
    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", fail)
    with pytest.raises(InputError, match="more memory to decode than there is") as caught:
        read_rgb(tmp_path / "x.png")
    assert "damaged" not in str(caught.value)
