"""Devices by name, and each process's own, on machines that are pretended to have GPUs or none."""

import pytest
import torch

from segcli import devices
from segcli.errors import DeviceError, UsageError


@pytest.fixture
def gpus(monkeypatch):
    """Pretends that there are so many NVIDIA GPUs, and no Apple one."""

    def pretend(count: int, cuda: str | None = "12.8"):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
        monkeypatch.setattr(torch.version, "cuda", cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
        monkeypatch.setattr(torch.cuda, "set_device", current.append)

    current: list[torch.device] = []
    pretend.current = current
    return pretend


@pytest.mark.parametrize(("count", "kind"), [(0, "cpu"), (2, "cuda")])
def test_auto_takes_the_best_there_is(gpus, count, kind):
    gpus(count)
    assert devices.choose() == devices.choose("auto") == torch.device(kind)


def test_auto_takes_an_apple_gpu(gpus, monkeypatch):
    gpus(0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert devices.choose("auto") == devices.choose("mps") == torch.device("mps")


def test_the_cpu_is_taken_where_it_is_named(gpus):
    gpus(2)
    assert devices.choose("cpu") == torch.device("cpu")


@pytest.mark.parametrize("name", ["gpu", "", "cuda:x", "cuda:-1", "xpu", "meta", "CPU"])
def test_what_is_no_device_of_ours_is_wrong_usage(name):
    with pytest.raises(UsageError, match="no device is called") as caught:
        devices.choose(name)
    assert "cuda:N" in caught.value.hint


@pytest.mark.parametrize(
    ("cuda", "reason"), [(None, "this PyTorch was built without CUDA"), ("12.8", "no NVIDIA GPU can be used")]
)
def test_a_gpu_that_was_named_is_never_replaced_by_the_cpu(gpus, cuda, reason):
    gpus(0, cuda)
    for name in ("cuda", "cuda:0"):
        with pytest.raises(DeviceError, match=f"--device {name}: {reason}"):
            devices.choose(name)
    with pytest.raises(DeviceError, match="sees no Apple GPU"):
        devices.choose("mps")


def test_a_gpu_beyond_the_last_is_refused_with_those_there_are(gpus):
    gpus(2)
    assert devices.choose("cuda:1") == torch.device("cuda:1")
    with pytest.raises(DeviceError, match=r"only 2 GPU") as caught:
        devices.choose("cuda:2")
    assert caught.value.hint == "Use cuda:0 to cuda:1."


@pytest.mark.parametrize(
    ("name", "own"), [("cuda", "cuda:1"), ("auto", "cuda:1"), ("cuda:0", "cuda:0"), ("cpu", "cpu")]
)
def test_each_of_several_processes_takes_a_gpu_of_its_own_unless_told_otherwise(gpus, monkeypatch, name, own):
    gpus(2)
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert devices.of_process(name) == torch.device(own)
    assert gpus.current == ([torch.device(own)] if name != "cpu" else []), "pinned memory would lie with another GPU"


def test_a_process_without_a_gpu_of_its_own_is_refused(gpus, monkeypatch):
    gpus(1)
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", "1")
    with pytest.raises(DeviceError, match=r"cuda:1: only 1 GPU"):
        devices.of_process("cuda")


def test_a_process_alone_takes_the_current_gpu(gpus, monkeypatch):
    gpus(2)
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert devices.of_process("cuda") == torch.device("cuda")


def test_the_cpu_is_described_with_its_threads():
    assert devices.describe(torch.device("cpu")) == f"cpu ({torch.get_num_threads()} threads)"


@pytest.mark.parametrize(("precision", "dtype"), [("float32", None), ("bf16", torch.bfloat16)])
def test_a_precision_that_the_device_has(precision, dtype):
    assert devices.autocast_type(precision, torch.device("cpu")) == dtype


@pytest.mark.parametrize("trouble", ["refuses", "does without"])
def test_a_precision_that_the_device_has_not_is_refused(monkeypatch, trouble):
    def conv2d(one, other):
        if trouble == "refuses":
            raise RuntimeError("not implemented for 'Half'")
        return one  # as autocast does: with a warning, in float32

    monkeypatch.setattr(torch.nn.functional, "conv2d", conv2d)
    with pytest.raises(DeviceError, match="--precision fp16: cpu cannot compute in it"):
        devices.autocast_type("fp16", torch.device("cpu"))
