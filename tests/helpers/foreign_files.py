"""Foreign checkpoints of our own networks: the rename tables read backwards. (That the tables are right is tested
elsewhere, against the originals.)"""

from functools import cache
from pathlib import Path

import torch
from calibration import calibrate
from torch import Tensor, nn

from segcli.models.networks.deeplab import build
from segcli.models.spec import ModelSpec
from segcli.weights.convert.layouts import LAYOUTS


@cache
def network(spec: ModelSpec, classes: int = 21) -> nn.Module:
    """A calibrated network, in eval mode; not to be changed."""
    torch.manual_seed(3)
    return calibrate(build(spec, classes), size=33)


def foreign_state(model: nn.Module, spec: ModelSpec, layout: str) -> dict[str, Tensor]:
    """The network's tensors under another project's names; what is dropped on purpose is there too."""
    state = model.state_dict()
    names = LAYOUTS[layout].names(spec)
    return {theirs: state[ours].clone() if ours else torch.zeros(1) for theirs, ours in names.items()}


def spoil(file: Path, change: str) -> str:
    """Take the classifier's bias out of a file in transformers' layout ("missing"), or add a tensor; gives its name."""
    state = torch.load(file, weights_only=True)
    name = {"missing": "segmentation_head.classifier.convolution.bias", "unknown": "surplus.weight"}[change]
    if change == "missing":
        del state[name]
    else:
        state[name] = torch.zeros(1)
    torch.save(state, file)
    return name


def hub_repository(root: Path, spec: ModelSpec, repo: str) -> Path:
    """A repository with `pytorch_model.bin` in transformers' layout, as tests/helpers/loopback_hub.py serves it."""
    file = root / repo / "pytorch_model.bin"
    file.parent.mkdir(parents=True)
    torch.save(foreign_state(network(spec), spec, "transformers"), file)
    return file
