import numpy as np
import pytest
from extras import extra
from PIL import Image
from small_runs import smooth

from segcli.errors import InputError
from segcli.images.read import read_photo
from segcli.images.reading import PLAIN
from segcli.images.strips.photo import PhotoStrips
from segcli.images.strips.source import opened_strips
from segcli.images.strips.survey import surveyed

PICTURES = {
    "rgb.png": ("RGB", {}),
    "grey.png": ("L", {}),
    "palette.png": ("P", {}),
    "clear.png": ("RGBA", {}),
    "grey.jpg": ("L", {"quality": 80}),
    "exact.jp2": ("RGB", {}),
}


def saved(path, mode, **options):
    picture = Image.fromarray(np.array(smooth(5, 170, 300))).convert(mode)
    if mode == "RGBA":
        picture.putalpha(picture.getchannel("R"))
    picture.save(path, **options)
    return path


def parts(path) -> np.ndarray:
    with opened_strips(path, PLAIN) as strips:
        return np.concatenate([rgb for _, rgb, _ in PhotoStrips(strips, surveyed(strips, PLAIN)).bands()])


@pytest.mark.parametrize("name", PICTURES)
def test_parts_are_the_whole(name, tmp_path):
    extra("rasterio")
    mode, options = PICTURES[name]
    path = saved(tmp_path / name, mode, **options)
    assert np.array_equal(parts(path), read_photo(path).rgb)


@pytest.mark.parametrize(("subsampling", "most"), [(0, 2), (2, 15)])
def test_colours_of_jpeg_differ_by_the_decoder_alone(subsampling, most, tmp_path):
    extra("rasterio")
    path = saved(tmp_path / "x.jpg", "RGB", quality=90, subsampling=subsampling)
    assert np.abs(parts(path).astype(int) - read_photo(path).rgb).max() <= most


@pytest.mark.parametrize(
    ("name", "mode", "options", "reason"),
    [
        ("bits.png", "1", {}, "values of the kind 1"),
        (
            "turned.jpg",
            "RGB",
            {"exif": b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"},
            "turned",
        ),
        ("inks.jpg", "CMYK", {}, "CMYK"),
        ("x.bmp", "RGB", {}, "BMP"),
        ("x.webp", "RGB", {}, "WebP"),
    ],
)
def test_what_is_not_read_in_parts_is_refused(name, mode, options, reason, tmp_path):
    extra("rasterio")
    path = saved(tmp_path / name, mode, **options)
    with pytest.raises(InputError, match=reason) as error:
        parts(path)
    assert error.value.hint
