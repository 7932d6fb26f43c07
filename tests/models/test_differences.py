"""A variant with differences: what text and tables mean, what cannot be, and the one name of each network."""

import pytest
import torch

from segcli.errors import UsageError
from segcli.models import variants
from segcli.models.networks.deeplab import build
from segcli.models.networks.layers import ImagePooling
from segcli.models.variants import VARIANTS, get


def dilations(name, stage="layer4", output_stride=None):
    """The dilations of a stage's 3x3 convolutions."""
    with torch.device("meta"):
        network = build(get(name), 21, output_stride)
    return [unit.conv2.dilation[0] for unit in getattr(network.backbone, stage)]


def test_multi_grid_multiplies_the_rates_of_the_last_stage():
    """v3 paper, section 3.2.1: at output stride 16 the rate is 2, so that (1, 2, 4) gives (2, 4, 8)."""
    assert dilations("v3-resnet101-mg124+mg=1,2,3", output_stride=16) == [2, 4, 6]
    assert dilations("v3-resnet50-cascade+mg=2,2,2", "layer7", 16) == [32, 32, 32]


def test_the_pyramid_changes_as_text_says():
    with torch.device("meta"):
        aspp = build(get("v3-resnet101-mg124+rates=6,12,18,24+aspp.image_pooling=false"), 21, 16).aspp
    assert [branch.conv.dilation[0] for branch in aspp.atrous] == [6, 12, 18, 24]
    assert not [module for module in aspp.modules() if isinstance(module, ImagePooling)]
    assert aspp.project.conv.in_channels == 5 * 256


def test_a_table_says_the_same_as_text():
    table = {"multi_grid": [1, 2, 3], "aspp": {"image_pooling": False}, "backbone": {"bn_eps": 1e-3}}
    text = "v3-resnet101+aspp.image_pooling=false+backbone.bn_eps=0.001+mg=1,2,3"
    assert get("v3-resnet101", spec=table) == get(text)
    assert get("v3-resnet101+mg=1,2,3", spec={"aspp": {"image_pooling": False}, "backbone": {"bn_eps": 1e-3}}) == get(
        text
    )
    assert get("v3-resnet101", spec={"decoder": {}}) == get("v3-resnet101+decoder=default")
    assert get("v3plus-xception", spec={"decoder": "none"}) == VARIANTS["v3plus-xception-nodecoder"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("v3-resnet101+mg=1,2,3", "v3-resnet101+multi_grid=1,2,3"),
        ("v3-resnet101+mg=1,1,1", "v3-resnet101"),
        ("v3-resnet101+kind=resnet50", "v3-resnet50"),
        ("v3plus-xception65+decoder=none", "v3plus-xception-nodecoder"),
        ("v3plus-resnet101-beta+low_level_channels=8+convs=3x256", "v3plus-resnet101-beta-conv2-8"),
        ("v3plus-resnet101-beta+taps=conv2,conv3+convs=3x256", "v3plus-resnet101-beta-conv3"),
        ("v3-resnet101+decoder.separable=true", "v3-resnet101+decoder.separable=true"),
        ("v3-resnet101+decoder=default+decoder.convs=", "v3-resnet101+decoder.convs="),
        ("v2-resnet101+scales=+kernel=1+rates=1", "v2-resnet101+rates=1+kernel=1+scales="),
        ("v3-mobilenetv2+width=0.75", "v3-mobilenetv2+width=0.75"),
        ("v3-resnet50-cascade+extra_stages=1", "v3-resnet50-cascade+extra_stages=1"),
        ("v3-resnet101+project_kernel=3", "v3-resnet101+project_kernel=3"),
    ],
)
def test_a_network_has_one_name_which_means_it_again(text, name):
    found = get(text)
    assert found.name == name
    assert get(name) == found
    assert get(name.partition("+")[0], spec={}).name == name.partition("+")[0]


def test_what_follows_from_a_difference_is_changed_too():
    assert get("v3plus-xception+decoder=none").backbone.taps == ()
    assert get("v3-resnet101+decoder=default").backbone.taps == ("conv2",)
    assert get("v3-resnet50-cascade+extra_stages=1").output_strides == (8, 16, 32, 64)
    assert get("v3-resnet101+extra_stages=3").output_strides == (8, 16, 32, 64, 128, 256)
    whole = get("v1-vgg16+multi_scale_channels=128")
    assert whole.backbone.taps == ("input", "pool1", "pool2", "pool3", "pool4")
    assert get(f"{whole.name}+taps=pool3").name == "v1-vgg16+taps=pool3+multi_scale_channels=128"
    assert get("v2-resnet101+extra_stages=1").output_strides == (8,), "v2's rates are for that one"


def test_what_a_name_states_is_told():
    assert variants.stated(get("v3-resnet101+mg=1,2,3")) == {"backbone.multi_grid": [1, 2, 3]}
    assert variants.stated(get("v3-resnet101")) == {}
    assert variants.base_of(get("v3-resnet101+mg=1,2,3")) == VARIANTS["v3-resnet101"]


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("+multigrid=1,2,3", "v3-resnet101 has no key multigrid", "Did you mean multi_grid?"),
        ("+aspp.seperable=true", "has no key aspp.seperable", "Did you mean aspp.separable?"),
        ("+backbone.rates=6", "has no key backbone.rates", "Did you mean rates?"),
        ("+convs=3x256", "v3-resnet101 has no key convs", "Did you mean decoder.convs?"),
        ("+backbone=resnet50", "has no key backbone", "It is a group: write one of its keys, kind,"),
        ("+name=x", "has no key name", "Known: "),
        ("+output_strides=8", "has no key output_strides", "Did you mean output_stride?"),
        ("+bn_eps=0.001", "bn_eps could mean several keys", "Write backbone.bn_eps or aspp.bn_eps."),
        ("+mg=1,2", "backbone.multi_grid cannot be [1, 2]", "a list of 3 whole numbers in 1..4096"),
        ("+mg=1,2,x", "backbone.multi_grid cannot be [1, 2, 'x']", "whole numbers"),
        ("+mg=1,2,2.5", "cannot be [1, 2, '2.5']", "whole numbers"),
        ("+image_pooling=no", "head.image_pooling cannot be 'no'", "true or false"),
        ("+dropout=nan", "head.dropout cannot be nan", ""),
        ("+dropout=2", "head.dropout cannot be 2.0", "in 0..1"),
        ("+stem=5x5", "backbone.stem cannot be '5x5'", "'7x7'"),
        ("+output_stride=64", "output_stride cannot be 64", "It can be 8, 16, 32."),
        ("+mg=1,2,3+multi_grid=1,2,4", "multi_grid stands twice", "Leave out one"),
        ("+", "'' is no difference", "Write v3-resnet101+KEY=VALUE."),
        ("+mg", "'mg' is no difference", "KEY=VALUE"),
        ("+=3", "'=3' is no difference", "KEY=VALUE"),
        ("+decoder=small", "decoder cannot be 'small'", "none or default"),
        ("+decoder=none+decoder.convs=3x256", "decoder=none leaves no keys of a decoder", "Leave out one"),
        ("+decoder.convs=3", "decoder.convs cannot be [[3]]", "lists of 2"),
    ],
)
def test_a_difference_that_cannot_be_is_refused_in_one_line(text, message, hint):
    with pytest.raises(UsageError) as caught:
        get(f"v3-resnet101{text}")
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"multi_grad": [1, 2, 3]}, "has no key multi_grad"),
        ({"aspp": {"kernel": 3}}, "has no key aspp.kernel"),
        ({"aspp": 3}, "has no key aspp"),
        ({"backbone": {}}, "has no key backbone"),
        ({"multi_grid": 3}, "backbone.multi_grid cannot be 3"),
        ({"mg": [1, 2, 3], "backbone": {"multi_grid": [1, 2, 3]}}, "backbone.multi_grid stands twice"),
        ({"decoder": 3}, "decoder cannot be 3"),
    ],
)
def test_a_table_is_checked_alike(table, message):
    with pytest.raises(UsageError) as caught:
        get("v3-resnet101", spec=table)
    assert message in caught.value.message
