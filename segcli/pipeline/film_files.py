"""The files of a film: the overlay with its times and sound, the label film, its frames, and the areas of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import floor
from pathlib import Path
from typing import Any

from segcli.files.atomic import write_whole
from segcli.files.encoding import to_json
from segcli.files.sources import Source
from segcli.films.encoding import OVERLAY
from segcli.films.frame import Film
from segcli.films.joining import Joined, write_mkv, write_mp4
from segcli.films.options import FilmOptions
from segcli.films.workshop import Segment
from segcli.pipeline.kinds import FRAME_FILES
from segcli.pipeline.outputs import Outputs
from segcli.pipeline.tables import table

AREAS = ("frame", "seconds", "class", "pixels", "percent")


@dataclass(frozen=True)
class Made:
    """A film whose segments are done.

    Attributes:
        source: Where it came from; its tree names the outputs.
        film: Its reader.
        segments: All segments, in order.
        options: The part of it that they show.
    """

    source: Source
    film: Film
    segments: tuple[Segment, ...]
    options: FilmOptions

    @cached_property
    def times(self) -> list[int]:
        """Each frame's time in ticks from the film's beginning."""
        return [ticks for segment in self.segments for ticks in segment.times]

    @cached_property
    def numbers(self) -> list[int]:
        """Each frame's number."""
        return [number for segment in self.segments for number in segment.numbers]

    @property
    def areas(self) -> list[dict[str, int]]:
        """Each frame's pixels by class name."""
        return [areas for segment in self.segments for areas in segment.areas]

    @property
    def seconds(self) -> list[float]:
        """Each frame's time in seconds."""
        return [float(ticks * self.film.tick) for ticks in self.times]

    def joined(self, pieces: Sequence[Path], texts: Mapping[str, str] | None = None) -> Joined:
        """The film to be made of pieces, whose time 0 is the start that was asked for."""
        offset = floor((self.options.start or 0) / self.film.tick)
        times = [max(0, ticks - offset) for ticks in self.times]
        return Joined(pieces, times, self.film.tick, self.segments[-1].length, texts or {})


def encoder() -> str:
    """What decides the bytes of a film's pieces beside its settings: pieces of two encoders cannot be joined."""
    import av

    return f"av {av.__version__} {OVERLAY.codec}"


def frame_path(outputs: Outputs, source: Source, number: int) -> Path:
    """The mask of one frame."""
    return source.output(outputs.folder / "masks", "") / f"{number:06}.png"


def write(outputs: Outputs, made: Made, pieces: Mapping[str, Sequence[Path]]) -> tuple[dict[str, Path], list[str]]:
    """Write a film's files; gives them by kind, and notes.

    Args:
        outputs: Where to.
        made: The film.
        pieces: Kind of picture -> the files of the segments.

    Raises:
        OSError: The folder cannot be written to.
    """
    files, notes = {}, []
    if "overlay" in pieces:
        files["overlay"] = made.source.output(outputs.folder / "overlays", ".mp4")
        sound = made.source.path if made.film.has_sound else None
        notes += write_mp4(files["overlay"], made.joined(pieces["overlay"]), sound, made.options)
    if "mask" in pieces:
        files["mask"] = made.source.output(outputs.folder / "masks", ".mkv")
        write_mkv(files["mask"], made.joined(pieces["mask"], _texts(outputs)))
    files["areas"] = made.source.output(outputs.folder / "areas", ".csv")
    _write_table(files["areas"], table(AREAS, _rows(made)))
    if FRAME_FILES in outputs.kinds:
        files[FRAME_FILES] = frame_path(outputs, made.source, 0).with_name("frames.csv")
        names = (frame_path(outputs, made.source, number).name for number in made.numbers)
        times = map(_time, made.seconds)
        _write_table(files[FRAME_FILES], table(("file", "seconds"), zip(names, times, strict=True)))
    return files, notes


def _texts(outputs: Outputs) -> dict[str, str]:
    """The classes and the model, as every mask states them."""
    texts = {"labels": to_json(outputs.labels.to_dict()), **outputs.info}
    return {f"SEGCLI_{keyword.upper()}": text for keyword, text in texts.items()}


def _rows(made: Made) -> list[tuple[Any, ...]]:
    """A row for each class found in each frame, the largest first."""
    pixels = made.film.size[0] * made.film.size[1]
    return [
        (number, _time(seconds), name, count, f"{100 * count / pixels:.3f}")
        for number, seconds, areas in zip(made.numbers, made.seconds, made.areas, strict=True)
        for name, count in sorted(areas.items(), key=lambda area: -area[1])
    ]


def _time(seconds: float) -> str:
    return f"{seconds:.6f}".rstrip("0").rstrip(".")


def _write_table(path: Path, content: bytes) -> None:
    with write_whole(path) as file:
        file.write(content)
