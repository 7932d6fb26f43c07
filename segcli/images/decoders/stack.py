"""Stack: the planes of a microscope's TIFF, each a depth (z) and a time (t) with its channels."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from segcli.errors import InputError
from segcli.images.raster import Range

MOST_CHANNELS = 1024
MOST_PLANES = 2**24
"""The most channels, and planes of one channel, that a stack may state; nothing so large is ever written."""
LONGEST_NAME = 100
Place = tuple[int, int, int]
"""A channel, a depth and a time, each from 0 on."""
MicronSize = tuple[float, float]
"""The width and the height of a pixel of the object in micrometres."""


def as_name(text: str) -> str:
    """A channel's name as it can be printed: one line, not long, without control characters."""
    printable = "".join(letter if letter.isprintable() else " " for letter in text[: 4 * LONGEST_NAME])
    return " ".join(printable.split())[:LONGEST_NAME]


@dataclass(frozen=True)
class Channel:
    """One channel of a stack.

    Attributes:
        name: Its name in the file; "" without one.
        lut: The colour of each brightness, uint8 (256, 3); None where the file states none.
    """

    name: str = ""
    lut: np.ndarray | None = None


@dataclass(frozen=True)
class Stack:
    """What a file's metadata say of its planes; the plane of depth z and time t has the number z + depth * t.

    Attributes:
        by: Who wrote that, "OME" or "ImageJ".
        channels: The channels, which all planes have.
        depth, times: How many depths and times there are.
        pages: Place -> the number of the page, from 0 on, that holds it.
        elsewhere: Place -> the name of another file that holds it.
        ranges: The range of values of each channel, or one for all; () where none is stated.
        ranges_by: How they are stated, for a note.
        notes: What is to be said whichever plane is read.
    """

    by: str
    channels: tuple[Channel, ...]
    depth: int
    times: int
    pages: Mapping[Place, int]
    elsewhere: Mapping[Place, str] = field(default_factory=dict)
    ranges: tuple[Range, ...] = ()
    ranges_by: str = ""
    notes: tuple[str, ...] = ()

    @property
    def is_single(self) -> bool:
        """Whether there is nothing to tell apart: one channel of one plane."""
        return len(self.channels) == self.depth == self.times == 1

    @cached_property
    def numbers(self) -> tuple[int, ...]:
        """The numbers of the planes all of whose channels are in the file, ascending."""
        found: dict[int, int] = {}
        for _, z, t in self.pages:
            number = z + self.depth * t
            found[number] = found.get(number, 0) + 1
        return tuple(sorted(number for number, count in found.items() if count == len(self.channels)))

    @cached_property
    def shown(self) -> int:
        """The number of the plane that stands for the file: of the first time the middle depth, where focus lies.

        Raises:
            InputError: No plane is whole.
        """
        if not self.numbers:
            other = next(iter(self.elsewhere.values()), "another file")
            message = f"each of its planes lies in part in another file, {other!r}, which is not opened"
            raise InputError(message, "Write all channels into one file, as Fiji and bfconvert do.")
        first = [number for number in self.numbers if number // self.depth == self.numbers[0] // self.depth]
        return first[len(first) // 2]

    def pages_of(self, number: int) -> tuple[int, ...]:
        """The page of each channel of a plane.

        Raises:
            InputError: The plane is not there, or lies in another file.
        """
        if not 0 <= number < self.depth * self.times:
            raise InputError(f"it has no plane {number + 1}", f"It has {len(self.numbers)}.")
        places = [(c, number % self.depth, number // self.depth) for c in range(len(self.channels))]
        for place in places:
            if place not in self.pages:
                other = self.elsewhere.get(place)
                lies = f"lies in another file, {other!r}, which is not opened" if other else "is not in the file"
                raise InputError(f"{self.spoken(number)} of channel {place[0] + 1} {lies}", "Choose another plane.")
        return tuple(self.pages[place] for place in places)

    def name(self, number: int) -> str:
        """The plane in a file's name: "z0002", "t0001" or "t0001z0002", counted from 1; "" where there is one."""
        z, t = number % self.depth, number // self.depth
        return f"t{t + 1:04}" * (self.times > 1) + f"z{z + 1:04}" * (self.depth > 1)

    def spoken(self, number: int) -> str:
        """The plane in a sentence: "z 2 of 5", "z 2 of 5 at t 1 of 9"."""
        z, t = number % self.depth, number // self.depth
        said = [f"z {z + 1} of {self.depth}"] * (self.depth > 1) + [f"t {t + 1} of {self.times}"] * (self.times > 1)
        return " at ".join(said) or "its plane"

    def remarks(self, number: int | None) -> tuple[str, ...]:
        """What is to be said where a plane is read; None: the one that stands for the file."""
        if number is not None or len(self.numbers) < 2:
            return self.notes
        which = f"the {'middle' if self.depth > 1 else 'first'} one, {self.spoken(self.shown)},"
        return (*self.notes, f"Of its {len(self.numbers)} planes {which} is read; --pages reads all.")
