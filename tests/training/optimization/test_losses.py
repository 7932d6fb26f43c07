"""The losses against torch's own and the papers' definitions on cases made by hand; labels shrunk as the papers say."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from segcli.labels import VOID
from segcli.models import variants
from segcli.training.optimization.losses import Criterion, lovasz_softmax, mean, shrink
from segcli.training.recipe import Loss


@pytest.fixture
def case():
    """Logits (2, 3, 5, 7) and labels of the same size with a void corner."""
    logits = torch.randn(2, 3, 5, 7)
    labels = torch.randint(0, 3, (2, 5, 7), dtype=torch.uint8)
    labels[0, :2, :3] = VOID
    return logits, labels


@pytest.fixture
def sparse_case():
    """Logits (2, 4, 5, 7) and labels of classes 0, 1 and 3 with a void corner."""
    logits = torch.randn(2, 4, 5, 7)
    labels = torch.tensor([0, 1, 3], dtype=torch.uint8)[torch.randint(0, 3, (2, 5, 7))]
    labels[0, :2, :3] = VOID
    return logits, labels


def loss_of(terms):
    return mean(terms, terms[:, 1])


def test_void_counts_for_nothing(case):
    logits, labels = case
    ours = loss_of(Criterion(True).terms(logits, labels))
    kept = labels != VOID
    by_hand = -logits.log_softmax(1).movedim(1, -1)[kept].gather(1, labels[kept].long()[:, None]).mean()
    assert torch.allclose(ours, by_hand, rtol=1e-6)
    assert torch.allclose(ours, F.cross_entropy(logits, labels.long(), ignore_index=VOID), rtol=1e-6)


def test_class_weights_are_torchs(case):
    logits, labels = case
    weights = torch.tensor([1.0, 0.0, 4.0])
    ours = loss_of(Criterion(True, class_weights=weights).terms(logits, labels))
    assert torch.allclose(ours, F.cross_entropy(logits, labels.long(), weights, ignore_index=VOID), rtol=1e-6)


def test_the_gradient_is_torchs_too(case):
    logits, labels = case
    ours, theirs = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    loss_of(Criterion(True).terms(ours, labels)).backward()
    F.cross_entropy(theirs, labels.long(), ignore_index=VOID).backward()
    assert torch.allclose(ours.grad, theirs.grad, rtol=1e-5, atol=1e-8)
    assert (ours.grad[0, :, :2, :3] == 0).all()


@pytest.mark.parametrize("align_corners", [False, True])
def test_v3_enlarges_the_logits(align_corners):
    logits, labels = torch.randn(1, 4, 5, 5), torch.randint(0, 4, (1, 33, 33), dtype=torch.uint8)
    large = F.interpolate(logits, (33, 33), mode="bilinear", align_corners=align_corners)
    ours = loss_of(Criterion(align_corners).terms(logits, labels))
    assert torch.allclose(ours, F.cross_entropy(large, labels.long()), rtol=1e-6)


def test_v2_keeps_every_eighth_label():
    """321 = 8 x 40 + 1 pixels a side and 41 logits: Caffe's shrinking by 8."""
    labels = torch.randint(0, 21, (2, 321, 321), dtype=torch.uint8)
    assert torch.equal(shrink(labels, (41, 41), align_corners=True), labels[:, ::8, ::8])


@pytest.mark.parametrize("name", ["v2-vgg16", "v2-resnet101"])
def test_v2s_networks_are_compared_with_the_labels_at_0_8_16(name):
    """v2's ResNet-101 enlarges by edges, but its poolings round up, which puts its scores on the corners too."""
    logits, labels = torch.randn(1, 21, 41, 41), torch.randint(0, 21, (1, 321, 321), dtype=torch.uint8)
    criterion = Criterion.of(Loss(shrink_labels=True), variants.get(name), torch.device("cpu"))
    expected = F.cross_entropy(logits, labels[:, ::8, ::8].long())
    assert torch.allclose(loss_of(criterion.terms(logits, labels)), expected, rtol=1e-6)


def test_without_aligned_corners_shrinking_is_torchs_nearest_exact():
    labels = torch.randint(0, 21, (2, 321, 200), dtype=torch.uint8)
    theirs = F.interpolate(labels[:, None].float(), (41, 25), mode="nearest-exact")[:, 0].to(torch.uint8)
    assert torch.equal(shrink(labels, (41, 25), align_corners=False), theirs)


def test_v2s_loss_is_the_sum_over_the_scales_and_their_maximum():
    labels = torch.randint(0, 3, (2, 33, 33), dtype=torch.uint8)
    labels[:, :9] = VOID
    outputs = [torch.randn(2, 3, side, side) for side in (5, 3, 4, 5)]
    ours = loss_of(Criterion(True, shrink_labels=True).terms(outputs, labels))
    theirs = sum(
        F.cross_entropy(o, shrink(labels, tuple(o.shape[2:]), True).long(), ignore_index=VOID) for o in outputs
    )
    assert torch.allclose(ours, theirs, rtol=1e-6)


def test_ohem_counts_only_the_hardest_pixels(case):
    logits, labels = case
    ours = loss_of(Criterion(True).terms(logits, labels, ohem_share=0.25))
    each = F.cross_entropy(logits, labels.long(), ignore_index=VOID, reduction="none")[labels != VOID]
    assert torch.allclose(ours, each.sort(descending=True).values[: len(each) // 4].mean(), rtol=1e-6)


def test_the_hardest_of_all_pixels_are_tensorflows(case):
    """top_k over the losses with 0 where void, divided by those that are not 0 (deeplab/utils/train_utils.py)."""
    logits, labels = case
    criterion = Criterion.of(Loss(hardest=0.5, hardest_of="all"), variants.get("v3-resnet101"), torch.device("cpu"))
    each = F.cross_entropy(logits, labels.long(), ignore_index=VOID, reduction="none").flatten()
    for share in (0.5, 0.95):  # 35 of 70 pixels; 66, more than the 64 labelled ones
        top = each.topk(int(share * each.numel())).values
        assert torch.allclose(loss_of(criterion.terms(logits, labels, share)), top.sum() / (top != 0).sum(), rtol=1e-6)


def test_lovasz_softmax_is_added_at_the_logits_size():
    logits, labels = torch.randn(1, 4, 5, 5), torch.randint(0, 4, (1, 33, 33), dtype=torch.uint8)
    labels[:, :9] = VOID
    ours = loss_of(Criterion(True, lovasz=0.7).terms(logits, labels, ohem_share=0.5))
    expected = loss_of(Criterion(True).terms(logits, labels, ohem_share=0.5)) + 0.7 * lovasz_softmax(
        logits, labels[:, ::8, ::8]
    )
    assert torch.allclose(ours, expected, rtol=1e-6)


@pytest.mark.parametrize("share", [1.0, 0.25])
def test_nothing_but_void_is_no_loss_and_no_nan(share):
    logits = torch.randn(1, 3, 4, 4, requires_grad=True)
    loss = loss_of(Criterion(True, lovasz=1.0).terms(logits, torch.full((1, 4, 4), VOID, dtype=torch.uint8), share))
    loss.backward()
    assert loss == 0
    assert (logits.grad == 0).all()


def test_dividing_by_everybodys_pixels_adds_up_to_the_whole_batch(case):
    """Two halves of a batch with unlike shares of void: not the mean of their means, but the mean of all pixels."""
    logits, labels = case
    criterion = Criterion(True)
    halves = [criterion.terms(logits[i : i + 1], labels[i : i + 1]) for i in (0, 1)]
    weights = halves[0][:, 1] + halves[1][:, 1]
    together = mean(halves[0], weights) + mean(halves[1], weights)
    assert torch.allclose(together, loss_of(criterion.terms(logits, labels)), rtol=1e-6)
    assert not torch.allclose(together, (loss_of(halves[0]) + loss_of(halves[1])) / 2, rtol=1e-4)


def test_half_precision_logits_are_compared_in_single(case):
    logits, labels = case
    terms = Criterion(True).terms(logits.bfloat16(), labels)
    assert terms.dtype == torch.float32
    expected = F.cross_entropy(logits.bfloat16().float(), labels.long(), ignore_index=VOID)
    assert torch.allclose(loss_of(terms), expected, rtol=1e-6)


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


def test_lovasz_softmax_is_the_extension_of_the_jaccard_loss(sparse_case):
    assert float(lovasz_softmax(*sparse_case)) == pytest.approx(by_definition(*sparse_case), rel=1e-5)


def test_lovasz_of_hard_decisions_gives_one_minus_the_miou(sparse_case):
    logits, labels = sparse_case
    decided = logits.argmax(1)
    ious = []
    for c in (0, 1, 3):
        said, true = (decided == c) & (labels != VOID), labels == c
        ious.append(float((said & true).sum() / (said | true).sum()))
    assert float(lovasz_softmax(1e4 * logits, labels)) == pytest.approx(1 - np.mean(ious), rel=1e-5)


def test_lovasz_what_is_right_costs_nothing_and_what_is_wrong_everything():
    labels = torch.randint(0, 3, (1, 6, 6), dtype=torch.uint8)
    right = 1e4 * torch.nn.functional.one_hot(labels.long(), 3).movedim(-1, 1).float()
    assert lovasz_softmax(right, labels) == 0
    assert float(lovasz_softmax(right.roll(1, 1), labels)) == pytest.approx(1)


def test_lovasz_void_gets_no_gradient_and_the_step_lowers_the_loss(sparse_case):
    logits, labels = sparse_case[0].clone().requires_grad_(), sparse_case[1]
    before = lovasz_softmax(logits, labels)
    (slope,) = torch.autograd.grad(before, logits)
    assert (slope[0, :, :2, :3] == 0).all()
    assert lovasz_softmax(logits - 0.1 * slope, labels) < before


def test_lovasz_nothing_but_void_is_no_loss_and_no_nan():
    logits = torch.randn(1, 3, 4, 4, requires_grad=True)
    loss = lovasz_softmax(logits, torch.full((1, 4, 4), VOID, dtype=torch.uint8))
    loss.backward()
    assert loss == 0
    assert (logits.grad == 0).all()
