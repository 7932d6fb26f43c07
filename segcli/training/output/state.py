"""The state of a run, from which it goes on as if it had never stopped: one file, whole or absent, without code.

It ends with the SHA-256 of all before it, which torch passes over; files of earlier versions have none.
"""

import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO

import torch

from segcli.data.dataset import Dataset
from segcli.errors import UsageError, WeightsError
from segcli.files import atomic, paths
from segcli.files.encoding import to_json
from segcli.images.reading import RGB_8_BIT
from segcli.pipeline import photo_values
from segcli.training import recipe
from segcli.training.output.run_folder import LAST, STATE
from segcli.training.recipe import Recipe
from segcli.weights.model_io import LoadedModel

VERSION = 2
SEAL = b"segcli sha256 "
"""What stands before the hash, 64 hex digits, at a file's end."""
_ZIP_END, _ZIP_END_BYTES = b"PK\5\6", 22
"""How the last record of a zip begins, which torch's files end with, and its length."""
FREE = {
    *("run.device", "run.workers", "run.log_every", "run.save_every", "run.validate_every", "run.overlays"),
    *("run.patience", "run.keep_every", "schedule.minutes"),
}
"""The keys that may change between the parts of one run: no step's weights depend on them."""
OPTIONAL = {"ema", "auxiliary", "pace", "split_batches"}
"""What `State.more` may hold: the averaged weights, the auxiliary head, how long it took, how batches were split."""


@dataclass(frozen=True)
class State:
    """A run at one moment, as plain values and tensors.

    Random numbers follow from seed and iteration, so that no generator's state is needed.

    Attributes:
        iteration: How many steps are done.
        recipe: The run's, as plain values.
        samples: Fingerprint of the photos to learn from and to choose by, in their order.
        model: Spec, labels and preprocessing as plain values; photos too where they are no ordinary ones.
        network: State dict.
        optimizer: State dict.
        scaler: State dict of the GradScaler; empty without fp16.
        best: The best mIOU so far, 0..1, or None.
        history: Rows of metrics.csv so far.
        recent: Losses that no row holds yet.
        version: The version of this layout.
        more: By name what only some runs have, as plain values and tensors; left out of the file where it is empty,
            which is then that of earlier versions.
    """

    iteration: int
    recipe: Mapping[str, Any]
    samples: str
    model: Mapping[str, Any]
    network: Mapping[str, Any]
    optimizer: Mapping[str, Any]
    scaler: Mapping[str, Any]
    best: float | None
    history: list[dict[str, Any]]
    recent: list[float]
    version: int = VERSION
    more: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The values of the file."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return values if self.more else {name: value for name, value in values.items() if name != "more"}

    @classmethod
    def from_dict(cls, values: Any) -> "State":
        """The inverse of `to_dict`; ValueError where another version wrote the values."""
        wanted = {f.name for f in fields(cls)} - {"more"}
        if not isinstance(values, dict) or values.keys() - {"more"} != wanted or values["version"] != VERSION:
            raise ValueError("not of this version")
        if not values.get("more", {}).keys() <= OPTIONAL:
            raise ValueError("holds what this version does not know")
        return cls(**values)


def write(folder: Path, state: State) -> None:
    """Write the state into a run's folder; WeightsError if that fails."""
    path = folder / STATE
    try:
        with atomic.write_whole(path, durable=True) as file:
            sealed = _Sealed(file)
            torch.save(state.to_dict(), sealed)
            file.write(SEAL + sealed.hash.hexdigest().encode())
    except OSError as error:
        hint = "Make room; --resume then goes on from the last checkpoint."
        raise WeightsError(f"{paths.shown(path)} cannot be written ({error.strerror or error})", hint) from error


class _Sealed:
    """A file that hashes what torch writes to it, which is one piece after the other."""

    def __init__(self, file: BinaryIO):
        self.file = file
        self.hash = sha256()

    def write(self, data: bytes) -> int:
        self.hash.update(data)
        return self.file.write(data)

    def flush(self) -> None:
        self.file.flush()


def read(folder: Path) -> State:
    """Read a run's state.

    Raises:
        WeightsError: There is none, it is damaged, or another version of segcli wrote it.
    """
    path = folder / STATE
    name = paths.shown(path)
    try:
        values = torch.load(io.BytesIO(_unsealed(path.read_bytes())), map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise WeightsError(f"there is nothing to resume: no {name}", "Start the run without --resume.") from None
    except Exception as error:  # a damaged file makes torch's reader raise nearly anything
        hint = f"Start a new run in another folder; model.init = RUN/{LAST} begins with this one's last checkpoint."
        raise WeightsError(f"{name} is damaged ({type(error).__name__})", hint) from error
    try:
        return State.from_dict(values)
    except (ValueError, AttributeError):
        raise WeightsError(f"{name} was written by another version of segcli", "Resume with that version.") from None


def _unsealed(data: bytes) -> bytes:
    """A file's bytes, once they are those that were written; ValueError where they are not."""
    end = len(data) - len(SEAL) - 64
    if end < 0 or not data.startswith(SEAL, end):
        if not data.startswith(_ZIP_END, len(data) - _ZIP_END_BYTES):
            raise ValueError("its end is missing, or the seal is damaged")
        return data  # of an earlier version
    if sha256(memoryview(data)[:end]).hexdigest().encode() != data[end + len(SEAL) :]:
        raise ValueError("its sha256 is another one")
    return data


def facts(model: LoadedModel) -> dict[str, Any]:
    """The plain values of `State.model`: what a model is, without its weights."""
    parts = {"spec": model.spec, "labels": model.labels, "preprocessing": model.preprocessing}
    parts |= {"photos": model.photos} if model.photos != RGB_8_BIT else {}
    return json.loads(to_json({name: part.to_dict() for name, part in parts.items()}))


def fingerprint(train: Dataset, val: Dataset) -> str:
    """A SHA-256 of the samples' names in their order: a resumed run must meet and score the same photos."""
    names = [[sample.name for sample in part.samples] for part in (train, val)]
    return sha256(to_json(names).encode()).hexdigest()


def check(state: State, wanted: Recipe, train: Dataset, val: Dataset) -> None:
    """Raise UsageError unless a run of that recipe and those photos may go on from the state."""
    then, now = recipe.Recipe.from_dict(state.recipe), wanted
    for part, table in asdict(now).items():
        for key, value in table.items():
            before = getattr(getattr(then, part), key)
            if f"{part}.{key}" not in FREE and before != value:
                raise UsageError(
                    f"{part}.{key} was {before!r} when this run began and is {value!r} now",
                    f"Set it back to resume, or start a new run with model.init = RUN/{LAST}.",
                )
    others = state.model.get("photos", {}) != photo_values.trained_on(train.photos).to_dict()
    if others or state.samples != fingerprint(train, val):
        raise UsageError(
            "the photos to learn from or to validate on are not those with which this run began",
            f"Put the run's own photos back, or start a new run with model.init = RUN/{LAST}.",
        )
