"""How often each class occurs in labels, as a table."""

from rich.table import Table

from segcli.cli.display import columns
from segcli.cli.views.scores import swatch
from segcli.data.census import Census
from segcli.labels import VOID, LabelSet


def frequencies(labels: LabelSet, census: Census) -> Table:
    """A row for each class and one for void: its share of the pixels, and the labels in which it occurs."""
    table = columns("", "class", "pixels %", "labels with it", right=("pixels %", "labels with it"))
    total = max(1, census.pixels.sum())
    for index, name in enumerate((*labels.names, "void")):
        colour = labels.colours()[index if index < len(labels) else VOID]
        table.add_row(swatch(colour), name, f"{100 * census.pixels[index] / total:.2f}", str(census.images[index]))
    return table
