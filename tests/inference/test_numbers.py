"""Scores that are no numbers: half precision that overflows is redone, and else the photo fails alone."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny import tiny_model
from torch import nn

from segcli.errors import InputError
from segcli.inference.segmenter import Segmenter

PRECISIONS = ("float32", "bf16")


def photo(height: int, width: int) -> np.ndarray:
    """Bright noise."""
    return np.random.default_rng(0).integers(60, 256, (height, width, 3), dtype=np.uint8)


class Overflowing(nn.Module):
    """A network whose logits are infinite in half precision, or for dark photos."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x):
        half = torch.is_autocast_enabled("cpu")
        return self.network(x) / (0.0 if half or x.mean() < -0.5 else 1.0)


def overflowing():
    model = tiny_model()
    return replace(model, network=Overflowing(model.network))


def test_half_precision_that_overflows_is_redone_in_float32_and_says_so():
    picture, valid = photo(50, 60), np.arange(50 * 60).reshape(50, 60) % 7 > 0
    for protocol in ({}, {"flip": True, "scales": (0.75, 1.0)}, {"tile": 65, "size": 0}):
        (made,) = Segmenter(overflowing(), precision="bf16", **protocol).predict([picture])
        settled = replace(made, valid=valid).settled()
        assert not made.scores.isfinite().all()
        assert settled.notes == ("Half precision overflowed for this photo: it was done in float32.",)
        (whole,) = Segmenter(tiny_model(), **protocol).predict([picture])
        assert torch.equal(settled.scores, whole.scores)
        assert np.array_equal(settled.labels(), replace(whole, valid=valid).labels())


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_photo_of_which_the_network_says_no_numbers_is_at_fault_itself(precision):
    segmenter = Segmenter(overflowing(), precision=precision)
    good, bad = segmenter.predict([photo(50, 60), photo(50, 60) // 9])
    assert good.settled().scores.isfinite().all()
    with pytest.raises(InputError, match="the network gives NaN or infinite values for it"):
        bad.settled()
    with pytest.raises(InputError, match="NaN or infinite values"):
        segmenter.labels(photo(50, 60) // 9)


def test_a_prediction_of_numbers_settles_as_it_is():
    (made,) = Segmenter(tiny_model(), precision="bf16").predict([photo(50, 60)])
    settled = made.settled()
    assert settled.scores is made.scores
    assert settled.notes == ()
