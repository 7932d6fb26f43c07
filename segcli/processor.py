"""The processor: its threads, its vector instructions, and whether anything else could compute; no torch is needed.

Torch takes 1.4 s to import. These are its answers to the questions that a run on the CPU has before anything computes.
"""

import ctypes
import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path

DRIVERS = ("nvcuda.dll",) if sys.platform == "win32" else ("libcuda.so.1", "/usr/lib/wsl/lib/libcuda.so.1")
"""The libraries of NVIDIA's driver, the last one that of Linux inside Windows."""
AMD_DRIVER = Path("/dev/kfd")
"""The device of AMD's driver for computing, on Linux."""


def threads() -> int:
    """The number of threads that compute on the CPU: torch's own where it is imported, else the number it would take.

    That is OMP_NUM_THREADS or MKL_NUM_THREADS, else the cores that this process may use, of which each counts once.
    """
    if torch := sys.modules.get("torch"):
        return torch.get_num_threads()
    for name in ("MKL_NUM_THREADS", "OMP_NUM_THREADS"):
        first = os.environ.get(name, "").split(",")[0].strip()
        if first.isdecimal() and int(first):
            return int(first)
    return len(set(_cores()))


def _cores() -> Iterator[str]:
    """The core of each logical processor that this process may use, by the names of all that share it."""
    usable = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    for number in usable:
        shared = Path(f"/sys/devices/system/cpu/cpu{number}/topology/thread_siblings_list")
        try:
            yield shared.read_text()
        except OSError:  # elsewhere than on Linux
            yield str(number)


def describe() -> str:
    """The CPU in one phrase for people: `cpu (2 threads)`."""
    return f"cpu ({threads()} threads)"


def has_integer_resize() -> bool:
    """Whether torch resizes pictures of 8 bits in whole numbers here; else it computes in float32 and rounds.

    It does so with AVX2 or better and on ARM. ATEN_CPU_CAPABILITY, by which torch can be told to do without, counts.
    """
    if platform.machine() in ("aarch64", "arm64"):
        return True
    return os.environ.get("ATEN_CPU_CAPABILITY", "avx2") != "default" and _features().get("AVX2", False)


def _features() -> dict[str, bool]:
    """The processor's instructions by name, as numpy has found them."""
    import numpy as np

    core = getattr(np, "_core", None) or np.core
    return core._multiarray_umath.__cpu_features__


def is_alone() -> bool:
    """Whether the CPU is surely all that could compute: "auto" need not ask torch then.

    False on a Mac with Apple's processor, and where a GPU's driver is installed beside a torch that is not made for
    the CPU alone.
    """
    if sys.platform == "darwin":
        return platform.machine() != "arm64"
    return not (AMD_DRIVER.exists() or any(map(_can_be_loaded, DRIVERS))) or _torchs_version().endswith("+cpu")


def _torchs_version() -> str:
    from importlib import metadata

    return metadata.version("torch")


def _can_be_loaded(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True
