"""Joining: the pieces of a film as one file, without encoding them again, with its times and its sound."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from segcli.errors import InputError
from segcli.files.atomic import write_under
from segcli.films.encoding import explained
from segcli.films.options import FilmOptions
from segcli.films.sound import Sound
from segcli.films.video import opened_video

if TYPE_CHECKING:
    import av

MKV = {"format": "matroska", "options": {"fflags": "+bitexact"}}
"""FFmpeg's settings for Matroska: the same pieces give the same bytes."""
NO_SOUND = "Its sound could not be copied: {}."


@dataclass(frozen=True)
class Joined:
    """A film to be made of pieces.

    Attributes:
        pieces: The files of the pieces, in order.
        times: The time of each frame, ascending, in ticks.
        tick: Seconds a tick: one over a whole number.
        length: The ticks that the last frame lasts.
        texts: Texts that the file carries.
    """

    pieces: Sequence[Path]
    times: Sequence[int]
    tick: Fraction
    length: int
    texts: Mapping[str, str] = field(default_factory=dict)


def write_mkv(path: Path, film: Joined) -> None:
    """Write a film as Matroska, whole or not at all. It holds times in thousandths of a second.

    Raises:
        OSError: It cannot be written.
    """
    import av

    times, last = [], -1
    for ticks in film.times:
        last = max(last + 1, round(ticks * film.tick * 1000))
        times.append(last)
    length = max(1, round(film.length * film.tick * 1000))
    rounded = Joined(film.pieces, times, Fraction(1, 1000), length)
    with write_under(path) as unfinished, explained(path), av.open(str(unfinished), "w", **MKV) as target:
        target.metadata.update(film.texts)
        for packet in _pictures(target, rounded):
            target.mux(packet)


def write_mp4(path: Path, film: Joined, sound: Path | None, options: FilmOptions) -> list[str]:
    """Write a film as MP4 that plays while it loads, whole or not at all, and give notes on its sound.

    Args:
        path: The file.
        film: The pictures.
        sound: The film whose sound is copied; None for none.
        options: The part of it that the pictures show.

    Raises:
        OSError: It cannot be written.
    """
    notes: list[str] = []
    try:
        _write_mp4(path, film, sound, options, notes)
    except InputError as error:  # the sound's: the pictures are segcli's own
        notes = [NO_SOUND.format(error.message)]
        _write_mp4(path, film, None, options, notes)
    return notes


def _write_mp4(path: Path, film: Joined, sound: Path | None, options: FilmOptions, notes: list[str]) -> None:
    import av

    # With the pictures' own unit of time a film that begins late keeps the exact moment.
    flags = {"movflags": "+faststart", "movie_timescale": str(film.tick.denominator)}
    with ExitStack() as stack:
        unfinished = stack.enter_context(write_under(path))
        source = stack.enter_context(opened_video(sound)) if sound else None
        target = stack.enter_context(av.open(str(unfinished), "w", format="mp4", options=flags))
        pictures = _pictures(target, film)
        copied = Sound.into(target, source) if source else None
        if copied and copied.anew:
            notes.append("Its sound is of a kind that MP4 cannot hold, and was encoded anew as AAC.")
        packets = [pictures, copied.packets(options)] if copied else [pictures]
        for packet in heapq.merge(*packets, key=_seconds):
            target.mux(packet)


def _seconds(packet: av.Packet) -> float:
    return float((packet.dts or 0) * packet.time_base)


def _pictures(target: av.container.OutputContainer, film: Joined) -> Iterator[av.Packet]:
    """The packets of all pieces with their times, bound for a stream of the new file."""
    import av

    with av.open(str(film.pieces[0])) as first:
        stream = target.add_stream_from_template(first.streams.video[0])
    stream.time_base = film.tick
    return _timed(stream, film)


def _timed(stream: av.VideoStream, film: Joined) -> Iterator[av.Packet]:
    ends = [*film.times[1:], film.times[-1] + film.length]
    for packet, ticks, end in zip(_all(film.pieces), film.times, ends, strict=True):
        packet.time_base = film.tick
        packet.pts = packet.dts = ticks
        packet.duration = end - ticks
        packet.stream = stream
        yield packet


def _all(pieces: Iterable[Path]) -> Iterator[av.Packet]:
    import av

    for path in pieces:
        with av.open(str(path)) as piece:
            for packet in piece.demux(video=0):
                if packet.size:
                    yield packet
