"""Forecast of films: the time and disk that a run's films will take, from their headers and a few frames of one."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from segcli.errors import InputError
from segcli.files.sources import Source
from segcli.films.frame import Film, Frame, Mark
from segcli.films.options import FilmOptions
from segcli.pipeline.film import FilmRun

TRIED = 8
"""The frames that are tried out."""


@dataclass(frozen=True)
class FilmForecast:
    """What a run's films will take.

    Attributes:
        films: How many can be opened.
        unreadable: How many cannot.
        frames: All frames that will be done, by the films' headers.
        seconds: The time on this machine, as it was when a few frames were timed; 0 where none could be.
        disk: Bytes that the outputs will take.
    """

    films: int
    unreadable: int
    frames: int
    seconds: float
    disk: int


def forecast_films(sources: Sequence[Source], run: FilmRun) -> FilmForecast:
    """Do a few frames of the longest film into a folder that is thrown away, and scale up.

    Args:
        sources: The films that the run would do.
        run: How it would.
    """
    counts = {source: _frames(source, run) for source in sources}
    known = {source: count for source, count in counts.items() if count is not None}
    frames = sum(known.values())
    seconds, disk = _tried(max(known, key=known.get), run) if known else (0.0, 0.0)
    return FilmForecast(len(known), len(counts) - len(known), frames, seconds * frames, round(disk * frames))


def _frames(source: Source, run: FilmRun) -> int | None:
    """The frames of the part that is asked for, by the header; None where the film cannot be opened."""
    try:
        film = run.stages.open_film(source.path)
    except (InputError, OSError):
        return None
    return run.options.expected(film.count, film.duration) or 0


def _tried(source: Source, run: FilmRun) -> tuple[float, float]:
    """The seconds and bytes of a frame."""
    with tempfile.TemporaryDirectory(prefix="segcli-") as name:
        stages = replace(run.stages, open_film=lambda path: _shortened(run.stages.open_film(path)))
        trial = replace(run, stages=stages, outputs=replace(run.outputs, folder=Path(name)))
        record = trial.record(source)
        written = sum(path.stat().st_size for path in Path(name).rglob("*") if path.is_file())
    return (record.seconds["film"] / record.frames, written / record.frames) if record.frames else (0.0, 0.0)


def _shortened(film: Film) -> Film:
    """A film that ends after a few frames."""
    whole = film.frames

    def first(options: FilmOptions, after: Mark | None = None) -> Iterator[Frame]:
        yield from islice(whole(options, after), TRIED)

    film.frames = first
    return film
