"""Parameter groups: the classifier's factor, and what decays."""

import pytest
import torch

from segcli.models import variants
from segcli.models.networks.deeplab import build
from segcli.training.optimization import optimizer
from segcli.training.recipe import Optimizer


def network_of(name):
    with torch.device("meta"):
        return build(variants.get(name), 21)


def names_of(group, network):
    members = {id(parameter) for parameter in group["params"]}
    return {name for name, parameter in network.named_parameters() if id(parameter) in members}


@pytest.mark.parametrize(
    ("model", "classifiers"),
    [
        ("v1-vgg16", {"classifier.0.fc8.weight", "classifier.0.fc8.bias"}),
        ("v2-vgg16", {f"classifier.{i}.fc8.{part}" for i in range(4) for part in ("weight", "bias")}),
        ("v2-resnet101", {f"classifier.{i}.{part}" for i in range(4) for part in ("weight", "bias")}),
        ("v3plus-mobilenetv2", {"classifier.weight", "classifier.bias"}),
    ],
)
def test_only_the_layer_that_gives_classes_learns_faster(model, classifiers):
    network = network_of(model)
    groups = optimizer.groups(network.named_parameters(), Optimizer(classifier_rate=10))
    fast = set().union(*(names_of(group, network) for group in groups if group["rate_factor"] == 10))
    assert fast == classifiers
    assert {group["rate_factor"] for group in groups} == {1.0, 10.0}


def test_kernels_decay_and_nothing_else():
    network = network_of("v3plus-mobilenetv2")
    groups = optimizer.groups(network.named_parameters(), Optimizer(weight_decay=4e-5))
    decays = set().union(*(names_of(group, network) for group in groups if group["weight_decay"]))
    kernels = {f"{name}.weight" for name, module in network.named_modules() if isinstance(module, torch.nn.Conv2d)}
    assert decays == kernels
    assert {group["weight_decay"] for group in groups} == {0.0, 4e-5}


def test_depthwise_kernels_are_free_of_decay_on_request():
    network = network_of("v3plus-xception")
    settings = Optimizer(weight_decay=4e-5, decay_depthwise=False)
    groups = optimizer.groups(network.named_parameters(), settings)
    decays = set().union(*(names_of(group, network) for group in groups if group["weight_decay"]))
    convolutions = [(name, m) for name, m in network.named_modules() if isinstance(m, torch.nn.Conv2d)]
    assert decays == {f"{name}.weight" for name, module in convolutions if module.groups == 1}
    assert any(module.groups > 1 for _, module in convolutions)


def test_all_decay_on_request_and_each_parameter_is_in_one_group():
    network = network_of("v2-vgg16")
    groups = optimizer.groups(network.named_parameters(), Optimizer(weight_decay=5e-4, decay_all=True))
    assert {group["weight_decay"] for group in groups} == {5e-4}
    assert sorted(id(p) for g in groups for p in g["params"]) == sorted(id(p) for p in network.parameters())


def rates_by_name(network, settings):
    groups = optimizer.groups(network.named_parameters(), settings)
    return {name: group["rate_factor"] for group in groups for name in names_of(group, network)}


def test_biases_learn_as_caffes_do_1_2_10_and_20():
    """`lr_mult` of DeepLab's train.prototxt."""
    rates = rates_by_name(network_of("v2-vgg16"), Optimizer(classifier_rate=10, bias_rate=2))
    assert rates["backbone.features.0.weight"] == 1
    assert rates["backbone.features.0.bias"] == 2
    assert rates["classifier.3.fc6.weight"] == 1
    assert rates["classifier.3.fc6.bias"] == 2
    assert rates["classifier.3.fc8.weight"] == 10
    assert rates["classifier.3.fc8.bias"] == 20
    assert sorted(set(rates.values())) == [1, 2, 10, 20]


def test_the_head_is_all_but_backbone_and_classifier_and_norms_have_no_bias_of_their_own():
    rates = rates_by_name(network_of("v3plus-mobilenetv2"), Optimizer(classifier_rate=7, head_rate=3, bias_rate=2))
    assert {name: rate for name, rate in rates.items() if name.startswith("classifier.")} == {
        "classifier.weight": 7,
        "classifier.bias": 14,
    }
    parts = {
        part: {rate for name, rate in rates.items() if name.startswith(part)} for part in ("backbone.", "decoder.")
    }
    assert parts == {"backbone.": {1}, "decoder.": {3}}
    assert rates["aspp.project.bn.bias"] == 3


def test_the_auxiliary_head_comes_after_the_network():
    network, auxiliary = network_of("v1-vgg16"), torch.nn.Module()
    auxiliary.conv, auxiliary.classifier = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
    built = optimizer.build(network, Optimizer(classifier_rate=10, head_rate=5), auxiliary)
    rates = {id(parameter): group["rate_factor"] for group in built.param_groups for parameter in group["params"]}
    assert [rates[id(parameter)] for parameter in auxiliary.parameters()] == [5, 5, 10, 10]
    last = built.param_groups[next(i for i, g in enumerate(built.param_groups) if g["rate_factor"] == 10)]["params"][-1]
    assert last is auxiliary.classifier.weight


def test_adamw_decays_apart_from_the_gradient_and_takes_momentum_as_beta1():
    """Its first step moves each weight by the rate against the gradient's sign, and shrinks it by rate * decay."""
    network = torch.nn.Module()
    network.backbone, network.classifier = torch.nn.Linear(1, 1, bias=False), torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.constant_(network.backbone.weight, 2.0)
    adamw = optimizer.build(network, Optimizer(kind="adamw", momentum=0.8, weight_decay=0.5))
    assert {group["betas"] for group in adamw.param_groups} == {(0.8, 0.999)}
    network.backbone.weight.grad = torch.full((1, 1), 0.3)
    optimizer.set_rate(adamw, 0.01)
    adamw.step()
    assert network.backbone.weight.item() == pytest.approx(2 * (1 - 0.01 * 0.5) - 0.01, rel=1e-6)


def test_a_step_is_the_papers_update():
    """v <- 0.9 v + g + decay w; w <- w - rate v, twice, with the classifier at ten times the rate."""
    network = torch.nn.Module()
    network.backbone, network.classifier = torch.nn.Linear(1, 1, bias=False), torch.nn.Linear(1, 1, bias=False)
    weights = {"backbone": 2.0, "classifier": 3.0}
    for name, value in weights.items():
        torch.nn.init.constant_(getattr(network, name).weight, value)
    sgd = optimizer.build(network, Optimizer(momentum=0.9, weight_decay=0.01, classifier_rate=10))
    speed = dict.fromkeys(weights, 0.0)
    for rate in (0.1, 0.05):
        for name, value in weights.items():
            getattr(network, name).weight.grad = torch.full((1, 1), 0.5)
            speed[name] = 0.9 * speed[name] + 0.5 + 0.01 * value
            weights[name] = value - rate * (10 if name == "classifier" else 1) * speed[name]
        optimizer.set_rate(sgd, rate)
        sgd.step()
    assert {name: getattr(network, name).weight.item() for name in weights} == pytest.approx(weights, rel=1e-6)
