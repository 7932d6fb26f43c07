"""Specs that no network can be built of, and that a field without effect is refused."""

import pytest

from segcli.errors import UsageError
from segcli.models import limits
from segcli.models.variants import VARIANTS, get


@pytest.mark.parametrize("spec", VARIANTS.values(), ids=VARIANTS)
def test_every_published_variant_can_be(spec):
    limits.check(spec)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("v3-mobilenetv2+mg=1,2,3", "mobilenetv2 has no multi_grid"),
        ("v3plus-xception+extra_stages=1", "xception65 has no extra_stages"),
        ("v3-resnet101+width=0.5", "resnet101 has no width"),
        ("v3-mobilenetv3+padding=same", "mobilenetv3 has no padding"),
        ("v3plus-xception+pool_kernel=2", "xception65 has no pool_kernel"),
        ("v3plus-xception+taps=", "a decoder and the backbone's taps belong together"),
        ("v3-resnet101+taps=conv2", "a decoder and the backbone's taps belong together"),
        ("v3plus-xception+taps=conv3,conv2", "taps cannot be conv3,conv2"),
        ("v3plus-xception+taps=conv2,conv2", "taps cannot be conv2,conv2"),
        ("v3plus-xception+kind=vgg16", "no decoder reads a VGG"),
        ("v2-resnet101+decoder=default", "its head gives logits"),
        ("v1-vgg16+taps=input", "multi_scale_channels and the backbone's taps belong together"),
        ("v1-vgg16+multi_scale_channels=128+taps=", "multi_scale_channels and the backbone's taps belong together"),
        ("v1-vgg16+multi_scale_channels=128+taps=pool2,pool1", "taps cannot be pool2,pool1"),
        ("v3plus-xception+taps=pool1", "taps cannot be pool1"),
        ("v2-resnet101+multi_scale_channels=128", "resnet101 has no multi_scale_channels"),
        ("v2-vgg16+rates=", "rates names no branch"),
        ("v2-vgg16+kernel=4+rates=3,6", "a kernel of 4 cannot have the rate 3"),
        ("v3plus-xception+convs=3x256,2x256", "cannot have a kernel of 2"),
        ("v3-resnet101+channels=0", "aspp.channels cannot be 0"),
        ("v2-resnet101+scales=0.5,1", "scales names those beside 1"),
        ("v2-resnet101+scales=0.5,0.5", "scales names those beside 1"),
        ("v2-resnet101+output_stride=16", "output_stride cannot be 16"),
    ],
)
def test_a_combination_that_cannot_be_is_refused(text, message):
    with pytest.raises(UsageError) as caught:
        get(text)
    assert message in caught.value.message
    assert caught.value.hint


def test_as_many_output_strides_as_stages_can_reach():
    """v3 paper, Table 1: block7 can be built at 8 to 256."""
    assert limits.output_strides(0) == (8, 16, 32)
    assert limits.output_strides(3) == (8, 16, 32, 64, 128, 256)
    assert limits.output_strides(8) == limits.output_strides(3)
