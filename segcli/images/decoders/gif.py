"""GIF: the frames of an animation, each decoded once, whoever asks for the next one.

A frame is drawn upon those before it, so that Pillow decodes all of them to show the last. A run asks for the frames as
pages, nearly in order and from several threads: the animation stays open where it is.
"""

from collections import OrderedDict
from pathlib import Path
from threading import Lock
from typing import BinaryIO

from PIL import Image
from PIL.GifImagePlugin import GifImageFile

from segcli.images.opening import check

OPEN = 4
"""Animations that stay open: the pages of one end while those of the next begin."""
PASSED = 1 << 26
"""The bytes of the frames of an animation that wait for a thread that was overtaken."""


def frame(path: Path, number: int, max_pixels: int) -> Image.Image:
    """The frame of a GIF by its number from 0 on, loaded, as Pillow shows it after `seek`.

    Frames that are asked for in order, or nearly so, are decoded once each; one further back costs a new beginning.

    Raises:
        InputError: A frame on the way is larger than `max_pixels`.
        EOFError, OSError, ...: Whatever Pillow raises for a frame that is not there or damaged.
    """
    status = path.stat()
    key = path, status.st_size, status.st_mtime_ns, max_pixels
    with _lock:
        animation = _animations.setdefault(key, _Animation(path, max_pixels))
        _animations.move_to_end(key)
        left = [_animations.popitem(last=False)[1] for _ in range(len(_animations) - OPEN)]
    for other in left:
        other.close()
    return animation.frame(number)


class _Animation:
    """A GIF on its way from frame to frame."""

    def __init__(self, path: Path, max_pixels: int):
        self._path, self._max_pixels = path, max_pixels
        self._lock = Lock()
        self._file: BinaryIO | None = None
        self._image: GifImageFile | None = None
        self._passed: OrderedDict[int, Image.Image] = OrderedDict()
        self._failure: tuple[int, Exception] | None = None

    def frame(self, number: int) -> Image.Image:
        with self._lock:
            if number in self._passed:
                return self._passed.pop(number)
            if self._failure is not None and number >= self._failure[0]:
                raise self._failure[1]
            return self._walked(number)

    def close(self) -> None:
        """Let go of the file; a frame that is asked for all the same begins anew."""
        with self._lock:
            self._begin_anew()

    def _begin_anew(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file = self._image = None
        self._passed.clear()

    def _walked(self, number: int) -> Image.Image:
        """Go on to a frame, keeping those that are passed."""
        if self._image is not None and self._image.tell() >= number:
            self._begin_anew()
        first = 0 if self._image is None else self._image.tell() + 1
        for place in range(first, number + 1):
            self._load(place)
            if place < number:
                self._keep(place)
        return self._image.copy()

    def _load(self, place: int) -> None:
        """Decode the next frame."""
        try:
            if self._image is None:
                self._file = self._path.open("rb")
                self._image = GifImageFile(self._file, "")
            self._image.seek(place)
            check(self._path, self._image, self._max_pixels)
            self._image.load()
        except Exception as error:  # no later frame comes without this one
            self._failure = place, error
            self._begin_anew()
            raise

    def _keep(self, place: int) -> None:
        """Keep a frame for whoever asked for it and was overtaken, as far as there is room."""
        width, height = self._image.size
        most = PASSED // (4 * width * height)
        if most:
            self._passed[place] = self._image.copy()
        while len(self._passed) > most:
            self._passed.popitem(last=False)


_lock = Lock()
_animations: OrderedDict[tuple, _Animation] = OrderedDict()
