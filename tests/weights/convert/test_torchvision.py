from dataclasses import replace
from functools import cache

import pytest
import torch
from calibration import calibrate, relative_difference
from mutations import swapped, without_statistics
from torchvision.models import segmentation

from segcli.errors import UsageError, WeightsError
from segcli.models import variants
from segcli.models.networks import deeplab
from segcli.weights.convert.layouts import convert

PEERS = {
    "v3-resnet50": segmentation.deeplabv3_resnet50,
    "v3-resnet101": segmentation.deeplabv3_resnet101,
    "v3-mobilenetv3": segmentation.deeplabv3_mobilenet_v3_large,
}


@cache
def peer(name: str) -> torch.nn.Module:
    network = PEERS[name](weights=None, weights_backbone=None, num_classes=21, aux_loss=True)
    return calibrate(network, size=33)


def ours(tensors: dict, spec: variants.ModelSpec) -> torch.nn.Module:
    with torch.device("meta"):
        network = deeplab.build(spec, 21)
    network.load_state_dict(convert(tensors, "torchvision", spec), assign=True)
    return network.eval()


@torch.no_grad()
def difference(network: torch.nn.Module, theirs: torch.nn.Module, side: int = 65) -> float:
    x = torch.randn(1, 3, side, side)
    return relative_difference(network(x), theirs.classifier(theirs.backbone(x)["out"]))


@pytest.mark.parametrize("name", PEERS)
def test_equals_torchvision_on_odd_and_even_sides(name):
    theirs = peer(name)
    network = ours(theirs.state_dict(), variants.get(name))
    assert difference(network, theirs, 65) <= 1e-4
    assert difference(network, theirs, 96) <= 1e-4


def changed(part: str, **changes) -> variants.ModelSpec:
    spec = variants.get("v3-mobilenetv3")
    return replace(spec, **{part: replace(getattr(spec, part), **changes)})


MUTANTS = {
    "branches swapped": lambda t: ours(t, changed("head", rates=(24, 12, 36))),
    "kernels swapped": lambda t: ours(swapped(t, "block.0.0.weight"), variants.get("v3-mobilenetv3")),
    "excitations swapped": lambda t: ours(swapped(t, "fc1.weight"), variants.get("v3-mobilenetv3")),
    "statistics dropped": lambda t: ours(without_statistics(t), variants.get("v3-mobilenetv3")),
    "another eps": lambda t: ours(t, changed("backbone", bn_eps=1e-5)),
    "pool first, as TensorFlow": lambda t: ours(t, changed("head", pool_first=True)),
}


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS)
def test_a_mutation_breaks_the_equality(mutant):
    theirs = peer("v3-mobilenetv3")
    assert difference(mutant(theirs.state_dict()), theirs, 257) > 1e-4  # 17x17 features: wide enough for rate 12


def test_the_dilation_of_a_stages_first_unit_matters():
    theirs = peer("v3-resnet50")
    spec = variants.get("v3-resnet50")
    caffe = replace(spec, backbone=replace(spec.backbone, strided_unit_rate="new"))
    assert difference(ours(theirs.state_dict(), caffe), theirs) > 1e-4


def test_a_file_without_auxiliary_classifier_serves_as_well():
    tensors = PEERS["v3-mobilenetv3"](weights=None, weights_backbone=None, num_classes=5).state_dict()
    spec = variants.get("v3-mobilenetv3")
    deeplab.build(spec, 5).load_state_dict(convert(tensors, "torchvision", spec))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("classifier.0.project.0.weight"), "lacks the tensor classifier.0.project.0.weight"),
        (lambda t: t.update({"classifier.0.convs.5.0.weight": 0}), "unknown tensor classifier.0.convs.5.0.weight"),
    ],
    ids=["missing", "unknown"],
)
def test_a_tensor_too_few_or_too_many_is_named(change, message):
    with torch.device("meta"):
        tensors = PEERS["v3-resnet50"](weights=None, weights_backbone=None).state_dict()
    change(tensors)
    with pytest.raises(WeightsError, match=message):
        convert(tensors, "torchvision", variants.get("v3-resnet50"))


@pytest.mark.parametrize("name", ["v3plus-resnet50", "v3-resnet50-mg124", "v3-resnet50-cascade", "v2-resnet101"])
def test_models_that_torchvision_lacks_are_refused(name):
    with pytest.raises(UsageError, match=f"torchvision has no {name}"):
        convert({}, "torchvision", variants.get(name))
