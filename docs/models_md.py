"""Writes `docs/models.md`: every variant with its cost, and the keys by which a network can differ from one.

Run `python docs/models_md.py` after a change to `segcli/models/variants.py` or `segcli/models/spec.py`; a test
compares the file with what this writes.
"""

import inspect
import re
from collections.abc import Iterable
from pathlib import Path

from segcli.decoding import described
from segcli.models import differences
from segcli.models.cost import measure
from segcli.models.limits import KINDS_WITH
from segcli.models.spec import ASPPSpec, BackboneSpec, BranchesSpec, DecoderSpec, ModelSpec
from segcli.models.variants import VARIANTS, get

TARGET = Path(__file__).with_name("models.md")
SIZE = 513
CLASSES = 21


HEAD = """\
# Models

Written by `python docs/models_md.py`; do not edit. This page lists the networks that segcli can build (the variants)
and their size. `segcli models` prints the same for any input size and output stride. It also shows which published
weights there are.

Parameters are the numbers that a network learns. Multiply-adds tell how much it computes for one photo. They are those
of all convolutions, for an input of {size} x {size} and {classes} classes, at the model's default output stride. Every
output pixel counts once. The last column has the other output strides that the network can use.

## Variants

"""

DIFFERENCES = """
## A variant with differences

You can change a variant. Write its name and then each difference: `NAME+KEY=VALUE+KEY=VALUE`. This command shows such a
network: `segcli models v3-resnet101+mg=1,2,3+image_pooling=false`. In a recipe, `model.name` takes the same words. A
recipe can also give the differences as a table:

```toml
[model]
name = "v3-resnet101"
spec = { multi_grid = [1, 2, 3], aspp = { image_pooling = false } }
```

- Write a list as `1,2,3`, and the decoder's convolutions as `3x256,3x256`. For an empty list, write nothing after `=`.
- `mg` is short for `multi_grid`.
- `decoder=none` removes the decoder. `decoder=default` adds one to a network that has none.

segcli refuses a network that cannot be built. Checkpoints keep the whole description of the network, so you need not
give it again. There are no published weights of such networks: train them. [tables.md](tables.md) has every row of the
papers' tables.
"""


def render() -> str:
    """The whole page."""
    return "".join(
        (
            HEAD.format(size=SIZE, classes=CLASSES),
            variants_table(),
            DIFFERENCES,
            *(f"\n{title}\n\n{keys_table(kind, example)}" for title, kind, example in GROUPS),
        )
    )


def variants_table() -> str:
    """Every variant at its default output stride."""
    header = ("model", "paper", "backbone", "parameters", "multiply-adds", "output stride", "others")
    rows = []
    for spec in VARIANTS.values():
        found = measure(spec, SIZE, classes=CLASSES)
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


def markdown(header: tuple[str, ...], align: str, rows: Iterable[tuple[str, ...]]) -> str:
    """A table; `align` has one of "l" and "r" per column."""
    rule = ("---:" if side == "r" else "---" for side in align)
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (header, rule, *rows))


if __name__ == "__main__":
    TARGET.write_text(render(), encoding="utf-8", newline="\n")
