"""How progress looks: a bar on a terminal, a line now and then in a pipe, nothing when quiet."""

import time
from collections.abc import Callable

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

from segcli.files.paths import shown

SECONDS_BETWEEN_LINES = 10
"""Where stderr is a file or a pipe, progress is a plain line this often instead of a bar."""

Say = Callable[[str, str], None]
"""Prints a line in a style, unless the command is quiet."""


class Counter:
    """Counts without showing; what quiet commands count with."""

    def __init__(self, say: Say):
        self.say = say

    def advance(self) -> None:
        """One more is done."""

    def resize(self, total: int) -> None:
        """There are so many in all from now on."""

    def describe(self, text: str) -> None:
        """What the progress says beside its numbers from now on."""

    def step(self, text: str) -> None:
        """A part of what is in hand is done; the text says how far it is."""

    def remark(self, text: str, style: str = "yellow") -> None:
        """A line between the progress."""
        self.say(text, style)


class BarCounter(Counter):
    """A bar on a terminal."""

    def __init__(self, say: Say, progress: Progress, task: int):
        super().__init__(say)
        self.progress = progress
        self.task = task

    def advance(self) -> None:
        """Move the bar."""
        self.progress.advance(self.task)

    def resize(self, total: int) -> None:
        """Make the bar as long."""
        self.progress.update(self.task, total=total)

    def describe(self, text: str) -> None:
        """Write beside the bar."""
        self.progress.update(self.task, description=shown(text))

    def step(self, text: str) -> None:
        """Write it beside the bar."""
        self.describe(text)


class LineCounter(Counter):
    """A line now and then in a pipe or under nohup."""

    def __init__(self, say: Say, total: int, verb: str, unit: str):
        super().__init__(say)
        self.total = total
        self.verb = verb
        self.unit = unit
        self.done = 0
        self.text = ""
        self.start = self.last = time.monotonic()

    def advance(self) -> None:
        """Print how far it is, where the last such line is long enough ago."""
        self.done += 1
        now = time.monotonic()
        if now - self.last < SECONDS_BETWEEN_LINES and self.done < self.total:
            return
        self.last = now
        rate = self.done / max(now - self.start, 1e-6)
        left = clock((self.total - self.done) / rate)
        speed = f", {rate:.2f} {self.unit}/s, {left} left" if now - self.start > 1 else ""  # else it says nothing
        text = f", {self.text}" if self.text else ""
        self.say(f"{self.verb} {self.done}/{self.total}{speed}{text}", "")

    def step(self, text: str) -> None:
        """Print the text, where the last line is long enough ago."""
        now = time.monotonic()
        if now - self.last >= SECONDS_BETWEEN_LINES:
            self.last = now
            self.say(f"{self.verb} {self.done + 1} of {self.total}: {text}", "")

    def resize(self, total: int) -> None:
        """Count to there."""
        self.total = total

    def describe(self, text: str) -> None:
        """Say it in the next line."""
        self.text = text


class Downloads:
    """Says once what is being fetched; what pipes and quiet commands see."""

    def __init__(self, say: Say):
        self.say = say
        self.started: set[str] = set()

    def __call__(self, name: str, done: int, total: int | None) -> None:
        """Called as bytes arrive: `done` of `total` bytes of the file `name`."""
        if name not in self.started:
            self.started.add(name)
            self.say(f"downloading {name}" + (f" ({megabytes(total)})" if total else ""), "")


class DownloadBars(Downloads):
    """A bar a file."""

    def __init__(self, say: Say, progress: Progress):
        super().__init__(say)
        self.progress = progress
        self.tasks: dict[str, int] = {}

    def __call__(self, name: str, done: int, total: int | None) -> None:
        """Move the file's bar, which the first call makes."""
        if name not in self.tasks:
            self.tasks[name] = self.progress.add_task(shown(name), total=total)
        self.progress.update(self.tasks[name], completed=done, total=total)


class _RateColumn(ProgressColumn):
    """Things a second, in one unit."""

    def __init__(self, unit: str):
        super().__init__()
        self.unit = unit

    def render(self, task: Task) -> Text:
        rate = task.finished_speed or task.speed
        return Text(f"{rate:.2f} {self.unit}/s" if rate else f"- {self.unit}/s", "cyan")


def bar(console: Console, unit: str) -> Progress:
    """A bar with count, rate and time left, gone when it is done."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, _RateColumn(unit), TimeRemainingColumn(), console=console, transient=True)


def download_bars(console: Console) -> Progress:
    """Bars with bytes, speed and time left, gone when they are done."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    return Progress(*columns, TimeRemainingColumn(), console=console, transient=True)


def clock(seconds: float) -> str:
    """Seconds as h:mm:ss."""
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"


def megabytes(count: int) -> str:
    """Bytes as megabytes, the unit in which downloads are offered."""
    return f"{count / 1e6:.1f} MB"
