"""The only place that prints: data on stdout, progress and hints on stderr."""

import sys
import textwrap
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from segcli.cli.progress import BarCounter, Counter, DownloadBars, Downloads, LineCounter, bar, download_bars
from segcli.cli.signals import WATCH
from segcli.errors import SegcliError
from segcli.files.encoding import to_json
from segcli.files.paths import shown
from segcli.pipeline.listener import Listener

PIPE_WIDTH = 250
"""Columns where stdout is a file or a pipe: whatever reads it wants whole words."""


class Display(Listener):
    """The voice of one command; what long work has to say goes to stderr.

    Args:
        as_json: One JSON object on stdout, nothing else there.
        quiet: Errors only.
    """

    def __init__(self, as_json: bool = False, quiet: bool = False):
        self.as_json = as_json
        self.quiet = quiet
        self.out = Console(soft_wrap=True, highlight=False)
        self.err = Console(stderr=True, soft_wrap=True, highlight=False)

    def data(self, text: str) -> None:
        """A result in words, on stdout; left out with --json."""
        if not self.as_json:
            sys.stdout.write(shown(text) + "\n")

    def table(self, table: Table, narrow: Table | None = None) -> None:
        """A result as a table, or as a narrower one where the terminal cannot hold it; left out with --json."""
        if self.as_json:
            return
        console = Console(highlight=False)
        if not console.is_terminal:
            console.width = max(console.width, PIPE_WIDTH)
        wanted = console.measure(table, options=console.options.update(width=PIPE_WIDTH)).maximum
        console.print(table if narrow is None or wanted <= console.width else narrow)

    def aside(self, table: Table) -> None:
        """A table for people, on stderr, a little to the right; left out with --json."""
        if not (self.quiet or self.as_json):
            console = self.err if self.err.is_terminal else Console(stderr=True, width=PIPE_WIDTH)
            console.print(Padding(table, (0, 0, 0, 2), expand=False), soft_wrap=False)

    def _remark(self, text: str, style: str, lead: str = "") -> None:
        """A remark on stderr; a terminal gets lines that end between words, and words too long for one whole."""
        whole = lead + shown(text)
        if self.err.is_terminal:
            whole = textwrap.fill(whole, self.err.width, break_long_words=False, break_on_hyphens=False)
        self.err.print(Text.assemble((whole[: len(lead)], "yellow"), (whole[len(lead) :], style)))

    def json(self, value: dict) -> None:
        """The one JSON object of --json; without it, nothing."""
        self.pieces([to_json(value)] if self.as_json else ())

    def pieces(self, text: Iterable[str]) -> None:
        """The same, as JSON text in pieces; without --json they are not asked for."""
        if self.as_json:
            WATCH.owes_json = False
            sys.stdout.writelines(text)
            sys.stdout.write("\n")

    def say(self, text: str, style: str = "") -> None:
        """A remark for people, on stderr."""
        if not self.quiet:
            self._remark(text, style)

    def note(self, text: str) -> None:
        """A remark about what is being done, in grey on stderr."""
        self.say(text, "dim")

    def warn(self, text: str) -> None:
        """A remark that deserves attention, on stderr."""
        if not self.quiet:
            self._remark(text, "", "warning: ")

    def failure(self, text: str) -> None:
        """One input that failed while the others go on, on stderr; quiet commands say it too."""
        self.err.print(Text(shown(text), "red"))

    def error(self, error: SegcliError) -> None:
        """What went wrong and what to do next, on stderr; with --json on stdout too."""
        self.err.print(Text.assemble(("error: ", "bold red"), shown(error.message)))
        for line in error.hint.splitlines():
            self.err.print(Text(f"       {shown(line)}"))
        self.json({"error": error.message, "hint": error.hint, "exit_code": error.exit_code})

    @contextmanager
    def counting(self, total: int, verb: str, unit: str = "images") -> Iterator[Counter]:
        """Progress over a known number of things, with rate and time left."""
        with WATCH.orderly():
            if self.quiet or total == 0:
                yield Counter(self.say)
            elif self.err.is_terminal:
                with bar(self.err, unit) as progress:
                    yield BarCounter(self.say, progress, progress.add_task(verb, total=total))
            else:
                yield LineCounter(self.say, total, verb, unit)

    @contextmanager
    def downloading(self) -> Iterator[Downloads]:
        """Progress of downloads, one bar a file; call it with (name, bytes done, bytes in all or None)."""
        with WATCH.orderly():
            if self.quiet or not self.err.is_terminal:
                yield Downloads(self.say)
            else:
                with download_bars(self.err) as progress:
                    yield DownloadBars(self.say, progress)


def columns(*headings: str, right: Iterable[str] = ()) -> Table:
    """An empty table in the house's look; the headings named in `right` are numbers."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in headings:
        table.add_column(heading, justify="right" if heading in right else "left", no_wrap=heading in right)
    return table
