import importlib
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segcli.images.masks import labels_of, read_label_map
from segcli.labels import CAMVID, VOID

EXAMPLES = Path(__file__).parents[2] / "examples"
SMALL = (120, 90)


@pytest.fixture(scope="module")
def street():
    sys.path.insert(0, str(EXAMPLES))
    yield importlib.import_module("render_street")
    sys.path.remove(str(EXAMPLES))


@pytest.fixture(scope="module")
def part(street):
    return lambda name: importlib.import_module(f"street.{name}")


@pytest.fixture(scope="module")
def scenes(street):
    return [street.render(3, index, SMALL) for index in range(8)]


def test_same_arguments_give_the_same_scene_and_others_another(street, scenes):
    again = street.render(3, 2, SMALL)
    np.testing.assert_array_equal(again[0], scenes[2][0])
    np.testing.assert_array_equal(again[1], scenes[2][1])
    assert (scenes[1][0] != scenes[2][0]).mean() > 0.5
    assert (street.render(4, 2, SMALL)[0] != scenes[2][0]).mean() > 0.5


def test_files_do_not_depend_on_count_or_workers(street, tmp_path):
    few, many = tmp_path / "few", tmp_path / "many"
    photos = list(street.render_all(few, 1, 9, (48, 36), 1))
    assert [photo.name for photo in street.render_all(many, 2, 9, (48, 36), 2)] == ["9-00000.jpg", "9-00001.jpg"]
    for path in ("images/9-00000.jpg", "labels/9-00000.png"):
        assert (few / path).read_bytes() == (many / path).read_bytes()
    assert Image.open(photos[0]).size == (48, 36)
    assert labels_of(few / "labels" / "9-00000.png") == CAMVID
    label_map = read_label_map(few / "labels" / "9-00000.png")
    assert label_map.shape == (36, 48)


def test_coarse_masks_hold_the_categories_of_the_same_scene(street, tmp_path):
    list(street.render_all(tmp_path, 1, 3, SMALL, 1, categories=True))
    path = tmp_path / "labels" / "3-00000.png"
    assert labels_of(path).names == ("sky", "construction", "ground", "nature", "traffic")
    fine, coarse = street.render(3, 0, SMALL)[1], read_label_map(path)
    members = sorted(name for names in street.CATEGORIES.values() for name in names)
    assert members == sorted(CAMVID.names)
    for category, names in enumerate(street.CATEGORIES.values()):
        ids = [CAMVID.names.index(name) for name in names]
        np.testing.assert_array_equal(coarse == category, np.isin(fine, ids))


def test_masks_are_aligned_and_legal(scenes):
    for rgb, label_map in scenes:
        assert rgb.shape == (*label_map.shape, 3) == (90, 120, 3)
        assert rgb.dtype == label_map.dtype == np.uint8
        assert ((label_map < len(CAMVID)) | (label_map == VOID)).all()


def test_every_class_appears_about_as_often_as_in_real_streets(scenes):
    pixels = sum(np.bincount(label_map.ravel(), minlength=256) for _, label_map in scenes)
    share = dict(zip(CAMVID.names, 100 * pixels[: len(CAMVID)] / pixels.sum(), strict=True))
    bounds = {
        "sky": (5, 35), "building": (8, 45), "pole": (0.3, 3), "road": (20, 45), "pavement": (2, 14), "tree": (3, 28),
        "sign": (0.1, 3), "fence": (0.1, 6), "car": (1, 14), "pedestrian": (0.1, 3), "bicyclist": (0.03, 3),
    }  # fmt: skip
    assert {name: low < share[name] < high for name, (low, high) in bounds.items()} == dict.fromkeys(CAMVID.names, True)
    assert pixels[VOID] < 0.05 * pixels.sum()


def test_sky_is_above_the_road(scenes):
    for _, label_map in scenes:
        row = np.arange(90)[:, None] + np.zeros_like(label_map)
        assert row[label_map == 0].mean() < 45 < row[label_map == 3].mean()


def test_nearer_triangle_hides_the_farther_and_pixels_are_those_whose_centre_is_inside(part):
    points = np.array([[[0, 0], [4, 0], [0, 4]], [[0, 0], [8, 0], [0, 8]]], np.float32)
    planes = np.array([[0, 0, 2], [0, 0, 1]], np.float32)
    seen, nearness = part("raster").cover(points, planes, (8, 8))
    y, x = np.mgrid[:8, :8] + 0.5
    inside = np.where(x + y < 4, 0, np.where(x + y < 8, 1, -1))
    off_edge = (x + y != 4) & (x + y != 8)
    np.testing.assert_array_equal(seen[off_edge], inside[off_edge])
    assert nearness[0, 0] == 2
    assert nearness[7, 7] == 0


def test_clipping_keeps_the_area_beyond_the_near_plane(part):
    triangle = np.array([[[0, 0, -1], [4, 0, 3], [0, 4, 3]]], np.float32)
    pieces, source = part("raster").clip_near(triangle, 1.0)
    assert source.tolist() == [0, 0]
    assert pieces[..., 2].min() == pytest.approx(1)

    def area(corners):
        return np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1).sum() / 2

    assert area(pieces) == pytest.approx(area(triangle) * 0.75, rel=1e-5)


def test_camera_sees_a_box_where_geometry_says(part):
    mesh, camera = part("mesh"), part("camera")
    box = mesh.box((-1, -1, 10), (1, 1, 12), mesh.Look((1, 1, 1), mesh.CAR))
    level = camera.Camera((0.0, 0.0, 0.0), 0.0, 0.0, 0.0, np.pi / 2)
    seen = camera.look(level, box, (100, 60))
    rows, columns = np.nonzero(seen.label == mesh.CAR)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (25, 34, 45, 54)  # 50 pixels a unit of slope
    assert seen.depth[30, 50] == pytest.approx(10, rel=1e-4)
    right = camera.look(camera.Camera((0.0, 0.0, 0.0), -0.3, 0.2, 0.0, np.pi / 2), box, (100, 60))
    rows, columns = np.nonzero(right.label == mesh.CAR)
    assert columns.mean() > 60  # looking to the left moves things to the right
    assert rows.mean() > 35  # looking up moves them down


def test_a_thing_shades_the_ground_away_from_the_sun(part):
    mesh, shadow = part("mesh"), part("shadow")
    sun = np.array([0.6, 0.8, 0.0], np.float32)
    wall = mesh.box((0, 0, 0), (0.2, 2, 4), mesh.Look((1, 1, 1), mesh.BUILDING))
    depth = shadow.DepthMap(wall, sun, (-5, -5), (5, 10), 400)
    points = np.array([[-1.0, 0, 2], [1.0, 0, 2], [-1.7, 0, 2], [-1.2, 0, 6]], np.float32)
    assert (depth.above(points, np.zeros((4, 2), np.float32)) > 0.05).tolist() == [True, False, False, False]


def test_votes_go_to_the_majority_and_to_thin_things_at_a_half(part):
    mesh, vote = part("mesh"), part("lens").vote
    label = np.array([[mesh.SKY, mesh.SKY, mesh.POLE, mesh.SKY], [mesh.SKY, mesh.CAR, mesh.POLE, mesh.SKY]], np.uint8)
    assert vote(label, 2, len(CAMVID)).tolist() == [[mesh.SKY, mesh.POLE]]
