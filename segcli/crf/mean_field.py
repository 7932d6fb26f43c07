"""Mean field under the Potts model: all pixels update their beliefs at once from messages (v2 section 3.3).

A pixel's belief in a class is proportional to its odds, the network's probability, times exp(message); the message is
what the kernels make of all pixels' beliefs in that same class.

The messages of most classes are negligible. Messages are positive, so no belief can rise above where it starts by more
than its own message makes it. A class believed in by at most q everywhere sends messages of at most about w q, w being
the kernels' weights together (rows of a kernel sum to about one); if beliefs in it start at p or less, such a message
changes none by more than about w q p. As many classes as are negligible together do without messages: those that start
so are merged into one row, since only the sum of their odds matters to the active ones; of the active classes only
those that are not negligible by now are updating in an iteration.
"""

from collections.abc import Iterator
from typing import Protocol

import torch
from torch import Tensor

from segcli.crf.permutohedral.lattice import Workspace
from segcli.crf.settings import EPS

LEAST_PROBABILITY = 1e-5
"""The probability that smaller ones count as, as in densecrf."""

_NEGLIGIBLE = 1e-5
"""How far messages that are left out may move a belief: that far apart are results that differ in rounding alone."""

_CHUNK = 1 << 24
"""Values that are filtered together: large photos go through the kernels a few classes at a time."""


class Kernel(Protocol):
    """A normalised Gaussian filter over the pixels of one photo."""

    def filter(self, values: Tensor, workspace: Workspace) -> Iterator[tuple[slice, Tensor]]:
        """Filter float32 values (N, C); yields pieces of N with their filtered values (n, C)."""


@torch.no_grad()
def mean_field(
    probabilities: Tensor, kernels: list[tuple[float, Kernel]], iterations: int, *, eps: float = EPS
) -> Tensor:
    """Infer probabilities by mean field, with kernels that are built already.

    Args:
        probabilities: float32 (K, H, W) in 0..1.
        kernels: Each kernel with its weight.
        iterations: Parallel updates of all pixels.
        eps: As in `dense_crf.refine`.

    Returns:
        float32 (K, H, W).
    """
    flat = probabilities.flatten(1)
    kept = kept_classes(probabilities, eps).cpu()
    peaks = _peaks(flat, kept)
    weight = sum(weight for weight, _ in kernels)
    is_active = _not_negligible(weight * peaks**2)
    active, merged = kept[is_active].tolist(), kept[~is_active].tolist()
    odds = _odds(flat, active, merged)
    logs = _clipped(odds).log_() if odds.numel() <= _CHUNK else None
    beliefs = torch.zeros_like(odds)
    _update(beliefs, odds, logs)
    workspace = Workspace()
    for _ in range(iterations if len(odds) > 1 else 0):
        updating = _not_negligible(weight * peaks[is_active] * _highest(beliefs[: len(active)]))
        _exchange(beliefs, updating.nonzero().flatten().tolist(), kernels, workspace)
        _update(beliefs, odds, logs)
    beliefs[len(active) :] /= odds[len(active) :]
    del odds, logs, workspace  # large photos need the room for the result
    return _of_all(beliefs, flat, active, merged).view_as(probabilities)


def kept_classes(probabilities: Tensor, eps: float) -> Tensor:
    """The classes of (K, H, W) that exceed eps or are the likeliest somewhere, int64, ascending; all for eps 0."""
    if eps == 0:
        return torch.arange(len(probabilities), device=probabilities.device)
    kept = ~(probabilities.amax((1, 2)) <= eps)  # NaN counts
    best = probabilities.amax(0)
    for label in (~kept).nonzero().flatten().tolist():
        kept[label] = (probabilities[label] >= best).any()
    return kept.nonzero().flatten()


def _peaks(flat: Tensor, kept: Tensor) -> Tensor:
    """The highest belief in each kept class before any message, (k,), on the CPU."""
    peaks = []
    for part in flat.split(_columns(flat), 1):
        odds = _clipped(part if len(kept) == len(flat) else part[kept.to(part.device)])
        peaks.append(_highest(odds / odds.sum(0)))
    return torch.stack(peaks).amax(0)


def _highest(beliefs: Tensor) -> Tensor:
    return beliefs.amax(1).cpu()


def _not_negligible(effects: Tensor) -> Tensor:
    """A bool mask of (k,) effects: all but the weakest, as many as are negligible together."""
    effects, order = effects.sort()
    return torch.empty_like(effects, dtype=torch.bool).scatter_(0, order, effects.cumsum(0) > _NEGLIGIBLE)


def _odds(flat: Tensor, active: list[int], merged: list[int]) -> Tensor:
    """The odds of the active classes among (K, N), and a row more for the merged ones together if there are any."""
    if len(active) == len(flat):
        return flat
    odds = flat.new_zeros(len(active) + (len(merged) > 0), flat.shape[1])
    for row, label in enumerate(active):
        odds[row] = flat[label]
    for label in merged:
        odds[-1] += _clipped(flat[label])
    return odds


def _of_all(beliefs: Tensor, flat: Tensor, active: list[int], merged: list[int]) -> Tensor:
    """The beliefs in all K classes: the active ones' rows, and the merged ones' odds times the last row."""
    if len(active) == len(flat):
        return beliefs
    result = torch.zeros_like(flat)
    result[active] = beliefs[: len(active)]
    for label in merged:
        torch.mul(_clipped(flat[label]), beliefs[-1], out=result[label])
    return result


def _update(beliefs: Tensor, odds: Tensor, logs: Tensor | None) -> None:
    """Turn messages (R, N) into beliefs in place, some pixels at a time; `logs` are the odds' where they are kept."""
    columns = _columns(beliefs)
    for first in range(0, beliefs.shape[1], columns):
        pixels = slice(first, first + columns)
        messages = beliefs[:, pixels]
        known = _clipped(odds[:, pixels]).log_() if logs is None else logs[:, pixels]
        messages.copy_(messages.add_(known).softmax(0))


def _exchange(beliefs: Tensor, updating: list[int], kernels: list[tuple[float, Kernel]], workspace: Workspace) -> None:
    """Turn beliefs (R, N) into messages in place, those of the updating rows; the others' are 0."""
    for row in range(len(beliefs)):
        if row not in updating:
            beliefs[row] = 0
    together = max(1, _CHUNK // beliefs.shape[1])
    for first in range(0, len(updating), together):
        classes = [beliefs[row] for row in updating[first : first + together]]
        values = workspace.take(2, beliefs, beliefs.shape[1], len(classes))
        for column, belief in enumerate(classes):
            values[:, column] = belief
            belief.zero_()
        for weight, kernel in kernels:
            for pixels, message in kernel.filter(values, workspace):
                for column, belief in enumerate(classes):
                    belief[pixels].add_(message[:, column], alpha=weight)


def _clipped(probabilities: Tensor) -> Tensor:
    return probabilities.clamp(min=LEAST_PROBABILITY)


def _columns(rows: Tensor) -> int:
    """How many pixels of (R, N) to work on at a time."""
    return max(1, (1 << 20) // len(rows))
