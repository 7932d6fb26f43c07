import numpy as np
import pytest

from segcli.images.distinct import as_seen, distinct, distinct_colours
from segcli.labels import CITYSCAPES, VOC


def least(colours: np.ndarray, first: int) -> float:
    """The shortest distance between any two of the first colours, to whoever tells them apart worst."""
    seen = as_seen(np.array(colours[:first]))
    distances = np.sqrt(((seen[:, :, None] - seen[:, None]) ** 2).sum(-1))
    return distances[:, ~np.eye(first, dtype=bool)].min()


def test_oklab_is_that_of_its_author():
    # https://bottosson.github.io/posts/oklab: D65 white is (1, 0, 0); pure red as CSS Color 4 gives it.
    white, red = as_seen(np.array([[255, 255, 255], [255, 0, 0]]))[0]
    assert np.allclose(white, (1, 0, 0), atol=1e-3)
    assert np.allclose(red, (0.62796, 0.22486, 0.12585), atol=1e-3)


def test_greys_look_the_same_to_all():
    seen = as_seen(np.array([[90, 90, 90], [200, 200, 200]]))
    assert np.allclose(seen, seen[0], atol=1e-3)


@pytest.mark.parametrize("labels", [VOC, CITYSCAPES], ids=lambda labels: labels.name)
def test_classes_are_told_apart_better_than_by_the_datasets_colours(labels):
    ours, theirs = distinct(labels).palette, labels.palette
    assert len(set(ours)) == len(ours)
    assert least(ours[1:], 8) > 2 * least(theirs[1:], 8)
    assert least(ours[1:], len(ours) - 1) > 2 * least(theirs[1:], len(ours) - 1)


def test_are_bright_and_the_first_stay_when_there_are_more():
    colours = distinct_colours(40)
    assert (as_seen(np.array(colours))[0, :, 0] > 0.55).all()
    assert distinct_colours(12) == colours[:12]


def test_beyond_256_they_repeat():
    colours = distinct_colours(300)
    assert len(set(colours[:256])) == 256
    assert colours[256:] == colours[:44]


def test_background_has_no_colour():
    assert distinct(VOC).palette[0] == (0, 0, 0)
    assert distinct(VOC).names == VOC.names
