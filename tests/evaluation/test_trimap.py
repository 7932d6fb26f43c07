"""Bands around void against scipy's distances and dilations."""

import numpy as np
from random_maps import random_maps
from scipy import ndimage

from segcli.evaluation.metrics import ConfusionMatrix
from segcli.evaluation.trimap import Trimap, void_distance
from segcli.labels import VOC, VOID


def test_void_distance_is_scipys_chessboard_distance():
    truth = np.zeros((40, 50), np.uint8)
    truth[np.random.default_rng(4).random(truth.shape) < 0.004] = VOID
    expected = ndimage.distance_transform_cdt(truth != VOID, metric="chessboard")
    np.testing.assert_array_equal(void_distance(truth, 6), np.minimum(expected, 7))


def test_a_map_without_void_has_no_band():
    assert (void_distance(np.zeros((5, 5), np.uint8), 3) == 4).all()
    trimap = Trimap(21)
    trimap.update(np.zeros((5, 5), np.uint8), np.zeros((5, 5), np.uint8))
    assert trimap.scores(VOC)[1].miou is None


def test_the_trimap_scores_what_void_dilated_by_a_square_covers():
    generator = np.random.default_rng(5)
    maps = [random_maps(generator, shape=(50, 70)) for _ in range(2)]
    for truth, _ in maps:
        truth[truth == VOID] = 0
        truth[20:22, 10:60] = VOID
    trimap = Trimap(21, widths=(1, 3, 9))
    for pair in maps:
        trimap.update(*pair)
    bands = trimap.scores(VOC)
    assert list(bands) == [1, 3, 9]
    for width, scores in bands.items():
        expected = ConfusionMatrix(21)
        for truth, predicted in maps:
            square = np.ones((2 * width + 1, 2 * width + 1))
            outside = ~ndimage.binary_dilation(truth == VOID, square)
            expected.update(np.where(outside, VOID, truth), predicted)
        assert scores == expected.scores(VOC)
