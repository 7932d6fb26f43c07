import numpy as np
import torch

from segcli.inference.certainty import SIZE, certainty
from segcli.inference.segmenter import from_probabilities


def test_it_is_the_probability_of_the_class_that_is_said():
    probabilities = torch.rand(4, 30, 40, generator=torch.Generator().manual_seed(0)).softmax(0)
    prediction = from_probabilities(probabilities, (30, 40))
    said = prediction.labels()
    expected = np.take_along_axis(probabilities.numpy(), said[None].astype(int), 0)[0]
    found = certainty(prediction)
    assert found.dtype == np.float32
    assert np.allclose(found, expected, atol=1e-6)


def test_a_large_photo_is_looked_at_in_small():
    even = torch.tensor([0.25, 0.75])[:, None, None].expand(2, 10, 15)
    found = certainty(from_probabilities(even, (2000, 3000)))
    assert found.shape == (round(SIZE * 2 / 3), SIZE)
    assert np.allclose(found, 0.75)
