"""Video: the frames of a video file, upright, with the file's own times; PyAV decodes them."""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from segcli.errors import InputError
from segcli.files import formats
from segcli.files.paths import shown
from segcli.films.frame import Frame, Mark
from segcli.films.options import FilmOptions
from segcli.images.opening import check_size, opened_file
from segcli.images.orientation import SIDEWAYS, upright
from segcli.images.reading import MAX_PIXELS

if TYPE_CHECKING:
    import av

PATIENCE = 60.0
"""Seconds without a new frame, or packets, after which a film is given up: a damaged one must not hold up a run."""
MOST_PACKETS = 5000
SLACK_SECONDS, SLACK_SHARE = 0.5, 0.02
"""A film may end so much before its header says, for one stream ends before another."""
BUFFER = 1 << 20
_TURNS = {
    (1, 0, 0, 1): 1,
    (-1, 0, 0, 1): 2,
    (-1, 0, 0, -1): 3,
    (1, 0, 0, -1): 4,
    (0, 1, 1, 0): 5,
    (0, 1, -1, 0): 6,
    (0, -1, -1, 0): 7,
    (0, -1, 1, 0): 8,
}
"""The directions of a display matrix -> the EXIF orientation that they are."""
_HDR = (16, 18)
"""The transfer functions PQ and HLG."""


@contextmanager
def opened_video(path: Path) -> Iterator[av.container.InputContainer]:
    """Open a video file by its content, never by its name: no address in it is followed.

    Raises:
        InputError: It takes the extra package, cannot be read, or is no video; also for errors within the block.
    """
    try:
        import av
    except ImportError:
        raise formats.VIDEO.missing(path, "video") from None
    with opened_file(path) as (file, _):
        container = formats.container(file.read(formats.HEAD))
        file.seek(0)
        try:
            with av.open(file, format=container, buffer_size=BUFFER, metadata_errors="replace") as opened:
                yield opened
        except (av.FFmpegError, ValueError, OverflowError, MemoryError) as error:
            raise InputError(f"{shown(path)} cannot be read as a video: {words(error)}", _HINT) from error


_HINT = "Does a player play it? If not, it is damaged; if it does, convert it to MP4."


def words(error: Exception) -> str:
    """What an error of FFmpeg says, in a few words."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


class Video:
    """The frames of a video file; see `frame.Film` for the attributes.

    Args:
        path: The file.
        max_pixels: Larger frames are refused.

    Raises:
        InputError: It cannot be read, has no pictures, or they are too large.
    """

    def __init__(self, path: Path, max_pixels: int = MAX_PIXELS):
        self.path = path
        self.max_pixels = max_pixels
        self.notes: list[str] = []
        self.broken = ""
        with opened_video(path) as container:
            stream = self._stream(container)
            self.has_sound = bool(container.streams.audio)
            self.duration = None if container.duration is None else container.duration / 1e6
            self._origin = max(0, container.start_time or 0)  # microseconds; players call this moment 0
            self._base = Fraction(stream.time_base or Fraction(1, 90000))
            self.tick = Fraction(1, self._base.denominator)
            self._rate = Fraction(stream.average_rate or 25)
            self.count = stream.frames or (round(self.duration * self._rate) if self.duration else None)
            first = next(self._decoded(container, stream), None)
            if first is None:
                reason = self.broken or "no frame of it can be decoded"
                raise InputError(f"{shown(path)} cannot be read as a video: {reason}", _HINT)
            self._look_at(first, stream)
        self.broken = ""

    def _stream(self, container: av.container.InputContainer) -> av.VideoStream:
        """The film proper, and not the picture of a cover."""
        import av

        cover = av.stream.Disposition.attached_pic
        stream = next((one for one in container.streams.video if not one.disposition & cover), None)
        if not container.streams.video and not container.streams.audio:
            reason = "its beginning does not say what it holds"
            raise InputError(f"{shown(self.path)} cannot be read as a video: {reason}", _HINT)
        if stream is None or stream.codec_context is None:
            raise InputError(f"{shown(self.path)} holds no moving pictures", "Name films or photos.")
        context = stream.codec_context
        check_size(self.path, context.width, context.height, self.max_pixels)
        context.options = {"max_pixels": str(self.max_pixels)}
        stream.thread_type = "AUTO"
        return stream

    def _look_at(self, frame: av.VideoFrame, stream: av.VideoStream) -> None:
        check_size(self.path, frame.width, frame.height, self.max_pixels)
        self._stored = frame.width, frame.height
        self._turn = _orientation(frame)
        aspect = stream.sample_aspect_ratio or Fraction(1)
        sideways = self._turn in SIDEWAYS
        self.size = (frame.width, frame.height) if sideways else (frame.height, frame.width)
        self.aspect = 1 / aspect if sideways and aspect else aspect or Fraction(1)
        if frame.color_trc in _HDR:
            self.notes.append("Its colours are of high dynamic range (HDR), and are taken as they are: it looks pale.")
        if frame.interlaced_frame:
            self.notes.append("It is interlaced: each frame holds two moments, line by line.")

    def frames(self, options: FilmOptions, after: Mark | None = None) -> Iterator[Frame]:
        """See `frame.Film`."""
        try:
            yield from self._part(options, after)
        except InputError as error:
            self.broken = error.message

    def _part(self, options: FilmOptions, after: Mark | None) -> Iterator[Frame]:
        start, end = options.start or 0.0, options.end
        if after is not None and after.raw is not None:
            frames, found = self._timed(after.raw, after), False
            for frame in frames:
                found = frame.mark.raw == after.raw
                if found or frame.mark.raw is None or frame.mark.raw > after.raw:
                    break
            if found:
                yield from _strided(frames, options, after.number + 1)
                return
            frames.close()
        frames = (frame for frame in self._timed(self._raw(start) if start else None) if frame.seconds >= start)
        done = -1 if after is None else after.number
        for number, frame in enumerate(_until(frames, end)):
            if number > done and number % options.stride == 0:
                yield _numbered(frame, number)

    def _raw(self, seconds: float) -> int:
        """A moment from the film's beginning as the file counts it."""
        return int((Fraction(seconds) + Fraction(self._origin, 10**6)) / self._base)

    def _timed(self, seek: int | None, after: Mark | None = None) -> Iterator[Frame]:
        """Frames with times, from the key frame before a moment on where one is given."""
        factor = self._base.numerator
        origin = round(Fraction(self._origin, 10**6) / self._base)
        last = None
        with opened_video(self.path) as container:
            stream = self._stream(container)
            if seek is not None:
                _seek(container, stream, seek)
            for frame in self._decoded(container, stream, sought=seek is not None):
                raw = frame.pts if frame.pts is not None else frame.dts
                ticks = None if raw is None else (raw - origin) * factor
                if ticks is None or (last is not None and ticks <= last):
                    self._say("Some of its frames have no time of their own, or an earlier one; theirs are guessed.")
                    step = max(1, round(1 / self._rate / self.tick)) if ticks is None else 1
                    ticks, raw = 0 if last is None else last + step, None
                last = ticks
                yield Frame(Mark(-1, ticks, raw), float(ticks * self.tick), self._drawing(frame))

    def _say(self, note: str) -> None:
        if note not in self.notes:
            self.notes.append(note)

    def _drawing(self, frame: av.VideoFrame):
        if (frame.width, frame.height) != self._stored:
            width, height = self._stored
            self._say(f"Its frames change their size; all are brought to that of the first, {width} x {height}.")
        if frame.is_corrupt:
            self._say("Some of its frames are damaged; they are shown as far as they could be decoded.")
        return partial(_drawn, frame, self._stored, self._turn)

    def _decoded(
        self, container: av.container.InputContainer, stream: av.VideoStream, sought: bool = False
    ) -> Iterator[av.VideoFrame]:
        """All frames, or those from where the file was `sought`; where they end too early, `broken` says why."""
        import av

        tail = _Tail()
        try:
            for packet in container.demux():
                tail.take(packet)
                if packet.stream.index != stream.index:
                    continue
                try:
                    frames = packet.decode()
                except av.FFmpegError as error:
                    tail.bad = words(error)
                    continue
                for frame in frames:
                    tail.good(frame)
                    yield frame
                    tail.go_on()
        except av.FFmpegError as error:
            self.broken = words(error)
            return
        except _StuckError as error:
            self.broken = str(error)
            return
        self.broken = tail.verdict(container, 0 if sought else stream.frames)


class _StuckError(Exception):
    """No frame comes any more."""


class _Tail:
    """What is seen of a film's end while it is read.

    Attributes:
        bad: Why the last packet could not be decoded; empty where it could.
    """

    def __init__(self):
        self.bad = ""
        self._corrupt = False
        self._end = 0.0
        self._packets = self._since = 0
        self._last = time.monotonic()

    def take(self, packet: Any) -> None:
        """A packet of any stream was read; raises _StuckError after too many without a frame."""
        self._since += 1
        if self._since > MOST_PACKETS or time.monotonic() - self._last > PATIENCE:
            raise _StuckError("no frame comes any more")
        self._packets += packet.stream.type == "video" and packet.size > 0
        if packet.pts is not None and packet.time_base:
            self._end = max(self._end, float((packet.pts + (packet.duration or 0)) * packet.time_base))

    def good(self, frame: av.VideoFrame) -> None:
        """A frame was decoded."""
        self.bad, self._since = "", 0
        self._corrupt = frame.is_corrupt

    def go_on(self) -> None:
        """Count the seconds from now on: those that passed were the network's, which may take minutes for a frame."""
        self._last = time.monotonic()

    def verdict(self, container: Any, frames: int) -> str:
        """Why the film ended too early; empty where it did not. `frames` are what its header says, 0 for nothing."""
        if self.bad or self._corrupt:
            return self.bad or "its last frame is damaged"
        whole = 0 if container.duration is None else (container.duration + max(0, container.start_time or 0)) / 1e6
        if self._end < whole - SLACK_SECONDS - SLACK_SHARE * whole:
            return f"its header says that it lasts {whole:.1f} s"
        if self._packets < (1 - SLACK_SHARE) * frames - 5:
            return f"its header says that it has {frames} frames"
        return ""


def _seek(container: av.container.InputContainer, stream: av.VideoStream, raw: int) -> None:
    """Go to the key frame before a moment; where the file cannot be searched, stay at its beginning."""
    import av

    try:
        container.seek(raw, stream=stream, backward=True)
    except av.FFmpegError:
        container.seek(0)


def _until(frames: Iterator[Frame], end: float | None) -> Iterator[Frame]:
    for frame in frames:
        if end is not None and frame.seconds >= end:
            return
        yield frame


def _strided(frames: Iterator[Frame], options: FilmOptions, number: int) -> Iterator[Frame]:
    """The frames of the stride, numbered from `number` on, up to the end that is asked for."""
    for count, frame in enumerate(_until(frames, options.end), number):
        if count % options.stride == 0:
            yield _numbered(frame, count)


def _numbered(frame: Frame, number: int) -> Frame:
    return Frame(Mark(number, frame.mark.pts, frame.mark.raw), frame.seconds, frame.draw)


def _drawn(frame: av.VideoFrame, size: tuple[int, int], turn: int) -> np.ndarray:
    """uint8 (H, W, 3), writable and upright."""
    rgb = frame.to_ndarray(width=size[0], height=size[1], format="rgb24")
    return np.require(upright(rgb, turn), requirements="CW")


def _orientation(frame: av.VideoFrame) -> int:
    """The EXIF orientation that a frame's display matrix is; 1 without one."""
    for side in frame.side_data:
        if side.type.name == "DISPLAYMATRIX" and len(bytes(side)) == 36:
            a, b, _, c, d = struct.unpack("=5i", bytes(side)[:20])
            if abs(a) + abs(d) >= abs(b) + abs(c):
                b = c = 0
            else:
                a = d = 0
            return _TURNS.get(tuple(int(np.sign(value)) for value in (a, b, c, d)), 1)
    return 1
