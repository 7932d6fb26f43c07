import pytest
import timm
import torch
import torchvision
from calibration import calibrate, relative_difference
from mutations import swapped
from peers import DeepLabV3Plus, segmentron_checkpoint

from segcli.errors import UsageError, WeightsError
from segcli.models import variants
from segcli.models.networks.deeplab import build
from segcli.weights.convert import layouts


def backbone(spec, checkpoint, output_stride):
    network = build(spec, 21, output_stride).backbone.eval()
    state = layouts.convert(checkpoint, "timm", spec)
    network.load_state_dict({name.removeprefix("backbone."): tensor for name, tensor in state.items()})
    return network


@torch.no_grad()
def test_timm_xception():
    spec = variants.get("v3plus-xception")
    theirs = calibrate(timm.create_model("xception65"))
    photo = torch.randn(1, 3, 65, 97)
    expected = theirs.forward_features(photo)
    checkpoint = theirs.state_dict()
    assert relative_difference(backbone(spec, checkpoint, 32)(photo)[-1], expected) <= 1e-4
    mutated = swapped(checkpoint, "blocks.5.stack")
    assert relative_difference(backbone(spec, mutated, 32)(photo)[-1], expected) > 1e-3


@pytest.mark.parametrize("name", ["v3plus-xception41", "v3plus-xception71"])
def test_timm_has_the_other_xceptions_name_by_name(name):
    with torch.device("meta"):
        theirs = timm.create_model(name.removeprefix("v3plus-")).state_dict()
    assert set(layouts.timm.names(variants.get(name))) == {n for n in theirs if not n.endswith("num_batches_tracked")}


@pytest.mark.parametrize(
    ("name", "kind", "output_stride"),
    [
        ("v3plus-xception", "xception65", 8),
        ("v3plus-xception", "xception65", 16),
        ("v3plus-resnet101", "resnet101", 16),
    ],
)
@torch.no_grad()
def test_segmentron(name, kind, output_stride):
    spec = variants.get(name)
    original = calibrate(DeepLabV3Plus(kind, output_stride, 19))
    checkpoint = segmentron_checkpoint(original)
    photo = torch.randn(1, 3, 65, 97)
    expected = original(photo)

    def difference(tensors):
        network = build(spec, 19, output_stride).eval()
        network.load_state_dict(layouts.convert(tensors, "segmentron", spec))
        return relative_difference(network(photo), expected)

    assert difference(checkpoint) <= 1e-4
    assert difference(swapped(checkpoint, "block.depthwise")) > 1e-3


def test_segmentron_xception_has_792_keys_in_its_encoder():
    with torch.device("meta"):
        checkpoint = segmentron_checkpoint(DeepLabV3Plus("xception65", 16, 19))
    assert sum(name.startswith("encoder.") for name in checkpoint) == 792
    assert set(layouts.segmentron.names(variants.get("v3plus-xception"))) == {
        n for n in checkpoint if not n.endswith("num_batches_tracked")
    }


def test_segmentron_has_no_other_models():
    with pytest.raises(UsageError, match="SegmenTron has no v3plus-xception71"):
        layouts.convert({}, "segmentron", variants.get("v3plus-xception71"))


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
    mutated = backbone(spec, swapped(theirs.state_dict(), "features"), 8)
    assert not same(mutated.features, theirs.features)


def test_vgg_with_batch_normalisation_is_refused():
    with torch.device("meta"):
        checkpoint = timm.create_model("vgg16_bn").state_dict()
    with pytest.raises(WeightsError, match="unknown tensor features"):
        layouts.convert(checkpoint, "timm", variants.get("v1-vgg16"))
