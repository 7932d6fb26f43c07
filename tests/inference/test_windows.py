"""Windows of a picture that is never whole: the scores, labels and means are those of `tiling`, which has the whole."""

import numpy as np
import pytest
import torch
from small_runs import smooth
from tiny import tiny_model

from segcli.inference import tiling
from segcli.inference.argmax import label_map
from segcli.inference.enlargement import to_photo
from segcli.inference.pooled_mean import PooledMean
from segcli.inference.transform import geometry, to_input
from segcli.inference.windows import Enlarging, Ring, Windows
from segcli.models.preprocessing import Preprocessing, at_size

FULL = at_size(Preprocessing(), 0)
TILE = 129


def windows_of(rgb: np.ndarray, tile: int = TILE, corner: int = 1) -> Windows:
    return Windows(geometry(rgb.shape[:2], FULL), tile, corner)


def network(align_corners: bool = True) -> torch.nn.Module:
    return tiny_model(align_corners=align_corners).network


def inputs(rgb: np.ndarray, windows: Windows):
    height, width = windows.size
    for top in windows.rows:
        for left in windows.columns:
            yield top, left, windows.input(top, left, rgb[top : top + height, left : left + width], FULL)


@pytest.mark.parametrize(("height", "width", "corner"), [(300, 170, 1), (90, 400, 1), (333, 95, 1), (200, 300, 0)])
@torch.inference_mode()
def test_a_ring_of_one_row_of_windows_has_the_scores_and_labels_of_the_whole(height, width, corner):
    rgb, net, tile = np.array(smooth(2, width, height)), network(), 128 + corner
    view, _ = to_input(rgb, FULL)
    whole = tiling.run(net, view, tile, corner)
    windows = windows_of(rgb, tile, corner)
    stride = windows.stride(net(torch.zeros(1, 3, *windows.size)).shape[-2])
    ring = Ring(whole.values.shape[1], whole.values.shape[3])
    align = bool(corner)
    enlarging = Enlarging(windows, whole.values.shape[2:], align, (height, width))
    labels, done, scores = [], 0, []
    parts = inputs(rgb, windows)
    for number in range(len(windows.rows)):
        for _ in windows.columns:
            top, left, window = next(parts)
            ring.add(top // stride, left // stride, net(window))
        until = windows.until(number, stride)
        bottom = height if number + 1 == len(windows.rows) else enlarging.ready(until)
        rows = ring.scores(ring.first, until)
        labels.append(enlarging.labels(rows, ring.first, done, bottom))
        scores.append(ring.scores(max(ring.first, sum(map(len, scores))), until)[0].transpose(0, 1))
        ring.drop(enlarging.needed(bottom))
        done = bottom
    assert torch.equal(torch.cat(scores).transpose(0, 1), whole.values[0])
    expected = label_map(whole.values, windows.covered, align)
    assert np.array_equal(np.concatenate(labels), expected)
    assert len(np.unique(expected)) > 3


def test_windows_without_a_look_have_scores_of_0():
    ring = Ring(3, 10)
    ring.add(2, 4, torch.ones(1, 3, 4, 4))
    scores = ring.scores(0, 8)
    assert torch.isfinite(scores).all()
    assert torch.allclose(scores[..., 2:6, 4:8], torch.ones(()))
    assert not scores[..., :2, :].any()


def test_small_pictures_of_the_whole_come_from_the_same_rows():
    scores, windows = torch.randn(1, 5, 22, 38), windows_of(np.zeros((170, 300, 3), np.uint8))
    enlarging = Enlarging(windows, (22, 38), True, (11, 19))
    expected = to_photo(scores, windows.covered, True, (11, 19))
    middle = enlarging.ready(9)
    assert 0 < middle < 11
    assert torch.equal(enlarging.rows(scores[:, :, :9], 0, 0, middle), expected[:, :, :middle])
    first = enlarging.needed(middle)
    assert torch.equal(enlarging.rows(scores[:, :, first:], first, middle, 11), expected[:, :, middle:])


@torch.inference_mode()
def test_the_mean_of_features_is_that_of_the_blended_ones():
    rgb, net = np.array(smooth(2, 170, 300)), network()
    view, _ = to_input(rgb, FULL)
    windows = windows_of(rgb)
    pooled = PooledMean(windows, 8, 21)
    for top, left, window in inputs(rgb, windows):
        pooled.add(top, left, net(window))
    blended = tiling.run(net, view, TILE, 1).values
    height, width = (-(-side // 8) for side in view.shape[-2:])
    expected = blended[..., :height, :width].double().mean((2, 3))
    assert torch.allclose(pooled.value()[0, :, 0, 0].double(), expected[0], atol=1e-6)
    assert pooled.share == pytest.approx(height * width)
