"""Unary: what the CRF starts from where no network is at hand, saved probabilities or a rough label map."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from segcli.crf.dense_crf import unary_from_labels
from segcli.data.photo_labels import PhotoLabels
from segcli.errors import DatasetError, InputError
from segcli.files.paths import shown
from segcli.files.sources import Source
from segcli.images import masks
from segcli.images.geo.place import Place
from segcli.images.photo import Photo
from segcli.images.probabilities import read_probabilities
from segcli.images.read import read_placed
from segcli.images.reading import PLAIN, PhotoReading
from segcli.inference.prediction import Prediction, from_probabilities
from segcli.inference.transform import fit
from segcli.labels import VOID, LabelSet


@dataclass(frozen=True)
class Unary:
    """A photo with the class probabilities that the CRF starts from; a `stages.Readable`.

    Attributes:
        rgb: The photo, uint8 (H, W, 3).
        prediction: The probabilities of its pixels.
        notes: Remarks of the photo's reader.
        valid: Where the photo has data, bool (H, W); None: everywhere.
        place: Where on earth it lies; None where it does not say.
    """

    rgb: np.ndarray
    prediction: Prediction
    notes: tuple[str, ...] = ()
    valid: np.ndarray | None = None
    place: Place | None = None

    @classmethod
    def of(cls, photo: Photo, prediction: Prediction) -> "Unary":
        """The Unary of a photo as it was read."""
        return cls(photo.rgb, replace(prediction, valid=photo.valid), photo.notes, photo.valid, photo.place)


def reader(
    labels: LabelSet,
    size: int,
    drawn: PhotoLabels | None = None,
    gt_prob: float = 0,
    reading: PhotoReading = PLAIN,
) -> Callable[[Source], Unary]:
    """Make a function that reads a photo with the file beside it.

    Args:
        labels: The classes.
        size: As for `from_label_map`.
        drawn: The rough labels of the photos; None where the files are saved probabilities.
        gt_prob: As for `from_label_map`.
        reading: How photos are read.

    Returns:
        The function, which raises InputError where a photo has no such file or it cannot be used.
    """

    def read(source: Source) -> Unary:
        if source.beside is None:
            raise InputError("there are no probabilities of this photo" if drawn is None else "it has no label map")
        photo = read_placed(source.path, reading, source.page)
        if drawn is None:
            return from_saved(photo, source.beside, labels)
        try:
            label_map = drawn.read(source.path)
        except DatasetError as error:
            raise InputError(error.message, error.hint) from error
        return from_label_map(photo, source.beside, label_map, labels, gt_prob, size)

    return read


def from_saved(photo: Photo, path: Path, labels: LabelSet) -> Unary:
    """The Unary of a photo with saved probabilities; InputError where they have other classes than `labels`."""
    probabilities, found = read_probabilities(path)
    if found.names != labels.names:
        counts = f"{len(found)} classes ({found.name})", f"{len(labels)} ({labels.name})"
        strangers = [name for name in found.names if name not in labels.names]
        more = f", such as {shown(strangers[0])}" if strangers else ""
        raise InputError(f"{shown(path)} has {counts[0]}{more}; the other files have {counts[1]}")
    return Unary.of(photo, from_probabilities(torch.from_numpy(probabilities), photo.rgb.shape[:2]))


def from_label_map(
    photo: Photo,
    path: Path,
    label_map: np.ndarray,
    labels: LabelSet,
    gt_prob: float,
    size: int,
) -> Unary:
    """The Unary of a photo with a rough label map, where void means no opinion.

    Args:
        photo: The photo as decoded.
        path: The file that the map comes from, for messages.
        label_map: uint8 or uint16 (H, W), 0..K-1 or VOID, of the photo's size.
        labels: The classes.
        gt_prob: How far the labels are trusted, between 0 and 1; see `dense_crf.unary_from_labels`.
        size: The CRF's working size, to which a larger map is shrunk; 0 is no limit.

    Raises:
        InputError: The map has another size, or says nothing at all.
    """
    check_size(path, label_map, photo.rgb)
    if (label_map == VOID).all():
        raise InputError(f"{shown(path)} is void everywhere, so that there is nothing to refine")
    small = masks.shrink_label_map(label_map, fit(label_map.shape, size))
    probabilities = unary_from_labels(small.astype(np.int32), len(labels), gt_prob)
    return Unary.of(photo, from_probabilities(probabilities, photo.rgb.shape[:2]))


def check_size(path: Path, label_map: np.ndarray, photo: np.ndarray) -> None:
    """Raise InputError, naming the file, unless the label map (H, W) is as large as the photo (H, W, 3)."""
    if label_map.shape != photo.shape[:2]:
        sizes = " and ".join(f"{width} x {height}" for height, width in (label_map.shape, photo.shape[:2]))
        raise InputError(f"{shown(path)} and its photo differ in size: {sizes}")
