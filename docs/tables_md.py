"""Writes `docs/tables.md`: every row of the papers' tables about the authors' own networks, with its commands.

Run `python docs/tables_md.py` after a change to the rows (`tables_rows.py`, `tables_v3_rows.py`), to the variants or to
the weights that exist; tests compare the page with what this writes.
"""

from collections.abc import Iterable
from functools import cache
from pathlib import Path

from tables_rows import V1, V2, Row, Table
from tables_v3_rows import V3, V3PLUS

from segcli.models.cost import Cost, measure
from segcli.models.spec import ModelSpec
from segcli.models.variants import PAPER_SCALES, get
from segcli.weights import manifest

TARGET = Path(__file__).with_name("tables.md")
TABLES = (*V1, *V2, *V3, *V3PLUS)
SIZE = 513
CLASSES = 21

HEAD = """\
# The papers' tables

Written by `python docs/tables_md.py`; do not edit. The four DeepLab papers have tables that compare the authors' own
networks, or ways to train them. This page has every row of these tables. For each row it gives the command that shows
the size of the network, and the command that trains it. Names with a `+` are explained in [models.md](models.md).

- **parameters, multiply-adds**: for one photo of {size} x {size} and {classes} classes, at the output stride of the
  evaluation. Multiply-adds are those of all convolutions. Every output pixel counts once. In rows with MS or flip the
  network runs several times, and all these runs are counted.
- **in its way** (the v3+ paper's Tables 3 and 5): the multiply-adds as the paper counts them. Its profiler also counted
  the padding of TensorFlow's space-to-batch: a convolution with kernel k and rate r on a side of h pixels computes
  r * (ceil((h + (k - 1) r) / r) - (k - 1)) outputs instead of h. Every row is within 0.5 % of the paper's figure.
- **paper's mIOU**: on VOC 2012 val, unless the title names other data.
- **known here**: a score of published weights of exactly this network, scored as the row says. It is empty if no such
  score is known. Nobody has trained these rows here.
- **counts**: the command that prints parameters and multiply-adds.
- **trains**: the command that trains the network, with the most similar recipe that comes with segcli (`segcli recipes`
  lists them). To score the result: `segcli eval --dataset voc2012 --weights run`, with `--output-stride`, `--ms`,
  `--flip` and `--crf` as the row says.
"""

REST = """
## What has no row here

- v1, Tables 1 (b) and 3, v2, Tables 5 and 8, v3, Tables 7 and 13, and v3+, Table 7 (b). They compare different methods
  on the test sets. The authors' own networks in them are the ones above.
- v3, Table 11. It compares numbers of machines that train at the same time without waiting for each other.
- v3+, Table 4. It shows the error of two backbones on ImageNet. segcli does not train on ImageNet.
"""


def render() -> str:
    """The whole page."""
    return "".join((HEAD.format(size=SIZE, classes=CLASSES), *map(section, TABLES), REST))


def section(table: Table) -> str:
    """A table with its heading and note."""
    columns = (*table.columns, *_count_columns(table), "paper's mIOU", "known here", "counts", "trains")
    align = "l" * len(table.columns) + "r" * len(_count_columns(table)) + "rlll"
    rows = [(*row.cells, *figures(row), row.miou, known(row), *commands(table, row)) for row in table.rows]
    note = f"{table.note}\n\n" if table.note else ""
    return f"\n## {table.title}\n\n{note}{markdown(columns, align, rows)}"


def _count_columns(table: Table) -> tuple[str, ...]:
    if table.rows[0].billions:
        return "parameters", "multiply-adds", "in its way", "paper"
    if table.rows[0].millions:
        return "parameters", "paper", "multiply-adds"
    return "parameters", "multiply-adds"


def commands(table: Table, row: Row) -> tuple[str, str]:
    """What counts a row's network, and what trains it."""
    return f"`{counting(row)}`", f"`{training(table, row)}`"


def counting(row: Row) -> str:
    """The command that counts a row's network, at the paper's size and by its protocol."""
    stride = row.eval_stride or row.train_stride
    protocol = " --ms" * row.scales + " --flip" * row.flip
    return f"segcli models {row.model} --size {SIZE} --output-stride {stride}{protocol}"


def training(table: Table, row: Row) -> str:
    """The command that trains a row's network."""
    usual = 8 if table.recipe.startswith(("v1", "v2")) else 16
    stride = (f"model.output_stride={row.train_stride}",) * (row.train_stride != usual)
    changes = (f"model.name={row.model}", *stride, *row.changes)
    told = "".join(f' --set "{change}"' if "[" in change else f" --set {change}" for change in changes)
    return f"segcli train --config {table.recipe}{told} -o run"


def figures(row: Row) -> tuple[str, ...]:
    """A row's counts, with the paper's beside them where it has some."""
    found, runs = cost(get(row.model), row.eval_stride or row.train_stride, row.scales), 1 + row.flip
    parameters, plain = f"{found.parameters / 1e6:.1f} M", f"{found.multiply_adds * runs / 1e9:.2f} B"
    if row.billions:
        return parameters, plain, f"{in_its_way(row):.2f} B", f"{row.billions:.2f} B"
    return (parameters, f"{row.millions} M", plain) if row.millions else (parameters, plain)


def in_its_way(row: Row) -> float:
    """Billions of multiply-adds of a row as the v3+ paper counts."""
    found = cost(get(row.model), row.eval_stride or row.train_stride, row.scales)
    return found.as_paper * (1 + row.flip) / 1e9


@cache
def cost(spec: ModelSpec, output_stride: int, scales: bool) -> Cost:
    """The cost of one photo, not mirrored; measured once however many rows ask."""
    return measure(spec, SIZE, classes=CLASSES, output_stride=output_stride, scales=PAPER_SCALES if scales else (1.0,))


def known(row: Row) -> str:
    """What is known of published weights of a row's network."""
    if not row.weights:
        return ""
    entry = manifest.resolve(row.weights)
    if entry.measured_miou is not None:
        return f"{entry.measured_miou:.2f} measured, `{entry.name}`"
    return f"{entry.reported_miou:.2f} reported, `{entry.name}`"


def markdown(header: tuple[str, ...], align: str, rows: Iterable[tuple[str, ...]]) -> str:
    """A table; `align` has one of "l" and "r" per column."""
    rule = ("---:" if side == "r" else "---" for side in align)
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (header, rule, *rows))


if __name__ == "__main__":
    TARGET.write_text(render(), encoding="utf-8", newline="\n")
