"""Tuning: the papers' coarse-to-fine search for w1, sigma_alpha and sigma_beta (v1 section 5.1, v2 section 4.1)."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from segcli.crf.dense_crf import bilateral_kernel, spatial_kernel
from segcli.crf.mean_field import Kernel, mean_field
from segcli.crf.params import CRFParams
from segcli.crf.settings import EPS
from segcli.errors import InputError, UsageError
from segcli.evaluation.metrics import ConfusionMatrix
from segcli.labels import LabelSet


@dataclass(frozen=True)
class TuningSample:
    """One photo with what the network said and what is true, all of one size.

    Attributes:
        probabilities: float32 (K, H, W).
        rgb: uint8 (H, W, 3).
        truth: Ids (H, W) in 0..K-1 or void (255).
    """

    probabilities: Tensor
    rgb: np.ndarray
    truth: np.ndarray


@dataclass(frozen=True)
class Grid:
    """The values to try of each parameter; every combination is tried."""

    w1: tuple[float, ...] = (3, 4, 5, 6)
    sigma_alpha: tuple[float, ...] = (30, 40, 50, 60, 70, 80, 90, 100)
    sigma_beta: tuple[float, ...] = (3, 4, 5, 6)

    def around(self, best: CRFParams) -> "Grid":
        """The finer grid: half this grid's steps to both sides of the best set."""
        return Grid(
            _around(best.w1, self.w1),
            _around(best.sigma_alpha, self.sigma_alpha),
            _around(best.sigma_beta, self.sigma_beta),
        )

    def __len__(self) -> int:
        return len(self.w1) * len(self.sigma_alpha) * len(self.sigma_beta)


@dataclass(frozen=True)
class Trial:
    """One set of parameters and what it scored.

    Attributes:
        params: The set.
        miou: In 0..1, over all samples; None if the set does not fit one of them.
        round: 0 for the coarse grid, then one more for every refinement.
        refusal: Why the set does not fit; empty where it does.
    """

    params: CRFParams
    miou: float | None
    round: int
    refusal: str = ""


def tune(
    samples: Sequence[Callable[[], TuningSample]],
    labels: LabelSet,
    start: CRFParams | None = None,
    *,
    grid: Grid | None = None,
    refinements: int = 1,
    eps: float = EPS,
) -> Iterator[Trial]:
    """Try a coarse grid, then finer ones around the best set so far.

    A sample is read, and its bilateral kernel built, once for every (sigma_alpha, sigma_beta): neither depends on w1.

    Args:
        samples: Functions that read one sample each, so that a validation set need not fit into memory.
        labels: The classes of the probabilities and the truth.
        start: Gives w2, sigma_gamma and iterations, which the search leaves alone; the defaults otherwise.
        grid: The coarse grid; the papers' (128 sets) by default.
        refinements: How often to halve the steps.
        eps: As in `dense_crf.refine`.

    Yields:
        Every set tried, once, with its mIOU; ties go to the one that came first (`best`).

    Raises:
        UsageError: There are no samples, the truth is void everywhere, or no set fits all samples.
    """
    if not samples:
        raise UsageError("tuning the CRF needs at least one photo with probabilities and truth")
    grid, start = grid or Grid(), start or CRFParams()
    trials: dict[CRFParams, Trial] = {}
    for number in range(refinements + 1):
        for alpha in grid.sigma_alpha:
            for beta in grid.sigma_beta:
                sets = [replace(start, w1=w1, sigma_alpha=alpha, sigma_beta=beta) for w1 in grid.w1]
                sets = [params for params in sets if params not in trials]
                for trial in _tried(samples, sets, labels, number, eps):
                    trials[trial.params] = trial
                    yield trial
        grid = grid.around(best(trials.values()).params)


def best(trials: Iterable[Trial]) -> Trial:
    """The trial with the highest mIOU, the first of equals; UsageError if no set fits."""
    trials = list(trials)
    if fitting := [trial for trial in trials if trial.miou is not None]:
        return max(fitting, key=lambda trial: trial.miou)
    raise UsageError(f"no set of CRF settings fits all photos: {trials[0].refusal}")


def _tried(
    samples: Sequence[Callable[[], TuningSample]], sets: list[CRFParams], labels: LabelSet, number: int, eps: float
) -> list[Trial]:
    """Try parameter sets that differ in w1 alone."""
    matrices = [ConfusionMatrix(len(labels)) for _ in sets]
    for read in samples if sets else ():
        sample = read()
        try:
            bilateral, spatial = _kernels(sample, sets[0])
        except InputError as error:
            return [Trial(params, None, number, str(error)) for params in sets]
        for params, matrix in zip(sets, matrices, strict=True):
            kernels = [(params.w1, bilateral), (params.w2, spatial)]
            refined = mean_field(sample.probabilities, kernels, params.iterations, eps=eps)
            matrix.update(sample.truth, refined.argmax(0).cpu().numpy())
    mious = [matrix.scores(labels).miou for matrix in matrices]
    if None in mious:
        raise UsageError("the truth is void everywhere: there is nothing to tune the CRF for")
    return [Trial(params, miou, number) for params, miou in zip(sets, mious, strict=True)]


def _kernels(sample: TuningSample, params: CRFParams) -> tuple[Kernel, Kernel]:
    photo = torch.as_tensor(sample.rgb, device=sample.probabilities.device)
    bilateral = bilateral_kernel(photo, params.sigma_alpha, params.sigma_beta)
    return bilateral, spatial_kernel(*photo.shape[:2], params.sigma_gamma, photo.device)


def _around(best_value: float, values: tuple[float, ...]) -> tuple[float, ...]:
    """The value and half a step to its left and right; a single value stays as it is."""
    if len(values) < 2:
        return values
    half = (values[1] - values[0]) / 2
    return tuple(value for value in (best_value - half, best_value, best_value + half) if value > 0)
