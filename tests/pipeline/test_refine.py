"""refine: the CRF on one photo, from probabilities or a rough label map."""

import numpy as np
import pytest

import segcli
from segcli.errors import InputError, UsageError
from segcli.labels import from_names

EDGE, GUESSED = 30, 36


@pytest.fixture
def photo():
    """Two greys with an outline at column EDGE."""
    picture = np.full((40, 60, 3), 60, np.uint8)
    picture[:, EDGE:] = 180
    return picture


def probabilities():
    guess = np.full((2, 40, 60), 0.3, np.float32)
    guess[0, :, :GUESSED], guess[1, :, GUESSED:] = 0.7, 0.7
    return guess


def edge(result):
    return int((result.labels[20] == 0).sum())


def test_probabilities_move_to_the_photos_outline(photo):
    result = segcli.refine(photo, probabilities())
    assert edge(result) == EDGE
    assert result.names == ("0", "1")
    assert np.abs(result.probabilities().sum(0) - 1).max() < 1e-5


def test_rough_labels_do_too_and_void_has_no_opinion(photo):
    rough = (np.arange(60) >= GUESSED).astype(np.uint8)[None].repeat(40, 0)
    rough[:, 24:42] = 255
    result = segcli.refine(photo, rough, classes=["left", "right"])
    assert edge(result) == EDGE
    assert set(result.areas()) == {"left", "right"}


def test_settings_are_taken(photo):
    still = segcli.refine(photo, probabilities(), crf=segcli.CRFSettings(segcli.CRFParams(iterations=0)))
    assert edge(still) == GUESSED


@pytest.mark.parametrize(
    ("said", "options", "kind", "message"),
    [
        (np.zeros((40, 60), np.uint8), {}, UsageError, "does not say which classes"),
        (np.zeros((4, 6), np.uint8), {"classes": ["a", "b"]}, InputError, "has the shape"),
        (np.full((40, 60), 7, np.uint8), {"classes": ["a", "b"]}, InputError, "holds the id 7"),
        (np.zeros((40, 60), np.uint8), {"classes": ["a", "b"], "gt_prob": 2}, UsageError, "gt-prob"),
        (np.full((2, 40, 60), np.nan, np.float32), {}, InputError, "probabilities"),
        (np.full((2, 40, 60), 5.0), {}, InputError, "probabilities in 0..1"),
        (np.full((40, 60), 0.5), {"classes": ["a", "b"]}, InputError, "classes, height, width"),
        (np.full((2, 40, 60), 0.5), {"classes": ["a"]}, InputError, "2 channels, but 1 classes"),
    ],
)
def test_what_cannot_be_refined(photo, said, options, kind, message):
    with pytest.raises(kind, match=message):
        segcli.refine(photo, said, **options)


def test_a_label_set_keeps_its_colours(photo, tmp_path):
    labels = from_names(["left", "right"], "sides")
    assert segcli.refine(photo, probabilities(), classes=labels).label_set is labels
