"""What is wrong with this installation, and the line that mends it.

Nothing is imported before its check: a broken torch is one of the things to be found.
"""

import os
import platform
import shutil
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from urllib.error import HTTPError

from segcli import __version__
from segcli.errors import SegcliError
from segcli.files.pace import Pace, StalledError

LITTLE_DISK = 1 << 30
"""Bytes; the largest weights take about half of them, twice while they are converted."""
TIMEOUT = 3.0
"""Seconds for the Hub to answer."""


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: Of the thing.
        ok: Whether it is as it should be.
        detail: What was found.
        cure: The command that mends it; empty where nothing is to be mended.
    """

    name: str
    ok: bool
    detail: str
    cure: str = ""


def checks() -> Iterator[Check]:
    """Look at everything, cheap things first; a check that itself fails is a finding too."""
    yield Check("segcli", True, f"{__version__}, Python {platform.python_version()}, {platform.platform(terse=True)}")
    for name, check in CHECKS.items():
        try:
            yield from check()
        except SegcliError as error:
            yield Check(name, False, error.message, error.hint)
        except Exception as error:  # what is broken may raise anything
            line = next(iter(str(error).splitlines()), "")
            yield Check(name, False, f"cannot be checked: {type(error).__name__}: {line}", _REINSTALL)


def packages() -> Iterator[Check]:
    """Every package that segcli needs is there, in a version that it can use."""
    from packaging.requirements import Requirement

    wanting = []
    for requirement in map(Requirement, metadata.requires("segcli") or []):
        if requirement.marker is not None:  # an extra's
            continue
        try:
            found = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            found = ""
        if not found or not requirement.specifier.contains(found, prereleases=True):
            wanting.append((str(requirement), f"{requirement.name} {found or 'is missing'}"))
    if wanting:
        names = " ".join(f'"{requirement}"' for requirement, _ in wanting)
        yield Check("packages", False, ", ".join(text for _, text in wanting), f"{_PIP} install --upgrade {names}")
    else:
        yield Check("packages", True, "all there, none too old")


def pair() -> Iterator[Check]:
    """Torch and torchvision fit together: an operator of the one is called through the other."""
    have, vision = metadata.version("torch"), metadata.version("torchvision")
    wanted = _wanted_torch()
    cure = f'{_PIP} install "torch=={wanted}" "torchvision=={vision}"' if wanted else _REINSTALL
    if wanted and have.partition("+")[0] != wanted:
        yield Check("torch", False, f"torch {have}, but torchvision {vision} was built for {wanted}", cure)
        return
    try:
        kept = _nms("cpu")
    except Exception as error:  # a torchvision that does not fit fails in many ways, also when imported
        line = next(iter(str(error).splitlines()), type(error).__name__)
        yield Check("torch", False, f"torch {have} and torchvision {vision}: {line}", cure)
        return
    works = kept == [0, 2]
    detail = f"torch {have} and torchvision {vision}, operators {'work' if works else f'return nonsense: {kept}'}"
    yield Check("torch", works, detail, "" if works else cure)


def _wanted_torch() -> str:
    """The torch that the installed torchvision was built for; empty where it does not say."""
    from packaging.requirements import Requirement

    for requirement in map(Requirement, metadata.requires("torchvision") or []):
        for specifier in requirement.specifier:
            if requirement.name == "torch" and specifier.operator == "==":
                return specifier.version
    return ""


def _nms(device: str) -> list[int]:
    """Of three boxes, two of which overlap, the kept ones: [0, 2]."""
    import torch
    from torchvision.ops import nms

    boxes = torch.tensor([[0, 0, 10, 10], [1, 1, 10, 10], [20, 20, 30, 30]], dtype=torch.float32, device=device)
    return nms(boxes, torch.tensor([0.9, 0.8, 0.7], device=device), 0.5).tolist()


def gpu() -> Iterator[Check]:
    """A GPU that is there can be used: driver, build and architecture fit, and an operator runs."""
    import torch

    if not torch.cuda.is_available():
        if shutil.which("nvidia-smi") is None:
            other = "an Apple GPU" if torch.backends.mps.is_available() else "no NVIDIA GPU"
            yield Check("gpu", True, f"{other}, {torch.get_num_threads()} CPU threads")
        elif torch.version.cuda is None:
            yield Check("gpu", False, "an NVIDIA driver is here, but torch was built without CUDA", _REINSTALL)
        else:
            detail = f"torch was built for CUDA {torch.version.cuda}, and the NVIDIA driver offers no GPU for it"
            yield Check("gpu", False, detail, "nvidia-smi  # shows the driver; it may be too old for this torch")
        return
    built = torch.cuda.get_arch_list()
    for index in range(torch.cuda.device_count()):
        name, (major, minor) = torch.cuda.get_device_name(index), torch.cuda.get_device_capability(index)
        if not runs_on((major, minor), built):
            detail = f"cuda:{index} ({name}) is sm_{major}{minor}, torch was built for {' '.join(built)}"
            yield Check("gpu", False, detail, f"{_PIP} install --upgrade --force-reinstall torch torchvision")
            continue
        works = _nms(f"cuda:{index}") == [0, 2]
        detail = f"cuda:{index} ({name}), operators {'work' if works else 'return nonsense'}"
        yield Check("gpu", works, detail, "" if works else _REINSTALL)


def runs_on(capability: tuple[int, int], built: list[str]) -> bool:
    """Whether one of a build's architectures runs on a GPU: sm_ of its major version, compute_ of any up to its own."""
    for kind, _, number in (architecture.partition("_") for architecture in built):
        digits = number.rstrip("af")
        major, minor = int(digits[:-1]), int(digits[-1])
        if kind == "sm" and major == capability[0] and minor <= capability[1]:
            return True
        if kind == "compute" and (major, minor) <= capability:
            return True
    return False


def temporary() -> Iterator[Check]:
    """A folder for temporary files can be written to."""
    try:
        yield Check("temporary", True, tempfile.gettempdir())
    except FileNotFoundError:
        yield Check("temporary", False, "no temporary folder can be written to", "export TMPDIR=/path/on/another/disk")


def disk() -> Iterator[Check]:
    """The caches can be written and have room."""
    from huggingface_hub import constants

    from segcli.weights import cache

    for variable, find in (("SEGCLI_CACHE_DIR", cache.folder), ("HF_HOME", Path(constants.HF_HUB_CACHE).expanduser)):
        cure = f"export {variable}=/path/on/another/disk"
        try:
            folder = find()
        except (SegcliError, RuntimeError):
            yield Check("disk", False, "this user has no home folder, where weights could be kept", cure)
            continue
        there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        free, writable = shutil.disk_usage(there).free, os.access(there, os.W_OK)
        fine = writable and free >= LITTLE_DISK
        detail = f"{folder}: {free / 1e9:.1f} GB free" if writable else f"{folder} cannot be written"
        yield Check("disk", fine, detail, "" if fine else cure)


def weights() -> Iterator[Check]:
    """The weights that are here are what they were."""
    from segcli.weights import cache

    found = list(cache.verify())
    for here, problem in found:
        if problem:
            cure = _REINSTALL_SEGCLI if here.built_in else f"segcli weights pull {here.name}"
            yield Check("weights", False, f"{here.name} {problem}", cure)
    if not any(problem for _, problem in found):
        yield Check("weights", True, f"{len(found)} here, all intact" if found else "none here yet")


def hub() -> Iterator[Check]:
    """The Hub answers."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        yield Check("hub", True, "not asked: HF_HUB_OFFLINE is set")
        return
    try:
        Pace(TIMEOUT).wait(lambda: _head(constants.ENDPOINT))
    except HTTPError:
        pass  # it answers
    except StalledError:
        yield Check("hub", False, f"{constants.ENDPOINT} does not answer within {TIMEOUT:.0f} seconds", _HUB_CURE)
        return
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        yield Check("hub", False, f"{constants.ENDPOINT} cannot be reached ({reason})", _HUB_CURE)
        return
    yield Check("hub", True, f"{constants.ENDPOINT} answers")


def _head(address: str) -> None:
    """Ask a server for nothing but its word; URLError, HTTPError or ValueError where it has none."""
    with urllib.request.urlopen(urllib.request.Request(address, method="HEAD"), timeout=TIMEOUT):
        pass


_PIP = f'"{sys.executable}" -m pip'
_REINSTALL = f"{_PIP} install --force-reinstall torch torchvision"
_REINSTALL_SEGCLI = f"{_PIP} install --force-reinstall --no-deps .  # where you installed segcli from"
_HUB_CURE = "export HTTPS_PROXY=http://your.proxy:port  # or, without a network: export HF_HUB_OFFLINE=1"

CHECKS: dict[str, Callable[[], Iterator[Check]]] = {
    "packages": packages,
    "torch": pair,
    "gpu": gpu,
    "temporary": temporary,
    "disk": disk,
    "weights": weights,
    "hub": hub,
}
