"""VainF's v3 and v3+, rebuilt of torchvision's parts as its code has them, against ours with converted weights."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from calibration import calibrate, relative_difference
from mutations import swapped, without_statistics
from torch import nn
from torch.nn import functional as F
from torchvision.models import resnet50
from torchvision.models._utils import IntermediateLayerGetter
from torchvision.models.segmentation.deeplabv3 import ASPP, DeepLabHead

from segcli.errors import UsageError
from segcli.labels import VOC
from segcli.models import variants
from segcli.models.networks.deeplab import build
from segcli.weights import conversion, manifest, model_io
from segcli.weights.convert import vainf
from segcli.weights.convert.layouts import convert

PLUS = "v3plus-resnet50"


class Wrapped(nn.Module):
    """The v3 head, one module deeper than torchvision's."""

    def __init__(self, classes):
        super().__init__()
        self.classifier = DeepLabHead(2048, classes, (6, 12, 18))

    def forward(self, features):
        return self.classifier(features["out"])


class HeadV3Plus(nn.Module):
    """The v3+ head: low-level features come first, and one 3x3 follows."""

    def __init__(self, classes):
        super().__init__()
        self.project = nn.Sequential(nn.Conv2d(256, 48, 1, bias=False), nn.BatchNorm2d(48), nn.ReLU())
        self.aspp = ASPP(2048, (6, 12, 18))
        self.classifier = nn.Sequential(
            *(nn.Conv2d(304, 256, 3, padding=1, bias=False), nn.BatchNorm2d(256), nn.ReLU()), nn.Conv2d(256, classes, 1)
        )

    def forward(self, features):
        low_level = self.project(features["low_level"])
        wide = F.interpolate(self.aspp(features["out"]), low_level.shape[2:], mode="bilinear", align_corners=False)
        return self.classifier(torch.cat([low_level, wide], 1))


class Peer(nn.Module):
    """The whole network at output stride 16, less the enlargement of its logits."""

    def __init__(self, head):
        super().__init__()
        backbone = resnet50(weights=None, replace_stride_with_dilation=[False, False, True])
        self.backbone = IntermediateLayerGetter(backbone, {"layer1": "low_level", "layer4": "out"})
        self.classifier = head

    def forward(self, x):
        return self.classifier(self.backbone(x))


@cache
def peer(name):
    torch.manual_seed(5)
    return calibrate(Peer(HeadV3Plus(21) if "plus" in name else Wrapped(21)), size=33)


def spec_of(name):
    spec = variants.get(name)
    return manifest.adapted(spec, vainf.differences(spec))


def ours(tensors, spec):
    with torch.device("meta"):
        network = build(spec, 21)
    network.load_state_dict(convert(tensors, "vainf", spec), assign=True)
    return network.eval()


@torch.no_grad()
def difference(network, theirs):
    x = torch.randn(1, 3, 97, 113, generator=torch.Generator().manual_seed(4))
    return relative_difference(network(x), theirs(x))


def test_v3_equals_vainf():
    theirs = peer("v3-resnet50")
    assert difference(ours(theirs.state_dict(), spec_of("v3-resnet50")), theirs) <= 1e-4


def test_a_training_script_s_checkpoint_becomes_the_same_v3plus(tmp_path):
    """Through the whole of `segcli weights convert`, from what its main.py saves."""
    theirs = peer(PLUS)
    saved = {"cur_itrs": 30000, "model_state": theirs.state_dict(), "best_score": np.float64(0.783)}
    torch.save(saved | {"scheduler_state": {"last_epoch": 3}}, tmp_path / "best.pth")
    conversion.convert_file(tmp_path / "best.pth", "vainf", PLUS, tmp_path / "ours.safetensors", VOC)
    model = model_io.load(tmp_path / "ours.safetensors")
    assert difference(model.network, theirs) <= 1e-4
    assert (model.labels, model.output_stride) == (VOC, 16)
    torchvision = manifest.resolve("v3-resnet50@voc2012").preprocessing
    assert model.preprocessing == replace(torchvision, size=513)


def changed(**backbone):
    spec = spec_of(PLUS)
    return replace(spec, backbone=replace(spec.backbone, **backbone))


MUTANTS = {
    "kernels swapped": lambda t: ours(swapped(t, "aspp.convs"), spec_of(PLUS)),
    "statistics dropped": lambda t: ours(without_statistics(t), spec_of(PLUS)),
    "another eps": lambda t: ours(t, changed(bn_eps=1e-3)),
    "multi-grid": lambda t: ours(t, changed(multi_grid=(1, 2, 4))),
    "at output stride 8": lambda t: ours(t, replace(spec_of(PLUS), output_stride=8)),
}


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS)
def test_a_mutation_breaks_the_equality(mutant):
    theirs = peer(PLUS)
    network = mutant(theirs.state_dict())
    with torch.no_grad():
        assert network(torch.zeros(1, 3, 97, 113)).shape == (1, 21, 25, 29)
    assert difference(network, theirs) > 1e-3


@pytest.mark.parametrize("part", ["pool_first", "low_level_first"])
def test_the_order_of_what_is_joined_matters(part):
    """Names and shapes are the same in either order, so that only the spec can say it."""
    spec, group = spec_of(PLUS), {"pool_first": "head", "low_level_first": "decoder"}[part]
    other = replace(spec, **{group: replace(getattr(spec, group), **{part: not getattr(getattr(spec, group), part)})})
    with pytest.raises(UsageError, match="VainF has no v3plus-resnet50 of this shape"):
        convert({}, "vainf", other)


@pytest.mark.parametrize(
    "name",
    ["v3plus-xception", "v3plus-mobilenetv2", "v3plus-resnet101-nodecoder", "v3-resnet101-mg124", "v2-resnet101"],
)
def test_a_model_of_another_shape_is_refused(name, tmp_path):
    torch.save({"a": torch.zeros(1)}, tmp_path / "a.pth")
    with pytest.raises(UsageError, match=f"VainF has no {name} of this shape"):
        conversion.convert_file(tmp_path / "a.pth", "vainf", name, tmp_path / "w.safetensors", VOC)


def test_a_difference_that_its_networks_do_not_have_is_refused_not_undone(tmp_path):
    torch.save({"a": torch.zeros(1)}, tmp_path / "a.pth")
    with pytest.raises(UsageError, match=r"has another decoder\.convs"):
        conversion.convert_file(tmp_path / "a.pth", "vainf", f"{PLUS}+convs=3x128", tmp_path / "w.safetensors", VOC)
