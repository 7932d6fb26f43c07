"""Whether pictures have an up: told by labels only where many lie every way round, and by maps and microscopes."""

import numpy as np
import pytest
import tifffile

from segcli.training.planning.upright import Leaning, Upright, judged


def scene(chance):
    """Sky over a road, and a post on it."""
    label = np.zeros((60, 80), np.uint8)
    label[int(chance.integers(25, 40)) :] = 1
    left = chance.integers(5, 70)
    label[20:45, left : left + 3] = 2
    return label


def cells(chance):
    """Ellipses anywhere, at any angle."""
    label = np.zeros((60, 80), np.uint8)
    rows, columns = np.mgrid[:60, :80]
    for _ in range(chance.integers(2, 8)):
        y, x, angle = chance.uniform(0, 60), chance.uniform(0, 80), chance.uniform(0, np.pi)
        long = (columns - x) * np.cos(angle) + (rows - y) * np.sin(angle)
        wide = (rows - y) * np.cos(angle) - (columns - x) * np.sin(angle)
        label[(long / 14) ** 2 + (wide / 6) ** 2 < 1] = 1
    return label


def portrait(chance):
    """One thing in the middle, taller than wide, as people and bottles are."""
    label = np.zeros((60, 80), np.uint8)
    label[8 : 52 + chance.integers(-3, 3), 28 : 48 + chance.integers(-3, 3)] = 1
    return label


def leaning(draw, count, classes):
    found, chance = Leaning(), np.random.default_rng(1)
    for _ in range(count):
        found.add(draw(chance), classes)
    return found


@pytest.mark.parametrize(
    ("draw", "classes", "count", "has_up"),
    [
        (scene, 3, 30, True),
        (portrait, 2, 30, True),
        (cells, 2, 30, False),
        (cells, 2, 100, False),
        (cells, 2, 10, None),
        (scene, 3, 3, None),
    ],
)
def test_labels_tell_only_where_there_are_many(draw, classes, count, has_up):
    assert leaning(draw, count, classes).has_up() is has_up


def test_the_same_scenes_turned_any_way_have_no_up():
    found, chance = Leaning(), np.random.default_rng(2)
    for _ in range(40):
        found.add(np.rot90(scene(chance), chance.integers(4)), 3)
    assert found.has_up() is False


def test_without_a_sign_pictures_have_an_up(tmp_path):
    assert judged(leaning(cells, 5, 2), [tmp_path / "a.jpg"]).has_up
    assert not judged(leaning(cells, 40, 2), [tmp_path / "a.jpg"]).has_up


def test_the_user_has_the_last_word(tmp_path):
    assert judged(leaning(cells, 40, 2), [tmp_path / "a.jpg"], said=True) == Upright(True, "you said so")
    assert not judged(leaning(scene, 40, 3), [tmp_path / "a.jpg"], said=False).has_up


def test_a_microscopes_pictures_have_no_up(tmp_path):
    path = tmp_path / "cells.ome.tif"
    facts = {"axes": "YX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
    tifffile.imwrite(path, np.zeros((20, 30), np.uint16), photometric="minisblack", metadata=facts)
    assert judged(Leaning(), [path]) == Upright(False, "their files are of a microscope")


def test_maps_have_no_up_though_one_photo_with_a_world_file_says_nothing(tmp_path):
    from PIL import Image

    paths = [tmp_path / f"{index}.png" for index in range(3)]
    for path in paths:
        Image.new("RGB", (30, 20)).save(path)
    world = "0.5\n0\n0\n-0.5\n1000\n2000\n"
    paths[0].with_suffix(".pgw").write_text(world)
    assert judged(Leaning(), paths).has_up
    paths[1].with_suffix(".pgw").write_text(world)
    assert judged(Leaning(), paths) == Upright(False, "their files are maps")
