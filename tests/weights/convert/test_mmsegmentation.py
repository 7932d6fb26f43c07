"""mmsegmentation's models, rebuilt from its configs, against ours with their weights converted."""

from dataclasses import replace
from functools import cache

import pytest
import torch
from calibration import calibrate, relative_difference
from mmsegmentation_peer import EncoderDecoder
from mutations import swapped, without_statistics

from segcli import labels
from segcli.errors import UsageError
from segcli.models import variants
from segcli.models.networks.deeplab import build
from segcli.weights import manifest
from segcli.weights.convert.layouts import convert

PEERS = {
    "v3plus-resnet50@voc2012": {},
    "v3plus-resnet50@cityscapes-7x7": {"deep_stem": False},
    "v3-resnet50@voc2012-mmseg": {"decoder": False},
    "v3plus-resnet101@cityscapes-769": {"align_corners": True},
    "v3plus-resnet101@cityscapes-mg124": {
        "strides": (1, 2, 2, 1),
        "rates": (1, 1, 1, 2),
        "multi_grid": (1, 2, 4),
        "pyramid": (6, 12, 18),
    },
}
"""The config of each kind of graph among the published files, as it differs from deeplabv3plus_r50-d8."""

CHANNELS = 32


def spec_of(name):
    """The entry's on ResNet-50 and with 32 channels in its head, so that the test is quick: neither changes a rule."""
    spec = manifest.resolve(name).model_spec()
    decoder = spec.decoder and replace(spec.decoder, convs=((3, CHANNELS), (3, CHANNELS)))
    backbone, head = replace(spec.backbone, kind="resnet50"), replace(spec.head, channels=CHANNELS)
    return replace(spec, backbone=backbone, head=head, decoder=decoder)


@cache
def peer(name):
    torch.manual_seed(2)
    return calibrate(EncoderDecoder(classes=5, channels=CHANNELS, **PEERS[name]), size=33)


def ours(tensors, spec):
    with torch.device("meta"):
        network = build(spec, 5)
    network.load_state_dict(convert(tensors, "mmsegmentation", spec), assign=True)
    return network.eval()


@torch.no_grad()
def difference(network, theirs):
    x = torch.randn(1, 3, 97, 113, generator=torch.Generator().manual_seed(4))
    return relative_difference(network(x), theirs(x))


@pytest.mark.parametrize("name", PEERS)
def test_equals_mmsegmentation(name):
    theirs = peer(name)
    assert difference(ours(theirs.state_dict(), spec_of(name)), theirs) <= 1e-4


NAME = "v3plus-resnet50@voc2012"


def changed(part, **changes):
    spec = spec_of(NAME)
    return replace(spec, **{part: replace(getattr(spec, part), **changes)})


MUTANTS = {
    "kernels swapped": lambda t: ours(swapped(t, "pointwise_conv.conv"), spec_of(NAME)),
    "statistics dropped": lambda t: ours(without_statistics(t), spec_of(NAME)),
    "another eps": lambda t: ours(t, changed("backbone", bn_eps=1e-3)),
    "dilation not contracted": lambda t: ours(t, changed("backbone", strided_unit_rate="new")),
    "pool last, as torchvision": lambda t: ours(t, changed("head", pool_first=False)),
    "branches swapped": lambda t: ours(t, changed("head", rates=(12, 6, 18))),
    "corners aligned": lambda t: ours(t, replace(spec_of(NAME), align_corners=True)),
}


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS)
def test_a_mutation_breaks_the_equality(mutant):
    theirs = peer(NAME)
    assert difference(mutant(theirs.state_dict()), theirs) > 1e-3


def test_each_kind_of_entry_takes_a_whole_file():
    kinds = {(e.variant, str(e.spec)): e for e in manifest.entries() if e.format == "mmsegmentation"}
    assert len(kinds) == 7
    for entry in kinds.values():
        classes = len(labels.get(entry.labels))
        differences = PEERS.get(entry.name, {"decoder": "v3plus" in entry.name})
        with torch.device("meta"):
            theirs = EncoderDecoder(entry.variant.rpartition("-")[2], classes, **differences).state_dict()
            network = build(entry.model_spec(), classes)
        network.load_state_dict(convert(theirs, entry.format, entry.model_spec()), assign=True)


@pytest.mark.parametrize("name", ["v3plus-resnet101", "v3plus-xception", "v3plus-resnet101-beta", "v2-resnet101"])
def test_a_model_of_another_shape_is_refused(name):
    with pytest.raises(UsageError, match=f"mmsegmentation has no {name} of this shape"):
        convert({}, "mmsegmentation", variants.get(name))


def test_the_hashes_are_those_of_the_file_names():
    for entry in manifest.entries():
        if entry.format == "mmsegmentation":
            assert entry.source.url.endswith(f"-{entry.named_sha256}.pth")
