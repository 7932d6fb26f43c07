"""How films are read: which of them, which part, and whether their masks are steadied."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from typer import Option

from segcli.cli.options.parsing import choice, film_time
from segcli.films.options import FILM_KINDS, FilmOptions

PANEL = "Films"


@dataclass(frozen=True)
class Films:
    """The options of reading films."""

    films: Annotated[
        str,
        Option(
            "--films",
            parser=choice("--films", FILM_KINDS),
            metavar="|".join(FILM_KINDS),
            help="Read as films: video files (auto), moving GIF and WebP pictures too (all), or nothing (none).",
            rich_help_panel=PANEL,
        ),
    ] = "auto"
    stride: Annotated[
        int, Option("--stride", min=1, metavar="N", help="Take only every Nth frame.", rich_help_panel=PANEL)
    ] = 1
    start: Annotated[
        float | None,
        Option(
            "--start",
            parser=film_time("--start"),
            metavar="TIME",
            help="Leave out everything before this time: seconds, or 1:30.",
            show_default=False,
            rich_help_panel=PANEL,
        ),
    ] = None
    end: Annotated[
        float | None,
        Option(
            "--end",
            parser=film_time("--end"),
            metavar="TIME",
            help="Leave out everything from this time on: seconds, or 1:30.",
            show_default=False,
            rich_help_panel=PANEL,
        ),
    ] = None
    steady: Annotated[
        bool,
        Option(
            "--steady/--no-steady",
            help="Average each frame's classes with those of the frames before, so that masks flicker less.",
            rich_help_panel=PANEL,
        ),
    ] = True

    def wanted(self) -> FilmOptions:
        """The values that these options come to."""
        return FilmOptions(self.films, self.stride, self.start, self.end, self.steady)
