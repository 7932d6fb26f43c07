"""Frame: one picture of a film with its time; and Film, what every reader of films offers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Protocol

import numpy as np
from PIL import Image

from segcli.films.options import FilmOptions
from segcli.images.photo import Photo
from segcli.images.read import from_image
from segcli.images.reading import PhotoReading


@dataclass(frozen=True)
class Mark:
    """A place in a film, after which a run goes on.

    Attributes:
        number: The last frame's, among all frames of the part that is asked for, from 0 on.
        pts: The last frame's time, in ticks of the film.
        raw: The same time as the file states it; None where it states none, or none that can be relied on.
    """

    number: int
    pts: int
    raw: int | None


@dataclass(frozen=True)
class Frame:
    """One picture of a film.

    Attributes:
        mark: Its place.
        seconds: Its time from the film's beginning.
        draw: Makes its pixels, uint8 (H, W, 3), upright; may be called in any thread.
    """

    mark: Mark
    seconds: float
    draw: Callable[[], np.ndarray] = field(repr=False)

    def photo(self, reading: PhotoReading) -> Photo:
        """The frame as photos are read; InputError where the reading asks for bands that it has not."""
        rgb = self.draw()
        plain = not (reading.bands or reading.trained)
        return Photo(rgb) if plain else from_image(Image.fromarray(rgb), reading)


class Film(Protocol):
    """What every reader of films offers.

    Attributes:
        size: (height, width) of its frames, upright.
        aspect: Width of a pixel over its height.
        tick: Seconds a tick of its times: one over a whole number.
        duration: Seconds; None where the file does not say.
        count: About how many frames there are; None where the file does not say.
        notes: What the user should know, a sentence each; complete once its frames are read.
        broken: Why the frames end too early, as a part of a sentence; empty where they do not.
        has_sound: Whether it has sound that can be copied.
    """

    size: tuple[int, int]
    aspect: Fraction
    tick: Fraction
    duration: float | None
    count: int | None
    notes: list[str]
    broken: str
    has_sound: bool

    def frames(self, options: FilmOptions, after: Mark | None = None) -> Iterator[Frame]:
        """The frames of a part, those of the stride alone, after a place where one is given.

        What is wrong in the midst of a film ends it, and is said in `broken`.
        """
        ...
