import dataclasses

import pytest
import torch
from calibration import calibrate, relative_difference
from peers import DeepLabV3Plus, tensorflow_checkpoint

from segcli.errors import UsageError, WeightsError
from segcli.models import variants
from segcli.models.networks.deeplab import build
from segcli.weights.convert import layouts

VARIANT = {"xception41": "v3plus-xception41", "xception65": "v3plus-xception", "xception71": "v3plus-xception71"}


def converted(checkpoint, spec, output_stride=16, classes=21):
    network = build(spec, classes, output_stride).eval()
    network.load_state_dict(layouts.convert(checkpoint, "tensorflow", spec))
    return network


@pytest.mark.parametrize(
    ("kind", "output_stride", "classes"),
    [("xception65", 16, 21), ("xception65", 8, 19), ("xception71", 8, 151)],
)
@torch.no_grad()
def test_logits_equal_the_original_network(kind, output_stride, classes):
    original = calibrate(DeepLabV3Plus(kind, output_stride, classes))
    ours = converted(tensorflow_checkpoint(original), variants.get(VARIANT[kind]), output_stride, classes)
    photo = torch.randn(1, 3, 65, 97)
    assert relative_difference(ours(photo), original(photo)) <= 1e-4


@pytest.mark.parametrize(("kind", "backbone"), [("xception65", 660), ("xception41", 420), ("xception71", 730)])
def test_every_tensor_of_the_original_has_a_name(kind, backbone):
    with torch.device("meta"):
        weights = {n for n in tensorflow_checkpoint(DeepLabV3Plus(kind)) if "Momentum" not in n} - {"global_step"}
    head = {n for n in weights if not n.startswith("xception_")}
    assert (len(weights) - len(head), len(head)) == (backbone, 72)
    table = layouts.tensorflow.names(variants.get(VARIANT[kind]))
    assert set(table) == weights
    assert len(set(table.values())) == len(table)


@torch.no_grad()
def test_a_transposed_depthwise_kernel_is_noticed(monkeypatch):
    original = calibrate(DeepLabV3Plus("xception41"))
    checkpoint = tensorflow_checkpoint(original)
    photo = torch.randn(1, 3, 65, 65)
    expected = original(photo)
    spec = variants.get("v3plus-xception41")
    assert relative_difference(converted(checkpoint, spec)(photo), expected) <= 1e-4

    def mirrored(name, tensor):
        tensor = layouts.tensorflow.transpose(name, tensor)
        return tensor.mT if name.endswith("depthwise_weights") else tensor

    mutated = dataclasses.replace(layouts.LAYOUTS["tensorflow"], transpose=mirrored)
    monkeypatch.setitem(layouts.LAYOUTS, "tensorflow", mutated)
    assert relative_difference(converted(checkpoint, spec)(photo), expected) > 0.01


@pytest.fixture(scope="module")
def checkpoint():
    with torch.device("meta"):
        return tensorflow_checkpoint(DeepLabV3Plus("xception65"))


def test_a_missing_tensor_is_named(checkpoint):
    lacking = {name: tensor for name, tensor in checkpoint.items() if name != "aspp2_pointwise/weights"}
    with pytest.raises(WeightsError, match="lacks the tensor aspp2_pointwise/weights"):
        layouts.convert(lacking, "tensorflow", variants.get("v3plus-xception"))


def test_an_unknown_tensor_is_named(checkpoint):
    more = checkpoint | {"aspp4_pointwise/weights": torch.empty(1)}
    with pytest.raises(WeightsError, match="unknown tensor aspp4_pointwise/weights"):
        layouts.convert(more, "tensorflow", variants.get("v3plus-xception"))


def test_a_kernel_without_four_axes_is_left_for_the_shape_check_to_refuse():
    flat = torch.empty(5)
    assert layouts.tensorflow.transpose("aspp0/weights", flat) is flat


def test_another_xception_is_refused(checkpoint):
    with pytest.raises(WeightsError, match="xception_65/entry_flow"):
        layouts.convert(checkpoint, "tensorflow", variants.get("v3plus-xception71"))


@pytest.mark.parametrize("name", ["v3plus-xception-nosc", "v3plus-resnet101", "v2-resnet101", "v1-vgg16"])
def test_models_that_tensorflow_never_published_are_refused(name):
    with pytest.raises(UsageError, match=name):
        layouts.tensorflow.names(variants.get(name))
