"""Foreign checkpoints under this project's names.

One file a layout. Its `names(spec)` is the whole rename table, {foreign name: ours, or None where a tensor is dropped
on purpose}: a tensor that is not in it, or that it asks for in vain, is an error, never a guess.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from segcli.errors import UsageError, WeightsError
from segcli.models.preprocessing import Preprocessing
from segcli.models.spec import ModelSpec
from segcli.weights.convert import (
    caffe_v2,
    mmsegmentation,
    segmentron,
    tensorflow,
    timm,
    torchvision,
    transformers,
    vainf,
)
from segcli.weights.convert.names import Names


@dataclass(frozen=True)
class Layout:
    """How one project lays out its checkpoints.

    Attributes:
        names: The rename table for a model; UsageError where that project has no such model.
        ignored: What no table lists: optimiser slots, counters.
        transpose: From the foreign name and tensor to the tensor in torch's axis order.
        averages: What a name ends with that holds a weight's running average, taken instead of the weight itself.
        differences: From a variant to what its network does otherwise, nested as a spec is, where the manifest has no
            file that could say so.
        preprocessing: What its inputs look like, where the manifest has no file.
    """

    names: Callable[[ModelSpec], Names]
    ignored: re.Pattern[str] = re.compile(r"\.num_batches_tracked$")
    transpose: Callable[[str, Tensor], Tensor] = lambda name, tensor: tensor
    averages: str = ""
    differences: Callable[[ModelSpec], Mapping[str, Any]] = lambda spec: {}
    preprocessing: Preprocessing | None = None


LAYOUTS = {
    "transformers": Layout(transformers.names),
    "torchvision": Layout(torchvision.names),
    "timm": Layout(timm.names),
    "caffe-v2": Layout(caffe_v2.names),
    "mmsegmentation": Layout(mmsegmentation.names),
    "segmentron": Layout(segmentron.names),
    "tensorflow": Layout(tensorflow.names, tensorflow.SLOTS, tensorflow.transpose, tensorflow.AVERAGES),
    "vainf": Layout(vainf.names, differences=vainf.differences, preprocessing=vainf.PREPROCESSING),
}


def get(layout: str) -> Layout:
    """The layout of that name; UsageError where there is none."""
    if layout not in LAYOUTS:
        raise UsageError(f"no weights layout is called {layout!r}", f"Known: {', '.join(LAYOUTS)}.")
    return LAYOUTS[layout]


def convert(tensors: Mapping[str, Tensor], layout: str, spec: ModelSpec) -> dict[str, Tensor]:
    """The state dict of `spec`'s network, or of its backbone alone (timm: `backbone.*` only), from a foreign one.

    BN's num_batches_tracked is left out; load_state_dict(strict=True) does without it.

    Raises:
        UsageError: There is no such layout, or it has no such model.
        WeightsError: A tensor is unknown or missing; the message names it.
    """
    known = get(layout)
    names = known.names(spec)
    present = {name for name in tensors if not known.ignored.search(name)}
    _refuse(layout, spec, "has an unknown tensor", sorted(present - set(names)))
    _refuse(layout, spec, "lacks the tensor", sorted(n for n, ours in names.items() if ours and n not in present))

    def taken(name: str) -> Tensor:
        return known.transpose(name, tensors.get(f"{name}{known.averages}", tensors[name]))

    return {ours: taken(theirs) for theirs, ours in names.items() if ours}


def _refuse(layout: str, spec: ModelSpec, problem: str, odd: list[str]) -> None:
    if odd:
        more = f" and {len(odd) - 1} more" if len(odd) > 1 else ""
        raise WeightsError(
            f"the {layout} checkpoint {problem} {odd[0]}{more}",
            f"Is it really a {spec.name}? `segcli models` lists the others.",
        )
