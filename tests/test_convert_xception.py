import pytest
import timm
import torch
import torchvision
from calibration import calibrate, relative_difference
from peers import DeepLabV3Plus, segmentron_checkpoint

from segcli import convert, variants
from segcli.errors import UsageError, WeightsError
from segcli.models import build

SEGMENTRON = variants.get("v3plus-xception")


def backbone(spec, checkpoint, output_stride):
    network = build(spec, 21, output_stride).backbone.eval()
    state = convert.convert(checkpoint, "timm", spec)
    network.load_state_dict({name.removeprefix("backbone."): tensor for name, tensor in state.items()})
    return network


@torch.no_grad()
def difference_to_timm(spec, kind, mutate=lambda state: state):
    theirs = calibrate(timm.create_model(kind))
    ours = backbone(spec, mutate(theirs.state_dict()), 32)
    photo = torch.randn(1, 3, 65, 97)
    return relative_difference(ours(photo)[-1], theirs.forward_features(photo))


def swapped(first, second):
    """The state dict with the tensors of two modules exchanged: the mistake a rename table makes."""

    def mutate(state):
        parts = {name: name.rpartition(".") for name in state}
        other = {first: second, second: first}
        return {f"{other.get(module, module)}.{leaf}": state[name] for name, (module, _, leaf) in parts.items()}

    return mutate


def test_timm_xception():
    assert difference_to_timm(variants.get("v3plus-xception"), "xception65") <= 1e-4


def test_timm_xception_mutated():
    mutate = swapped("blocks.5.stack.conv1.conv_dw", "blocks.5.stack.conv2.conv_dw")
    assert difference_to_timm(variants.get("v3plus-xception41"), "xception41", mutate) > 1e-3


@torch.no_grad()
def difference_to_segmentron(output_stride, mutate=lambda state: state):
    original = calibrate(DeepLabV3Plus("xception65", output_stride, 19))
    network = build(SEGMENTRON, 19, output_stride).eval()
    network.load_state_dict(convert.convert(mutate(segmentron_checkpoint(original)), "segmentron", SEGMENTRON))
    photo = torch.randn(1, 3, 65, 97)
    return relative_difference(network(photo), original(photo))


@pytest.mark.parametrize("output_stride", [8, 16])
def test_segmentron_xception(output_stride):
    assert difference_to_segmentron(output_stride) <= 1e-4


def test_segmentron_xception_mutated():
    mutate = swapped("head.aspp.aspp1.block.depthwise", "head.aspp.aspp2.block.depthwise")
    assert difference_to_segmentron(16, mutate) > 1e-3


def test_segmentron_xception_has_792_keys_in_its_encoder():
    with torch.device("meta"):
        checkpoint = segmentron_checkpoint(DeepLabV3Plus("xception65", 16, 19))
    assert sum(name.startswith("encoder.") for name in checkpoint) == 792
    assert set(convert.segmentron.names(SEGMENTRON)) == {n for n in checkpoint if not n.endswith("num_batches_tracked")}


def test_segmentron_resnet_drops_the_classifier():
    spec = variants.get("v3plus-resnet101")
    table = convert.segmentron.names(spec)
    assert table["encoder.layer3.22.conv3.weight"] == "backbone.layer3.22.conv3.weight"
    assert table["encoder.fc.weight"] is None
    with torch.device("meta"):
        ours = {n for n in build(spec, 19).state_dict() if not n.endswith("num_batches_tracked")}
    assert set(table.values()) - {None} == ours


def test_segmentron_has_no_other_models():
    with pytest.raises(UsageError, match="SegmenTron has no v3plus-xception71"):
        convert.convert({}, "segmentron", variants.get("v3plus-xception71"))


def same(ours, theirs):
    return all(torch.equal(a, b) for a, b in zip(ours.parameters(), theirs.parameters(), strict=True))


@pytest.mark.parametrize("source", ["timm", "torchvision"])
@torch.no_grad()
def test_vgg(source):
    spec = variants.get("v1-vgg16")

    theirs = timm.create_model("vgg16") if source == "timm" else torchvision.models.vgg16()
    ours = backbone(spec, theirs.state_dict(), 8)
    assert len(ours.state_dict()) == 26
    assert same(ours.features, theirs.features)
    mutated = backbone(spec, swapped("features.19", "features.21")(theirs.state_dict()), 8)
    assert not same(mutated.features, theirs.features)


def test_vgg_with_batch_normalisation_is_refused():
    with torch.device("meta"):
        checkpoint = timm.create_model("vgg16_bn").state_dict()
    with pytest.raises(WeightsError, match="unknown tensor features"):
        convert.convert(checkpoint, "timm", variants.get("v1-vgg16"))
