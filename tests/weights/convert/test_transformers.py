from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from calibration import calibrate, relative_difference
from mutations import swapped, without_statistics
from PIL import Image
from safetensors.torch import load_file
from transformers import MobileNetV2Config, MobileNetV2ForSemanticSegmentation

from segcli.errors import UsageError, WeightsError
from segcli.models import variants
from segcli.models.networks import deeplab
from segcli.weights.convert.layouts import convert

SPEC = variants.get("v3-mobilenetv2")
HALF = variants.get("v3-mobilenetv2-dm05")


@cache
def peer(output_stride: int, spec: variants.ModelSpec = SPEC) -> torch.nn.Module:
    config = MobileNetV2Config(
        output_stride=output_stride,
        depth_multiplier=spec.backbone.width,
        depth_divisible_by=spec.backbone.divisor,
        finegrained_output=True,
        tf_padding=True,
        num_labels=21,
    )
    return calibrate(MobileNetV2ForSemanticSegmentation(config))


def ours(tensors: dict, output_stride: int, spec: variants.ModelSpec = SPEC) -> torch.nn.Module:
    with torch.device("meta"):
        network = deeplab.build(spec, 21, output_stride)
    network.load_state_dict(convert(tensors, "transformers", spec), assign=True)
    return network.eval()


@torch.no_grad()
def difference(network: torch.nn.Module, theirs: torch.nn.Module, size: tuple[int, int] = (97, 97)) -> float:
    x = torch.randn(1, 3, *size)
    return relative_difference(network(x), theirs(x).logits)


@pytest.mark.parametrize("spec", [SPEC, HALF], ids=lambda s: s.name)
@pytest.mark.parametrize("output_stride", [8, 16, 32])
def test_equals_transformers_at_every_output_stride_on_odd_and_even_sides(spec, output_stride):
    theirs = peer(output_stride, spec)
    network = ours(theirs.state_dict(), output_stride, spec)
    for size in ((97, 97), (128, 128), (65, 90)):
        assert difference(network, theirs, size) <= 1e-4


def with_backbone(**changes) -> variants.ModelSpec:
    return replace(SPEC, backbone=replace(SPEC.backbone, **changes))


MUTANTS = {
    "kernels swapped": lambda t: ours(swapped(t, "convolution.weight"), 16),
    "head layers swapped": lambda t: ours(swapped(t, "segmentation_head.conv_"), 16),
    "statistics dropped": lambda t: ours(without_statistics(t), 16),
    "torch's eps": lambda t: ours(t, 16, with_backbone(bn_eps=1e-5)),
    "torch's padding": lambda t: ours(t, 16, with_backbone(padding="symmetric")),
}


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS)
def test_a_mutation_breaks_the_equality(mutant):
    theirs = peer(16)
    size = (128, 128)  # on even sides TensorFlow pads on one side only
    assert difference(ours(theirs.state_dict(), 16), theirs, size) <= 1e-4
    assert difference(mutant(theirs.state_dict()), theirs, size) > 1e-4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("mobilenet_v2.layer.3.conv_3x3.convolution.weight"), "lacks the tensor mobilenet_v2.layer.3"),
        (lambda t: t.update({"mobilenet_v2.layer.16.x": torch.zeros(1)}), "unknown tensor mobilenet_v2.layer.16.x"),
    ],
    ids=["missing", "unknown"],
)
def test_a_tensor_too_few_or_too_many_is_named(change, message):
    tensors = dict(peer(16).state_dict())
    change(tensors)
    with pytest.raises(WeightsError, match=message):
        convert(tensors, "transformers", SPEC)


def test_a_model_that_transformers_lacks_and_a_layout_that_nobody_has_are_refused():
    with pytest.raises(UsageError, match="no v3-resnet50"):
        convert({}, "transformers", variants.get("v3-resnet50"))
    with pytest.raises(UsageError, match="no weights layout is called 'keras'"):
        convert({}, "keras", SPEC)


@torch.inference_mode()
def labels_of(network: torch.nn.Module, rgb: np.ndarray) -> np.ndarray:
    x = torch.from_numpy(rgb.copy()).permute(2, 0, 1)[None] / 127.5 - 1
    logits = F.interpolate(network(x), size=rgb.shape[:2], mode="bilinear", align_corners=True)
    return logits.argmax(1)[0].numpy()


@pytest.mark.shared
@pytest.mark.parametrize("name", ["000000039769", "grace_hopper", "pets"])
def test_real_weights_give_the_published_label_map(shared_data, name):
    network = ours(load_file(shared_data / "hub/google/deeplabv3_mobilenet_v2_1.0_513/model.safetensors"), 8)
    rgb = np.asarray(Image.open(shared_data / f"hub/expected/{name}.input.png").convert("RGB"))
    expected = np.asarray(Image.open(shared_data / f"hub/expected/{name}.os8.png"))
    height, width = expected.shape
    padded = np.full((513, 513, 3), 128, np.uint8)
    padded[:height, :width] = rgb
    assert (labels_of(network, padded)[:height, :width] == expected).mean() >= 0.999


@pytest.mark.shared
def test_the_exact_float_model_reproduces_its_golden_mask(shared_data):
    tensors = load_file(shared_data / "exact/deeplabv3_mobilenet_v2_0.5_257/model.safetensors")
    rgb = np.asarray(Image.open(shared_data / "exact/segmentation_input_rotation0.jpg").convert("RGB"))
    golden = np.asarray(Image.open(shared_data / "exact/segmentation_golden_rotation0.png"))
    assert (labels_of(ours(tensors, 8, HALF), rgb) * 10 == golden).mean() == 1.0
