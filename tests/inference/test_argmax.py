"""Oracle: torch's argmax of the whole enlarged volume."""

import platform
import subprocess
import sys

import numpy as np
import pytest
import torch

from segcli.inference.argmax import argmax, candidates, label_map
from segcli.inference.enlargement import to_photo
from segcli.inference.transform import Geometry

PLACE = Geometry((75, 100), (39, 52), (65, 65))


def blobs(classes: int, height: int = 17, width: int = 17, winners: int = 3) -> torch.Tensor:
    """Scores (1, K, h, w) in which a few classes lead here and there, the rest nowhere."""
    scores = torch.randn(1, classes, height, width) - 12
    scores[0, torch.randperm(classes)[:winners]] += torch.randn(winners, height, width) + 12
    return scores


@pytest.mark.parametrize("align_corners", [True, False])
@pytest.mark.parametrize("classes", [1, 2, 21, 255, 300])
@pytest.mark.parametrize("place", [PLACE, Geometry((65, 65), (65, 65), (65, 65)), Geometry((1, 9), (7, 65), (65, 65))])
def test_the_label_map_is_the_whole_volumes_argmax(classes, align_corners, place):
    for scores in (
        blobs(classes, winners=min(3, classes)),
        torch.randn(1, classes, 17, 17),
        torch.randn(1, classes, 1, 1),
    ):
        expected = to_photo(scores, place, align_corners)[0].argmax(0).numpy()
        ours = label_map(scores, place, align_corners)
        assert np.array_equal(ours, expected)
        assert ours.dtype == (np.uint8 if classes <= 255 else np.uint16)


def test_a_class_that_is_second_at_every_sample_may_win_between_them():
    """At both ends another class leads, in the middle this one: it must not be left out."""
    scores = torch.tensor([[10.0, 0.0], [0.0, 10.0], [9.0, 9.0]]).reshape(1, 3, 1, 2)
    place = Geometry((1, 8), (1, 8), (1, 8))
    ours = label_map(scores, place, align_corners=True)
    assert ours.tolist() == [[0, 2, 2, 2, 2, 2, 2, 1]]


def test_few_classes_contend():
    scores = blobs(150)[0]
    enlarged = to_photo(scores[None], Geometry((136, 136), (136, 136), (136, 136)), False)[0]
    kept = candidates(scores).tolist()
    assert set(enlarged.argmax(0).unique().tolist()) <= set(kept)
    assert len(kept) <= 4


def test_equal_scores_all_contend_and_the_first_counts():
    scores = torch.zeros(1, 5, 4, 4)
    scores[0, 0] = -1
    assert candidates(scores[0]).tolist() == [1, 2, 3, 4]
    assert (label_map(scores, Geometry((8, 8), (8, 8), (8, 8)), True) == 1).all()


@pytest.mark.parametrize("classes", [1, 21, 255, 256, 300])
def test_the_largest_is_argmax(classes):
    scores = torch.randint(0, 5, (classes, 20, 30)).float()
    assert torch.equal(argmax(scores).long(), scores.argmax(0))


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), float("-inf")])
def test_numbers_that_are_none_give_some_class(odd):
    scores = torch.randn(1, 21, 9, 9)
    scores[0, 3, 4:6] = odd
    labels = label_map(scores, Geometry((40, 40), (40, 40), (40, 40)), True)
    assert labels.max() < 21
    everywhere = label_map(torch.full_like(scores, odd), Geometry((40, 40), (40, 40), (40, 40)), True)
    assert everywhere.shape == (40, 40)
    assert everywhere.max() < 21


MEMORY = r"""
import re, torch
from pathlib import Path
from segcli.inference.argmax import label_map
from segcli.inference.transform import Geometry
scores = torch.randn(1, 21, 129, 129)
label_map(scores, Geometry((30, 40), (385, 513), (513, 513)), True)
def peak():  # ru_maxrss would start at what the parent held
    return int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1])
before = peak()
label_map(scores, Geometry((3000, 4000), (385, 513), (513, 513)), True)
print(peak() - before)
"""


@pytest.mark.skipif(platform.system() != "Linux", reason="elsewhere there is no /proc")
def test_12_megapixels_take_a_part_of_the_volumes_memory():
    """21 classes that all contend: the volume would take a gigabyte."""
    done = subprocess.run([sys.executable, "-c", MEMORY], capture_output=True, text=True, check=True)
    assert int(done.stdout) * 1024 < 300e6
