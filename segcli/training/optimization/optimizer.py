"""The optimizer, and which parameters it moves at which rate and decay, by the papers' protocol."""

from collections.abc import Iterable
from itertools import chain

import torch
from torch import nn

from segcli.training.recipe import Optimizer

AUXILIARY = "auxiliary."
"""What the names of the auxiliary head's parameters begin with; beyond it they are like a network's."""


def is_classifier(name: str) -> bool:
    """Whether a parameter belongs to a layer that gives logits: the last of each branch, and of v1's MSc networks."""
    layer = name.removeprefix(AUXILIARY)
    if layer.startswith("multi_scale."):
        return ".classifier." in layer
    return layer.startswith("classifier.") and not any(f".{before}." in layer for before in ("fc6", "fc7"))


def groups(parameters: Iterable[tuple[str, nn.Parameter]], settings: Optimizer) -> list[dict]:
    """Parameter groups, as torch's optimizers take them: one for each factor on the rate and weight decay.

    The classifier learns `classifier_rate` times as fast, what else is no backbone `head_rate` times, and biases of
    convolutions `bias_rate` times beyond that: Caffe's DeepLab has 1, 2, 10 and 20. Biases and batch normalisation do
    not decay unless `decay_all` says so: Caffe's and TensorFlow's DeepLab regularise the kernels of convolutions only.
    Without `decay_depthwise` the kernels of depthwise convolutions do not either, as in TensorFlow's.

    Args:
        parameters: (name, parameter) as a DeepLab network names them.
        settings: [optimizer] of the recipe.
    """
    named = list(parameters)
    biases = {f"{name.removesuffix('weight')}bias" for name, parameter in named if parameter.ndim > 1}
    found: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in named:
        factor = _part_rate(name, settings) * (settings.bias_rate if name in biases else 1.0)
        decay = settings.weight_decay if _decays(parameter, settings) else 0.0
        found.setdefault((factor, decay), []).append(parameter)
    return [
        {"params": members, "rate_factor": factor, "weight_decay": decay} for (factor, decay), members in found.items()
    ]


def _decays(parameter: nn.Parameter, settings: Optimizer) -> bool:
    """Whether a parameter's weights decay."""
    if not settings.decay_depthwise and parameter.ndim > 1 and parameter.shape[1] == 1:  # one channel a kernel
        return False
    return parameter.ndim > 1 or settings.decay_all


def _part_rate(name: str, settings: Optimizer) -> float:
    """The factor on the rate of the part of the network that a parameter belongs to."""
    if is_classifier(name):
        return settings.classifier_rate
    return 1.0 if name.startswith("backbone.") else settings.head_rate


def build(network: nn.Module, settings: Optimizer, auxiliary: nn.Module | None = None) -> torch.optim.Optimizer:
    """The optimizer of all the network's parameters; its rate is set before each step by `set_rate`.

    AdamW takes `momentum` as its beta1, and its weight decay is decoupled: 0.01 to 0.05 is usual there.

    Args:
        network: As it is trained.
        settings: [optimizer] of the recipe.
        auxiliary: The auxiliary head, whose parameters come after the network's.
    """
    beside = auxiliary.named_parameters(AUXILIARY.rstrip(".")) if auxiliary else ()
    wanted = groups(chain(network.named_parameters(), beside), settings)
    if settings.kind == "adamw":
        return torch.optim.AdamW(wanted, lr=0.0, betas=(settings.momentum, 0.999))
    return torch.optim.SGD(wanted, lr=0.0, momentum=settings.momentum)


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the rate of the next step; the classifier's is a multiple of it."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["rate_factor"]
