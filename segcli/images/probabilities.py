"""Probabilities on disk: npz files that `segcli predict --save probs` writes and `segcli crf` reads."""

import json
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from segcli.errors import InputError
from segcli.files.atomic import write_whole
from segcli.files.encoding import to_json
from segcli.files.paths import shown
from segcli.labels import LabelSet

MOST_BYTES = 4 * 2**30
"""The unpacked size in bytes above which a file of probabilities is refused."""

_MAKE_THEM = "Files of probabilities are made by `segcli predict --save probs`."


def write_probabilities(path: Path, probabilities: np.ndarray, labels: LabelSet) -> None:
    """Write class probabilities, float (K, h, w), as an npz, whole or not at all.

    It holds `probabilities` (float16), the classes' `names`, and `labels` (the whole label set as JSON).
    """
    with write_whole(path) as file:
        np.savez_compressed(
            file,
            probabilities=probabilities.astype(np.float16),
            names=np.array(labels.names),
            labels=np.array(to_json(labels.to_dict())),
        )


def read_probabilities(path: Path) -> tuple[np.ndarray, LabelSet]:
    """Read what `write_probabilities` wrote: float32 (K, h, w) and the classes.

    Raises:
        InputError: The file is no such npz, is damaged, unpacks to more than MOST_BYTES, or holds no probabilities.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(member.file_size for member in archive.infolist()) > MOST_BYTES:
                raise InputError(f"{shown(path)} would unpack to more than {MOST_BYTES >> 30} GiB", _MAKE_THEM)
        with np.load(path, allow_pickle=False) as data:
            probabilities, labels = (
                np.asarray(data["probabilities"]),
                LabelSet.from_dict(json.loads(str(data["labels"]))),
            )
    except InputError:
        raise
    except Exception as error:  # damaged in one of the many ways that zip, npy and JSON readers report
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise InputError(f"{shown(path)} holds no probabilities ({reason})", _MAKE_THEM) from error
    if probabilities.ndim != 3 or probabilities.dtype.kind != "f" or len(probabilities) != len(labels):
        raise InputError(f"{shown(path)} has probabilities {probabilities.dtype} {probabilities.shape}", _MAKE_THEM)
    if not probabilities.size or not (probabilities.min() >= 0 and probabilities.max() <= 1.001):  # NaN fails both
        raise InputError(f"{shown(path)} has values that are no probabilities", _MAKE_THEM)
    return probabilities.astype(np.float32), labels


def classes_of(files: Iterable[Path]) -> LabelSet:
    """The classes of the first file of probabilities that can be read; InputError if none can."""
    reason: InputError | None = None
    for path in files:
        try:
            return read_probabilities(path)[1]
        except InputError as error:
            reason = reason or error
    raise reason or InputError("there are no files of probabilities", _MAKE_THEM)
