"""Batches: the photos of a run, in pieces that each take a worker a few seconds."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from segcli.files.listing import Source

AIM, LEAST = 2.0, 0.25
"""The seconds of work in a batch, and the fewest towards the end, where batches are smaller so that all workers end at
about the same time. Handing one out costs some 5 ms; a worker that dies takes its batch with it."""
MOST = 1000
"""The most photos of a batch."""
GROWTH = 4
"""A batch has at most so many times the photos of the largest that is done: one quick photo says little."""
FRESH = 0.3
"""The weight of the newest batch in what is known of a photo's time."""


class Batches:
    """The photos of a run in their order, a batch at a time: first single ones, then as many as AIM allows.

    Args:
        sources: The photos.
    """

    def __init__(self, sources: Sequence[Source]):
        self._sources = sources
        self._begun = 0
        self._largest = 0
        self._seconds: float | None = None

    def take(self, workers: int) -> list[Source]:
        """The next batch, empty where there is none; `workers` share what is left."""
        batch = list(self._sources[self._begun : self._begun + self._size(workers)])
        self._begun += len(batch)
        return batch

    def _size(self, workers: int) -> int:
        if self._seconds is None:
            return 1
        even = ceil((len(self._sources) - self._begun) / (2 * max(workers, 1)))
        limits = (AIM / self._seconds, max(even, LEAST / self._seconds), GROWTH * self._largest, MOST)
        return max(1, int(min(limits)))

    def learn(self, photos: int, seconds: float) -> None:
        """Hear how long a worker had for a batch of so many photos."""
        each = max(seconds / photos, 1e-6)
        self._largest = max(self._largest, photos)
        self._seconds = each if self._seconds is None else (1 - FRESH) * self._seconds + FRESH * each
