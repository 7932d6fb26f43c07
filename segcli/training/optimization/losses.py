"""The loss: cross entropy over labelled pixels, at the labels' resolution or at the logits', and Lovász-Softmax."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from segcli.images.masks import nearest_indices
from segcli.labels import VOID
from segcli.models.preprocessing import corner
from segcli.models.spec import ModelSpec
from segcli.training.recipe import Loss


@dataclass(frozen=True)
class Criterion:
    """The comparison of logits with labels that a recipe's [loss] asks for.

    Attributes:
        align_corners: The model's rule for enlarging.
        shrink_labels: Compare at the logits' size (v1 and v2) instead of the labels' (v3 and v3+).
        class_weights: float32 (K,), or None where all classes weigh the same.
        lovasz: Factor on Lovász-Softmax, a term of its own for each output, computed at the logits' size.
        auxiliary: Factor on the cross entropy of the auxiliary head, whose logits are the last output; 0: none.
        corner_grid: Whether labels are shrunk to the corners of cells, 0, 8, ..., as with aligned corners, though the
            enlargement does not align them (v2's ResNet-101).
        hardest_of_all: Whether the share of the hardest pixels is one of all pixels, void ones too, as TensorFlow's
            DeepLab has it; otherwise of the labelled ones.
    """

    align_corners: bool
    shrink_labels: bool = False
    class_weights: Tensor | None = None
    lovasz: float = 0.0
    auxiliary: float = 0.0
    corner_grid: bool = False
    hardest_of_all: bool = False

    @classmethod
    def of(cls, settings: Loss, spec: ModelSpec, device: torch.device) -> Criterion:
        """The criterion of a recipe's [loss] for a model; its class weights lie on the device."""
        weights = torch.tensor(settings.class_weights, device=device) if settings.class_weights else None
        return cls(
            *(spec.align_corners, settings.shrink_labels, weights, settings.lovasz, settings.auxiliary),
            corner_grid=bool(corner(spec)),
            hardest_of_all=settings.hardest_of == "all",
        )

    def terms(self, outputs: Tensor | list[Tensor], labels: Tensor, ohem_share: float = 1.0) -> Tensor:
        """Each output's summed cross entropy and the weight to divide it by.

        Sum and weight are kept apart, so that several processes can divide by the pixels of all of them. The loss is
        the sum of the quotients: v2's is one term for each scale and one for their maximum. Lovász-Softmax is no sum
        over pixels; each process's counts by its labelled pixels.

        Args:
            outputs: Logits (N, K, h, w), or several with sizes of their own.
            labels: uint8 (N, H, W), 0..K-1 or VOID.
            ohem_share: Online hard example mining: only this share (0..1) of the labelled pixels counts, or of all
                pixels, those with the highest loss; of one process.

        Returns:
            float32 (terms, 2): sum and weight.
        """
        outputs = [logits.float() for logits in (outputs if isinstance(outputs, list) else [outputs])]
        terms = [self._cross_entropy(logits, labels, ohem_share) for logits in outputs]
        if self.auxiliary:
            total, weight = terms[-1]
            terms[-1] = torch.stack([self.auxiliary * total, weight])
            outputs = outputs[:-1]
        if self.lovasz:
            terms += [self._lovasz_term(logits, labels) for logits in outputs]
        return torch.stack(terms)

    def _cross_entropy(self, logits: Tensor, labels: Tensor, ohem_share: float) -> Tensor:
        size = (labels.shape[-2], labels.shape[-1])
        if self.shrink_labels:
            labels = self._shrunk(labels, logits)
        elif logits.shape[-2:] != labels.shape[-2:]:
            logits = F.interpolate(logits, size, mode="bilinear", align_corners=self.align_corners)
        labels = labels.long()
        losses = F.cross_entropy(logits, labels, self.class_weights, ignore_index=VOID, reduction="none").flatten()
        weights = self._pixel_weights(labels)
        if ohem_share < 1:
            counted = labels.numel() if self.hardest_of_all else int((labels != VOID).sum())
            hard = losses.topk(max(1, int(ohem_share * counted))).indices
            losses, weights = losses[hard], weights[hard]
        return torch.stack([losses.sum(), weights.sum()])

    def _lovasz_term(self, logits: Tensor, labels: Tensor) -> Tensor:
        labels = self._shrunk(labels, logits)
        weight = (labels != VOID).sum()
        return torch.stack([self.lovasz * lovasz_softmax(logits, labels) * weight, weight.float()])

    def _shrunk(self, labels: Tensor, logits: Tensor) -> Tensor:
        return shrink(labels, (logits.shape[-2], logits.shape[-1]), self.align_corners or self.corner_grid)

    def weight(self, labels: Tensor) -> Tensor:
        """The summed weight of all pixels of labels (N, H, W), each pixel by its class's; a scalar."""
        return self._pixel_weights(labels.long()).sum()

    def _pixel_weights(self, labels: Tensor) -> Tensor:
        """The weight of every pixel, 0 where it is void: float32 (N * H * W,)."""
        labels = labels.flatten()
        labelled = labels != VOID
        if self.class_weights is None:
            return labelled.float()
        return self.class_weights[labels.where(labelled, 0)] * labelled


def mean(terms: Tensor, weights: Tensor) -> Tensor:
    """The loss: each term's sum over its weight, added up; a term without a labelled pixel is 0."""
    return (terms[:, 0] / weights.clamp(min=torch.finfo(torch.float32).tiny)).sum()


def shrink(labels: Tensor, size: tuple[int, int], align_corners: bool) -> Tensor:
    """Labels (N, H, W) at (h, w) pixels, each the nearest one's; no label is mixed from others.

    With aligned corners a side of 8 n + 1 becomes n + 1 by keeping every eighth pixel, as v1 and v2 do.
    """
    indices = (nearest_indices(labels.shape[1 + i], size[i], align_corners) for i in (0, 1))
    rows, columns = (torch.from_numpy(index).to(labels.device) for index in indices)
    return labels[:, rows][:, :, columns]


def lovasz_softmax(logits: Tensor, labels: Tensor) -> Tensor:
    """The Lovász-Softmax loss, a smooth stand-in for 1 - mIOU (Berman, Rannen Triki and Blaschko, CVPR 2018).

    It is 1 - mIOU over all pixels together, extended from hard decisions to probabilities (the paper's definition 2).

    Args:
        logits: float32 (N, K, h, w).
        labels: (N, h, w), 0..K-1 or VOID, which counts for nothing.

    Returns:
        A scalar in 0..1: the mean over the classes that occur in the labels; 0 where none does.
    """
    labelled = (labels != VOID).flatten()
    probabilities = logits.softmax(1).movedim(1, 0).flatten(1)[:, labelled]  # (K, P)
    truth = F.one_hot(labels.flatten()[labelled].long(), logits.shape[1]).T.to(probabilities.dtype)
    present = truth.any(1)
    if not present.any():
        return logits.sum() * 0  # with a gradient, as any other loss
    truth, probabilities = truth[present], probabilities[present]
    errors, order = (truth - probabilities).abs().sort(1, descending=True)
    return (errors * _jaccard_gradient(truth.gather(1, order))).sum(1).mean()


def _jaccard_gradient(truth: Tensor) -> Tensor:
    """The growth of the Jaccard loss as the pixels (C, P), the worst first, turn wrong one by one (algorithm 1)."""
    total = truth.sum(1, keepdim=True)
    intersection = total - truth.cumsum(1)
    union = total + (1 - truth).cumsum(1)
    return torch.diff(1 - intersection / union, prepend=torch.zeros_like(total), dim=1)
