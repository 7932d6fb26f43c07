import numpy as np
import pytest
from PIL import Image

from segcli.data.pictures.pixels import as_grey, read_pixels, read_values
from segcli.errors import InputError

IDS = np.random.default_rng(0).integers(0, 5, (6, 9), np.uint8)


def saved(array: np.ndarray, path, **options):
    Image.fromarray(array).save(path, **options)
    return path


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int32, np.float32])
def test_values_of_any_depth_are_whole_numbers(tmp_path, kind):
    found = read_values(saved(IDS.astype(kind), tmp_path / "x.tif"))
    assert found.dtype in (np.uint8, np.uint16)
    assert np.array_equal(found, IDS)


def test_values_below_0_get_a_value_of_their_own(tmp_path):
    assert read_values(saved(np.int32([[-1, 4, -9]]), tmp_path / "x.tif")).tolist() == [[65535, 4, 65535]]


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (np.float32([[0.5, 1]]), "between whole numbers"),
        (np.float32([[np.nan, 1]]), "from nan to nan"),
        (np.float32([[0, 1e30]]), "from 0 to 1e"),
        (np.int32([[0, 70_000]]), "values up to 70000"),
    ],
)
def test_values_that_are_no_ids_are_refused(tmp_path, values, reason):
    with pytest.raises(InputError, match=reason):
        read_values(saved(values, tmp_path / "x.tif"))


def test_pictures_of_several_pages_are_refused(tmp_path):
    page = Image.fromarray(IDS)
    for suffix in ("tif", "gif"):
        page.save(tmp_path / f"x.{suffix}", save_all=True, append_images=[Image.fromarray(IDS + 9)])
        with pytest.raises(InputError, match="holds 2 pictures"):
            read_pixels(tmp_path / f"x.{suffix}")


def test_colours_are_no_values(tmp_path):
    with pytest.raises(InputError, match="holds colours"):
        read_values(saved(np.dstack([IDS, IDS, IDS + 1]), tmp_path / "x.png"))


def test_lossy_files_hold_no_values(tmp_path):
    with pytest.raises(InputError, match="encoding may have changed the class ids"):
        read_values(saved(IDS, tmp_path / "x.jpg"))


def test_a_palette_gives_indices_or_the_greys_it_shows(tmp_path):
    image = Image.fromarray(IDS)
    image.putpalette(np.repeat(np.arange(0, 250, 50, dtype=np.uint8), 3).tobytes())
    image.save(tmp_path / "x.png")
    assert np.array_equal(read_values(tmp_path / "x.png"), IDS)
    assert np.array_equal(read_values(tmp_path / "x.png", grey=True), IDS * 50)


@pytest.mark.parametrize(
    ("values", "white", "greys"),
    [([0, 1], 1, [0, 255]), ([0, 3, 15], 15, [0, 51, 255]), ([0, 65535], 65535, [0, 255]), ([0, 255], 65535, [0, 255])],
)
def test_greys_are_what_a_viewer_shows(values, white, greys):
    assert as_grey(np.array(values), white).tolist() == greys


def test_numbers_of_objects_have_no_greys():
    assert as_grey(np.array([0, 300]), 0) is None
    assert as_grey(np.array([-1, 3]), 255) is None
