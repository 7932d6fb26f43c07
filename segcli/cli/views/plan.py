"""How a plan looks: a line or two for each decision with its reason, within 80 columns; and what it will take."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from segcli.training.planning.plan import Plan

WIDTH, TOPICS = 80, 15
"""The columns of the whole, and of the topics before the text."""


def show(plan: Plan, say: Callable[[str], None]) -> None:
    """Say a plan line by line, on stdout where it is the result, on stderr before a run."""
    for line in lines(plan):
        say(line)


def lines(plan: Plan) -> Iterator[str]:
    """The lines of a plan: what it is for, then every decision."""
    yield from textwrap.wrap(plan.title, WIDTH, subsequent_indent="  ")
    for reason in plan.reasons:
        yield from told(reason.topic, str(reason))


def told(topic: str, text: str) -> list[str]:
    """A topic and its text, wrapped beside it."""
    return textwrap.wrap(
        text, WIDTH, initial_indent=topic.ljust(TOPICS), subsequent_indent=" " * TOPICS, break_long_words=False
    )
