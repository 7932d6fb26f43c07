import json

import numpy as np
import pytest

from segcli.data.forms import geojson
from segcli.data.forms.shapes import draw
from segcli.errors import DatasetError

SIZE = (20, 30)


def square(x0, y0, x1, y1):
    return [[x0, y0], [x1, y0], [x1, y1], [x0, y1], [x0, y0]]


def feature(coordinates, name="leaf", kind="Polygon", **geometry):
    """A feature as QuPath writes it."""
    properties = {"objectType": "annotation"} | ({"classification": {"name": name, "color": [1, 2, 3]}} if name else {})
    shape = {"type": kind, "coordinates": coordinates} | geometry
    return {"type": "Feature", "id": "0-0", "geometry": shape, "properties": properties}


@pytest.fixture
def load(tmp_path):
    """Loads files of these contents, called 0.geojson and so on."""

    def read(*contents):
        files = []
        for index, content in enumerate(contents):
            files.append(tmp_path / f"{index}.geojson")
            files[-1].write_text(content if isinstance(content, str) else json.dumps(content))
        return geojson.load(files)

    return read


def drawn(annotations, size=SIZE):
    numbers = {name: number for number, name in enumerate(annotations.names, 1)}
    return draw(annotations.records[0].shapes(size), size, numbers, annotations.order)


def filled(*boxes, size=SIZE):
    """Labels (H, W) of boxes of (number, x0, y0, x1, y1), the last on top."""
    canvas = np.zeros(size, int)
    for number, x0, y0, x1, y1 in boxes:
        canvas[y0:y1, x0:x1] = number
    return canvas


def test_polygons_with_holes_are_drawn_with_the_smaller_on_top(load):
    small = feature([square(2, 2, 5, 5)], "spot")
    large = feature([square(1, 1, 20, 15), square(10, 5, 15, 10)])
    annotations = load({"type": "FeatureCollection", "features": [small, large]})
    assert annotations.names == ("spot", "leaf")
    assert (annotations.records[0].photo, annotations.records[0].size) == ("0", None)
    expected = filled((2, 1, 1, 20, 15), (0, 10, 5, 15, 10), (1, 2, 2, 5, 5))
    assert np.array_equal(drawn(annotations), expected)


def test_several_polygons_and_collections_are_drawn(load):
    pieces = [[square(1, 1, 4, 4)], [square(6, 1, 9, 4), square(7, 2, 8, 3)]]
    collection = {"type": "GeometryCollection", "geometries": [feature([square(1, 6, 4, 9)])["geometry"]] * 2}
    annotations = load([feature(pieces, kind="MultiPolygon"), feature([]) | {"geometry": collection}])
    expected = filled((1, 1, 1, 4, 4), (1, 6, 1, 9, 4), (0, 7, 2, 8, 3), (1, 1, 6, 4, 9))
    assert np.array_equal(drawn(annotations), expected)


def test_a_single_feature_is_a_document_too(load):
    assert np.array_equal(drawn(load(feature([square(1, 1, 4, 4)]))), filled((1, 1, 1, 4, 4)))


def test_ellipses_fill_their_bounds(load):
    rough = [[3, 7], [13, 2], [23, 7], [13, 12], [3, 7]]
    y, x = np.mgrid[0.5:20, 0.5:30]
    expected = ((x - 13) / 10) ** 2 + ((y - 7) / 5) ** 2 < 1
    assert np.array_equal(drawn(load(feature([rough], isEllipse=True))) == 1, expected)


def test_only_upright_rectangles_count_as_boxes(load):
    shapes = [
        square(1, 1, 4, 4),
        square(1, 1, 4, 4)[:-1],
        [[1, 1], [4, 1], [5, 4], [1, 4], [1, 1]],
        [[1, 1], [4, 1], [4, 2], [2, 2], [2, 4], [1, 4]],
        [[1, 1], [2, 1], [4, 1], [4, 4], [1, 4]],
        [[1, 1], [4, 1], [2, 1], [2, 4]],
    ]
    holed = feature([square(1, 1, 9, 9), square(2, 2, 3, 3)])
    (record,) = load([*(feature([ring]) for ring in shapes), holed]).records
    assert (record.drawn, record.boxes) == (7, 2)


def test_what_has_no_class_or_no_area_is_skipped_and_counted(load):
    named = feature([square(1, 1, 4, 4)], None)
    named["properties"]["name"] = "my best leaf"
    annotations = load(
        [
            feature([square(1, 1, 4, 4)]),
            feature([square(1, 1, 4, 4)], None),
            named,
            feature([1, 1], kind="Point"),
            feature([[1, 1]], kind="MultiPoint"),
            feature([[1, 1], [2, 2]], kind="LineString"),
            feature([]) | {"geometry": None},
            feature([]),
        ]
    )
    assert annotations.records[0].skipped == {"without a class": 2, "point": 2, "line": 1, "empty": 1}
    assert annotations.records[0].drawn == 1
    assert "1 annotations have a name but no class" in annotations.notes[0]


@pytest.mark.parametrize(
    ("properties", "name"),
    [
        ({"classification": "leaf"}, "leaf"),
        ({"classification": {"name": "leaf", "colorRGB": -1}, "name": "other"}, "leaf"),
        ({"classification": {"names": ["Tumour", "CD3"]}}, "Tumour: CD3"),
        ({"name": "leaf", "label": "other"}, "leaf"),
        ({"name": None, "label": " leaf "}, "leaf"),
        ({"class": 7}, "7"),
    ],
)
def test_other_writers_keep_the_class_elsewhere(load, properties, name):
    assert load([feature([square(1, 1, 4, 4)]) | {"properties": properties}]).names == (name,)


def test_nested_annotations_are_read(load):
    parent = feature([square(1, 1, 20, 15)])
    parent["properties"]["childObjects"] = [feature([square(2, 2, 5, 5)], "spot")]
    assert np.array_equal(drawn(load([parent])), filled((1, 1, 1, 20, 15), (2, 2, 2, 5, 5)))


def test_measurements_without_a_value_are_no_fault(load):
    cell = json.dumps(feature([square(1, 1, 4, 4)])).replace(
        '"properties": {', '"properties": {"measurements": {"a": NaN}, '
    )
    assert "NaN" in cell
    assert load(cell).records[0].drawn == 1


def test_a_broken_file_hides_no_other(load):
    good, wrong = feature([square(1, 1, 4, 4)]), feature([[[1, 1], [2]]])
    records = load(
        good, '{"type": "FeatureCollection", "features": [', wrong, feature("x"), {"features": [{"geometry": 3}]}
    ).records
    assert [record.photo for record in records] == ["0", "1", "2", "3", "4"]
    assert len(records[0].shapes(SIZE)) == 1
    for record, told in zip(
        records[1:], ("cannot be read", "fewer than two", r"Expected `array`", "geometry"), strict=True
    ):
        with pytest.raises(DatasetError, match=told) as caught:
            record.shapes(SIZE)
        assert f"{record.photo}.geojson" in caught.value.message


@pytest.mark.parametrize(
    ("rings", "size"),
    [
        ([square(8.51, 47.3, 8.52, 47.31)], (48, 64)),  # a field in Switzerland
        ([square(-70.5, -33.5, -60.5, -20.5)], (48, 64)),  # west and south
        ([square(10.5, 40.5, 20.5, 50.5)], (1000, 1000)),
    ],
)
def test_degrees_are_refused(load, rings, size):
    (record,) = load([feature(rings)]).records
    with pytest.raises(DatasetError, match="look like degrees"):
        record.shapes(size)


def test_maps_are_refused_by_their_coordinate_system(load):
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32633"}}
    (record,) = load({"type": "FeatureCollection", "crs": crs, "features": [feature([square(1, 1, 4, 4)])]}).records
    with pytest.raises(DatasetError, match="places on a map"):
        record.shapes(SIZE)


@pytest.mark.parametrize("rings", [[square(1.5, 1.5, 9.5, 9.5)], [square(-1.5, 1.5, 9.5, 9.5)], [square(1, 1, 2, 2)]])
def test_fractions_of_pixels_of_a_small_photo_are_read(load, rings):
    assert len(load([feature(rings)]).records[0].shapes((90, 180))) == 1


def test_pixels_in_a_corner_of_a_large_photo_are_read_where_another_photo_shows_that_they_are_pixels(load):
    corner, far = feature([square(1.5, 1.5, 9.5, 9.5)]), feature([square(901.5, 1.5, 909.5, 9.5)])
    assert len(load([corner], [far]).records[0].shapes((2000, 2000))) == 1


def test_planes_of_a_stack_are_refused(load):
    (record,) = load([feature([square(1, 1, 4, 4)], plane={"c": -1, "z": z, "t": 0}) for z in (0, 1)]).records
    with pytest.raises(DatasetError, match="lie on 2 planes"):
        record.shapes(SIZE)


def test_collections_in_collections_do_not_exhaust_the_stack(load):
    deep = '{"type": "GeometryCollection", "geometries": [' * 100_000
    with pytest.raises(DatasetError, match="cannot be read"):
        load('{"type": "Feature", "geometry": ' + deep).records[0].shapes(SIZE)
