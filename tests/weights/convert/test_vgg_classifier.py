"""fc6 and fc7 from ImageNet's classifier: they answer as the fully connected layers do, and what decimation keeps."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from segcli.errors import WeightsError
from segcli.models import variants
from segcli.models.networks.heads import Branches
from segcli.weights.convert import vgg_classifier
from segcli.weights.convert.vgg_classifier import first_layers

FILTERS, CHANNELS = 8, 3
SIZES = {"v1-vgg16": 2, "v1-vgg16-7x7": 8, "v1-vgg16-4x4": 8, "v2-vgg16": 2}


@pytest.fixture
def small(monkeypatch):
    """A VGG-16 classifier of 8 filters over 3 channels instead of 4096 over 512."""
    monkeypatch.setattr(vgg_classifier, "FILTERS", FILTERS)
    monkeypatch.setattr(vgg_classifier, "CHANNELS", CHANNELS)
    names = {"0": (FILTERS, CHANNELS * 49), "3": (FILTERS, FILTERS)}
    tensors = {f"classifier.{i}.weight": torch.randn(shape) for i, shape in names.items()}
    return tensors | {f"classifier.{i}.bias": torch.randn(FILTERS) for i in names}


def spec_of(name):
    """The variant with a share of its filters as small as the classifier is."""
    spec = variants.get(name)
    return replace(spec, head=replace(spec.head, channels=SIZES[name]))


def test_all_filters_of_7x7_give_what_torchvisions_linear_layers_give(small):
    """Its classifier flattens 512 x 7 x 7 features; fc6 of rate 4 sees them four pixels apart."""
    spec = spec_of("v1-vgg16-7x7")
    head = Branches(spec.head, CHANNELS, 5).eval()
    missing = head.load_state_dict(
        {k.removeprefix("classifier."): v for k, v in first_layers(small, spec).items()}, False
    )
    assert missing.missing_keys == ["0.fc8.weight", "0.fc8.bias"]
    features = torch.randn(1, CHANNELS, 7, 7)
    spread = torch.zeros(1, CHANNELS, 25, 25)
    spread[..., ::4, ::4] = features
    ours = head[0][:6](spread)[0, :, 12, 12]
    theirs = F.linear(features.flatten(1), small["classifier.0.weight"], small["classifier.0.bias"]).relu()
    theirs = F.linear(theirs, small["classifier.3.weight"], small["classifier.3.bias"]).relu()[0]
    assert torch.allclose(ours, theirs, atol=1e-4)


@pytest.mark.parametrize(("name", "rows", "filters"), [("v1-vgg16-4x4", [0, 2, 4, 6], 8), ("v1-vgg16", [0, 3, 6], 2)])
def test_decimation_keeps_every_second_or_third_weight(small, name, rows, filters):
    spec = spec_of(name)
    found = first_layers(small, spec)
    kernels = small["classifier.0.weight"].view(FILTERS, CHANNELS, 7, 7)
    every = [i * FILTERS // filters for i in range(filters)]
    assert torch.equal(found["classifier.0.fc6.weight"], kernels[every][:, :, rows][..., rows])
    assert torch.equal(found["classifier.0.fc6.bias"], small["classifier.0.bias"][every])
    assert torch.equal(found["classifier.0.fc7.weight"][..., 0, 0], small["classifier.3.weight"][every][:, every])
    Branches(spec.head, CHANNELS, 5).load_state_dict(
        {key.removeprefix("classifier."): tensor for key, tensor in found.items()}, strict=False
    )


def test_timms_names_are_the_same_layers_and_every_branch_of_aspp_begins_alike(small):
    spec = spec_of("v2-vgg16")
    timm = {
        key.replace("classifier.0", "pre_logits.fc1").replace("classifier.3", "pre_logits.fc2"): tensor
        for key, tensor in small.items()
    }
    timm["pre_logits.fc1.weight"] = timm["pre_logits.fc1.weight"].view(FILTERS, CHANNELS, 7, 7)
    timm["pre_logits.fc2.weight"] = timm["pre_logits.fc2.weight"].view(FILTERS, FILTERS, 1, 1)
    one, other = first_layers(small, spec), first_layers(timm, spec)
    assert one.keys() == other.keys()
    assert {key.split(".")[1] for key in one} == {"0", "1", "2", "3"}
    assert all(torch.equal(one[key], other[key]) for key in one)
    assert torch.equal(one["classifier.0.fc6.weight"], one["classifier.3.fc6.weight"])


def test_nothing_is_taken_where_there_is_nothing_that_fits(small):
    assert first_layers({}, spec_of("v1-vgg16")) == {}
    assert first_layers(small, variants.get("v2-resnet101")) == {}
    odd = spec_of("v1-vgg16")
    assert first_layers(small, replace(odd, head=replace(odd.head, kernel=5))) == {}
    assert first_layers(small, replace(odd, head=replace(odd.head, channels=3))) == {}


def test_another_classifier_is_refused(small):
    small["classifier.0.weight"] = torch.zeros(FILTERS, CHANNELS * 36)
    with pytest.raises(WeightsError, match=r"classifier\.0\.weight of 8 x 108 numbers"):
        first_layers(small, spec_of("v1-vgg16"))
