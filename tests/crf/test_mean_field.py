import numpy as np
import pytest
import torch

from segcli.crf import dense_crf, mean_field
from segcli.crf.mean_field import kept_classes
from segcli.crf.params import CRFParams


class Averages:
    """A kernel as a matrix, which remembers how many classes it was given."""

    def __init__(self, pixels: int):
        weights = torch.rand(pixels, pixels) ** 8
        self.matrix = weights / weights.sum(1, keepdim=True)
        self.widths = []

    def filter(self, values, workspace):
        self.widths.append(values.shape[1])
        yield slice(None), self.matrix @ values


def as_written_in_the_paper(probabilities, weight, matrix, iterations):
    """Algorithm 1 of Krähenbühl and Koltun 2011, in float64."""
    unary = -probabilities.double().clamp(1e-5).log().flatten(1)
    beliefs = (-unary).softmax(0)
    for _ in range(iterations):
        beliefs = (weight * beliefs @ matrix.double().t() - unary).softmax(0)
    return beliefs.view_as(probabilities)


def some_negligible(classes: int, negligible: int, height: int, width: int) -> torch.Tensor:
    """Probabilities in random order, some of which nowhere exceed 5e-5."""
    active = (torch.randn(classes - negligible, height, width) * 3).softmax(0)
    odds = torch.cat([active, torch.rand(negligible, height, width) / 20000])[torch.randperm(classes)]
    return odds / odds.sum(0)


@pytest.mark.parametrize(("classes", "negligible"), [(2, 0), (3, 1), (6, 4), (21, 15), (21, 20), (300, 290)])
def test_is_the_papers_algorithm_with_fewer_messages(classes, negligible):
    kernel, probabilities = Averages(12 * 9), some_negligible(classes, negligible, 12, 9)
    expected = as_written_in_the_paper(probabilities, 7, kernel.matrix, 5)
    refined = mean_field.mean_field(probabilities, [(7.0, kernel)], 5, eps=0)
    assert (refined - expected).abs().max() < 1e-5
    assert torch.allclose(refined.sum(0), torch.ones(12, 9))
    assert max(kernel.widths) == classes - negligible


def test_pixels_without_an_opinion_make_every_class_active():
    kernel, probabilities = Averages(80), some_negligible(9, 6, 8, 10)
    probabilities[:, 2:4] = 0
    expected = as_written_in_the_paper(probabilities, 7, kernel.matrix, 5)
    refined = mean_field.mean_field(probabilities, [(7.0, kernel)], 5, eps=0)
    assert (refined - expected).abs().max() < 1e-5
    assert kernel.widths[0] == 9


def test_a_class_that_all_pixels_gave_up_is_not_updated_again():
    kernel = Averages(100)
    probabilities = torch.full((3, 10, 10), 0.02)
    probabilities[0], probabilities[1, :5], probabilities[2, 5:] = 0.9, 0.08, 0.08
    expected = as_written_in_the_paper(probabilities, 30, kernel.matrix, 6)
    assert (mean_field.mean_field(probabilities, [(30.0, kernel)], 6, eps=0) - expected).abs().max() < 1e-5
    assert kernel.widths[0] == 3
    assert kernel.widths[-1] == 1


def test_without_weights_no_class_is_active():
    kernel, probabilities = Averages(30), torch.rand(4, 5, 6).softmax(0)
    assert torch.allclose(mean_field.mean_field(probabilities, [(0.0, kernel)], 3, eps=0), probabilities)
    assert not kernel.widths


def test_classes_take_turns_where_the_photo_is_large(monkeypatch):
    kernel, probabilities = Averages(99), some_negligible(7, 2, 9, 11)
    together = mean_field.mean_field(probabilities, [(4.0, kernel)], 3, eps=0)
    monkeypatch.setattr(mean_field, "_CHUNK", 2 * 99)
    assert (mean_field.mean_field(probabilities, [(4.0, kernel)], 3, eps=0) - together).abs().max() < 1e-6
    assert kernel.widths[-3:] == [2, 2, 1]


def test_negligible_classes_come_back_as_zero_only_where_they_are_left_out():
    probabilities = some_negligible(8, 5, 6, 7)
    kept = kept_classes(probabilities, 0.05).tolist()
    assert len(kept) == 3
    assert mean_field.mean_field(probabilities, [], 0).amax((1, 2)).nonzero().flatten().tolist() == kept
    assert mean_field.mean_field(probabilities, [], 0, eps=0).min() > 0


def test_many_sets_can_share_a_kernel():
    probabilities = (torch.randn(3, 20, 30) * 3).softmax(0)
    photo = np.random.randint(0, 64, (20, 30, 3), np.uint8)
    bilateral = dense_crf.bilateral_kernel(torch.from_numpy(photo), 67, 3)
    spatial = dense_crf.spatial_kernel(20, 30, 1, probabilities.device)
    for w1 in (2.0, 9.0):
        shared = mean_field.mean_field(probabilities, [(w1, bilateral), (3, spatial)], 10)
        assert torch.equal(shared, dense_crf.refine(probabilities, photo, CRFParams(w1=w1)))
