"""The loss: cross entropy over labelled pixels, at the labels' resolution or at the logits', and Lovász-Softmax."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from segcli.labels import VOID
from segcli.training.lovasz import lovasz_softmax


@dataclass(frozen=True)
class Criterion:
    """How logits are compared with labels.

    Attributes:
        align_corners: The model's rule for enlarging, which shrinking labels follows too.
        shrink_labels: Compare at the logits' size (v1 and v2) instead of the labels' (v3 and v3+).
        class_weights: float32 (K,), or None where all classes weigh the same.
        lovasz: Factor on Lovász-Softmax, a term of its own for each output, computed at the logits' size.
    """

    align_corners: bool
    shrink_labels: bool = False
    class_weights: Tensor | None = None
    lovasz: float = 0.0

    def terms(self, outputs: Tensor | list[Tensor], labels: Tensor, share: float = 1.0) -> Tensor:
        """Each output's summed cross entropy and the weight to divide it by.

        Sum and weight are kept apart, so that several processes can divide by the pixels of all of them. The loss is
        the sum of the quotients: v2's is one term for each scale and one for their maximum. Lovász-Softmax is no sum
        over pixels; each process's counts by its labelled pixels.

        Args:
            outputs: Logits (N, K, h, w), or several with sizes of their own.
            labels: uint8 (N, H, W), 0..K-1 or VOID.
            share: Only this share of the labelled pixels counts, those with the highest loss; of one process.

        Returns:
            float32 (terms, 2): sum and weight.
        """
        outputs = [logits.float() for logits in (outputs if isinstance(outputs, list) else [outputs])]
        terms = [self._term(logits, labels, share) for logits in outputs]
        if self.lovasz:
            terms += [self._lovasz_term(logits, labels) for logits in outputs]
        return torch.stack(terms)

    def _term(self, logits: Tensor, labels: Tensor, share: float) -> Tensor:
        size = (labels.shape[-2], labels.shape[-1])
        if self.shrink_labels:
            labels = self._shrunk(labels, logits)
        elif logits.shape[-2:] != labels.shape[-2:]:
            logits = F.interpolate(logits, size, mode="bilinear", align_corners=self.align_corners)
        labels = labels.long()
        losses = F.cross_entropy(logits, labels, self.class_weights, ignore_index=VOID, reduction="none").flatten()
        weights = self._pixel_weights(labels)
        if share < 1:
            kept = losses.topk(max(1, int(share * int((labels != VOID).sum())))).indices
            losses, weights = losses[kept], weights[kept]
        return torch.stack([losses.sum(), weights.sum()])

    def _lovasz_term(self, logits: Tensor, labels: Tensor) -> Tensor:
        labels = self._shrunk(labels, logits)
        weight = (labels != VOID).sum()
        return torch.stack([self.lovasz * lovasz_softmax(logits, labels) * weight, weight.float()])

    def _shrunk(self, labels: Tensor, logits: Tensor) -> Tensor:
        return shrink(labels, (logits.shape[-2], logits.shape[-1]), self.align_corners)

    def weight(self, labels: Tensor) -> Tensor:
        """What labels (N, H, W) weigh, all pixels together; a scalar."""
        return self._pixel_weights(labels.long()).sum()

    def _pixel_weights(self, labels: Tensor) -> Tensor:
        """float32, one a pixel: 0 where it is void."""
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
    rows, columns = (_nearest(labels.shape[1 + i], size[i], align_corners) for i in (0, 1))
    return labels[:, rows.to(labels.device)][:, :, columns.to(labels.device)]


def _nearest(before: int, after: int, align_corners: bool) -> Tensor:
    """For each of `after` pixels along one axis, the nearest of `before`."""
    places = torch.arange(after, dtype=torch.float64)
    if align_corners:
        return (places * ((before - 1) / max(after - 1, 1))).round().long()
    return ((places + 0.5) * (before / after)).floor().long()
