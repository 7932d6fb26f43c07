"""Oracle: what torch says of the same processor."""

import platform
import subprocess
import sys

import pytest
import torch

from segcli import processor

BEFORE_AND_AFTER = (
    "from segcli import processor\nours = processor.threads()\nimport torch\nprint(ours, torch.get_num_threads())"
)


@pytest.fixture
def without_torch(monkeypatch):
    monkeypatch.delitem(sys.modules, "torch")
    for name in ("MKL_NUM_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)


def test_before_torch_is_imported_its_number_of_threads_is_known(monkeypatch):
    for name in ("MKL_NUM_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    done = subprocess.run([sys.executable, "-c", BEFORE_AND_AFTER], capture_output=True, text=True, check=True)
    ours, theirs = done.stdout.split()
    assert ours == theirs


def test_torchs_own_number_counts_once_it_is_imported():
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        assert processor.threads() == 3
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(("value", "threads"), [("3", 3), ("4,2", 4), (" 5 ", 5)])
def test_the_environment_may_say_how_many(without_torch, monkeypatch, value, threads):
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert processor.describe() == f"cpu ({threads} threads)"


@pytest.mark.parametrize("value", ["", "0", "many", "-2"])
def test_what_is_no_number_of_threads_counts_for_nothing(without_torch, monkeypatch, value):
    expected = processor.threads()
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert processor.threads() == expected >= 1


def test_it_is_known_whether_torch_resizes_in_whole_numbers(monkeypatch):
    monkeypatch.delenv("ATEN_CPU_CAPABILITY", raising=False)
    by_torch = torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")
    assert processor.has_integer_resize() == (by_torch or platform.machine() in ("aarch64", "arm64"))


@pytest.mark.parametrize(
    ("system", "machine", "version", "driver", "alone"),
    [
        ("linux", "x86_64", "2.14.1", False, True),
        ("linux", "x86_64", "2.14.1", True, False),
        ("linux", "x86_64", "2.14.1+cpu", True, True),
        ("linux", "aarch64", "2.14.1", True, False),
        ("win32", "AMD64", "2.14.1+cu130", True, False),
        ("darwin", "arm64", "2.14.1", False, False),
        ("darwin", "x86_64", "2.2.2", False, True),
    ],
)
def test_the_cpu_is_alone_only_where_that_is_sure(monkeypatch, system, machine, version, driver, alone):
    monkeypatch.setattr(processor.sys, "platform", system)
    monkeypatch.setattr(processor.platform, "machine", lambda: machine)
    monkeypatch.setattr(processor, "_torchs_version", lambda: version)
    monkeypatch.setattr(processor, "_can_be_loaded", lambda library: driver)
    assert processor.is_alone() == alone


def test_where_torch_sees_a_gpu_the_cpu_is_not_alone():
    assert not (processor.is_alone() and (torch.cuda.is_available() or torch.backends.mps.is_available()))
    assert not processor._can_be_loaded("libnobody-has-this.so")
