"""Balance: groups of photos shared out so that each side shows every class, in about the wanted numbers.

No chance is in it: the same groups are always shared out alike, and equal ones by their place.
"""

from collections.abc import Sequence

import numpy as np

EXACT = 12
"""The most groups of which every choice is tried."""
CANDIDATES, ROUNDS = 192, 16
"""How many groups are looked at for each step of a larger choice, and how often it is improved by an exchange."""
LOST, TOO_MANY, UNSEEN = 1e9, 1e6, 1e3
"""What it costs that a class can no longer be learned, that over twice the wanted photos are held out, and that a class
cannot be validated, each for one. All else costs a few units: 1 for as many photos too many or too few as wanted."""
CUT, SPREAD = 0.1, 0.02
"""What it costs that all held-out photos are pieces of longer runs, and that they lie close together."""
EVEN = 12**-0.5
"""The standard deviation of places that are spread evenly over 0..1."""


def held_out(
    sizes: Sequence[int],
    holds: np.ndarray,
    wanted: int,
    pieces: Sequence[bool] | None = None,
    allowed: Sequence[bool] | None = None,
) -> list[int]:
    """The groups to hold out: of about `wanted` photos, with every class that two groups show on both sides.

    A class that one group alone shows stays with the photos to learn from.

    Args:
        sizes: The number of photos of each group, G of them, at least two.
        holds: int (G, K), the photos of each group that show each class.
        wanted: The number of photos to hold out, at least 1.
        pieces: Which groups are pieces of a run of neighbours, which are rather left alone; None: none.
        allowed: Which groups may be held out, at least one; None: all.

    Returns:
        Indices of groups, ascending; at least one, and not all.
    """
    cut = np.asarray(pieces or [False] * len(sizes))
    free = np.asarray([True] * len(sizes) if allowed is None else allowed)
    choice = _Choice(np.asarray(sizes), np.asarray(holds), wanted, cut, free)
    return (choice.best_of_all() if free.sum() <= EXACT else choice.improved(choice.step_by_step())).tolist()


def folds(sizes: Sequence[int], holds: np.ndarray, k: int) -> list[int]:
    """The fold of each group, 0..k-1: all are about equally large, and each class is in as many as it can be.

    Args:
        sizes: The number of photos of each group, G of them, at least k.
        holds: int (G, K), the photos of each group that show each class.
        k: The number of folds; none is empty.
    """
    shown = np.asarray(holds)[:, np.any(holds, axis=0)].astype(float)
    shares = np.column_stack([np.asarray(sizes) / np.sum(sizes), shown / shown.sum(axis=0)]) * k
    weights = np.array([1.0] + [1 / max(1, shown.shape[1])] * shown.shape[1])
    rarity = np.where(shown > 0, (shown > 0).sum(axis=0), len(shares) + 1).min(axis=1, initial=len(shares) + 1)
    totals, found = np.zeros((k, shares.shape[1])), [0] * len(shares)
    for group in np.lexsort((np.arange(len(shares)), -shares[:, 0], rarity)):
        added = ((totals + shares[group]) ** 2 - totals**2) @ weights  # squares are least where all are equal
        fold = int(np.argmin(added))
        found[group] = fold
        totals[fold] += shares[group]
    return found


class _Choice:
    """A choice of groups to hold out; the arguments are those of `held_out`.

    Each group is a row of numbers, and the sum of the chosen rows tells what a choice costs.
    """

    def __init__(self, sizes: np.ndarray, holds: np.ndarray, wanted: int, pieces: np.ndarray, allowed: np.ndarray):
        shown = holds[:, holds.any(axis=0)].astype(float)
        places = (np.arange(len(sizes)) + 0.5) / len(sizes)
        facts = (np.ones(len(sizes)), sizes, sizes * pieces, places, places**2)
        self.rows = np.column_stack([*facts, shown > 0, shown / shown.sum(axis=0)])
        self.wanted, self.photos, self.classes = wanted, sizes.sum(), shown.shape[1]
        self.allowed = allowed
        self.groups_of = (shown > 0).sum(axis=0)

    def cost(self, sums: np.ndarray) -> np.ndarray:
        """The cost of choices, whose sums of rows are given (N, ...): float (N)."""
        groups, photos, cut, places, squares = sums[:, :5].T
        seen, shares = sums[:, 5 : 5 + self.classes], sums[:, 5 + self.classes :]
        lost = (seen == self.groups_of).sum(axis=1) + 1000 * ((photos == 0) | (photos == self.photos))
        unseen = ((seen == 0) & (self.groups_of > 1)).sum(axis=1)
        uneven = ((shares - self.wanted / self.photos) ** 2).sum(axis=1) / max(1, self.classes)
        middle = places / np.maximum(groups, 1)
        width = np.sqrt(np.maximum(squares / np.maximum(groups, 1) - middle**2, 0))
        close = abs(middle - 0.5) + np.maximum(EVEN - width, 0)
        least = abs(photos - self.wanted) / self.wanted + uneven + CUT * cut / np.maximum(photos, 1) + SPREAD * close
        return LOST * lost + TOO_MANY * (photos > 2 * self.wanted) + UNSEEN * unseen + least

    def best_of_all(self) -> np.ndarray:
        """The cheapest of all choices, as indices."""
        groups = np.flatnonzero(self.allowed)
        every = (np.arange(2 ** len(groups))[:, None] >> np.arange(len(groups))) & 1
        return groups[every[np.argmin(self.cost(every @ self.rows[groups]))] > 0]

    def step_by_step(self) -> np.ndarray:
        """A cheap choice, as indices: the group that makes it cheapest is added until none does."""
        chosen = np.zeros(len(self.rows), bool)
        sums, cost = np.zeros(self.rows.shape[1]), np.inf
        while len(rest := self._candidates(chosen, sums)):
            costs = self.cost(sums + self.rows[rest])
            if costs.min() >= cost:
                break
            best, cost = rest[np.argmin(costs)], costs.min()
            chosen[best] = True
            sums = sums + self.rows[best]
        return np.flatnonzero(chosen)

    def improved(self, chosen: np.ndarray) -> np.ndarray:
        """The choice with single groups left out or exchanged, as long as that makes it cheaper."""
        nothing = np.zeros((1, self.rows.shape[1]))
        for _ in range(ROUNDS):
            mask = np.zeros(len(self.rows), bool)
            mask[chosen] = True
            sums = self.rows[chosen].sum(axis=0)
            rest, some = self._candidates(mask, sums), _thinned(chosen)
            changes = np.concatenate([nothing, self.rows[rest]])[None] - self.rows[some][:, None]
            costs = self.cost((sums + changes).reshape(-1, self.rows.shape[1]))
            best = int(np.argmin(costs))
            if costs[best] >= self.cost(sums[None])[0] - 1e-9:
                break
            out, added = some[best // (len(rest) + 1)], best % (len(rest) + 1)
            kept = chosen[chosen != out]
            chosen = np.sort(np.append(kept, rest[added - 1])) if added else kept
        return chosen

    def _candidates(self, chosen: np.ndarray, sums: np.ndarray) -> np.ndarray:
        """The groups that may be added: those that show the rarest class which the choice lacks, or some of all."""
        seen = sums[5 : 5 + self.classes]
        lacking = np.flatnonzero((seen == 0) & (self.groups_of > 1))
        for label in lacking[np.argsort(self.groups_of[lacking], kind="stable")]:
            some = _thinned(np.flatnonzero(~chosen & self.allowed & (self.rows[:, 5 + label] > 0)))
            loses = (seen + self.rows[some, 5 : 5 + self.classes] == self.groups_of).any(axis=1)
            if not loses.all():
                return some[~loses]
        return _thinned(np.flatnonzero(~chosen & self.allowed))


def _thinned(groups: np.ndarray) -> np.ndarray:
    """The groups, or CANDIDATES of them that are spread evenly."""
    return groups if len(groups) <= CANDIDATES else groups[np.linspace(0, len(groups) - 1, CANDIDATES).astype(int)]
