"""A network in training: parts of it keep their weights and statistics, and a second head may learn beside it."""

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from segcli.training.optimization.auxiliary import AuxiliaryHead, late_features


class PartlyFrozen(nn.Module):
    """A DeepLab network whose batch normalisation, backbone or both can be frozen, with its auxiliary head if any.

    What is frozen keeps its weights and its batch statistics, also after `train()`.

    Args:
        network: With a `backbone`.
        freeze_bn: Whether every batch normalisation is frozen, for good.
        auxiliary: The auxiliary head; it learns, and counts, in training alone.
    """

    def __init__(self, network: nn.Module, freeze_bn: bool, auxiliary: AuxiliaryHead | None = None):
        super().__init__()
        self.network = network
        self.auxiliary = auxiliary
        self.frozen_norms = tuple(m for m in self.modules() if freeze_bn and isinstance(m, _BatchNorm))
        self.frozen_backbone = False
        self.freeze_backbone(False)

    def freeze_backbone(self, frozen: bool) -> None:
        """Freeze the backbone, or let it learn again."""
        self.frozen_backbone = frozen
        self.network.backbone.requires_grad_(not frozen)
        for norm in self.frozen_norms:
            norm.requires_grad_(False)
        self.train(self.training)

    def train(self, mode: bool = True) -> "PartlyFrozen":
        """Set training mode as every module's `train` does, but what is frozen stays in eval mode."""
        super().train(mode)
        if self.frozen_backbone:
            self.network.backbone.eval()
        for norm in self.frozen_norms:
            norm.eval()
        return self

    def forward(self, x: Tensor) -> Tensor | list[Tensor]:
        """The network's logits: one tensor, or one for each scale and their maximum (v2).

        In training with an auxiliary head: [the network's, the head's].
        """
        if self.auxiliary is None or not self.training:
            return self.network(x)
        with late_features(self.network.backbone) as features:
            logits = self.network(x)
        return [logits, self.auxiliary(features[0])]
