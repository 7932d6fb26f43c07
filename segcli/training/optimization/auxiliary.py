"""AuxiliaryHead: a second head on the backbone's last stage but one, which brings it a gradient of its own.

It learns beside the network ("deep supervision", PSPNet, 1612.01105, section 3.3) and is thrown away afterwards.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from segcli.errors import UsageError
from segcli.models.networks.layers import ConvBN, conv2d
from segcli.models.spec import ModelSpec
from segcli.training import init
from segcli.training.recipe import Recipe

DROPOUT = 0.1


class AuxiliaryHead(nn.Module):
    """torchvision's `FCNHead`: 3x3 to a quarter of the channels, BN, ReLU, dropout of 0.1, and 1x1 to the classes.

    Args:
        channels: Of the features.
        classes: How many logits a pixel has.
    """

    def __init__(self, channels: int, classes: int):
        super().__init__()
        self.conv = ConvBN(channels, channels // 4, 3)
        self.dropout = nn.Dropout(DROPOUT)
        self.classifier = conv2d(channels // 4, classes, bias=True)

    def forward(self, features: Tensor) -> Tensor:
        """(N, C, h, w) -> logits (N, classes, h, w)."""
        return self.classifier(self.dropout(self.conv(features)))


def build(spec: ModelSpec, network: nn.Module, classes: int, recipe: Recipe) -> AuxiliaryHead | None:
    """The auxiliary head of a network where the recipe gives it a weight, on the CPU; its weights follow from the seed.

    Raises:
        UsageError: The network computes at several scales at once (v2), for which no such head is published.
    """
    if not recipe.loss.auxiliary:
        return None
    if spec.scales:
        message = f"{spec.name} learns at several scales at once and can have no loss.auxiliary"
        raise UsageError(message, "Set loss.auxiliary = 0, or take a model of one scale.")
    head = AuxiliaryHead(network.backbone.late_stage[1], classes)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.run.seed)
        init.initialise(head)
    init.set_layers(head, recipe.model)
    return head


@contextmanager
def late_features(backbone: nn.Module) -> Iterator[list[Tensor]]:
    """Within the context, what a backbone's last stage but one gives at each pass, (N, C, h, w), is appended."""
    found: list[Tensor] = []

    def keep(_module: nn.Module, _inputs: Any, output: Any) -> None:
        found.append(output[0] if isinstance(output, tuple) else output)  # an Xception's block gives its tap too

    handle = backbone.get_submodule(backbone.late_stage[0]).register_forward_hook(keep)
    try:
        yield found
    finally:
        handle.remove()
