import numpy as np
import pytest
from extras import extra

from segcli.images.geo.crs import Crs, keys_of

ESRI = (
    'PROJCS["WGS_1984_UTM_Zone_32N",GEOGCS["GCS_WGS_1984",DATUM["D_WGS_1984",SPHEROID["WGS_1984",6378137.0,298.25]],'
    'PRIMEM["Greenwich",0.0],UNIT["Degree",0.0174532925199433]],PROJECTION["Transverse_Mercator"],'
    'PARAMETER["False_Easting",500000.0],UNIT["Meter",1.0]]'
)
KEYS = np.array(
    [1, 1, 0, 4, 1024, 0, 1, 1, 3076, 0, 1, 32767, 3077, 34736, 1, 1, 1026, 34737, 4, 2],
    np.uint16,
)


def test_geokeys_are_read_as_the_standard_lays_them_out():
    keys = keys_of(KEYS, np.array([5.0, 0.3048]), b"a|utm|b|")
    assert keys == {1024: 1, 3076: 32767, 3077: 0.3048, 1026: "utm"}
    assert Crs(keys).metres == 0.3048


@pytest.mark.parametrize("cut", range(20))
def test_geokeys_that_are_cut_short_are_refused(cut):
    with pytest.raises(ValueError, match="geokeys"):
        keys_of(KEYS[:cut], np.zeros(2), b"")


@pytest.mark.parametrize(
    ("keys", "metres"),
    [
        ({1024: 1, 3072: 32632, 3076: 9001}, 1.0),
        ({1024: 1, 3072: 32632}, 1.0),
        ({3072: 25833}, 1.0),
        ({1024: 1, 3072: 2263, 3076: 9003}, 1200 / 3937),
        ({1024: 1, 3072: 32767, 3076: 9002}, 0.3048),
        ({1024: 2, 2048: 4326}, None),
        ({1024: 3}, None),
        ({1024: 1, 3076: 32767, 3077: float("inf")}, None),
        ({1024: 1, 3076: 32767, 3077: -1.0}, None),
        ({}, None),
    ],
)
def test_the_unit_that_keys_state(keys, metres):
    assert Crs(keys).metres == metres


def test_texts_of_esri_are_known_by_their_names():
    crs = Crs(wkt=ESRI)
    assert (crs.epsg, crs.metres, crs.is_geographic, crs.is_mercator) == (32632, 1.0, False, False)
    assert Crs(wkt=ESRI.replace('UNIT["Meter",1.0]', 'UNIT["Foot_US",0.3048006]')).metres == 0.3048006
    assert Crs(wkt=ESRI.replace("Zone_32N", "Zone_5S")).epsg == 32705


@pytest.mark.parametrize("version", ["WKT1_GDAL", "WKT1_ESRI", "WKT2_2019"])
@pytest.mark.parametrize("epsg", [32632, 3857, 31370, 2263, 4326, 2193, 5514, 3035, 4258])
def test_texts_mean_what_rasterio_takes_them_for(epsg, version):
    rasterio = extra("rasterio")
    known = rasterio.crs.CRS.from_epsg(epsg)
    crs = Crs(wkt=known.to_wkt(version=version))
    assert crs.epsg == epsg or (crs.epsg is None and version == "WKT1_ESRI")
    assert crs.is_geographic == known.is_geographic == crs.in_degrees
    assert crs.metres == (pytest.approx(known.linear_units_factor[1]) if known.is_projected else None)
    assert crs.is_mercator == (epsg == 3857)


def test_the_unit_of_a_height_is_not_that_of_the_map():
    rasterio = extra("rasterio")
    for version in ("WKT1_GDAL", "WKT2_2019"):
        compound = rasterio.crs.CRS.from_user_input("EPSG:2263+6360").to_wkt(version=version)
        assert Crs(wkt=compound).metres == pytest.approx(1200 / 3937)


@pytest.mark.parametrize(
    "text", ["", "[[[[", "PROJCS[" * 5000, 'PROJCS["a",UNIT["m",]]', 'UNIT["m",1]', "]" * 9, '"', "\ud800"]
)
def test_texts_that_are_none_mean_nothing(text):
    crs = Crs(wkt=text)
    assert crs.metres is None
    assert crs.epsg is None
