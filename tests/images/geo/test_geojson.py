import json

import geotiffs
import numpy as np
import pytest
from extras import extra

from segcli.images.geo import geojson
from segcli.images.geo.place import Place, read_place
from segcli.labels import from_names

CAT = from_names(["background", "cat", "dog"], "pets")
RING = np.zeros((30, 40), np.uint8)
RING[5:15, 5:15], RING[8:12, 8:12], RING[9:11, 9:11], RING[15, 15] = 1, 0, 2, 1


def written(folder, label_map, name="utm", system="wgs84", labels=CAT):
    place, _ = read_place(geotiffs.write(folder / "x.tif", geotiffs.PLACES[name], *label_map.shape))
    assert geojson.refusal(place, system) == ""
    geojson.write(folder / "x.geojson", label_map, labels, place, system, "x.tif")
    return place, json.loads((folder / "x.geojson").read_text())


def signed_area(ring):
    (x, y), (x1, y1) = np.array(ring[:-1]).T, np.array(ring[1:]).T
    return float(np.sum(x * y1 - x1 * y)) / 2


def test_holes_are_rings_of_their_own_and_corners_part_regions(tmp_path):
    """Worked out by hand: a cat of 10 x 10 pixels with a hole of 4 x 4, a dog in it, and a cat at its corner."""
    _, document = written(tmp_path, RING, system="own")
    found = {
        (feature["properties"]["class"], feature["properties"]["pixels"]): feature["geometry"]["coordinates"]
        for feature in document["features"]
    }
    assert found.keys() == {("cat", 84), ("cat", 1), ("dog", 4)}
    outer, hole = found["cat", 84]
    x, y = 500_000, 5_300_000
    assert sorted(outer[:-1]) == sorted([a, b] for a in (x + 2.5, x + 7.5) for b in (y - 1.25, y - 3.75))
    assert sorted(hole[:-1]) == sorted([a, b] for a in (x + 4, x + 6) for b in (y - 2, y - 3))
    assert (signed_area(outer), signed_area(hole)) == (12.5, -2.0)
    assert outer[0] == outer[-1]
    assert document["crs"]["properties"]["name"] == "urn:ogc:def:crs:EPSG::32632"
    assert [feature["properties"]["m2"] for feature in document["features"]] == [10.5, 0.125, 0.5]
    assert document["segcli"] == "predictions that nobody has corrected"


@pytest.mark.parametrize("name", ["utm", "rotated", "south up", "degrees", "web"])
def test_polygons_are_valid_and_as_large_as_their_pixels(name, tmp_path):
    shapely = extra("shapely")
    label_map = (np.random.default_rng(1).random((30, 40)) < 0.75).astype(np.uint8)
    place, own = written(tmp_path, label_map, name, "own")
    _, wgs84 = written(tmp_path, label_map, name)
    assert "crs" not in wgs84
    a, b, _, d, e, _ = place.transform
    for feature, placed in zip(own["features"], wgs84["features"], strict=True):
        shape = shapely.geometry.shape(feature["geometry"])
        assert shape.is_valid, shapely.is_valid_reason(shape)
        assert shape.area == pytest.approx(feature["properties"]["pixels"] * abs(a * e - b * d), rel=1e-4)
        degrees = shapely.geometry.shape(placed["geometry"])
        assert degrees.is_valid, shapely.is_valid_reason(degrees)
        assert degrees.exterior.is_ccw
        assert not any(hole.is_ccw for hole in degrees.interiors)
    pixels = sum(feature["properties"]["pixels"] for feature in own["features"])
    assert pixels == np.count_nonzero(label_map)
    assert sum(len(feature["geometry"]["coordinates"]) - 1 for feature in own["features"]) > 50  # holes


@pytest.mark.parametrize("name", ["utm", "rotated", "web"])
def test_corners_lie_where_proj_puts_them(name, tmp_path):
    warp = extra("rasterio.warp")
    place, own = written(tmp_path, RING, name, "own")
    _, wgs84 = written(tmp_path, RING, name)
    for feature, placed in zip(own["features"], wgs84["features"], strict=True):
        for ring, degrees in zip(*(one["geometry"]["coordinates"] for one in (feature, placed)), strict=True):
            expected = np.stack(warp.transform(f"EPSG:{place.crs.epsg}", "EPSG:4326", *np.array(ring).T), axis=1)
            rows = {tuple(point) for point in np.round(expected, 8)}
            assert all(min(np.abs(np.array(point) - other).max() for other in rows) < 6e-8 for point in degrees)


def test_small_pixels_get_more_decimals(tmp_path):
    tags = {**geotiffs.PLACES["degrees"], geotiffs.SCALE: (1e-8, 1e-8, 0)}
    place, _ = read_place(geotiffs.write(tmp_path / "x.tif", tags))
    geojson.write(tmp_path / "x.geojson", RING, CAT, place)
    document = json.loads((tmp_path / "x.geojson").read_text())
    areas = [sum(map(signed_area, feature["geometry"]["coordinates"])) for feature in document["features"]]
    assert areas == pytest.approx([84e-16, 1e-16, 4e-16], rel=0.05)
    _, usual = written(tmp_path, RING)
    numbers = json.dumps(usual["features"][0]["geometry"]).replace("]", ",").replace("[", ",").split(",")
    assert max(len(number.partition(".")[2]) for number in numbers) == 7


def test_a_run_has_one_file_of_all_photos_unless_they_are_of_several_systems(tmp_path):
    parts = []
    for number, name in enumerate(("utm", "web")):
        written(tmp_path / str(number), RING, name)
        parts.append(tmp_path / str(number) / "x.geojson")
    geojson.merge(tmp_path / "all.geojson", parts, CAT)
    merged = json.loads((tmp_path / "all.geojson").read_text())
    assert merged["features"] == [one for part in parts for one in json.loads(part.read_text())["features"]]
    for number, name in enumerate(("utm", "web")):
        written(tmp_path / str(number), RING, name, "own")
    geojson.merge(tmp_path / "all.geojson", parts, CAT)
    assert not (tmp_path / "all.geojson").exists()


def test_nothing_but_background_is_a_collection_of_nothing(tmp_path):
    _, document = written(tmp_path, RING * 0)
    assert document["features"] == []
    geojson.merge(tmp_path / "all.geojson", [tmp_path / "x.geojson"], CAT)
    assert json.loads((tmp_path / "all.geojson").read_text()) == document


@pytest.mark.parametrize(
    ("tags", "why"),
    [
        ({}, "no place on earth"),
        (geotiffs.PLACES["control points"], "control points only"),
        (geotiffs.NORTH_UP, "not stated"),
        ({**geotiffs.PLACES["degrees"], geotiffs.TIE: (0, 0, 0, 179.9999, 47.85, 0)}, "180th meridian"),
        ({**geotiffs.PLACES["degrees"], geotiffs.TIE: (0, 0, 0, 9.0, 95.0, 0)}, "no place in EPSG:4326"),
        ({**geotiffs.PLACES["web"], geotiffs.TIE: (0, 0, 0, 1e300, 1e300, 0)}, "no place in EPSG:3857"),
    ],
)
def test_photos_that_cannot_lie_on_such_a_map_say_why(tags, why, tmp_path):
    place, _ = read_place(geotiffs.write(tmp_path / "x.tif", tags))
    refusal = geojson.refusal(place)
    assert why in refusal
    assert refusal.endswith(".")


def test_a_system_without_a_name_has_no_coordinates_of_its_own():
    place = Place((3, 4), transform=(1, 0, 0, 0, -1, 0))
    assert "not stated" in geojson.refusal(place, "own")
