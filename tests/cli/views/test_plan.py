"""What a run will take, as lines that stay readable in a narrow terminal."""

from dataclasses import replace
from pathlib import Path

from segcli.cli.views.plan import show_needs
from segcli.training.planning.foretold import Foretold


def lines(found):
    said = []
    show_needs(found, Path("mine"), said.append)
    return said


def test_needs_are_told_beside_what_is_free():
    found = Foretold(630.0, 1.5, 2_400_000_000, 8_000_000_000, 35_000_000, 64_000_000_000)
    assert lines(found) == [
        "time           about 10 min (1.5 s an iteration)",
        "memory         2.4 GB of the 8.0 GB that are free",
        "disk           35 MB in mine, 64.0 GB are free there",
    ]


def test_minutes_that_are_too_short_are_said_beside_what_all_steps_would_take():
    found = Foretold(125.0, 1.5, 1, None, 1, 1, minutes=1.5)
    assert found.time == "1.5 min, too short for all iterations (about 2 min, 1.5 s an iteration)"
    assert found.within_minutes() is found
    planned = replace(found, minutes=1.7).within_minutes()
    assert planned.time == "about 2 min (1.5 s an iteration)"
    assert planned.seconds == 102  # as a plan has it, which a faster run fills
    assert replace(found, minutes=2.1).time == "about 2 min (1.5 s an iteration)"


def test_what_nobody_knows_is_left_out():
    found = Foretold(None, None, 2_400_000_000, None, 35_000_000, 64_000_000_000)
    assert lines(found)[0] == "memory         2.4 GB"
