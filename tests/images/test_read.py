import os
import struct
import sys
import warnings
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from PIL import Image, ImageOps

from segcli.errors import InputError
from segcli.images.read import read_photo, read_rgb
from segcli.images.reading import PhotoReading

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
    def test_of_other_content_whatever_the_suffix(self, tmp_path, monkeypatch, head, reason):
        for name in ("rawpy", "imagecodecs"):
            monkeypatch.setitem(sys.modules, name, None)  # as if it were not installed
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
        self.check(path, "more than the limit of 0.00085", reading=PhotoReading(max_pixels=850))
        assert read_rgb(path, PhotoReading(max_pixels=851)).shape == (23, 37, 3)

    def test_of_what_is_no_file(self, tmp_path):
        os.mkfifo(tmp_path / "pipe")
        self.check(tmp_path / "pipe", "no regular file")
        self.check(tmp_path / "gone", "No such file")
        self.check(tmp_path, "a folder, not a photo")

    def test_of_a_folder_that_may_not_be_listed(self, tmp_path, monkeypatch):
        monkeypatch.setattr(os, "scandir", mock.Mock(side_effect=PermissionError))
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


def test_a_photo_that_free_memory_cannot_hold_is_refused_before_it_is_decoded(tmp_path, monkeypatch):
    from segcli.files import headroom
    from segcli.images import opening

    path = saved(Image.new("L", (300, 200)), tmp_path / "x.png")
    monkeypatch.setattr(opening, "_SMALL", 1000)
    monkeypatch.setattr(headroom, "of_host", lambda: headroom.Headroom(4 * 300 * 200, 10**9))
    assert read_rgb(path).shape == (200, 300, 3)
    monkeypatch.setattr(headroom, "of_host", lambda: headroom.Headroom(4 * 300 * 200 - 1, 10**9))
    with pytest.raises(InputError, match="of memory or more to decode"):
        read_rgb(path)


def test_what_libtiff_prints_of_a_picture_is_a_note_on_it(tmp_path, capfd):
    lines = Image.fromarray(np.random.default_rng(0).integers(0, 2, (60, 200), np.uint8) * 255).convert("1")
    path = saved(lines, tmp_path / "fax.tif", compression="group4")
    assert read_photo(path).notes == ()
    data = bytearray(path.read_bytes())
    data[300:400] = np.random.default_rng(1).bytes(100)
    path.write_bytes(data)
    (note,) = read_photo(path).notes
    assert note.startswith("Parts of it may be wrong; libtiff says of it: Fax4Decode: ")
    assert capfd.readouterr().err == ""
