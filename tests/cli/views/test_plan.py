"""What a run will take, as lines that stay readable in a narrow terminal."""

from pathlib import Path

from segcli.cli.views.plan import show_needs
from segcli.training.planning.foretold import Foretold


def lines(found, minutes):
    said = []
    show_needs(found, Path("mine"), minutes, said.append)
    return said


def test_needs_are_told_beside_what_is_free():
    found = Foretold(630.0, 1.5, 2_400_000_000, 8_000_000_000, 35_000_000, 64_000_000_000)
    assert lines(found, 10) == [
        "time           about 10 min, 1.5 s a step, and no more than 10 min",
        "memory         2.4 GB of the 8.0 GB that are free",
        "disk           35 MB in mine, 64.0 GB are free there",
    ]
    assert lines(found, 0)[0] == "time           about 10 min, 1.5 s a step"


def test_what_nobody_knows_is_left_out():
    found = Foretold(None, None, 2_400_000_000, None, 35_000_000, 64_000_000_000)
    assert lines(found, 0)[0] == "memory         2.4 GB"
