import math

import geotiffs
import pytest

from segcli.errors import InputError
from segcli.images.geo import ground
from segcli.images.geo.place import read_place


@pytest.fixture
def placed(tmp_path):
    return lambda tags: read_place(geotiffs.write(tmp_path / "x.tif", tags))[0]


def test_a_pixel_of_utm_is_as_large_as_it_says(placed):
    place = placed(geotiffs.PLACES["utm"])
    assert ground.pixel_area(place) == 0.125
    assert ground.resolution(place) == (0.25, 0.5)
    assert ground.pixel_area(placed(geotiffs.PLACES["rotated"])) == pytest.approx(0.25)
    assert ground.resolution(placed(geotiffs.PLACES["rotated"])) == pytest.approx((0.5, 0.5))


def test_the_metres_of_web_maps_are_shortened_by_the_latitude(placed):
    place = placed(geotiffs.PLACES["web"])
    latitude = math.atan(math.sinh((6.1e6 - 7.5) / 6378137))
    assert ground.resolution(place) == pytest.approx((0.5 * math.cos(latitude),) * 2)
    assert ground.pixel_area(place) == pytest.approx(0.25 * math.cos(latitude) ** 2)


def test_degrees_have_metres_by_the_latitude_but_no_areas(placed):
    """The oracle is the length of a degree at 47.85 degrees in published tables: 111,182 m north, 74,820 m east."""
    place = placed(geotiffs.PLACES["degrees"])
    assert ground.pixel_area(place) is None
    assert ground.resolution(place) == pytest.approx((1.11182, 0.74850), rel=5e-4)


def test_feet_become_metres(placed):
    keys = (1, 1, 0, 3, 1024, 0, 1, 1, 3072, 0, 1, 2263, 3076, 0, 1, 9003)
    place = placed({**geotiffs.PLACES["tied inside"], geotiffs.KEYS: keys})
    assert ground.pixel_area(place) == pytest.approx((0.5 * 1200 / 3937) ** 2)


def test_the_working_size_follows_the_ground(placed):
    place = placed(geotiffs.PLACES["utm"])
    assert ground.working_size(place, 25) == (30, 80)
    assert ground.working_size(place, 50) == (15, 40)
    assert ground.working_size(place, 12.5) == (60, 160)


@pytest.mark.parametrize(
    ("name", "gsd", "why"),
    [
        ("utm", 5, "its pixels show 25 x 50 cm of ground, more than 4 times the 5 cm"),
        ("tied inside", 5, "its pixels show 50 cm of ground"),
        ("utm", 100, "it has 20 x 8 pixels, too few"),
        ("control points", 50, "no place in metres"),
    ],
)
def test_a_size_at_which_nothing_is_seen_is_refused(name, gsd, why, placed):
    with pytest.raises(InputError, match=why):
        ground.working_size(placed(geotiffs.PLACES[name]), gsd)


def test_no_place_has_no_metres():
    assert ground.pixel_area(None) is None
    with pytest.raises(InputError, match="no place in metres"):
        ground.working_size(None, 10)
