import numpy as np
import pytest
import torch
from scipy.stats import entropy

from segcli.inference.prediction import Prediction, from_probabilities
from segcli.inference.transform import Geometry
from segcli.inference.uncertainty import uncertainty


def test_it_is_scipys_entropy_by_the_most_that_is_possible():
    probabilities = torch.rand(21, 64, 64).softmax(0)
    prediction = from_probabilities(probabilities, (64, 64))
    expected = entropy(probabilities.numpy(), axis=0).mean() / np.log(21)
    assert uncertainty(prediction) == pytest.approx(expected, rel=1e-4)


def test_sure_is_zero_and_clueless_is_one():
    sure = torch.zeros(3, 10, 10)
    sure[1] = 1
    assert uncertainty(from_probabilities(sure, (500, 300))) == pytest.approx(0, abs=1e-6)
    assert uncertainty(from_probabilities(torch.full((3, 10, 10), 1 / 3), (500, 300))) == pytest.approx(1, rel=1e-5)


def test_the_padding_does_not_count():
    scores = torch.zeros(1, 4, 65, 65)  # clueless in the padding
    scores[:, 2, :34] = 50
    prediction = Prediction(scores, Geometry((257, 513), (257, 513), (513, 513)), align_corners=True)
    assert uncertainty(prediction) < 1e-6
