"""Oracle: torch's argmax of the whole enlarged volume, and its lerp."""

import numpy as np
import pytest
import torch

from segcli.inference import contending
from segcli.inference.contending import enlarged, label_map
from segcli.inference.enlargement import to_photo
from segcli.inference.lerp import lerp
from segcli.inference.prediction import Prediction
from segcli.inference.transform import Geometry

PLACES = [
    Geometry((75, 100), (39, 52), (65, 65)),
    Geometry((300, 200), (65, 43), (65, 65)),
    Geometry((20, 31), (60, 65), (65, 65)),
    Geometry((1, 9), (7, 65), (65, 65)),
    Geometry((65, 65), (65, 65), (65, 65)),
]


def by_torch(scores: np.ndarray, place: Geometry, align_corners: bool) -> np.ndarray:
    return to_photo(torch.from_numpy(scores)[None], place, align_corners)[0].argmax(0).numpy()


def nearly_equal(classes: int, height: int, width: int, seed: int) -> np.ndarray:
    """Scores of classes that follow each other, a rounding apart in many places, so that only exact ones decide."""
    rng = np.random.default_rng(seed)
    base = rng.standard_normal((1, height, width)).astype(np.float32)
    return np.float32(base * (1 + 1e-7 * rng.integers(-2, 3, (classes, height, width))))


@pytest.mark.parametrize("align_corners", [True, False])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("classes", [1, 2, 3, 21])
def test_every_label_is_that_of_the_largest_score(classes, place, align_corners):
    rng = np.random.default_rng(classes)
    for scores in (
        rng.standard_normal((classes, 17, 17)).astype(np.float32),
        rng.integers(-2, 3, (classes, 17, 17)).astype(np.float32),  # many are equal: the first class counts
        nearly_equal(classes, 17, 17, classes),
        np.zeros((classes, 3, 1), np.float32),
    ):
        ours = label_map(scores, place, align_corners)
        assert np.array_equal(ours, by_torch(scores, place, align_corners))
        assert ours.dtype == np.uint8


def test_more_classes_than_a_byte_holds_are_told_apart():
    scores = np.random.default_rng(0).standard_normal((300, 9, 9)).astype(np.float32)
    ours = label_map(scores, PLACES[0], True)
    assert ours.dtype == np.uint16
    assert np.array_equal(ours, by_torch(scores, PLACES[0], True))


def test_scores_that_differ_by_a_rounding_are_decided_as_torch_rounds():
    """Without fused instructions one label in thousands would differ here."""
    place = Geometry((513, 513), (513, 513), (513, 513))
    scores = nearly_equal(4, 33, 33, 0)
    assert np.array_equal(label_map(scores, place, True), by_torch(scores, place, True))


def test_runs_and_parts_change_nothing(monkeypatch):
    scores = np.random.default_rng(0).standard_normal((21, 9, 9)).astype(np.float32)
    place = Geometry((301, 222), (129, 129), (129, 129))
    whole = label_map(scores, place, False)
    monkeypatch.setattr(contending, "RUN", 5)
    monkeypatch.setattr(contending, "CACHED", 700)
    assert np.array_equal(label_map(scores, place, False), whole)


def test_lerp_is_torchs_to_the_bit():
    generator = torch.Generator().manual_seed(0)
    start, end = (torch.randn(20_000, generator=generator) * 10.0**power for power in (0, 0))
    end[::3] = start[::3] * (1 + 1e-6)
    weight = torch.rand(20_000, generator=generator)
    weight[:7] = torch.tensor([0, 1, 0.5, 0.25, 0.75, 0.49999997, 1e-8])
    assert np.array_equal(lerp(start.numpy(), end.numpy(), weight.numpy()), torch.lerp(start, end, weight).numpy())


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_scores_that_are_no_numbers_give_some_class(odd):
    scores = np.random.default_rng(0).standard_normal((21, 9, 9)).astype(np.float32)
    scores[3, 4:6] = odd
    for given in (scores, np.full_like(scores, odd)):
        labels = label_map(given, Geometry((40, 40), (40, 40), (40, 40)), True)
        assert labels.shape == (40, 40)
        assert labels.max() < 21


@pytest.mark.parametrize("align_corners", [True, False])
def test_small_pictures_are_enlarged_as_by_torch_up_to_rounding(align_corners):
    scores = np.random.default_rng(0).standard_normal((5, 17, 17)).astype(np.float32)
    expected = to_photo(torch.from_numpy(scores)[None], PLACES[0], align_corners, (48, 64))[0].numpy()
    np.testing.assert_allclose(enlarged(scores, PLACES[0], align_corners, (48, 64)), expected, atol=1e-6)


def test_a_prediction_is_the_same_from_arrays_and_from_tensors():
    scores = np.random.default_rng(0).standard_normal((1, 6, 9, 9)).astype(np.float32)
    array, tensor = (Prediction(values, PLACES[0], True) for values in (scores, torch.from_numpy(scores)))
    assert np.array_equal(array.labels(), tensor.labels())
    assert torch.equal(array.probabilities(), tensor.probabilities())
    assert array.is_on_cpu
    assert array.settled() == array
    assert array.to("cpu").scores.data_ptr() == scores.ctypes.data
