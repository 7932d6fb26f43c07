"""The Lovász-Softmax loss, a smooth stand-in for 1 - mIOU (Berman, Rannen Triki and Blaschko, CVPR 2018)."""

import torch
from torch import Tensor
from torch.nn import functional as F

from segcli.labels import VOID


def lovasz_softmax(logits: Tensor, labels: Tensor) -> Tensor:
    """1 - mIOU over all pixels together, extended from hard decisions to probabilities (the paper's definition 2).

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
    return (errors * _slopes(truth.gather(1, order))).sum(1).mean()


def _slopes(truth: Tensor) -> Tensor:
    """What the Jaccard loss grows by as the pixels (C, P), the worst first, turn wrong one by one (algorithm 1)."""
    total = truth.sum(1, keepdim=True)
    intersection = total - truth.cumsum(1)
    union = total + (1 - truth).cumsum(1)
    return torch.diff(1 - intersection / union, prepend=torch.zeros_like(total), dim=1)
