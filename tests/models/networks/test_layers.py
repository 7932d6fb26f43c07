import pytest
import torch
import torch.nn.functional as F

from segcli.models.networks.layers import ImagePooling, PooledBatchNorm, SameConv2d, Step, conv2d, down_to, run_blocks


@pytest.mark.parametrize("side", [7, 8, 9, 10])
@pytest.mark.parametrize(("kernel", "stride"), [(3, 2), (3, 1), (5, 2)])
def test_same_padding_is_tensorflows(side, kernel, stride):
    layer = SameConv2d(1, 1, kernel, stride, bias=False)
    x = torch.randn(1, 1, side, side)
    out = -(-side // stride)
    total = max((out - 1) * stride + kernel - side, 0)  # tf.nn's documented rule
    padded = F.pad(x, [total // 2, total - total // 2] * 2)
    assert torch.equal(layer(x), F.conv2d(padded, layer.weight, stride=stride))
    assert layer(x).shape[2:] == (out, out)


def test_same_and_symmetric_padding_differ_on_even_sides_only():
    same, symmetric = conv2d(1, 1, 3, stride=2, padding="same"), conv2d(1, 1, 3, stride=2)
    symmetric.load_state_dict(same.state_dict())
    odd, even = torch.randn(1, 1, 9, 9), torch.randn(1, 1, 8, 8)
    assert torch.equal(same(odd), symmetric(odd))
    assert not torch.allclose(same(even), symmetric(even))


@pytest.mark.parametrize(
    ("output_stride", "expected"),
    [
        (32, [Step(1, 1, 1), Step(2, 1, 1), Step(2, 1, 1), Step(1, 1, 1), Step(2, 1, 1)]),
        (16, [Step(1, 1, 1), Step(2, 1, 1), Step(2, 1, 1), Step(1, 1, 1), Step(1, 1, 2)]),
        (8, [Step(1, 1, 1), Step(2, 1, 1), Step(1, 1, 2), Step(1, 2, 2), Step(1, 2, 4)]),
    ],
)
def test_strides_beyond_the_output_stride_become_dilations(output_stride, expected):
    assert down_to(output_stride, [1, 2, 2, 1, 2], reached=4) == expected


def test_only_taps_and_the_last_features_are_handed_over():
    blocks = [lambda x: x + 1, lambda x: x * 10, lambda x: x - 3]
    assert run_blocks(torch.tensor(1), blocks, (1,)) == (20, 17)
    assert run_blocks(torch.tensor(1), blocks, ()) == (17,)


def test_pooling_is_the_mean_through_a_layer_spread_over_the_map():
    layer = ImagePooling(3, 2).eval()
    layer.bn.running_mean.copy_(torch.tensor([0.1, -0.2]))
    layer.bn.running_var.copy_(torch.tensor([0.5, 2.0]))
    x = torch.randn(1, 3, 4, 5)
    mean = x.mean((2, 3))[0]
    value = layer.conv.weight[:, :, 0, 0] @ mean
    value = (value - torch.tensor([0.1, -0.2])) / (torch.tensor([0.5, 2.0]) + 1e-5).sqrt()
    assert torch.allclose(layer(x), value.relu()[None, :, None, None].expand(1, 2, 4, 5), atol=1e-6)


def test_one_value_a_channel_is_normalised_by_running_statistics_in_training():
    layer = PooledBatchNorm(2, eps=1e-3).train()
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([2.0, 3.0]))
        layer.bias.copy_(torch.tensor([0.5, -1.0]))
    layer.running_mean.copy_(torch.tensor([1.0, -2.0]))
    layer.running_var.copy_(torch.tensor([4.0, 0.25]))
    out = layer(torch.tensor([3.0, -1.0]).view(1, 2, 1, 1)).flatten()
    by_hand = [2 * (3 - 1) / 4.001**0.5 + 0.5, 3 * (-1 + 2) / 0.251**0.5 - 1]
    assert out.tolist() == pytest.approx(by_hand, rel=1e-6)
    assert layer.running_mean.tolist() == [1.0, -2.0], "nothing is learned from one value"
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        torch.nn.BatchNorm2d(2).train()(torch.zeros(1, 2, 1, 1))


def test_two_values_a_channel_are_normalised_by_their_own_statistics():
    ours, torchs = PooledBatchNorm(3).train(), torch.nn.BatchNorm2d(3).train()
    x = torch.randn(2, 3, 1, 1)
    assert torch.equal(ours(x), torchs(x))
    assert torch.equal(ours.running_mean, torchs.running_mean)
