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

WIDE, WIDE_BAR, NARROW_BAR = 100, 40, 16
"""The columns from which on a terminal is wide, and those of a bar on it and on others."""
LONGEST_NAME = 20
"""The letters of a file's name beside a bar."""

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

    def part(self, name: str, text: str, share: float | None) -> None:
        """A part of the thing in hand is done: its name, how far it is in words, and as 0..1 where that is known."""

    def remark(self, text: str, style: str = "yellow") -> None:
        """A line between the progress."""
        self.say(text, style)


class Remaining:
    """The time that the thing in hand still takes, by what its parts have taken in this run."""

    def __init__(self):
        self._name, self._start, self._first = "", 0.0, 1.0

    def after(self, name: str, share: float | None) -> str:
        """In words, to follow others, once so much of it is done; empty as long as nobody knows."""
        if share is None or share == 1:
            return ""
        now = time.monotonic()
        if name != self._name or share < self._first:
            self._name, self._start, self._first = name, now, share
        gained, passed = share - self._first, now - self._start
        return f", {clock((1 - share) * passed / gained)} left" if gained > 0 and passed > 1 else ""


class BarCounter(Counter):
    """A bar on a terminal, and a second one for the thing in hand where that takes long."""

    def __init__(self, say: Say, progress: Progress, task: int):
        super().__init__(say)
        self.progress = progress
        self.task = task
        self._part: int | None = None
        self._remaining = Remaining()

    def advance(self) -> None:
        """Move the bar."""
        if self._part is not None:
            self.progress.remove_task(self._part)
            self._part = None
        self.progress.update(self.task, advance=1, visible=True)

    def part(self, name: str, text: str, share: float | None) -> None:
        """Move the second bar, which stands alone where the thing in hand is the only one."""
        if self._part is None:
            self._part = self.progress.add_task(short(name), total=None, text="")
            self.progress.update(self.task, visible=self.progress.tasks[0].total != 1)
        known = {} if share is None else {"completed": share, "total": 1.0}
        self.progress.update(self._part, text=text + self._remaining.after(name, share), **known)

    def resize(self, total: int) -> None:
        """Make the bar as long."""
        self.progress.update(self.task, total=total)

    def describe(self, text: str) -> None:
        """Write beside the bar."""
        self.progress.update(self.task, description=shown(text))


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
        self._remaining = Remaining()

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

    def part(self, name: str, text: str, share: float | None) -> None:
        """Print it, where the last line is long enough ago."""
        left, now = self._remaining.after(name, share), time.monotonic()
        if now - self.last >= SECONDS_BETWEEN_LINES:
            self.last = now
            self.say(f"{self.verb} {self.done + 1} of {self.total}: {name}, {text}{left}", "")

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
    """Things a second, in one unit, which is left out where there is no room for it beside what the bar says."""

    def __init__(self, unit: str, is_wide: bool):
        super().__init__()
        self.unit = unit
        self.is_wide = is_wide

    def render(self, task: Task) -> Text:
        if _is_part(task):
            return Text()
        rate = task.finished_speed or task.speed
        unit = f" {self.unit}" if self.is_wide or len(task.description) <= LONGEST_NAME else ""
        return Text(f"{rate:.2f}{unit}/s" if rate else f"-{unit}/s", "cyan")


class _CountColumn(MofNCompleteColumn):
    """How many are done; of a thing that is done in parts, the words that say how far it is."""

    def render(self, task: Task) -> Text:
        return Text(task.fields["text"]) if _is_part(task) else super().render(task)


class _LeftColumn(TimeRemainingColumn):
    """The time left; of a thing that is done in parts its words say it."""

    def render(self, task: Task) -> Text:
        return Text() if _is_part(task) else super().render(task)


def _is_part(task: Task) -> bool:
    return "text" in task.fields


def bar(console: Console, unit: str) -> Progress:
    """A bar with count, rate and time left, gone when it is done."""
    is_wide = console.width >= WIDE
    length = BarColumn(WIDE_BAR if is_wide else NARROW_BAR)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), length, _CountColumn())
    return Progress(*columns, _RateColumn(unit, is_wide), _LeftColumn(), console=console, transient=True)


def short(name: str) -> str:
    """A name that leaves room for the bar: its middle is left out where it is long."""
    whole = shown(name)
    return whole if len(whole) <= LONGEST_NAME else f"{whole[: LONGEST_NAME // 2 - 1]}…{whole[-LONGEST_NAME // 2 :]}"


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
