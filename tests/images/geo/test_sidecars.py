from xml.etree import ElementTree

import numpy as np
import pytest
from extras import extra
from PIL import Image

from segcli.images.geo import sidecars
from segcli.images.geo.affine import shifted


def test_a_world_file_says_where_the_middle_of_the_first_pixel_is():
    lines = sidecars.world_lines((0.5, 0.25, 1000.0, 0.125, -2.0, 50.0))
    assert [float(line) for line in lines] == [0.5, 0.125, 0.25, -2.0, 1000.375, 49.0625]
    assert shifted(shifted((1.0, 0.0, 3.0, 0.0, -1.0, 4.0), 0.5), -0.5) == (1.0, 0.0, 3.0, 0.0, -1.0, 4.0)


def test_commas_and_byte_order_marks_of_other_countries_are_numbers_too(tmp_path):
    (tmp_path / "x.jgw").write_bytes(b"\xef\xbb\xbf0,5\r\n0\r\n0\r\n-0,5\r\n100,25\r\n200\r\n")
    beside = sidecars.read(tmp_path / "x.jpg")
    assert beside.world == ("0.5", "0", "0", "-0.5", "100.25", "200")
    assert beside.transform == (0.5, 0.0, 100.0, 0.0, -0.5, 200.25)


def test_a_photo_whose_name_leaves_no_room_has_nothing_beside_it(tmp_path):
    path = tmp_path / ("x" * 250 + ".png")
    path.touch()
    assert sidecars.read(path) == sidecars.Sidecars()


def test_names_that_xml_cannot_hold_lose_those_letters():
    data = sidecars.pam(["a\x00b\x1f", "\ud800", "<&>"], [(0, 0, 0)] * 3)
    names = [node.text for node in ElementTree.fromstring(data).iter("Category")]
    assert names == ["ab", "\\ud800", "<&>"]


@pytest.mark.parametrize("version", ["WKT1_GDAL", "WKT1_ESRI", "WKT2_2019"])
@pytest.mark.parametrize("epsg", [32632, 4326, 3857])
def test_gdal_reads_what_is_written_beside_a_png(version, epsg, tmp_path):
    rasterio = extra("rasterio")
    wkt = rasterio.crs.CRS.from_epsg(epsg).to_wkt(version=version)
    Image.fromarray(np.zeros((4, 5), np.uint8)).save(tmp_path / "x.png")
    (tmp_path / "x.pgw").write_text("\n".join(sidecars.world_lines((0.5, 0.1, 9.0, 0.2, -0.5, 47.0))))
    sidecars.aux_path(tmp_path / "x.png").write_bytes(sidecars.pam(["a"], [(1, 2, 3)], wkt))
    with rasterio.open(tmp_path / "x.png") as dataset:
        assert dataset.crs.to_epsg() in (epsg, None)
        assert dataset.crs.is_geographic == (epsg == 4326)
        assert tuple(dataset.transform)[:6] == pytest.approx((0.5, 0.1, 9.0, 0.2, -0.5, 47.0))
        again = sidecars.read(tmp_path / "x.png")
        assert again.transform == pytest.approx((0.5, 0.1, 9.0, 0.2, -0.5, 47.0))
        assert rasterio.crs.CRS.from_wkt(again.wkt) == rasterio.crs.CRS.from_wkt(wkt)


def test_the_aux_xml_that_gdal_writes_is_understood(tmp_path):
    rasterio = extra("rasterio")
    transform = rasterio.Affine(0.5, 0.1, 9.0, 0.2, -0.5, 47.0)
    profile = {"driver": "PNG", "width": 5, "height": 4, "count": 1, "dtype": "uint8", "crs": "EPSG:32632"}
    with rasterio.open(tmp_path / "x.png", "w", transform=transform, **profile) as dataset:
        dataset.write(np.zeros((1, 4, 5), np.uint8))
    beside = sidecars.read(tmp_path / "x.png")
    assert beside.transform == pytest.approx(tuple(transform)[:6])
    assert 'AUTHORITY["EPSG","32632"]' in beside.wkt
