"""Ema: an exponential moving average of a network's weights, which often tells more than the newest weights do."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn


class Ema:
    """A copy of a network whose weights and batch statistics are averages over the steps, the newest weighing most.

    After each step every average becomes d * average + (1 - d) * new, d = min(decay, (1 + t) / (10 + t)) after t steps
    before it: the first steps count for much less than a fixed decay would have them (TensorFlow's
    ExponentialMovingAverage with `num_updates`). Whole numbers, such as counts of batches, are the network's own.

    Args:
        network: As it is trained; its values now are the first averages.
        decay: In 0..1; 0.999 averages over about a thousand steps.

    Attributes:
        network: The averaged copy, in eval mode; it does not learn by itself.
        steps: How many steps are averaged.
    """

    def __init__(self, network: nn.Module, decay: float):
        self.network = deepcopy(network).eval().requires_grad_(False)
        self.decay = decay
        self.steps = 0

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Take in the network as it is after a step."""
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        get_ema_multi_avg_fn(decay)(_floats(self.network), _floats(network), None)
        for own, counted in zip(_others(self.network), _others(network), strict=True):
            own.copy_(counted)
        self.steps += 1

    def state_dict(self) -> dict[str, Any]:
        """What `load_state_dict` takes: plain values and tensors."""
        return {"steps": self.steps, "network": self.network.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go back to what `state_dict` gave."""
        self.network.load_state_dict(state["network"])
        self.steps = state["steps"]


def _floats(network: nn.Module) -> list[Tensor]:
    """The tensors that are averaged."""
    return [tensor for tensor in network.state_dict().values() if tensor.is_floating_point()]


def _others(network: nn.Module) -> list[Tensor]:
    """The tensors of whole numbers."""
    return [tensor for tensor in network.state_dict().values() if not tensor.is_floating_point()]
