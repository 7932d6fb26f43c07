"""The census of a dataset's labels."""

import numpy as np

from segcli.data.census import Census
from segcli.labels import ADE20K, VOID, from_names


def test_the_census_counts_pixels_and_images_of_each_class_and_of_void():
    census = Census(3)
    census.add(np.array([[0, 0, 2], [VOID, 0, 2]], np.uint8))
    census.add(np.array([[0, 1]], np.uint8))
    assert census.pixels.tolist() == [4, 1, 2, 1]
    assert census.images.tolist() == [2, 1, 1, 1]
    assert census.labels == 2


def test_a_census_of_255_classes_has_room_for_void():
    census = Census(255)
    census.add(np.array([[254, VOID]], np.uint8))
    assert (census.pixels[254], census.pixels[255]) == (1, 1)


def test_absent_classes_are_those_without_a_pixel_anywhere():
    census = Census(3)
    census.add(np.array([[0, 2, VOID]], np.uint8))
    labels = from_names(["soil", "leaf", "spot"])
    assert (census.absent(labels), census.present(labels)) == (("leaf",), ("soil", "spot"))
    assert "void" not in Census(151).absent(ADE20K)  # its first channel is no class


def test_taking_another_census_moves_its_counts():
    one, two = Census(2), Census(2)
    one.add(np.array([[0, 1]], np.uint8))
    two.add(np.array([[1, VOID]], np.uint8))
    one.take(two)
    assert (one.pixels.tolist(), one.images.tolist(), one.labels) == ([1, 2, 1], [1, 2, 1], 2)
    assert (two.pixels.tolist(), two.labels) == ([0, 0, 0], 0)
