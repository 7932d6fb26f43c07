"""Progress within one thing that takes long: a second bar on a terminal, a line now and then in a pipe."""

import io
from types import SimpleNamespace

import pytest
from rich.console import Console

from segcli.cli import progress
from segcli.cli.progress import BarCounter, LineCounter, Remaining, bar, short


@pytest.fixture
def clock(monkeypatch):
    now = SimpleNamespace(seconds=100.0)
    monkeypatch.setattr(progress.time, "monotonic", lambda: now.seconds)
    return now


def test_the_time_left_counts_from_where_this_run_began(clock):
    remaining = Remaining()
    assert remaining.after("a.tif", 0.5) == ""
    clock.seconds += 30
    assert remaining.after("a.tif", 0.75) == ", 0:00:30 left"
    assert remaining.after("a.tif", None) == remaining.after("a.tif", 1.0) == ""
    assert remaining.after("b.tif", 0.75) == "", "another one has a pace of its own"
    clock.seconds += 10
    assert remaining.after("b.tif", 0.80) == ", 0:00:40 left"
    assert remaining.after("b.tif", 0.1) == "", "another folder's of the same name"


def test_a_pipe_gets_a_line_every_ten_seconds(clock):
    said = []
    counter = LineCounter(lambda text, style: said.append(text), 3, "segmenting", "images")
    for number in range(1, 9):
        clock.seconds += 4
        counter.part("ortho.tif", f"window {number} of 8", number / 8)
    assert said == [
        "segmenting 1 of 3: ortho.tif, window 3 of 8, 0:00:20 left",
        "segmenting 1 of 3: ortho.tif, window 6 of 8, 0:00:08 left",
    ]


def drawn(total, width, work):
    """The lines of a terminal of that width in the midst of some work."""
    console = Console(file=io.StringIO(), force_terminal=True, width=width, color_system=None)
    with bar(console, "images") as shown:
        work(BarCounter(lambda *_: None, shown, shown.add_task("segmenting", total=total)))
        plain = Console(file=io.StringIO(), width=width, color_system=None)
        plain.print(shown.get_renderable())
    return [line.rstrip() for line in plain.file.getvalue().splitlines()]


def test_the_only_thing_has_the_bar_for_itself():
    (line,) = drawn(1, 80, lambda counter: counter.part("ortho.tif", "window 20 of 40, 9 of 20 MP", 0.5))
    assert "ortho.tif ━━━━━━━━" in line
    assert line.endswith("window 20 of 40, 9 of 20 MP")
    assert "0/1" not in line


def test_one_of_several_has_a_bar_below_that_goes_when_it_is_done():
    def work(counter):
        counter.part("a.mp4", "frame 8, 0:00:01 of 0:00:02", 0.5)

    first, second = drawn(3, 80, work)
    assert "segmenting" in first
    assert "0/3" in first
    assert second.endswith("frame 8, 0:00:01 of 0:00:02")

    def done(counter):
        work(counter)
        counter.advance()

    (line,) = drawn(3, 80, done)
    assert "1/3" in line


@pytest.mark.parametrize(("width", "rate"), [(80, "-/s"), (120, "- iterations/s")])
def test_a_bar_that_says_much_stays_one_line(width, rate):
    console = Console(file=io.StringIO(), force_terminal=True, width=width, color_system=None)
    with bar(console, "iterations") as shown:
        shown.add_task("loss 1.175, best mIOU 25.89", total=20_000, completed=12_345)
        plain = Console(file=io.StringIO(), width=width, color_system=None)
        plain.print(shown.get_renderable())
    (line,) = plain.file.getvalue().splitlines()
    assert f"12345/20000 {rate} " in line


def test_a_long_name_leaves_room():
    assert short("ortho.tif") == "ortho.tif"
    assert short("2026-07-01_DJI_0001_block_7.tif") == "2026-07-0…lock_7.tif"
