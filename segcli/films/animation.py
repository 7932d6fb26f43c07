"""Animation: the frames of a moving GIF or WebP picture, with the file's own times; Pillow decodes them."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image

from segcli.errors import InputError
from segcli.films.frame import Frame, Mark
from segcli.films.options import FilmOptions
from segcli.images.opening import check, opened
from segcli.images.read import from_image
from segcli.images.reading import MAX_PIXELS, PLAIN

SHORTEST, INSTEAD = 10, 100
"""Milliseconds: what lasts no longer than the first is shown for the second, as browsers do."""
MOST_FRAMES = 100_000


class Animation:
    """The frames of a moving picture; see `frame.Film` for the attributes.

    Args:
        path: The file.
        max_pixels: Larger pictures are refused.

    Raises:
        InputError: It cannot be read.
    """

    aspect = Fraction(1)
    tick = Fraction(1, 1000)
    has_sound = False

    def __init__(self, path: Path, max_pixels: int = MAX_PIXELS):
        self.path = path
        self.max_pixels = max_pixels
        self.notes: list[str] = []
        self.broken = ""
        self.duration = None
        with opened(path, max_pixels) as (image, _):
            self.size = (image.height, image.width)
            self.count = image.n_frames

    def frames(self, options: FilmOptions, after: Mark | None = None) -> Iterator[Frame]:
        """See `frame.Film`; always decoded from the first frame on, since each builds on those before it."""
        try:
            yield from self._frames(options, -1 if after is None else after.number)
        except InputError as error:
            self.broken = error.message

    def _frames(self, options: FilmOptions, done: int) -> Iterator[Frame]:
        start, clock, number = round(1000 * (options.start or 0)), 0, 0
        with opened(self.path, self.max_pixels) as (image, _):
            for index in range(min(image.n_frames, MOST_FRAMES)):
                image.seek(index)
                check(self.path, image, self.max_pixels)
                image.load()
                if options.end is not None and clock >= 1000 * options.end:
                    return
                if clock >= start:
                    if number > done and number % options.stride == 0:
                        yield Frame(Mark(number, clock, None), clock / 1000, _drawing(image))
                    number += 1
                clock += _milliseconds(image)


def _drawing(image: Image.Image):
    """What gives the picture as it is now: a moving one changes when the next frame is decoded."""
    rgb = from_image(image.copy(), PLAIN).rgb
    return lambda: np.array(rgb)


def _milliseconds(image: Image.Image) -> int:
    shown = round(image.info.get("duration") or 0)
    return shown if shown > SHORTEST else INSTEAD
