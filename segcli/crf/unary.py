"""Unary: what the CRF starts from where no network is at hand, saved probabilities or a rough label map."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from segcli.crf.dense_crf import unary_from_labels
from segcli.data.dataset import count_ids, illegal_ids
from segcli.errors import InputError
from segcli.files.paths import shown
from segcli.files.sources import Source
from segcli.images import masks
from segcli.images.probabilities import read_probabilities
from segcli.images.read import Photo, opened, read_photo
from segcli.inference.segmenter import Prediction, from_probabilities
from segcli.inference.transform import fit
from segcli.labels import VOID, LabelSet

BY_COLOUR = "the label map was read by its palette's colours, not by its indices, which mean other classes"


@dataclass(frozen=True)
class Unary:
    """A photo with the class probabilities that the CRF starts from; a `stages.Readable`.

    Attributes:
        rgb: The photo, uint8 (H, W, 3).
        prediction: The probabilities of its pixels.
        notes: Remarks of the photo's and the label map's readers.
    """

    rgb: np.ndarray
    prediction: Prediction
    notes: tuple[str, ...] = ()


def reader(labels: LabelSet, gt_prob: float | None, size: int) -> Callable[[Source], Unary]:
    """Make a function that reads a photo with the file beside it.

    Args:
        labels: The classes.
        gt_prob: As for `from_label_map`; None where the files are saved probabilities.
        size: As for `from_label_map`.

    Returns:
        The function, which raises InputError where a photo has no such file or it cannot be used.
    """

    def read(source: Source) -> Unary:
        if source.beside is None:
            raise InputError("there are no probabilities of this photo" if gt_prob is None else "it has no label map")
        photo = read_photo(source.path)
        if gt_prob is None:
            return from_saved(photo, source.beside, labels)
        return from_label_map(photo, source.beside, labels, gt_prob, size)

    return read


def from_saved(photo: Photo, path: Path, labels: LabelSet) -> Unary:
    """The Unary of a photo with saved probabilities; InputError where they have other classes than `labels`."""
    probabilities, found = read_probabilities(path)
    if found.names != labels.names:
        counts = f"{len(found)} classes ({found.name})", f"{len(labels)} ({labels.name})"
        strangers = [name for name in found.names if name not in labels.names]
        more = f", such as {shown(strangers[0])}" if strangers else ""
        raise InputError(f"{shown(path)} has {counts[0]}{more}; the other files have {counts[1]}")
    return Unary(photo.rgb, from_probabilities(torch.from_numpy(probabilities), photo.rgb.shape[:2]), photo.notes)


def from_label_map(photo: Photo, path: Path, labels: LabelSet, gt_prob: float, size: int) -> Unary:
    """The Unary of a photo with a rough label map; void, and the label set's own void id, mean no opinion.

    Args:
        photo: The photo as decoded.
        path: A label map of the photo's size. Colours are read by the label set's palette, also those of palette
            pictures, which drawing programs number as they like; black that is no class is void.
        labels: The classes.
        gt_prob: How far the labels are trusted, between 0 and 1; see `dense_crf.unary_from_labels`.
        size: The CRF's working size, to which a larger map is shrunk; 0 is no limit.

    Raises:
        InputError: The map cannot be read, has another size, or ids that are no classes.
    """
    label_map, notes = _read_rough(path, labels)
    check_size(path, label_map, photo.rgb)
    small = masks.shrink_label_map(label_map, fit(label_map.shape, size))
    probabilities = unary_from_labels(small.astype(np.int32), len(labels), gt_prob)
    return Unary(photo.rgb, from_probabilities(probabilities, photo.rgb.shape[:2]), photo.notes + notes)


def check_size(path: Path, label_map: np.ndarray, photo: np.ndarray) -> None:
    """Raise InputError, naming the file, unless the label map (H, W) is as large as the photo (H, W, 3)."""
    if label_map.shape != photo.shape[:2]:
        sizes = " and ".join(f"{width} x {height}" for height, width in (label_map.shape, photo.shape[:2]))
        raise InputError(f"{shown(path)} and its photo differ in size: {sizes}")


def _read_rough(path: Path, labels: LabelSet) -> tuple[np.ndarray, tuple[str, ...]]:
    """The ids (H, W) of a rough label map, in 0..K-1 or VOID, and a note where that took a decision."""
    ids = masks.read_label_map(path, labels)
    if labels.ignore is not None:
        ids = np.where(ids == labels.ignore, ids.dtype.type(VOID), ids)
    by_colour = _read_palette(path, labels)
    if by_colour is not None and not np.array_equal(by_colour, ids):
        return by_colour, (BY_COLOUR,)
    illegal = illegal_ids(ids, len(labels))
    if illegal.size:
        counts = {int(label): int(count) for label, count in zip(*np.unique(illegal, return_counts=True), strict=True)}
        hint = f"{labels.name} has {len(labels)} classes."
        raise InputError(f"{shown(path)} holds {count_ids(counts)}", hint)
    return ids, ()


def _read_palette(path: Path, labels: LabelSet) -> np.ndarray | None:
    """The classes (H, W) of a palette picture by colour; None for other pictures, and where a colour is no class's."""
    with opened(path) as (image, _):
        if image.mode != "P":
            return None
        indices = np.array(image)
        palette = np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3)
    classes = masks.ids_by_colour(labels)
    used = np.unique(indices)
    colours = [tuple(colour) for colour in palette[used[used < len(palette)]].tolist()]
    if len(set(colours) & classes.keys()) < len(used):
        return None
    table = np.zeros(256, np.uint16)
    table[used] = [classes[colour] for colour in colours]
    return table[indices]
