"""Converting: a dataset in any form becomes photos, palette masks of one numbering, and the names of the classes."""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tomli_w

from segcli.data.check import TURNED
from segcli.data.dataset import Dataset, Sample
from segcli.errors import DatasetError, InputError, UsageError
from segcli.files.atomic import write_whole
from segcli.files.paths import shown
from segcli.images import gallery, masks
from segcli.labels import VOID, LabelSet

IMAGES, MASKS, NAMES, GALLERY = "images", "masks", "names.toml", "gallery.html"
"""What a converted dataset consists of."""
IN_GALLERY = 100
"""The most photos that the gallery shows, evenly chosen; it is for a look, and a photo takes 60 kB in it."""
_PARTS = ".gallery"


@dataclass(frozen=True)
class Converted:
    """One sample that was converted, or not.

    Attributes:
        sample: The sample.
        label: Its classes, uint8 (H, W) in 0..K-1 or VOID; None where it failed.
        error: Why it failed.
    """

    sample: Sample
    label: np.ndarray | None = None
    error: InputError | DatasetError | None = None


def check_output(folder: Path) -> None:
    """Raise UsageError where a dataset cannot be written to this folder, since it holds something."""
    if folder.exists() and (not folder.is_dir() or next(folder.iterdir(), None) is not None):
        raise UsageError(f"{shown(folder)} holds something already", "Name a new folder with --output, or remove it.")


def convert(data: Dataset, folder: Path) -> Iterator[Converted]:
    """Write a dataset, a sample at a time.

    `folder/images` gets the photos as they are, `folder/masks/STEM.png` palette PNGs of ids in the order of the names
    with 255 for void, `folder/names.toml` the classes, and `folder/gallery.html` the photos with their masks, to be
    looked at before they are trusted.

    Args:
        data: The dataset.
        folder: Empty, or not there yet.

    Yields:
        Each sample once it is written, or the reason why it cannot be.

    Raises:
        UsageError: The folder cannot be used.
        OSError: The folder cannot be written to.
    """
    check_output(folder)
    names = _names(data.samples)
    step = max(1, len(names) // IN_GALLERY)
    looked_at = set(list(names)[::step][:IN_GALLERY])
    parts: list[gallery.Part] = []
    for sample in data.samples:
        try:
            rgb, label = _read(data, sample)
        except (InputError, DatasetError) as error:
            yield Converted(sample, error=error)
            continue
        _write(folder, names[sample.name], sample.image, label, data.labels)
        if sample.name in looked_at:
            parts.append(gallery.Part(folder / _PARTS / f"{len(parts)}.json", str(sample.image)))
            areas = dict(zip(data.labels.names, masks.areas(label, len(data.labels))[0].tolist(), strict=True))
            seen = {name: pixels for name, pixels in areas.items() if pixels}
            gallery.write_entry(parts[-1].path, gallery.Entry(names[sample.name], rgb, label, seen), data.labels)
        yield Converted(sample, label)
    if parts:
        gallery.merge(folder / GALLERY, parts, data.labels, predicted=False)
        shutil.rmtree(folder / _PARTS)
        _write_names(folder / NAMES, data)


def _names(samples: Sequence[Sample]) -> dict[str, str]:
    """Sample name -> the name of its files: the photo's stem where no two photos have the same."""
    stems = [sample.image.stem.lower() for sample in samples]
    if len(set(stems)) == len(stems):
        return {sample.name: sample.image.stem for sample in samples}
    return {sample.name: sample.name for sample in samples}


def _read(data: Dataset, sample: Sample) -> tuple[np.ndarray, np.ndarray]:
    """The photo, upright, and its classes; an error where one cannot be read or they differ in size."""
    rgb, label = data.read_photo(sample).rgb, data.read_label(sample)
    if label.shape != rgb.shape[:2]:
        (rows, columns), (height, width) = label.shape, rgb.shape[:2]
        message = f"{shown(sample.label)} is for {columns} x {rows} pixels, but its photo has {width} x {height}"
        turned = label.shape == rgb.shape[1::-1]
        raise DatasetError(message, TURNED if turned else "Export it again at the photo's size.")
    return rgb, label


def _write(folder: Path, name: str, photo: Path, label: np.ndarray, labels: LabelSet) -> None:
    copy = folder / IMAGES / f"{name}{photo.suffix}"
    with write_whole(copy) as file, photo.open("rb") as original:
        shutil.copyfileobj(original, file)
    masks.write_label_map(folder / MASKS / f"{name}.png", label, labels)


def _write_names(path: Path, data: Dataset) -> None:
    """The label set as TOML; comments say how the labels were read."""
    lines = [f"# {data.reading.form}", *(f"# {note}" for note in data.reading.notes)] if data.reading else []
    values = {"names": list(data.labels.names), "palette": [list(c) for c in data.labels.palette], "ignore": VOID}
    with write_whole(path) as file:
        file.write("".join(shown(line) + "\n" for line in lines).encode())
        tomli_w.dump(values, file)
