"""How the scores of classes look beside each other in a run: a small table, however many classes there are."""

from __future__ import annotations

from collections.abc import Mapping

from rich.table import Table
from rich.text import Text

from segcli.cli.display import columns
from segcli.cli.views.scores import percent
from segcli.evaluation.metrics import dice_of
from segcli.files.paths import shown
from segcli.images.plots import MOST_CLASSES

IOUs = Mapping[str, float | None]
"""Intersection over union, 0..1, by class name; None for a class with no pixel in truth or prediction."""
FEW = 4
"""Where there are many classes, so many of those that moved most are shown, and as many of the lowest."""


def table(iou: IOUs, before: IOUs | None = None) -> tuple[Table, str]:
    """A table of class, IOU and Dice, and a line on the classes that are left out, which is empty where none is.

    Args:
        iou: Of all classes.
        before: At the validation before, for a column with the change; None leaves it out.
    """
    known = {name: value for name, value in iou.items() if value is not None}
    changes = {
        name: known[name] - value for name, value in (before or {}).items() if name in known and value is not None
    }
    names = list(known) if len(known) <= MOST_CLASSES else _telling(known, changes)
    headings = ("class", "IOU", "Dice", *(("change",) if before else ()))
    result = columns(*headings, right=headings[1:])
    for name in names:
        # A name that is too long ends in dots: the column alone may shrink, and a cell of it may not wrap.
        row = [
            Text(shown(name), no_wrap=True, overflow="ellipsis"),
            percent(known[name]),
            percent(dice_of(known[name])),
        ]
        result.add_row(*row, *([_change(changes.get(name))] if before else []))
    others = sorted(known[name] for name in known.keys() - set(names))
    rest = f"{len(others)} others: IOU {percent(others[0])} to {percent(others[-1])}" if others else ""
    return result, rest


def _telling(iou: Mapping[str, float], changes: Mapping[str, float]) -> list[str]:
    """The names of the classes that are lowest and of those that moved most, the lowest first."""
    lowest = sorted(iou, key=iou.get)
    moved = sorted(changes, key=lambda name: -abs(changes[name]))[:FEW]
    chosen = list(dict.fromkeys([*lowest[:FEW], *moved, *lowest]))[: 2 * FEW]
    return sorted(chosen, key=iou.get)


def _change(value: float | None) -> Text:
    """The change in points, green or red where it is one."""
    if value is None:
        return Text("")
    text = f"{100 * value:+.2f}"
    return Text(text, "" if float(text) == 0 else "green" if value > 0 else "red")
