"""What a run writes for each photo, and where."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image

from segcli.crf.dense_crf import WORKING_SIZE
from segcli.files.atomic import write_whole
from segcli.files.sources import Source
from segcli.images import gallery, polygons
from segcli.images.cutout import Colour, cutout, write_cutout
from segcli.images.masks import write_label_map
from segcli.images.overlay import areas, overlay, write_overlay
from segcli.images.probabilities import write_probabilities
from segcli.inference.segmenter import Prediction
from segcli.inference.transform import fit
from segcli.inference.uncertainty import uncertainty
from segcli.labels import BACKGROUND, VOID, LabelSet


@dataclass(frozen=True)
class Result:
    """One photo, ready to be written.

    Attributes:
        source: Where it came from.
        photo: uint8 (H, W, 3).
        prediction: Of that photo.
        label_map: uint8 or uint16 (H, W), of the chosen classes only.
        areas: Class name -> pixels, for the classes that were found.
        uncertainty: 0..1.
    """

    source: Source
    photo: np.ndarray
    prediction: Prediction
    label_map: np.ndarray
    areas: dict[str, int]
    uncertainty: float


@dataclass(frozen=True)
class Written:
    """What was written for one photo.

    Attributes:
        files: Kind -> {"path": relative to the output folder, "bytes": size}.
        areas, uncertainty: As in Result.
    """

    files: dict[str, dict] = field(default_factory=dict)
    areas: dict[str, int] = field(default_factory=dict)
    uncertainty: float | None = None


@dataclass(frozen=True)
class Outputs:
    """An output folder and what goes into it.

    Attributes:
        folder: Its path.
        labels: The model's classes.
        kinds: Keys of `WRITERS`, and "classes" for a mask of each class.
        info: Text that every mask carries, such as the model's name.
        overlay_size: Longest side of an overlay in pixels.
        classes: The ids to keep; every other becomes background, or void where no class is called that. None: all.
        cutout_background: The colour of what is cut away; None leaves it transparent.
    """

    folder: Path
    labels: LabelSet
    kinds: frozenset[str]
    info: Mapping[str, str]
    overlay_size: int = 1920
    classes: frozenset[int] | None = None
    cutout_background: Colour | None = None

    def write(self, source: Source, photo: np.ndarray, prediction: Prediction) -> Written:
        """Write everything for one photo, each file whole or not at all.

        Args:
            source: Where the photo came from; its tree names the outputs.
            photo: uint8 (H, W, 3).
            prediction: Of that photo.

        Raises:
            OSError: The folder cannot be written to.
        """
        result = self._result(source, photo, prediction)
        files = {}
        for kind, (subfolder, suffix, write) in WRITERS.items():
            if kind in self.kinds:
                path = source.output(self.folder / subfolder, suffix)
                write(self, path, result)
                files[kind] = path
        if "classes" in self.kinds:
            files |= self._write_class_masks(result)
        facts = {
            kind: {"path": path.relative_to(self.folder).as_posix(), "bytes": path.stat().st_size}
            for kind, path in files.items()
        }
        return Written(facts, result.areas, result.uncertainty)

    def _result(self, source: Source, photo: np.ndarray, prediction: Prediction) -> Result:
        label_map = prediction.labels()
        if self.classes is not None:
            label_map = self._kept.take(label_map)
        pixels, _ = areas(label_map, len(self.labels))
        found = {self.labels.names[index]: int(pixels[index]) for index in np.flatnonzero(pixels)}
        return Result(source, photo, prediction, label_map, found, uncertainty(prediction))

    @cached_property
    def _kept(self) -> np.ndarray:
        """A table from the network's ids to those that are written."""
        wide = len(self.labels) > VOID
        other = self.labels.names.index(BACKGROUND) if BACKGROUND in self.labels.names else 65535 if wide else VOID
        table = np.full(65536, other, np.uint16 if wide else np.uint8)
        for label in self.classes or ():
            table[label] = label
        return table

    @cached_property
    def foreground(self) -> list[int]:
        """The ids of what is cut out and masked: the chosen classes, or all but background."""
        return sorted(self.classes or {i for i, name in enumerate(self.labels.names) if name != BACKGROUND})

    @cached_property
    def _suffixes(self) -> dict[int, str]:
        """How the mask of each class ends: ".person.png"; with the id where two would be called alike."""
        words = [re.sub(r"[^\w-]+", "-", name).encode()[:40].decode(errors="ignore") for name in self.labels.names]
        alike = [word.casefold() for word in words]
        return {
            label: f".{word}.png" if word and alike.count(alike[label]) == 1 else f".{word}-{label}.png"
            for label, word in enumerate(words)
        }

    def _write_class_masks(self, result: Result) -> dict[str, Path]:
        """A mask, 0 or 255, of each chosen class, or of each class found; those of an earlier run that are none go."""
        files = {}
        for label, suffix in self._suffixes.items():
            path = result.source.output(self.folder / "classes", suffix)
            name = self.labels.names[label]
            if label in self.foreground and (name in result.areas or self.classes is not None):
                with write_whole(path) as file:
                    Image.fromarray((result.label_map == label).astype(np.uint8) * 255).save(file, "PNG")
                files[f"class {name}"] = path
            else:
                path.unlink(missing_ok=True)
        return files


def _write_mask(outputs: Outputs, path: Path, result: Result) -> None:
    write_label_map(path, result.label_map, outputs.labels, outputs.info)


def _write_overlay(outputs: Outputs, path: Path, result: Result) -> None:
    write_overlay(path, overlay(result.photo, result.label_map, outputs.labels, size=outputs.overlay_size))


def _write_probabilities(outputs: Outputs, path: Path, result: Result) -> None:
    size = fit(result.photo.shape[:2], WORKING_SIZE)
    write_probabilities(path, result.prediction.probabilities(size).cpu().numpy(), outputs.labels)


def _write_cutout(outputs: Outputs, path: Path, result: Result) -> None:
    kept = np.isin(result.label_map, outputs.foreground)
    write_cutout(path, cutout(result.photo, kept, outputs.cutout_background))


def _write_polygons(outputs: Outputs, path: Path, result: Result) -> None:
    polygons.write_polygons(path, str(result.source.path), result.label_map, outputs.labels)


def _write_gallery(outputs: Outputs, path: Path, result: Result) -> None:
    name = result.source.tree.as_posix()
    entry = gallery.Entry(name, result.photo, result.label_map, result.areas, result.uncertainty)
    gallery.write_entry(path, entry, outputs.labels)


Writer = Callable[[Outputs, Path, Result], None]

WRITERS: dict[str, tuple[str, str, Writer]] = {
    "mask": ("masks", ".png", _write_mask),
    "overlay": ("overlays", ".jpg", _write_overlay),
    "cutout": ("cutouts", ".png", _write_cutout),
    "polygons": ("polygons", ".json", _write_polygons),
    "gallery": ("gallery", ".json", _write_gallery),
    "probs": ("probs", ".npz", _write_probabilities),
}
"""Kind of output -> its subfolder, its suffix and what writes it."""

Merger = Callable[[Path, Iterable[Path], LabelSet], None]

MERGERS: dict[str, tuple[str, Merger]] = {
    "polygons": ("polygons.json", polygons.merge),
    "gallery": ("gallery.html", gallery.merge),
}
"""Kind of output -> the file for the whole run, and what makes it from the photos' parts."""
