"""The file that explains itself: a network's tensors in safetensors, and all else as JSON in its metadata.

`metadata` says what the JSON holds. Nothing else is needed to predict, evaluate, export or train on. Beside it stands,
under CRC_KEY, the CRC-32 of the tensors and the JSON. It tells what a disk has damaged, not what somebody has forged,
and takes half of a SHA-256's time.
"""

import io
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

from segcli.errors import WeightsError
from segcli.files import atomic, paths
from segcli.files.encoding import to_json
from segcli.weights import metadata
from segcli.weights.metadata import Metadata

CRC_KEY = "segcli.crc32"
"""The name of the checksum in a file's metadata, 8 hex digits; files of earlier versions have none."""
CHUNK = 1 << 22
"""The bytes that are read at once for the checksum."""
KINDS = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
"""The kinds of numbers that weights can be; of complex ones half would be lost, and whole ones are no weights."""
_NO_NUMBERS = "The training that made them diverged, or the file is damaged: take an earlier checkpoint."


@dataclass(frozen=True)
class Checkpoint(Metadata):
    """All that a checkpoint file holds: its metadata, and the network's tensors.

    Attributes:
        tensors: The network's state dict, without num_batches_tracked.
    """

    tensors: Mapping[str, Tensor] = field(default_factory=dict)


def write(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint, whole or not at all.

    Raises:
        WeightsError: The file cannot be written, or a tensor holds what is no number.
    """
    tensors = {n: t.detach().cpu().contiguous() for n, t in checkpoint.tensors.items() if not _is_counter(n)}
    require_finite(tensors, paths.shown(path))
    try:
        with atomic.write_whole(path, durable=True) as file:
            _write(file, tensors, metadata.describe(checkpoint))
    except OSError as error:
        message = f"{paths.shown(path)} cannot be written ({error.strerror or error})"
        raise WeightsError(message, atomic.next_step(error)) from error


def _write(file: BinaryIO, tensors: Mapping[str, Tensor], text: str) -> None:
    """Write the safetensors file whose metadata are the text and the checksum of what follows them.

    The library writes several metadata in any order; the text alone has none, and the checksum is put behind it, so
    that equal checkpoints are equal files.
    """
    whole = memoryview(to_bytes(tensors, {metadata.KEY: text}))
    end = 8 + int.from_bytes(whole[:8], "little")
    header = json.loads(bytes(whole[8:end]))
    header["__metadata__"][CRC_KEY] = _hex(zlib.crc32(text.encode(), zlib.crc32(whole[end:])))
    described = to_json(header, separators=(",", ":")).encode()
    described += b" " * (-len(described) % 8)  # the tensors begin at a multiple of 8 bytes
    file.write(len(described).to_bytes(8, "little") + described)
    file.write(whole[end:])


def read(path: Path, *, verify: bool = True) -> Checkpoint:
    """Read a checkpoint.

    Args:
        path: A .safetensors file.
        verify: Compare the checksum, where the file has one; False where the caller has compared a hash of the file.

    Raises:
        WeightsError: There is no such file, it is damaged, it is not a segcli checkpoint, a newer segcli wrote it, or a
            tensor holds what is no number.
    """
    name = paths.shown(path)
    if not path.is_file():
        raise WeightsError(f"{name}: there is no such file")
    try:
        with safe_open(path, "pt") as file:
            texts = file.metadata() or {}
            about = metadata.understand(texts.get(metadata.KEY, ""), name)  # before any tensor is read
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - safe_open is no mapping
        checksum = _checksum(path, texts[metadata.KEY]) if verify and CRC_KEY in texts else ""
    except (SafetensorError, OSError) as error:
        raise WeightsError(
            f"{name} is not a safetensors file, or it is cut short ({str(error).splitlines()[0]})",
            "Give a .safetensors file of segcli; `segcli weights convert` makes one of other projects' files.",
        ) from error
    if checksum and checksum != texts[CRC_KEY]:
        hint = "Copy it again from where it is whole; what a run saved last is in its other checkpoint or its state."
        raise WeightsError(f"{name} is damaged: its checksum is {checksum}, not {texts[CRC_KEY][:8]}", hint)
    require_finite(tensors, name)
    return Checkpoint(tensors=tensors, **vars(about))


def _checksum(path: Path, text: str) -> str:
    """The CRC-32 of what follows a safetensors file's header and of the text in it, as 8 hex digits."""
    checksum = 0
    with path.open("rb") as file:
        file.seek(int.from_bytes(file.read(8), "little"), io.SEEK_CUR)
        while chunk := file.read(CHUNK):
            checksum = zlib.crc32(chunk, checksum)
    return _hex(zlib.crc32(text.encode(), checksum))


def _hex(checksum: int) -> str:
    return f"{checksum:08x}"


def require_finite(tensors: Mapping[str, Tensor], name: str) -> None:
    """Refuse weights that are no numbers: every label of theirs would be the first class.

    Args:
        tensors: Of a network.
        name: How messages call the weights.

    Raises:
        WeightsError: A tensor holds NaN or infinite values; the message names it.
    """
    for key, tensor in tensors.items():
        if not is_finite(tensor):
            odd = "NaN" if tensor.isnan().any() else "infinite values"
            raise WeightsError(f"the weights {name} hold {odd} in {key}", _NO_NUMBERS)


def is_finite(tensor: Tensor) -> bool:
    """Whether a tensor holds nothing but numbers; its extremes tell, in a tenth of the time of `isfinite` or less."""
    if not tensor.is_floating_point() or not tensor.numel():
        return True
    tensor = tensor.detach().float() if tensor.element_size() == 1 else tensor.detach()  # 8 bits have no aminmax
    return bool(torch.stack(tensor.aminmax()).float().isfinite().all())  # networks compute in float32


def check(network: nn.Module, tensors: Mapping[str, Tensor], name: str) -> None:
    """Compare tensors with what a network needs; it may be on the meta device.

    Args:
        network: Its state dict says which tensors there must be.
        tensors: From a checkpoint or a conversion.
        name: How messages call the weights.

    Raises:
        WeightsError: A tensor is missing, unknown, of another shape or no float; the message names it.
    """
    wanted = {key: tensor for key, tensor in network.state_dict().items() if not _is_counter(key)}
    lacking, unknown = sorted(wanted.keys() - tensors.keys()), sorted(tensors.keys() - wanted.keys())
    for problem, odd in (("lack the tensor", lacking), ("have an unknown tensor", unknown)):
        if odd:
            more = f" and {len(odd) - 1} more" if len(odd) > 1 else ""
            raise WeightsError(f"the weights {name} {problem} {odd[0]}{more}", "They belong to another model.")
    for key, tensor in wanted.items():
        _check_kind(key, tensors[key], name)
        _check_shape(key, tuple(tensors[key].shape), tuple(tensor.shape), name)


def fill(network: nn.Module, tensors: Mapping[str, Tensor], name: str) -> None:
    """Give a network on the meta device its tensors, as float32 of its own; `check` says what is raised."""
    check(network, tensors, name)
    state = {key: tensor.to(torch.float32, copy=True) for key, tensor in tensors.items()}
    counters = {key: torch.zeros((), dtype=torch.long) for key in network.state_dict() if _is_counter(key)}
    network.load_state_dict(state | counters, assign=True)


def _check_kind(key: str, tensor: Tensor, name: str) -> None:
    if tensor.dtype not in KINDS:
        kind = str(tensor.dtype).removeprefix("torch.")
        raise WeightsError(f"the weights {name} have {key} in {kind}", "Weights are floats of 16 to 64 bits.")


def _check_shape(key: str, theirs: tuple[int, ...], ours: tuple[int, ...], name: str) -> None:
    if theirs == ours:
        return
    if key.startswith("classifier") and theirs[1:] == ours[1:]:
        raise WeightsError(f"the weights {name} have {theirs[0]} classes, the label set {ours[0]} ({key})")
    raise WeightsError(f"the weights {name} have {key} of shape {theirs}, the model needs {ours}")


def _is_counter(name: str) -> bool:
    return name.endswith("num_batches_tracked")
