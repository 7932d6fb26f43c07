"""Outputs: an output folder and what goes into it; a run is planned with them before anything is read or written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from segcli.errors import UsageError, nearest
from segcli.files.atomic import sha256
from segcli.images.geo.units import GeoJsonCrs
from segcli.images.overlay_style import PLAIN, OverlayStyle
from segcli.labels import BACKGROUND, VOID, Colour, LabelSet
from segcli.pipeline.records import EMPTY_CUTOUT

if TYPE_CHECKING:
    import numpy as np

    from segcli.files.listing import Source
    from segcli.images.geo.place import Place
    from segcli.inference.prediction import Prediction
    from segcli.pipeline.writer import Written


@dataclass(frozen=True)
class Outputs:
    """An output folder and what goes into it.

    Attributes:
        folder: The output folder.
        labels: The model's classes.
        kinds: What is written, a choice of `kinds.OF_PHOTOS`, and of films.
        info: Text that every mask carries, such as the model's name.
        overlay: How overlays look.
        classes: The ids to keep; every other becomes background, or void where no class is called that. None: all.
        cutout_background: The colour of what is cut away; None leaves it transparent.
        min_area: Connected regions of fewer pixels are left out of label files and objects, though not out of masks.
        geojson_crs: The coordinates of polygons on a map.
        read_as: Text about how photos were read, which masks that are GeoTIFFs carry.
        fill_holes: Background that one region surrounds is part of it in label files and objects, though not in masks.

    Raises:
        UsageError: There is no background that could be a hole.
    """

    folder: Path
    labels: LabelSet
    kinds: frozenset[str]
    info: Mapping[str, str]
    overlay: OverlayStyle = PLAIN
    classes: frozenset[int] | None = None
    cutout_background: Colour | None = None
    min_area: int = 0
    geojson_crs: GeoJsonCrs = "wgs84"
    read_as: Mapping[str, str] = field(default_factory=dict)
    fill_holes: bool = False

    def __post_init__(self):
        if self.fill_holes and self.classes is None and BACKGROUND not in self.labels.names:
            message = f"--fill-holes: {self.labels.name} has no background, so there are no holes to fill"
            raise UsageError(message, "Name what to keep with --classes: all else is background then.")

    def to_dict(self) -> dict:
        """The choices that decide what is written, as TOML-plain values or None; part of a run's fingerprint."""
        return {
            "save": sorted(self.kinds),
            **self.overlay.to_dict(),
            "classes": None if self.classes is None else sorted(self.classes),
            "cutout_background": self.cutout_background,
            "min_area": self.min_area or None,
            "fill_holes": self.fill_holes or None,
            "geojson_crs": None if self.geojson_crs == "wgs84" else self.geojson_crs,
        }

    def write(self, source: Source, photo: np.ndarray, prediction: Prediction, place: Place | None = None) -> Written:
        """Write everything for one photo, each file whole or not at all.

        Args:
            source: Where the photo came from; its tree names the outputs.
            photo: uint8 (H, W, 3).
            prediction: What the network, or the CRF, made of that photo.
            place: Where on earth the photo lies; None where that is not known.

        Raises:
            InputError: A format cannot hold this picture, or the disk not its name.
            OSError: The folder cannot be written to.
        """
        from segcli.pipeline.writer import write

        return write(self, source, photo, prediction, place)

    def facts(self, path: Path, digest: str | None = None) -> dict:
        """What a record keeps of a file of the output folder."""
        place = path.relative_to(self.folder).as_posix()
        return {"path": place, "bytes": path.stat().st_size, "sha256": digest or sha256(path)}

    def label_map(self, prediction: Prediction) -> np.ndarray:
        """The final label map, of the chosen classes only."""
        label_map = prediction.labels()
        return label_map if self.classes is None else self.kept.take(label_map)

    @cached_property
    def kept(self) -> np.ndarray:
        """A table from the network's ids to those that are written."""
        import numpy as np

        table = np.full(65536, self.other, np.uint16 if len(self.labels) > VOID else np.uint8)
        for label in self.classes or ():
            table[label] = label
        return table

    @property
    def other(self) -> int:
        """The id of a pixel that has none of the chosen classes: background, or void where there is none."""
        if BACKGROUND in self.labels.names:
            return self.labels.names.index(BACKGROUND)
        return 65535 if len(self.labels) > VOID else VOID

    @cached_property
    def foreground(self) -> list[int]:
        """The ids of what is cut out and masked: the chosen classes, or all but background."""
        return sorted(self.classes or {i for i, name in enumerate(self.labels.names) if name != BACKGROUND})

    def notes(self, areas: Mapping[str, int]) -> tuple[str, ...]:
        """What the user should know of a photo with these areas: that its cutout shows nothing."""
        shows = any(self.labels.names[label] in areas for label in self.foreground)
        return () if "cutout" not in self.kinds or shows else (EMPTY_CUTOUT,)

    def are_left_of(self, source: Source) -> bool:
        """Whether a mask or an overlay of an earlier run is where that of a source would be."""
        places = (("masks", ".png"), ("masks", ".tif"), ("overlays", ".jpg"))
        return any(source.output(self.folder / kind, suffix).exists() for kind, suffix in places)

    @cached_property
    def class_suffixes(self) -> dict[int, str]:
        """The ending of each class's mask: ".person.png"; with the id where two would be called alike."""
        words = [re.sub(r"[^\w-]+", "-", name).encode()[:40].decode(errors="ignore") for name in self.labels.names]
        alike = [word.casefold() for word in words]
        return {
            label: f".{word}.png" if word and alike.count(alike[label]) == 1 else f".{word}-{label}.png"
            for label, word in enumerate(words)
        }


def kept_classes(names: Iterable[str] | None, labels: LabelSet, kinds: frozenset[str]) -> frozenset[int] | None:
    """The ids of the classes to keep, by their names; None for all.

    Raises:
        UsageError: There is no such class, or cutouts are wanted and nothing says what to keep.
    """
    if names is not None:
        return frozenset(map(labels.names.index, one_of("--classes", names, labels.names)))
    if "cutout" in kinds and BACKGROUND not in labels.names:
        raise UsageError(
            f"--save cutout: {labels.name} has no background to cut away", "Name what to keep with --classes."
        )
    return None


def names_of(names: str | Iterable[str]) -> tuple[str, ...]:
    """Names as a tuple; one text is one name, not its letters."""
    return (names,) if isinstance(names, str) else tuple(names)


def one_of(option: str, words: Iterable[str], known: Iterable[str]) -> frozenset[str]:
    """The words as a set; UsageError where one is not known, or there is none."""
    chosen, known = frozenset(words), tuple(known)
    if not chosen:
        raise UsageError(f"{option} names nothing", f"Choose among {', '.join(known)}.")
    if strange := sorted(chosen - set(known)):
        near = nearest(strange[0], known, " ").strip()
        raise UsageError(f"{option} {strange[0]}: not known", f"{near} Choose among {', '.join(known)}.".lstrip())
    return chosen
