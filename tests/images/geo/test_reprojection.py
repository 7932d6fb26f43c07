import numpy as np
import pytest
from extras import extra

from segcli.errors import InputError
from segcli.images.geo import reprojection
from segcli.images.geo.crs import Crs
from segcli.images.geo.reprojection import to_degrees


def system(epsg):
    directory = np.array([1, 1, 0, 2, 1024, 0, 1, 1, 3072, 0, 1, epsg], np.uint16)
    return Crs({1024: 1, 3072: epsg, 3076: 9001}, arrays={34735: directory})


def test_published_points_of_utm():
    """The CN Tower, by the article on UTM of the English Wikipedia, and a corner of zone 32 on the equator."""
    (tower,) = to_degrees(system(32617), np.array([(630_084.0, 4_833_438.0)]))
    assert tower.tolist() == pytest.approx([-79.387139, 43.642567], abs=2e-5)
    (middle,) = to_degrees(system(32632), np.array([(500_000.0, 0.0)]))
    assert middle.tolist() == pytest.approx([9.0, 0.0], abs=1e-12)
    (south,) = to_degrees(system(32732), np.array([(500_000.0, 1e7)]))
    assert south.tolist() == pytest.approx([9.0, 0.0], abs=1e-9)


@pytest.mark.parametrize("epsg", [32632, 32719, 25833, 3857])
def test_what_is_computed_here_is_what_proj_computes(epsg):
    warp = extra("rasterio.warp")
    rng = np.random.default_rng(0)
    points = np.stack([rng.uniform(2e5, 8e5, 200), rng.uniform(1e5, 9e6, 200)], axis=1)
    expected = np.stack(warp.transform(f"EPSG:{epsg}", "EPSG:4326", *points.T), axis=1)
    assert to_degrees(system(epsg), points) == pytest.approx(expected, abs=1e-8)


def test_other_systems_are_left_to_rasterio():
    warp = extra("rasterio.warp")
    points = np.array([(150_000.0, 170_000.0), (200_000.0, 100_000.0)])
    expected = np.stack(warp.transform("EPSG:31370", "EPSG:4326", *points.T), axis=1)
    assert to_degrees(system(31370), points) == pytest.approx(expected, abs=1e-9)
    assert to_degrees(Crs(wkt=warp.CRS.from_epsg(31370).to_wkt()), points) == pytest.approx(expected, abs=1e-9)
    with pytest.raises(InputError, match="is not known"):
        to_degrees(Crs(wkt='PROJCS["nonsense"]'), points)


def test_without_rasterio_the_line_that_installs_it_is_named(monkeypatch):
    monkeypatch.setattr(reprojection.RASTER.__class__, "installed", False)
    assert reprojection.needs_extra(system(31370))
    assert not reprojection.needs_extra(system(32632))
    with pytest.raises(InputError, match="EPSG:31370") as caught:
        to_degrees(system(31370), np.zeros((1, 2)))
    assert "pip install rasterio" in caught.value.hint
    assert Crs({1024: 1, 3072: 31467}).metres == 1.0
    assert Crs({1024: 1, 3072: 20_000}).metres is None


@pytest.mark.parametrize("point", [(np.nan, 0.0), (np.inf, 0.0), (0.0, 1e308)])
def test_points_that_are_nowhere_are_refused(point):
    with pytest.raises(InputError, match="no place in"):
        to_degrees(system(32632), np.array([point]))
