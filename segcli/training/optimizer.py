"""The optimizer, and which parameters it moves at which rate and decay, by the papers' protocol."""

from collections.abc import Iterable

import torch
from torch import nn

from segcli.training.recipe import Optimizer


def is_classifier(name: str) -> bool:
    """Whether a parameter belongs to the layer that gives the logits; VGG's fc6 and fc7 stand before it."""
    return name.startswith("classifier.") and not any(f".{layer}." in name for layer in ("fc6", "fc7"))


def groups(parameters: Iterable[tuple[str, nn.Parameter]], settings: Optimizer) -> list[dict]:
    """Parameter groups, as torch's optimizers take them: one for each factor on the rate and weight decay.

    The classifier learns `classifier_rate` times as fast. Biases and batch normalisation do not decay unless
    `decay_all` says so: Caffe's and TensorFlow's DeepLab regularise the kernels of convolutions only. (TensorFlow's
    leaves out depthwise kernels too; here they decay.)

    Args:
        parameters: (name, parameter) as a DeepLab network names them.
        settings: [optimizer] of the recipe.
    """
    found: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in parameters:
        factor = settings.classifier_rate if is_classifier(name) else 1.0
        decay = settings.weight_decay if parameter.ndim > 1 or settings.decay_all else 0.0
        found.setdefault((factor, decay), []).append(parameter)
    return [
        {"params": members, "rate_factor": factor, "weight_decay": decay} for (factor, decay), members in found.items()
    ]


def build(network: nn.Module, settings: Optimizer) -> torch.optim.Optimizer:
    """The optimizer of all the network's parameters; its rate is set before each step by `set_rate`.

    AdamW takes `momentum` as its beta1, and its weight decay is decoupled: 0.01 to 0.05 is usual there.
    """
    if settings.kind == "adamw":
        return torch.optim.AdamW(groups(network.named_parameters(), settings), lr=0.0, betas=(settings.momentum, 0.999))
    return torch.optim.SGD(groups(network.named_parameters(), settings), lr=0.0, momentum=settings.momentum)


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the rate of the next step; the classifier's is a multiple of it."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["rate_factor"]
