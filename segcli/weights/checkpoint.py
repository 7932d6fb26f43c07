"""The file that explains itself: a network's tensors in safetensors, and all else as JSON in its metadata.

`metadata` says what the JSON holds. Nothing else is needed to predict, evaluate, export or train on.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

from segcli.errors import WeightsError
from segcli.files import atomic, paths
from segcli.weights import metadata
from segcli.weights.metadata import Metadata


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
        WeightsError: The file cannot be written.
    """
    tensors = {n: t.detach().cpu().contiguous() for n, t in checkpoint.tensors.items() if not _is_counter(n)}
    try:
        with atomic.write_whole(path, durable=True) as file:
            file.write(to_bytes(tensors, {metadata.KEY: metadata.describe(checkpoint)}))
    except OSError as error:
        raise WeightsError(f"{paths.shown(path)} cannot be written ({error.strerror or error})") from error


def read(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        WeightsError: There is no such file, it is damaged, it is not a segcli checkpoint, or a newer segcli wrote it.
    """
    name = paths.shown(path)
    if not path.is_file():
        raise WeightsError(f"{name}: there is no such file")
    try:
        with safe_open(path, "pt") as file:
            about = metadata.understand(
                (file.metadata() or {}).get(metadata.KEY, ""), name
            )  # before any tensor is read
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - safe_open is no mapping
    except (SafetensorError, OSError) as error:
        raise WeightsError(
            f"{name} is not a safetensors file, or it is cut short ({str(error).splitlines()[0]})",
            "Weights of other projects are made usable by `segcli weights convert`.",
        ) from error
    return Checkpoint(tensors=tensors, **vars(about))


def check(network: nn.Module, tensors: Mapping[str, Tensor], name: str) -> None:
    """Compare tensors with what a network needs; it may be on the meta device.

    Args:
        network: Its state dict says which tensors there must be.
        tensors: From a checkpoint or a conversion.
        name: How messages call the weights.

    Raises:
        WeightsError: A tensor is missing, unknown, or has another shape; the message names it.
    """
    wanted = {key: tensor for key, tensor in network.state_dict().items() if not _is_counter(key)}
    lacking, unknown = sorted(wanted.keys() - tensors.keys()), sorted(tensors.keys() - wanted.keys())
    for problem, odd in (("lack the tensor", lacking), ("have an unknown tensor", unknown)):
        if odd:
            more = f" and {len(odd) - 1} more" if len(odd) > 1 else ""
            raise WeightsError(f"the weights {name} {problem} {odd[0]}{more}", "They belong to another model.")
    for key, tensor in wanted.items():
        _check_shape(key, tuple(tensors[key].shape), tuple(tensor.shape), name)


def fill(network: nn.Module, tensors: Mapping[str, Tensor], name: str) -> None:
    """Give a network on the meta device its tensors, as float32 of its own; `check` says what is raised."""
    check(network, tensors, name)
    state = {key: tensor.to(torch.float32, copy=True) for key, tensor in tensors.items()}
    counters = {key: torch.zeros((), dtype=torch.long) for key in network.state_dict() if _is_counter(key)}
    network.load_state_dict(state | counters, assign=True)


def _check_shape(key: str, theirs: tuple[int, ...], ours: tuple[int, ...], name: str) -> None:
    if theirs == ours:
        return
    if key.startswith("classifier") and theirs[1:] == ours[1:]:
        raise WeightsError(f"the weights {name} have {theirs[0]} classes, the label set {ours[0]} ({key})")
    raise WeightsError(f"the weights {name} have {key} of shape {theirs}, the model needs {ours}")


def _is_counter(name: str) -> bool:
    return name.endswith("num_batches_tracked")
