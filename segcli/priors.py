"""What the CRF refines when there is no network at hand: saved probabilities, or rough label maps."""

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from segcli import masks
from segcli.crf import unary_from_labels
from segcli.errors import InputError
from segcli.files import shown, write_whole
from segcli.images import Photo
from segcli.inference import Prediction, from_probabilities
from segcli.labels import VOID, LabelSet
from segcli.preprocess import fit

MOST_BYTES = 8 * 2**30
"""A file of probabilities that would unpack to more is refused."""


@dataclass(frozen=True)
class Prior:
    """A photo with what somebody said about it; a `folder.Readable`.

    Attributes:
        rgb: uint8 (H, W, 3).
        prediction: Of that photo.
        notes: Remarks of the photo's reader.
    """

    rgb: np.ndarray
    prediction: Prediction
    notes: tuple[str, ...] = ()


def write_probabilities(path: Path, probabilities: torch.Tensor, labels: LabelSet) -> None:
    """Write (K, h, w) probabilities as an npz, whole or not at all.

    It holds `probabilities` (float16), the classes' `names`, and `labels` (the whole label set as JSON).
    """
    half = probabilities.half().cpu().numpy()
    with write_whole(path) as file:
        np.savez_compressed(
            file, probabilities=half, names=np.array(labels.names), labels=np.array(json.dumps(labels.to_dict()))
        )


def read_probabilities(path: Path) -> tuple[torch.Tensor, LabelSet]:
    """Read what `write_probabilities` wrote: float32 (K, h, w) and the classes.

    Raises:
        InputError: The file is no such npz, is damaged, or unpacks to more than MOST_BYTES.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(member.file_size for member in archive.infolist()) > MOST_BYTES:
                raise InputError(f"{shown(path)} would unpack to more than {MOST_BYTES >> 30} GiB")
        with np.load(path, allow_pickle=False) as data:
            probabilities, labels = data["probabilities"], LabelSet.from_dict(json.loads(str(data["labels"])))
    except (OSError, KeyError, TypeError, ValueError, EOFError, zipfile.BadZipFile) as error:
        reason = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
        raise InputError(f"{shown(path)} holds no probabilities ({reason})", _MAKE_THEM) from error
    if probabilities.ndim != 3 or probabilities.dtype.kind != "f" or len(probabilities) != len(labels):
        raise InputError(f"{shown(path)} has probabilities {probabilities.dtype} {probabilities.shape}", _MAKE_THEM)
    return torch.from_numpy(probabilities.astype(np.float32)), labels


_MAKE_THEM = "Files of probabilities are made by `segcli predict --save probs`."


def from_saved(photo: Photo, path: Path, labels: LabelSet) -> Prior:
    """A photo with its saved probabilities; InputError where they have other classes than `labels`."""
    probabilities, found = read_probabilities(path)
    if found.names != labels.names:
        raise InputError(f"{shown(path)} has the classes of {found.name}, other files those of {labels.name}")
    return Prior(photo.rgb, from_probabilities(probabilities, photo.rgb.shape[:2]), photo.notes)


def from_label_map(photo: Photo, path: Path, labels: LabelSet, gt_prob: float, size: int) -> Prior:
    """A photo with a rough label map; void, and the label set's own void id, mean no opinion.

    Args:
        photo: As decoded.
        path: A label map of the photo's size; colours are read by the label set's palette.
        labels: The classes.
        gt_prob: As in `crf.unary_from_labels`.
        size: The CRF's working size, to which a larger map is shrunk (nearest); 0 is no limit.

    Raises:
        InputError: The map cannot be read, has another size, or ids that are no classes.
    """
    label_map = masks.read_label_map(path, labels)
    if label_map.shape != photo.rgb.shape[:2]:
        sizes = " and ".join(f"{width} x {height}" for height, width in (label_map.shape, photo.rgb.shape[:2]))
        raise InputError(f"{shown(path)} and its photo differ in size: {sizes}")
    if labels.ignore is not None:
        label_map = np.where(label_map == labels.ignore, VOID, label_map)
    height, width = fit(label_map.shape, size)
    rows = (np.arange(height) + 0.5) * label_map.shape[0] / height
    columns = (np.arange(width) + 0.5) * label_map.shape[1] / width
    small = label_map[rows.astype(int)[:, None], columns.astype(int)]
    probabilities = unary_from_labels(small.astype(np.int32), len(labels), gt_prob)
    return Prior(photo.rgb, from_probabilities(probabilities, photo.rgb.shape[:2]), photo.notes)
