"""Progress: how far a run is within one source that takes long, a film or a picture that is done in parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Stage = Literal["values", "mean", "labels", "files"]
"""What is being done of a picture: its values are looked at, its features are averaged, it is labelled, its files are
written. Most pictures have neither of the first two."""


@dataclass(frozen=True)
class FilmProgress:
    """How far a film is, after one of its frames.

    Attributes:
        path: The film.
        frames: The frames that are done, those of earlier runs too.
        count: About how many there will be; None where the file does not say.
        seconds: The film's time at the last of them.
        begins: The film's time at which the part that is asked for begins.
        ends: The film's time at which that part ends; None where the file does not say.
    """

    path: Path
    frames: int
    count: int | None
    seconds: float
    begins: float = 0.0
    ends: float | None = None

    @property
    def share(self) -> float | None:
        """The part that is done, 0..1; None where nobody knows."""
        if self.ends is not None and self.ends > self.begins:
            return _within(self.seconds - self.begins, self.ends - self.begins)
        return _within(self.frames, self.count) if self.count else None


@dataclass(frozen=True)
class GiantProgress:
    """How far a picture is that is done in parts, after one of them.

    Attributes:
        path: The picture.
        stage: What is being done.
        windows: The windows that the network has seen in this pass, those of earlier runs too.
        of_windows: How many there are.
        passes: The number of this pass of the network over the picture, from 1 on, and of all: 2 with image pooling.
        pixels: The pixels that are looked at, or labelled.
        of_pixels: How many there are.
    """

    path: Path
    stage: Stage
    windows: int
    of_windows: int
    passes: tuple[int, int]
    pixels: int
    of_pixels: int

    @property
    def share(self) -> float | None:
        """The part of the network's work that is done, 0..1; None while the values are looked at."""
        if self.stage == "values":
            return None
        number, passes = self.passes
        return _within((number - 1) * self.of_windows + self.windows, passes * self.of_windows)


Progress = FilmProgress | GiantProgress
Watch = Callable[[Progress], None]
"""Hears how far a run is."""


def unwatched(progress: Progress) -> None:
    """Hear nothing of it."""


def _within(done: float, whole: float) -> float:
    return min(1.0, max(0.0, done / whole))
