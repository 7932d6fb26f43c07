"""What the network computes in: seen from inside a pass, on a GPU that is pretended."""

import pytest
import torch
from pretended_gpu import CUDA, pretend
from torch import nn

from segcli.inference.forward import Forward

CPU = torch.device("cpu")


class Witness(nn.Conv2d):
    """Notes the precision of float32 convolutions and products, and the type of its own result."""

    def __init__(self):
        super().__init__(3, 2, 1)
        self.seen = []

    def forward(self, x):
        y = super().forward(x)
        self.seen.append((*tf32(), y.dtype))
        return y


def tf32() -> tuple[str, str]:
    return torch.backends.cudnn.conv.fp32_precision, torch.backends.cuda.matmul.fp32_precision


@pytest.fixture(autouse=True)
def _switches_go_back():
    switches = torch.backends.cudnn.conv, torch.backends.cuda.matmul
    before = tf32()
    yield
    for switch, precision in zip(switches, before, strict=True):
        switch.fp32_precision = precision


def test_float32_is_no_tf32_on_a_gpu_whatever_the_process_allows():
    network, x = Witness(), torch.randn(1, 3, 4, 5)
    torch.backends.cudnn.conv.fp32_precision = "tf32"
    torch.backends.cuda.matmul.fp32_precision = "tf32"
    Forward(network, CUDA).logits(x)
    assert network.seen == [("ieee", "ieee", torch.float32)]
    assert tf32() == ("tf32", "tf32"), "the process's own setting comes back"


def test_the_setting_comes_back_after_an_error():
    torch.backends.cudnn.conv.fp32_precision = "tf32"
    with pytest.raises(RuntimeError):
        Forward(Witness(), CUDA).logits(torch.randn(1, 4, 4, 5))
    assert tf32()[0] == "tf32"


def test_the_cpu_is_left_alone():
    network = Witness()
    torch.backends.cudnn.conv.fp32_precision = "tf32"
    Forward(network, CPU).logits(torch.randn(1, 3, 4, 5))
    assert network.seen[0][0] == "tf32"


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_asked_of_the_device_and_comes_back_as_float32(monkeypatch, dtype):
    asked, network, x = pretend(monkeypatch), Witness(), torch.randn(1, 3, 4, 5)
    logits = Forward(network, CUDA, dtype).logits(x)
    assert asked.autocasts == [("cuda", dtype)]
    assert network.seen[0][2] == dtype
    assert logits.dtype == torch.float32
    Forward(network, CUDA).logits(x)
    assert asked.autocasts == [("cuda", dtype)], "float32 needs none"
