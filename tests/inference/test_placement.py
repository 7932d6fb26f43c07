"""Networks on a device; "meta" stands for one that is not the CPU."""

import torch
from tiny import tiny_model
from torch import nn

from segcli.inference.placement import placed

CPU, META = torch.device("cpu"), torch.device("meta")


def network() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 1)).eval()


def test_a_network_that_lies_there_is_shared():
    ours = network()
    assert placed(ours, CPU) is ours
    assert placed(nn.ReLU(), META).training


def test_the_one_given_never_moves():
    ours = network()
    there = placed(ours, META)
    assert {tensor.device for tensor in (*ours.parameters(), *ours.buffers())} == {CPU}
    assert {tensor.device for tensor in (*there.parameters(), *there.buffers())} == {META}
    assert list(there.state_dict()) == list(ours.state_dict())
    assert not there.training


def test_a_copy_computes_the_same_and_keeps_what_is_frozen():
    ours = network().requires_grad_(False)
    ours[0].weight.requires_grad_(True)
    there, x = placed(ours, CPU, channels_last=True), torch.randn(1, 3, 6, 7)
    assert there is not ours
    assert torch.allclose(there(x), ours(x), atol=1e-6)
    assert [p.requires_grad for p in there.parameters()] == [p.requires_grad for p in ours.parameters()]


def test_channels_last_is_a_copy_that_shares_what_has_no_channels():
    ours = network()
    there = placed(ours, CPU, channels_last=True)
    assert there[0].weight.is_contiguous(memory_format=torch.channels_last)
    assert not ours[0].weight.is_contiguous(memory_format=torch.channels_last)
    assert there[0].bias is ours[0].bias
    assert there[1].running_mean is ours[1].running_mean
    assert placed(there, CPU, channels_last=True) is there


def test_parameters_that_two_layers_share_stay_shared():
    ours = nn.ModuleList([nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)])
    ours[1].weight = ours[0].weight
    there = placed(ours, META)
    assert there[1].weight is there[0].weight


def test_a_network_without_parameters_of_its_own_is_never_copied():
    """An onnxruntime session cannot be."""

    class Session(nn.Module):
        def __deepcopy__(self, memo):
            raise TypeError("cannot pickle")

    session = Session()
    assert placed(session, META) is session
    assert placed(tiny_model().network, META) is not session
