"""Tables: what a file beside the masks says of their classes, made fit for what the masks hold."""

from collections.abc import Collection, Iterable
from dataclasses import replace

from segcli.data.classes import Classes, Table, is_background, is_unlabelled
from segcli.labels import BACKGROUND, VOID, Colour


def with_background(table: Table) -> tuple[Table, tuple[str, ...]]:
    """The table with "unlabeled" for the background where it lists no other, as Roboflow writes; and a note on that."""
    if not any(is_unlabelled(entry.name) for entry in table):
        return table, ()
    if any(is_background(entry.name) and not is_unlabelled(entry.name) for entry in table):
        return table, ()
    first = next(entry for entry in table if is_unlabelled(entry.name))
    void = f"--void {first.value}" if first.value is not None else "its value with --void"
    note = f"read {first.name!r} as the background, because no other class is; if it is void, add {void}"
    return tuple(replace(entry, name=BACKGROUND) if entry is first else entry for entry in table), (note,)


def with_greys(table: Table, found: Collection[int]) -> Table:
    """A table of grey colours, such as black and white, as one of values, where the masks hold just these values."""
    if not _are_values([entry.colour for entry in table], len(table), found):
        return table
    return tuple(replace(entry, value=entry.colour[0], colour=None) for entry in table)


def by_greys(classes: Classes | None, found: Collection[int]) -> Classes | None:
    """The classes, found by values, where their colours are greys and the masks hold just these values."""
    if classes is None or classes.ids is not None or not classes.colours:
        return classes
    colours = {colour: label for colour, label in classes.colours.items() if label != VOID}
    if not _are_values(colours, len(classes.labels), found):
        return classes
    return replace(classes, ids={colour[0]: label for colour, label in colours.items()})


def _are_values(colours: Iterable[Colour | None], classes: int, found: Collection[int]) -> bool:
    """Whether all colours are different greys, and the values of masks are among them and no mere ids."""
    greys = [colour[0] for colour in colours if colour is not None and len(set(colour)) == 1]
    if len(greys) < classes or len(set(greys)) < len(greys) or not greys:
        return False
    return bool(found) and set(found) <= set(greys) and max(found) >= classes
