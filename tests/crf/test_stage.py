"""The CRF behind a network, at its working size."""

import numpy as np
import pytest
import torch

from segcli.crf import dense_crf
from segcli.crf.params import CRFParams
from segcli.crf.stage import Refinement
from segcli.errors import InputError
from segcli.inference.prediction import Prediction, from_probabilities
from segcli.inference.transform import Geometry

PARAMS = CRFParams(iterations=3)


def example(height=40, width=60):
    photo = np.full((height, width, 3), 60, np.uint8)
    photo[:, width // 2 :] = 180
    return photo, from_probabilities(torch.rand(3, 10, 15).softmax(0), (height, width))


def test_at_the_photos_size_it_is_the_crf():
    photo, prediction = example()
    refined = Refinement(PARAMS, size=0)(photo, prediction)
    expected = dense_crf.refine(prediction.probabilities(), photo, PARAMS)
    assert torch.equal(refined.probabilities(), expected)
    assert refined.labels().shape == (40, 60)


def test_a_large_photo_is_worked_on_small_and_answered_large():
    photo, prediction = example()
    picture, probabilities = Refinement(PARAMS, size=30).at_size(photo, prediction)
    assert picture.shape == (20, 30, 3)
    assert picture.dtype == torch.uint8
    assert probabilities.shape == (3, 20, 30)
    refined = Refinement(PARAMS, size=30)(photo, prediction)
    assert refined.scores.shape == (1, 3, 20, 30)
    assert refined.probabilities().shape == (3, 40, 60)
    assert refined.probabilities().sum(0).numpy() == pytest.approx(np.ones((40, 60)), abs=1e-5)


def test_a_small_photo_is_not_enlarged():
    photo, prediction = example()
    assert torch.equal(
        Refinement(PARAMS, 1024)(photo, prediction).scores, Refinement(PARAMS, 0)(photo, prediction).scores
    )


def test_classes_that_matter_nowhere_take_no_memory():
    photo, _ = example()
    scores = torch.randn(1, 300, 10, 15).index_add_(1, torch.tensor([40, 260]), torch.full((1, 2, 10, 15), 30.0))
    prediction = Prediction(scores, Geometry((40, 60), (40, 60), (40, 60)), align_corners=True)
    refined = Refinement(PARAMS, size=0)(photo, prediction)
    assert refined.channels == ((40, 260), 300)
    assert refined.scores.shape == (1, 2, 40, 60)
    expected = dense_crf.refine(prediction.probabilities(), photo, PARAMS)
    assert torch.equal(refined.probabilities(), expected)
    assert np.array_equal(refined.labels(), expected.argmax(0).numpy())
    assert refined.labels().dtype == np.uint16


def test_bands_change_nothing(monkeypatch):
    photo, prediction = example()
    whole = Refinement(PARAMS)(photo, prediction)
    monkeypatch.setattr("segcli.inference.enlargement.CACHED", 7 * 60 * 3 * 4)
    assert torch.equal(Refinement(PARAMS)(photo, prediction).scores, whole.scores)


@pytest.mark.parametrize("size", [0, 30])
def test_what_is_no_probability_is_refused(size):
    photo, prediction = example()
    prediction.scores[0, 1] = float("nan")
    with pytest.raises(InputError, match="nan"):
        Refinement(PARAMS, size)(photo, prediction)


def test_backends_agree():
    pytest.importorskip("pydensecrf")
    photo, prediction = example()
    ours, theirs = (
        Refinement(PARAMS, backend=backend, eps=0)(photo, prediction).probabilities()
        for backend in ("torch", "pydensecrf")
    )
    assert (ours - theirs).abs().max() < 1e-3


def test_everything_that_decides_stands_in_the_recipe():
    recipe = Refinement(PARAMS, 300, "pydensecrf", 0.0).to_dict()
    assert recipe == {**PARAMS.to_dict(), "size": 300, "backend": "pydensecrf", "eps": 0.0}
