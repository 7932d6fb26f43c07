import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from segcli.models.cost import measure, multiply_adds, space_to_batch_side
from segcli.models.networks.deeplab import build
from segcli.models.variants import get


@pytest.mark.parametrize(
    ("name", "millions"), [("v1-vgg16", 20.5), ("v1-vgg16-7x7", 134.3)], ids=["LargeFOV", "7x7 kernel"]
)
def test_parameters_of_table_1_in_the_v2_paper(name, millions):
    assert measure(get(name), 65).parameters == pytest.approx(millions * 1e6, rel=0.01)


@pytest.mark.parametrize(("output_stride", "billions"), [(16, 54.17), (8, 177.10)])
def test_multiply_adds_of_the_v3plus_paper(output_stride, billions):
    cost = measure(get("v3plus-xception"), 513, output_stride=output_stride)
    assert cost.multiply_adds == pytest.approx(billions * 1e9, rel=0.01)
    assert cost.as_paper == pytest.approx(billions * 1e9, rel=0.005)


@pytest.mark.parametrize("name", ["v1-vgg16-4x4", "v2-resnet101", "v3-mobilenetv3", "v3plus-xception41"])
def test_the_plain_count_is_torchs(name):
    with torch.device("meta"):
        network = build(get(name), 21).eval()
        photo = torch.empty(1, 3, 129, 97)
    with FlopCounterMode(display=False) as torchs:
        network(photo)
    assert 2 * multiply_adds(network, 129, 97)[0] == torchs.get_total_flops()


@pytest.mark.parametrize(
    ("side", "kernel", "rate", "outputs"),
    [(33, 1, 1, 33), (33, 3, 1, 33), (33, 3, 12, 36), (33, 3, 2, 34), (65, 3, 36, 72), (32, 3, 2, 32), (41, 7, 4, 44)],
)
def test_space_to_batch_computes_whole_multiples_of_the_rate(side, kernel, rate, outputs):
    assert space_to_batch_side(side, kernel, rate) == outputs
    # What is dealt out: rate small pictures a side, each as long as the padded side needs, each convolved unpadded.
    padded = side + (kernel - 1) * rate
    small = len(range(0, padded, rate))
    assert rate * len(range(small - kernel + 1)) == outputs


def test_scales_and_flip_add_up():
    spec = get("v3-mobilenetv2")
    runs = [measure(spec, side).multiply_adds for side in (33, 65, 97)]
    both = measure(spec, 65, scales=(0.5, 1.0, 1.5), flip=True)
    assert both.multiply_adds == 2 * sum(runs)
    assert both.parameters == measure(spec, 65).parameters


def test_sides_and_classes_count():
    spec = get("v3plus-mobilenetv2")
    narrow, wide = measure(spec, (65, 129), classes=2), measure(spec, (129, 65), classes=19)
    assert wide.multiply_adds - narrow.multiply_adds == 17 * 256 * 17 * 33
    assert wide.parameters - narrow.parameters == 17 * 257


def test_counting_leaves_no_hooks_behind():
    with torch.device("meta"):
        network = build(get("v3-mobilenetv2"), 21).eval()
    multiply_adds(network, 33, 33)
    assert not any(module._forward_hooks for module in network.modules())
