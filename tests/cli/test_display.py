"""Remarks: whole in a pipe, broken between words on a terminal."""

import io

import pytest
from rich.console import Console

from segcli.cli.display import Display


def said(is_terminal, text):
    display = Display()
    display.err = Console(
        file=io.StringIO(), force_terminal=is_terminal, width=20, soft_wrap=True, highlight=False, color_system=None
    )
    display.warn(text)
    return display.err.file.getvalue()


@pytest.mark.parametrize(
    ("is_terminal", "lines"),
    [
        (False, ["warning: the rate of learning falls"]),
        (True, ["warning: the rate of", "learning falls"]),
    ],
)
def test_a_terminal_gets_lines_that_end_between_words(is_terminal, lines):
    assert said(is_terminal, "the rate of learning falls").splitlines() == lines


def test_a_path_that_is_too_long_for_a_line_stays_whole():
    assert "\n/a/path-that-is-longer/than\n" in said(True, "see /a/path-that-is-longer/than a line")
