import numpy as np
import pytest
import tiffs
from PIL import Image

from segcli.errors import InputError
from segcli.images.stored import read_stored

IDS = np.random.default_rng(0).integers(0, 4, (6, 9), np.uint8)


def test_indices_come_with_their_palette(tmp_path):
    image = Image.fromarray(IDS)
    image.putpalette([9, 8, 7, 1, 2, 3, 0, 0, 0, 5, 5, 5])
    image.save(tmp_path / "x.png")
    stored = read_stored(tmp_path / "x.png")
    assert np.array_equal(stored.pixels, IDS)
    assert stored.palette[:4].tolist() == [[9, 8, 7], [1, 2, 3], [0, 0, 0], [5, 5, 5]]


def test_transparency_stays_apart(tmp_path):
    Image.merge("LA", [Image.fromarray(IDS), Image.fromarray(IDS * 50)]).save(tmp_path / "x.png")
    stored = read_stored(tmp_path / "x.png")
    assert np.array_equal(stored.pixels, IDS)
    assert np.array_equal(stored.alpha, IDS * 50)


@pytest.mark.parametrize(
    ("make", "suffix", "white"),
    [
        (lambda image: image, "png", 255),
        (lambda image: image.point(lambda value: 255 * (value > 1)).convert("1"), "png", 1),
        (lambda image: image.convert("I;16"), "png", 65535),
        (lambda image: image.convert("I"), "tif", 0),
    ],
    ids=["8 bits", "1 bit", "16 bits", "32 bits"],
)
def test_what_is_white_depends_on_the_depth(tmp_path, make, suffix, white):
    make(Image.fromarray(IDS)).save(tmp_path / f"x.{suffix}")
    assert read_stored(tmp_path / f"x.{suffix}").white == white


@pytest.mark.parametrize(
    ("suffix", "keeps"), [("png", True), ("bmp", True), ("jpg", False), ("gif", False), ("webp", False)]
)
def test_which_formats_keep_ids(tmp_path, suffix, keeps):
    Image.fromarray(IDS).save(tmp_path / f"x.{suffix}")
    assert read_stored(tmp_path / f"x.{suffix}").keeps_ids == keeps


def test_other_modes_are_no_masks(tmp_path):
    Image.new("CMYK", (4, 4)).save(tmp_path / "x.tif")
    with pytest.raises(InputError, match="mode CMYK, not a mask"):
        read_stored(tmp_path / "x.tif")


def test_frames_are_counted(tmp_path):
    page = Image.fromarray(IDS)
    page.save(tmp_path / "x.tif", save_all=True, append_images=[page, page])
    assert read_stored(tmp_path / "x.tif").frames == 3


class TestSparseTiffs:
    @pytest.mark.parametrize("compression", [tiffs.NONE, tiffs.LZW, tiffs.DEFLATE])
    @pytest.mark.parametrize(("photometric", "bands"), [(1, 1), (0, 1), (3, 1), (2, 3)])
    def test_lack_the_ids_that_are_0(self, tmp_path, photometric, bands, compression):
        ids = np.random.default_rng(1).integers(1, 4, (20, 20, bands), np.uint8)
        ramp = [256 * value for value in range(256)]
        tags = {320: (tiffs.SHORT, ramp + ramp[::-1] + ramp)} if photometric == 3 else {}
        one = tiffs.page(ids, photometric, compression, tile=(16, 16), tags=tags)
        one.segments[0] = b""
        stored = read_stored(tiffs.write(tmp_path / "x", one))
        ids[:16, :16] = 0
        assert np.array_equal(stored.pixels, ids if bands == 3 else ids[..., 0])
        assert (None if stored.palette is None else stored.palette[3].tolist()) == ([3, 252, 3] if tags else None)

    def test_have_the_no_data_value_there(self, tmp_path):
        one = tiffs.page(np.ones((20, 20, 1), np.uint8), tile=(16, 16), tags={42113: tiffs.text("255")})
        one.segments[0] = b""
        assert (read_stored(tiffs.write(tmp_path / "x", one)).pixels[:16, :16] == 255).all()
