import numpy as np
import torch

from segcli.inference.certainty import FINER, LONGEST, certainty
from segcli.inference.prediction import from_probabilities

CHANCE = torch.Generator().manual_seed(0)


def test_it_is_the_probability_of_the_class_that_is_said():
    probabilities = torch.rand(4, 30, 40, generator=CHANCE).softmax(0)
    prediction = from_probabilities(probabilities, (30, 40))
    said = prediction.labels()
    expected = np.take_along_axis(probabilities.numpy(), said[None].astype(int), 0)[0]
    found = certainty(prediction)
    assert found.dtype == np.float32
    assert np.allclose(found, expected, atol=1e-6)


def test_a_large_photo_is_looked_at_in_small():
    even = torch.tensor([0.25, 0.75])[:, None, None]
    coarse = certainty(from_probabilities(even.expand(2, 10, 15), (2000, 3000)))
    fine = certainty(from_probabilities(even.expand(2, 400, 600), (2000, 3000)))
    assert (coarse.shape, fine.shape) == ((FINER * 10, FINER * 15), (round(LONGEST * 2 / 3), LONGEST))
    assert np.allclose(coarse, 0.75)


def test_means_over_a_large_photo_are_those_at_full_size():
    probabilities = torch.rand(5, 20, 30, generator=CHANCE).mul(6).softmax(0)
    prediction = from_probabilities(probabilities, (600, 900))
    whole, found = prediction.probabilities().amax(0).numpy(), certainty(prediction)
    for rows, columns in ((slice(0, 30), slice(0, 30)), (slice(300, 400), slice(450, 600))):
        small = found[
            rows.start * 80 // 600 : rows.stop * 80 // 600, columns.start * 120 // 900 : columns.stop * 120 // 900
        ]
        assert abs(whole[rows, columns].mean() - small.mean()) < 0.02
