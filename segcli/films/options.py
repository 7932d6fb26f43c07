"""FilmOptions: which films are read, which part of each, and whether their masks are steadied; no torch here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args

from segcli.decoding import at_least, between, check_options
from segcli.errors import UsageError

FilmKinds = Literal["auto", "all", "none"]
FILM_KINDS: tuple[str, ...] = get_args(FilmKinds)
Seconds = Annotated[float, between(0, 1e7)]
_TIME = re.compile(r"(?:(\d+):)?(?:(\d+):)?(\d+(?:\.\d+)?)")


@dataclass(frozen=True)
class FilmOptions:
    """The options of reading films.

    Attributes:
        kinds: What is a film: "auto" video files; "all" moving GIF and WebP pictures too; "none" nothing.
        stride: Every so manieth frame is used, from the first on.
        start: Seconds from the film's beginning; frames before it are left out. None: from the beginning.
        end: Seconds from the film's beginning; frames at or after it are left out. None: to the end.
        steady: Average each frame's classes with those of the frames before.

    Raises:
        UsageError: A value is out of its range, or the part would end before it starts.
    """

    kinds: FilmKinds = "auto"
    stride: Annotated[int, at_least(1)] = 1
    start: Seconds | None = None
    end: Seconds | None = None
    steady: bool = True

    def __post_init__(self):
        check_options(self)
        if self.end is not None and self.end <= (self.start or 0):
            raise UsageError(f"--end {self.end:g} does not come after --start {self.start or 0:g}", "Swap them.")

    def part(self, duration: float | None) -> tuple[float, float | None]:
        """The seconds at which the part of a film that is asked for begins and ends; None for an end nobody knows."""
        ends = [seconds for seconds in (self.end, duration) if seconds is not None]
        return self.start or 0.0, min(ends, default=None)

    def expected(self, count: int | None, duration: float | None) -> int | None:
        """About how many frames are used of a film that has so many and lasts so long; None where nobody knows."""
        if count is None:
            return None
        begins, ends = self.part(duration)
        share = max(0.0, ends - begins) / duration if duration else 1.0
        return round(count * share / self.stride)

    def to_dict(self) -> dict[str, Any]:
        """The settings that decide what becomes of a film, as TOML-plain values or None."""
        return {"stride": self.stride, "start": self.start, "end": self.end, "steady": self.steady}


def parse_time(text: str) -> float:
    """Seconds of a time as people write it, "90", "1:30" or "0:01:30.5"; ValueError where it is none."""
    found = _TIME.fullmatch(text.strip())
    if not found:
        raise ValueError(text)
    first, second, seconds = found.groups()
    hours, minutes = (first, second) if second is not None else (None, first)
    return 3600 * int(hours or 0) + 60 * int(minutes or 0) + float(seconds)
