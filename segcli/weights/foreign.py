"""Checkpoint files of other projects -> tensors under their own names. None of them is trusted.

Pickles are read by torch's restricted unpickler, which knows tensors and nothing that runs code: what else a training
script keeps in them becomes empty stand-ins. Archives are streamed, never unpacked.
"""

import tarfile
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, BinaryIO
from zipfile import ZipFile, is_zipfile

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from segcli.errors import WeightsError
from segcli.files.paths import shown
from segcli.weights import tensorflow_bundle

WRAPPERS = ("state_dict", "model_state", "model_state_dict", "model")
"""Under these names training scripts keep the state dict beside their optimiser."""
PREFIXES = ("module.", "model.", "_orig_mod.")
"""What all names begin with where a network was wrapped: for GPUs or its average, by Lightning, by torch.compile."""
AVERAGED = "n_averaged"
"""The count that torch's averaged networks keep beside their tensors."""
RUNS_CODE = ("builtins", "os", "posix", "nt", "subprocess", "sys")
"""Modules whose functions no training script keeps: a file that asks for one is refused whole."""
PICKLES = (b"PK", b"\x80")
"""How files of torch.save begin, today's and the legacy ones."""
MAX_ARCHIVE_BYTES, MAX_ARCHIVE_MEMBERS = 4 << 30, 1000
"""The most bytes and members of an archive: one with more is none of TensorFlow's."""
INDEX, DATA = ".index", ".data-00000-of-00001"


class _Unread:
    """A stand-in for an object of a training script (its options, its history): nothing of its class is run."""

    def __new__(cls, *arguments: Any) -> "_Unread":
        """Make one from whatever the object was made of."""
        return super().__new__(cls)

    def __setstate__(self, state: Any) -> None:
        """Forget what the object held."""


def read(path: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint: safetensors, a torch pickle, a TensorFlow .index, or a tar.gz with one.

    Raises:
        WeightsError: The file is missing, damaged, of another kind, or holds more than tensors.
    """
    try:
        _require_file(path)
        with path.open("rb") as file:
            start = file.read(9)
        if start[:2] == b"\x1f\x8b":
            return _archive(path)
        if path.suffix == INDEX:
            _require_file(path.with_suffix(DATA))
            with path.with_suffix(DATA).open("rb") as data:
                return _bundle(path.read_bytes(), data)
        if start[8:] == b"{":
            return load_file(path)
        if start and not start.startswith(PICKLES):
            raise WeightsError(
                f"{shown(path)} is no checkpoint",
                "Give a .safetensors, a .pth of torch.save, or TensorFlow's .tar.gz or .index.",
            )
    except SafetensorError as error:
        raise WeightsError(f"{shown(path)} is damaged or cut short ({error})", "Download it again.") from error
    except (OSError, EOFError, tarfile.TarError) as error:
        raise WeightsError(f"{shown(path)} cannot be read ({error})") from error
    return _checked(_unwrapped(_pickle(path)), path)


def _require_file(path: Path) -> None:
    """Refuse what is there but no file: opening a pipe would wait for ever."""
    if path.exists() and not path.is_file():
        raise WeightsError(f"{shown(path)} is a folder, a pipe or a device, not a file", "Give the file itself.")


def _require_uncompressed(path: Path) -> None:
    """Refuse a zip that unpacks to more than it takes; torch.save compresses nothing."""
    with ZipFile(path) as archive:
        unpacked = sum(member.file_size for member in archive.infolist())
    if unpacked > path.stat().st_size:
        raise WeightsError(
            f"{shown(path)} unpacks to {unpacked / 1e6:.0f} MB, more than the file takes",
            "torch.save compresses nothing: if you trust the file, load it and save its state dict again.",
        )


def _pickle(path: Path) -> Any:
    try:
        if is_zipfile(path):
            _require_uncompressed(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # remarks on old pickles; what matters comes back as an error
            with torch.serialization.safe_globals([(_Unread, name) for name in _other_classes(path)]):
                return torch.load(path, map_location="cpu", weights_only=True)
    except WeightsError:
        raise
    except UnpicklingError as error:
        raise WeightsError(
            f"{shown(path)} is no torch checkpoint, or it holds more than tensors, which could run code when loaded",
            "If you trust its author, save its state dict alone with torch.save and convert that.",
        ) from error
    except Exception as error:  # a damaged file makes the unpickler raise nearly anything
        raise WeightsError(
            f"{shown(path)} is damaged or cut short ({type(error).__name__})", "Download it again."
        ) from error


def _other_classes(path: Path) -> list[str]:
    """The names of classes and functions in a pickle that torch's unpickler does not know, and that run no code."""
    if not is_zipfile(path):
        return []
    names = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    return [name for name in names if name.partition(".")[0] not in RUNS_CODE]


def _unwrapped(content: Any) -> Any:
    """The state dict inside what a training script saved, without what wrappers put before its names."""
    if not isinstance(content, Mapping):
        return content
    inner = [content[name] for name in WRAPPERS if isinstance(content.get(name), Mapping)]
    content = inner[0] if inner else content
    named = {key: value for key, value in content.items() if key != AVERAGED}
    if AVERAGED in content and _shared_prefix(named):
        content = named
    while prefix := _shared_prefix(content):
        content = {key.removeprefix(prefix): value for key, value in content.items()}
    return content


def _shared_prefix(content: Mapping) -> str:
    """The one of PREFIXES that all names begin with; empty if they do not."""
    shared = (prefix for prefix in PREFIXES if all(isinstance(key, str) and key.startswith(prefix) for key in content))
    return next(shared, "") if content else ""


def _checked(content: Any, path: Path) -> dict[str, Tensor]:
    """A dict of dense tensors, none of which claims more elements than the file holds for it."""
    if not isinstance(content, Mapping) or not content:
        raise WeightsError(f"{shown(path)} holds no state dict", "Save the network's state_dict() alone.")
    for name, tensor in content.items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor) or tensor.layout != torch.strided:
            raise WeightsError(
                f"{shown(path)} holds {name!r}, which is no dense tensor", "Save the state_dict() alone."
            )
        if tensor.is_quantized or tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
            raise WeightsError(f"{shown(path)} has a tensor {name} that is not stored whole")
    return dict(content)


def _archive(path: Path) -> dict[str, Tensor]:
    """The one TensorFlow checkpoint in a tar.gz; nothing is unpacked to disk."""
    indexes: dict[str, bytes] = {}
    data: dict[str, tarfile.TarInfo] = {}
    with tarfile.open(path, "r:gz") as tar:
        for member in _members(tar, path):
            if member.name.endswith(INDEX):  # read as it passes by, since going back decompresses all again
                indexes[member.name.removesuffix(INDEX)] = _content(tar, member).read(tensorflow_bundle.LARGEST_BLOCK)
            elif member.name.endswith(DATA):
                data[member.name.removesuffix(DATA)] = member
            if len(indexes) > 1:
                break
        if len(indexes) != 1 or not indexes.keys() <= data.keys():
            raise WeightsError(f"{shown(path)} does not hold exactly one TensorFlow checkpoint in one part")
        ((prefix, index),) = indexes.items()
        return _bundle(index, _content(tar, data[prefix]))


def _members(tar: tarfile.TarFile, path: Path) -> Iterator[tarfile.TarInfo]:
    """The plain files of an archive; sizes are checked before anything behind them is decompressed."""
    size = 0
    for count, member in enumerate(tar):
        size += member.size
        if count >= MAX_ARCHIVE_MEMBERS or size > MAX_ARCHIVE_BYTES:
            raise WeightsError(f"{shown(path)} is too large to be a checkpoint")
        if member.isreg() and not member.issparse():
            yield member


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> BinaryIO:
    file = tar.extractfile(member)
    if file is None:  # only for what is no plain file, and `_members` lets none through
        raise WeightsError(f"{member.name} in the archive is not a file")
    return file


def _bundle(index: bytes, data: BinaryIO) -> dict[str, Tensor]:
    return {name: torch.from_numpy(array) for name, array in tensorflow_bundle.read(index, data).items()}
