"""How a plan looks: a line or two for each decision with its reason, within 80 columns; and what it will take."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from segcli.files.paths import shown

if TYPE_CHECKING:
    from segcli.training.planning.foretold import Foretold
    from segcli.training.planning.plan import Plan

WIDTH, TOPICS = 80, 15
"""The columns of the whole, and of the topics before the text."""


def show(plan: Plan, say: Callable[[str], None]) -> None:
    """Say a plan line by line: what it is for, then every decision."""
    for line in textwrap.wrap(plan.title, WIDTH, subsequent_indent="  "):
        say(line)
    for reason in plan.reasons:
        _say(reason.topic, str(reason), say)


def show_needs(found: Foretold, folder: Path, say: Callable[[str], None]) -> None:
    """Say what a run will take, line by line.

    Args:
        found: What it will take.
        folder: Where its files go.
        say: Prints a line.
    """
    from segcli.training.planning.foretold import size

    if found.time:
        _say("time", found.time, say)
    free = "" if found.available is None else f" of the {size(found.available)} that are free"
    _say("memory", f"{size(found.memory)}{free}", say)
    _say("disk", f"{size(found.disk)} in {shown(folder)}, {size(found.free)} are free there", say)


def _say(topic: str, text: str, say: Callable[[str], None]) -> None:
    """Say a topic and its text, wrapped beside it."""
    indent = " " * TOPICS
    for line in textwrap.wrap(text, WIDTH, initial_indent=topic.ljust(TOPICS), subsequent_indent=indent):
        say(line)
