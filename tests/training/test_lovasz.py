"""Lovász-Softmax against the definition in its paper, and against the mIOU where the probabilities are hard."""

import numpy as np
import pytest
import torch

from segcli.labels import VOID
from segcli.training.lovasz import lovasz_softmax


@pytest.fixture
def case():
    """Logits (2, 4, 5, 7) and labels of classes 0, 1 and 3 with a void corner."""
    logits = torch.randn(2, 4, 5, 7)
    labels = torch.tensor([0, 1, 3], dtype=torch.uint8)[torch.randint(0, 3, (2, 5, 7))]
    labels[0, :2, :3] = VOID
    return logits, labels


def jaccard_loss(truth, wrong):
    """1 - IOU of a class whose pixels are `truth` when the pixels `wrong` are mistaken."""
    return len(wrong) / len(truth | wrong)


def by_definition(logits, labels):
    """Definition 2 of the paper, set by set."""
    kept = (labels != VOID).numpy()
    probabilities = np.moveaxis(logits.softmax(1).numpy(), 1, -1)[kept].astype(float)
    truth = labels.numpy()[kept]
    losses = []
    for c in np.unique(truth):
        errors = np.abs((truth == c) - probabilities[:, c])
        pixels, wrong, loss = set(np.flatnonzero(truth == c)), set(), 0.0
        for i in errors.argsort()[::-1]:
            loss += errors[i] * (jaccard_loss(pixels, wrong | {i}) - jaccard_loss(pixels, wrong))
            wrong.add(i)
        losses.append(loss)
    return np.mean(losses)


def test_it_is_the_lovasz_extension_of_the_jaccard_loss(case):
    assert float(lovasz_softmax(*case)) == pytest.approx(by_definition(*case), rel=1e-5)


def test_hard_decisions_give_one_minus_the_miou(case):
    logits, labels = case
    decided = logits.argmax(1)
    ious = []
    for c in (0, 1, 3):
        said, true = (decided == c) & (labels != VOID), labels == c
        ious.append(float((said & true).sum() / (said | true).sum()))
    assert float(lovasz_softmax(1e4 * logits, labels)) == pytest.approx(1 - np.mean(ious), rel=1e-5)


def test_what_is_right_costs_nothing_and_what_is_wrong_everything():
    labels = torch.randint(0, 3, (1, 6, 6), dtype=torch.uint8)
    right = 1e4 * torch.nn.functional.one_hot(labels.long(), 3).movedim(-1, 1).float()
    assert lovasz_softmax(right, labels) == 0
    assert float(lovasz_softmax(right.roll(1, 1), labels)) == pytest.approx(1)


def test_void_gets_no_gradient_and_the_step_lowers_the_loss(case):
    logits, labels = case[0].clone().requires_grad_(), case[1]
    before = lovasz_softmax(logits, labels)
    (slope,) = torch.autograd.grad(before, logits)
    assert (slope[0, :, :2, :3] == 0).all()
    assert lovasz_softmax(logits - 0.1 * slope, labels) < before


def test_nothing_but_void_is_no_loss_and_no_nan():
    logits = torch.randn(1, 3, 4, 4, requires_grad=True)
    loss = lovasz_softmax(logits, torch.full((1, 4, 4), VOID, dtype=torch.uint8))
    loss.backward()
    assert loss == 0
    assert (logits.grad == 0).all()
