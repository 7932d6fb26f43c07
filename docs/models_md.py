"""Writes `docs/models.md`: every variant with its cost, and Tables 3 and 5 of the v3+ paper counted again.

Run `python docs/models_md.py` after a change to `segcli/models/variants.py` or `segcli/models/spec.py`; a test
compares the file with what this writes.
"""

import inspect
import re
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

from segcli.decoding import described
from segcli.models import differences
from segcli.models.cost import Cost, measure
from segcli.models.limits import KINDS_WITH
from segcli.models.spec import ASPPSpec, BackboneSpec, BranchesSpec, DecoderSpec, ModelSpec
from segcli.models.variants import PAPER_SCALES, VARIANTS, get

TARGET = Path(__file__).with_name("models.md")
SIZE = 513
CLASSES = 21


class Row(NamedTuple):
    """One line of Table 3 or 5 of 1802.02611: which network, how it is evaluated, and what the paper says about it.

    `multi_grid` is False where the paper's count is that of a network without it; `pretraining` is beyond ImageNet.
    """

    model: str
    train_stride: int
    eval_stride: int
    miou: float
    billions: float
    scales: bool = False
    flip: bool = False
    pretraining: str = ""
    multi_grid: bool = True


BETA, BETA_PLAIN = "v3plus-resnet101-beta", "v3plus-resnet101-beta-nodecoder"
TABLE_3 = (
    Row(BETA_PLAIN, 16, 16, 77.21, 81.02),
    Row(BETA_PLAIN, 16, 8, 78.51, 276.18),
    Row(BETA_PLAIN, 16, 8, 78.45, 2435.37, scales=True),
    Row(BETA_PLAIN, 16, 8, 79.77, 4870.59, scales=True, flip=True),
    Row(BETA, 16, 16, 78.85, 101.28, multi_grid=False),
    Row(BETA, 16, 16, 80.09, 898.69, scales=True),
    Row(BETA, 16, 16, 80.22, 1797.23, scales=True, flip=True),
    Row(BETA, 16, 8, 79.35, 297.92),
    Row(BETA, 16, 8, 80.43, 2623.61, scales=True),
    Row(BETA, 16, 8, 80.57, 5247.07, scales=True, flip=True),
    Row(BETA_PLAIN, 32, 32, 75.43, 52.43),
    Row(BETA, 32, 32, 77.37, 74.20),
    Row(BETA, 32, 16, 77.80, 101.28, multi_grid=False),
    Row(BETA, 32, 8, 77.92, 297.92),
)

XCEPTION, DENSE, PLAIN = "v3plus-xception", "v3plus-xception-nosc", "v3plus-xception-nosc-nodecoder"
TABLE_5 = (
    Row(PLAIN, 16, 16, 79.17, 68.00),
    Row(PLAIN, 16, 16, 80.57, 601.74, scales=True),
    Row(PLAIN, 16, 16, 80.79, 1203.34, scales=True, flip=True),
    Row(PLAIN, 16, 8, 79.64, 240.85),
    Row(PLAIN, 16, 8, 81.15, 2149.91, scales=True),
    Row(PLAIN, 16, 8, 81.34, 4299.68, scales=True, flip=True),
    Row(DENSE, 16, 16, 79.93, 89.76),
    Row(DENSE, 16, 16, 81.38, 790.12, scales=True),
    Row(DENSE, 16, 16, 81.44, 1580.10, scales=True, flip=True),
    Row(DENSE, 16, 8, 80.22, 262.59),
    Row(DENSE, 16, 8, 81.60, 2338.15, scales=True),
    Row(DENSE, 16, 8, 81.63, 4676.16, scales=True, flip=True),
    Row(XCEPTION, 16, 16, 79.79, 54.17),
    Row(XCEPTION, 16, 16, 81.21, 928.81, scales=True, flip=True),
    Row(XCEPTION, 16, 8, 80.02, 177.10),
    Row(XCEPTION, 16, 8, 81.39, 3055.35, scales=True, flip=True),
    Row(XCEPTION, 16, 16, 82.20, 54.17, pretraining="COCO"),
    Row(XCEPTION, 16, 16, 83.34, 928.81, scales=True, flip=True, pretraining="COCO"),
    Row(XCEPTION, 16, 8, 82.45, 177.10, pretraining="COCO"),
    Row(XCEPTION, 16, 8, 83.58, 3055.35, scales=True, flip=True, pretraining="COCO"),
    Row(XCEPTION, 16, 16, 83.03, 54.17, pretraining="COCO, JFT"),
    Row(XCEPTION, 16, 16, 84.22, 928.81, scales=True, flip=True, pretraining="COCO, JFT"),
    Row(XCEPTION, 16, 8, 83.39, 177.10, pretraining="COCO, JFT"),
    Row(XCEPTION, 16, 8, 84.56, 3055.35, scales=True, flip=True, pretraining="COCO, JFT"),
)

HEAD = """\
# Models

Written by `python docs/models_md.py`; do not edit. `segcli models` prints the same for any size and output stride,
with the weights that exist.

Multiply-adds are those of all convolutions for one input of {size} x {size} and {classes} classes at the model's
default output stride, every output pixel counted once.

## Variants

"""

DIFFERENCES = """
## A variant with differences

Not every network has a name. A variant with differences is written `NAME+KEY=VALUE+KEY=VALUE`, in a recipe too, and
shown by `segcli models v3-resnet101+mg=1,2,3+image_pooling=false`. A recipe can also give them as a table:

```toml
[model]
name = "v3-resnet101"
spec = { multi_grid = [1, 2, 3], aspp = { image_pooling = false } }
```

A list is written `1,2,3`, the decoder's convolutions `3x256,3x256`, and an empty list by nothing behind the sign.
`mg` is short for `multi_grid`. `decoder=none` leaves the decoder out, and `decoder=default` gives one to a network
that has none. What cannot be built is refused. Checkpoints keep the whole description, so that they load by
themselves. There are no published weights of such networks: train them.
"""

TABLES = """
## The v3+ paper's tables

VOC 2012 val, {size} x {size}, as in Tables 3 and 5 of [1802.02611](https://arxiv.org/abs/1802.02611); the mIOU is
the paper's. The last three columns are multiply-adds in billions: as the paper prints them, as this tool counts them
in the paper's way, and plainly.

The paper's profiler also counted the padding that TensorFlow's space-to-batch adds: a convolution with kernel k and
rate r on a side of h pixels computes r * (ceil((h + (k - 1) r) / r) - (k - 1)) outputs instead of h. "MS" runs the
scales 0.5, 0.75, 1, 1.25, 1.5 and 1.75, a side of d becoming int((d - 1) s + 1); "flip" runs each also mirrored.
"""

MULTI_GRID_NOTE = """
The two rows marked * fit a network without multi-grid. With the multi-grid (1, 2, 4) that every other row has, the
multi-scale rows of the same network included, the count is {count:.2f}.
"""


@cache
def cost(spec: ModelSpec, output_stride: int, scales: bool = False) -> Cost:
    """The cost of one photo, not mirrored; measured once however many rows ask."""
    return measure(spec, SIZE, classes=CLASSES, output_stride=output_stride, scales=PAPER_SCALES if scales else (1.0,))


def counted(row: Row) -> tuple[float, float]:
    """Billions of multiply-adds of `row`: in the paper's way, and plainly."""
    spec = get(row.model)
    if not row.multi_grid:
        spec = replace(spec, backbone=replace(spec.backbone, multi_grid=(1, 1, 1)))
    found = cost(spec, row.eval_stride, row.scales)
    runs = 2 if row.flip else 1
    return found.as_paper * runs / 1e9, found.multiply_adds * runs / 1e9


def render() -> str:
    """The whole page."""
    multi_grid = cost(get(BETA), 16).as_paper / 1e9
    return "".join(
        (
            HEAD.format(size=SIZE, classes=CLASSES),
            variants_table(),
            DIFFERENCES,
            *(f"\n{title}\n\n{keys_table(kind, example)}" for title, kind, example in GROUPS),
            TABLES.format(size=SIZE),
            "\n### Table 3: ResNet-101\n\n",
            paper_table(TABLE_3),
            MULTI_GRID_NOTE.format(count=multi_grid),
            "\n### Table 5: Xception-65\n\n",
            paper_table(TABLE_5),
        )
    )


def variants_table() -> str:
    """Every variant at its default output stride."""
    header = ("model", "paper", "backbone", "parameters", "multiply-adds", "output stride", "others")
    rows = []
    for spec in VARIANTS.values():
        found = cost(spec, spec.output_stride)
        others = ", ".join(str(stride) for stride in spec.output_strides if stride != spec.output_stride)
        figures = (f"{found.parameters / 1e6:.1f} M", f"{found.multiply_adds / 1e9:.2f} B")
        rows.append((f"`{spec.name}`", spec.family, spec.backbone.kind, *figures, str(spec.output_stride), others))
    return markdown(header, "lllrrrl", rows)


GROUPS = (
    ("The backbone:", BackboneSpec, "v3-resnet101"),
    ("The pyramid of v3 and v3+ (`aspp`):", ASPPSpec, "v3-resnet101"),
    ("The head of v1 and v2 (`head`):", BranchesSpec, "v2-vgg16"),
    ("The decoder:", DecoderSpec, "v3plus-xception"),
    ("The whole network:", ModelSpec, "v3-resnet101"),
)
"""What stands above the keys of each group, the class that has them, and a variant that has the group."""


def keys_table(kind: type, example: str) -> str:
    """The keys of a group: what each takes, and what it is."""
    base, about = get(example), attributes(kind)
    group = {BackboneSpec: "backbone", DecoderSpec: "decoder", ModelSpec: ""}.get(kind, "head")
    rows = []
    for place, hint in differences.keys(base).items():
        of_group, _, name = place.rpartition(".")
        if of_group == group:
            kinds = f" Only {' and '.join(KINDS_WITH[name])}." if name in KINDS_WITH else ""
            key = differences.text(base, {place: 0}).strip("+").partition("=")[0]
            rows.append((f"`{key}`", described(hint), about[name] + kinds))
    return markdown(("key", "takes", "what it is"), "lll", rows)


def attributes(kind: type) -> dict[str, str]:
    """What a dataclass's docstring says of each attribute, in one line."""
    listed = inspect.getdoc(kind).partition("Attributes:\n")[2]
    parts = re.findall(r"^    (\w+): (.*(?:\n        .*)*)", listed, re.M)
    return {name: " ".join(text.split()) for name, text in parts}


def paper_table(table: Iterable[Row]) -> str:
    """One of the paper's tables with our counts beside its own."""
    header = ("model", "train OS", "eval OS", "MS", "flip", "pretraining", "mIOU", "paper", "in its way", "plain")
    rows = []
    for row in table:
        in_its_way, plain = counted(row)
        strides = (str(row.train_stride), str(row.eval_stride))
        flags = ("yes" if row.scales else "", "yes" if row.flip else "", row.pretraining)
        mark = "" if row.multi_grid else " *"
        figures = (f"{row.miou:.2f}", f"{row.billions:.2f}{mark}", f"{in_its_way:.2f}{mark}", f"{plain:.2f}")
        rows.append((f"`{row.model}`", *strides, *flags, *figures))
    return markdown(header, "lrrlllrrrr", rows)


def markdown(header: tuple[str, ...], align: str, rows: Iterable[tuple[str, ...]]) -> str:
    """A table; `align` has one of "l" and "r" per column."""
    rule = ("---:" if side == "r" else "---" for side in align)
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (header, rule, *rows))


if __name__ == "__main__":
    TARGET.write_text(render(), encoding="utf-8", newline="\n")
