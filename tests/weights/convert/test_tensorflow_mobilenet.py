"""The oracle is transformers' model, whose tensors are written under TensorFlow's names in TensorFlow's axis order."""

import re

import pytest
import torch
from calibration import calibrate, relative_difference
from mutations import swapped
from transformers import MobileNetV2Config, MobileNetV2ForSemanticSegmentation

from segcli.errors import WeightsError
from segcli.models import variants
from segcli.models.networks import deeplab
from segcli.weights.convert.layouts import convert

SPEC = variants.get("v3-mobilenetv2")

TENSORFLOW_NAMES = (
    (r"^mobilenet_v2\.conv_stem\.first_conv\.", "MobilenetV2/Conv/"),
    (r"^mobilenet_v2\.conv_stem\.", "MobilenetV2/expanded_conv/"),
    (r"^mobilenet_v2\.layer\.(\d+)\.", lambda m: f"MobilenetV2/expanded_conv_{int(m[1]) + 1}/"),
    (r"^mobilenet_v2\.conv_1x1\.", "MobilenetV2/Conv_1/"),
    (r"conv_3x3\.convolution\.weight$", "depthwise/depthwise_weights"),
    ("conv_3x3", "depthwise"),
    ("expand_1x1", "expand"),
    ("reduce_1x1", "project"),
    (r"^segmentation_head\.conv_pool\.", "image_pooling/"),
    (r"^segmentation_head\.conv_aspp\.", "aspp0/"),
    (r"^segmentation_head\.conv_projection\.", "concat_projection/"),
    (r"^segmentation_head\.classifier\.", "logits/semantic/"),
    (r"\.?normalization\.", "/BatchNorm/"),
    ("//", "/"),
    ("BatchNorm/weight", "BatchNorm/gamma"),
    ("BatchNorm/bias", "BatchNorm/beta"),
    ("BatchNorm/running_mean", "BatchNorm/moving_mean"),
    ("BatchNorm/running_var", "BatchNorm/moving_variance"),
    (r"[./]?convolution\.weight$", "/weights"),
    (r"[./]?convolution\.bias$", "/biases"),
)


def tensorflow_name(name: str) -> str:
    for pattern, new in TENSORFLOW_NAMES:
        name = re.sub(pattern, new, name)
    return name


def checkpoint(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    tensors = {"global_step": torch.tensor(30000)}
    for theirs, tensor in network.state_dict().items():
        if theirs.endswith("num_batches_tracked"):
            continue
        name = tensorflow_name(theirs)
        order = (2, 3, 0, 1) if name.endswith("depthwise_weights") else (2, 3, 1, 0)
        tensors[name] = tensor.permute(order) if tensor.ndim == 4 else tensor
        if "moving" not in name:
            tensors[f"{name}/Momentum"] = torch.zeros_like(tensors[name])
    return tensors


@pytest.fixture(scope="module")
def original() -> torch.nn.Module:
    return calibrate(MobileNetV2ForSemanticSegmentation(MobileNetV2Config(output_stride=16, num_labels=21)))


@torch.no_grad()
def difference(tensors: dict[str, torch.Tensor], original: torch.nn.Module) -> float:
    network = deeplab.build(SPEC, 21, 16).eval()
    network.load_state_dict(convert(tensors, "tensorflow", SPEC))
    x = torch.randn(1, 3, 96, 97)
    return relative_difference(network(x), original(x).logits)


def test_names_are_tensorflows(original):
    names = {name for name in checkpoint(original) if not name.endswith("/Momentum")}
    assert len(names) == 1 + 52 * 5 + 3 * 5 + 2, "step; 52 convolutions with BN, three in the head; the classifier"
    assert {
        "MobilenetV2/Conv/weights",
        "MobilenetV2/expanded_conv/depthwise/depthwise_weights",
        "MobilenetV2/expanded_conv_16/project/BatchNorm/moving_variance",
        "MobilenetV2/Conv_1/BatchNorm/gamma",
        "image_pooling/BatchNorm/beta",
        "logits/semantic/biases",
    } <= names


def test_logits_equal_transformers(original):
    assert difference(checkpoint(original), original) <= 1e-4


def test_averaged_weights_are_taken_before_the_last_ones(original):
    tensors = checkpoint(original)
    averaged = {name for name in tensors if name.startswith("MobilenetV2/") and not name.endswith("/Momentum")}
    for name in averaged:
        if "moving" not in name:
            tensors[f"{name}/ExponentialMovingAverage"] = tensors[name]
            tensors[name] = torch.full_like(tensors[name], 7.0)
    assert difference(tensors, original) <= 1e-4


@pytest.mark.parametrize("part", ["depthwise_weights", "BatchNorm/moving_mean", "image_pooling/BatchNorm/"])
def test_a_mutation_breaks_the_equality(original, part):
    tensors = checkpoint(original)
    weights = {name: tensor for name, tensor in tensors.items() if not name.endswith("Momentum")}
    assert difference(swapped(weights, part), original) > 1e-4


def test_a_missing_tensor_is_named(original):
    tensors = checkpoint(original)
    del tensors["MobilenetV2/expanded_conv_7/expand/weights"]
    with pytest.raises(WeightsError, match="lacks the tensor MobilenetV2/expanded_conv_7/expand/weights"):
        difference(tensors, original)
