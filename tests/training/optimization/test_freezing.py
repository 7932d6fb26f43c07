"""What is frozen keeps its weights and its statistics, also after `train()`."""

import pytest
import torch
from blobs import RECIPE
from torch import nn

from segcli.labels import from_names
from segcli.training import init, recipe
from segcli.training.optimization.freezing import PartlyFrozen

TWO = from_names(["field", "blob"])
RECIPE_OF_BLOBS = recipe.Recipe.from_dict({"model": RECIPE["model"]})


def norms(network):
    return [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]


def test_frozen_batch_normalisation_stays_frozen_in_train():
    network = init.start(RECIPE_OF_BLOBS, TWO).network
    one = PartlyFrozen(network, freeze_bn=True).train()
    assert network.training
    assert not any(norm.training for norm in norms(network))
    assert not any(parameter.requires_grad for norm in norms(network) for parameter in norm.parameters())
    before = [norm.running_mean.clone() for norm in norms(network)]
    one(torch.randn(2, 3, 49, 49)).sum().backward()
    assert all(torch.equal(norm.running_mean, old) for norm, old in zip(norms(network), before, strict=True))
    assert network.classifier.weight.grad is not None


@pytest.mark.parametrize("freeze_bn", [False, True])
def test_a_frozen_backbone_thaws(freeze_bn):
    network = init.start(RECIPE_OF_BLOBS, TWO).network
    one = PartlyFrozen(network, freeze_bn)
    one.freeze_backbone(True)
    one.train()
    assert not any(module.training for module in network.backbone.modules())
    assert not any(parameter.requires_grad for parameter in network.backbone.parameters())
    assert network.aspp.training
    one.freeze_backbone(False)
    one.train()
    assert network.backbone.stem.conv.weight.requires_grad
    assert {norm.training for norm in norms(network.backbone)} == {not freeze_bn}
