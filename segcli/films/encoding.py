"""Encoding: pictures into a piece of a film, a packet for each frame, so that times can be given when pieces join."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from segcli.errors import SegcliError
from segcli.files.atomic import write_whole
from segcli.films.video import words
from segcli.labels import VOID

if TYPE_CHECKING:
    import av

_BT709, _LIMITED = 1, 1
"""FFmpeg's numbers of the colour tags that every player understands alike."""


@dataclass(frozen=True)
class Encoding:
    """A way to store frames.

    Attributes:
        codecs: FFmpeg's names of encoders; the first one that is there is used.
        pixels: FFmpeg's name of how a frame is stored.
        given: The same of the arrays that frames are made of.
        options: Codec -> its options.
    """

    codecs: tuple[str, ...]
    pixels: str
    given: str
    options: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def codec(self) -> str:
        """The encoder; SegcliError where FFmpeg has none of them."""
        import av

        for name in self.codecs:
            if name in av.codecs_available:
                return name
        message = f"this FFmpeg has no encoder {' or '.join(self.codecs)}"
        raise SegcliError(message, "Install the package av from PyPI: pip install --force-reinstall av.")


# Without frames that refer to later ones, packets come in the order of the frames, and pieces join without encoding.
OVERLAY = Encoding(
    ("libx264", "libopenh264"), "yuv420p", "rgb24", {"libx264": {"crf": "20", "preset": "veryfast", "bf": "0"}}
)
"""H.264, which plays everywhere."""
LOSSLESS = {"ffv1": {"level": "3", "slicecrc": "1", "g": "1"}}
LABELS_8, LABELS_16 = (Encoding(("ffv1",), pixels, pixels, LOSSLESS) for pixels in ("gray", "gray16le"))
"""Lossless ids in shades of grey."""


def of_labels(classes: int) -> Encoding:
    """The encoding for label maps of so many classes, which are uint8, or uint16 from 256 classes on."""
    return LABELS_8 if classes <= VOID else LABELS_16


class Piece:
    """A piece of a film that is being written.

    Args:
        container: The open file.
        encoding: How frames are stored.
        aspect: Width of a pixel over its height.
    """

    def __init__(self, container: av.container.OutputContainer, encoding: Encoding, aspect: Fraction = Fraction(1)):
        self._container = container
        self._encoding = encoding
        self._aspect = aspect
        self._stream: av.VideoStream | None = None
        self.frames = 0

    def add(self, picture: np.ndarray) -> None:
        """Append a frame, uint8 (H, W, 3) or a label map (H, W); all have one size."""
        import av

        if self._encoding is OVERLAY:
            picture = _even(picture)
        if self._stream is None:
            self._stream = self._opened(*picture.shape[:2])
        frame = av.VideoFrame.from_ndarray(picture, format=self._encoding.given)
        if self._encoding is OVERLAY:
            frame = frame.reformat(format=self._encoding.pixels, dst_colorspace="ITU709")
        frame.pts, frame.time_base = self.frames, self._stream.codec_context.time_base
        self.frames += 1
        self._container.mux(self._stream.encode(frame))

    def _opened(self, height: int, width: int) -> av.VideoStream:
        codec = self._encoding.codec
        stream = self._container.add_stream(codec, rate=25, options=dict(self._encoding.options.get(codec, {})))
        stream.width, stream.height, stream.pix_fmt = width, height, self._encoding.pixels
        context = stream.codec_context
        context.time_base = Fraction(1, 25)
        if self._encoding is OVERLAY:
            context.color_range = _LIMITED
            context.colorspace = context.color_primaries = context.color_trc = _BT709
            context.sample_aspect_ratio = self._aspect
        return stream

    def finish(self) -> None:
        """Write what the encoder still holds."""
        if self._stream is not None:
            self._container.mux(self._stream.encode())


@contextmanager
def piece(path: Path, encoding: Encoding, aspect: Fraction = Fraction(1)) -> Iterator[Piece]:
    """A piece that appears at `path` whole when the block ends, or not at all; OSError as for `write_whole`."""
    import av

    with write_whole(path) as file, av.open(file, "w", format="matroska") as container:
        made = Piece(container, encoding, aspect)
        yield made
        with explained(path):
            made.finish()


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Within it, an error of FFmpeg that is none of the system's is an OSError with its words."""
    import av

    try:
        yield
    except av.FFmpegError as error:
        if isinstance(error, OSError):
            raise
        raise OSError(None, words(error), str(path)) from error


def _even(picture: np.ndarray) -> np.ndarray:
    """A picture whose sides are even, as colours at half the resolution need: its last row and column repeated."""
    height, width = picture.shape[:2]
    return np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), "edge") if height % 2 or width % 2 else picture
