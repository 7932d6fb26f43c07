"""Result: what a model, or the CRF, says of one photo."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path, PurePath, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from segcli.crf.settings import CRF, CRFSettings
from segcli.decoding import check_option
from segcli.errors import UsageError
from segcli.files.sources import Source
from segcli.images.geo.place import Place
from segcli.images.objects import Object
from segcli.images.overlay import overlay
from segcli.images.overlay_style import PLAIN, OverlayStyle
from segcli.labels import LabelSet
from segcli.pipeline.kinds import DEFAULT_KINDS, OBJECTS, OF_PHOTOS, SEVERAL, MinArea, check_tidying
from segcli.pipeline.outputs import Outputs, kept_classes, names_of, one_of
from segcli.pipeline.writer import class_areas, objects_of

if TYPE_CHECKING:
    from segcli.inference.prediction import Prediction


@dataclass(frozen=True, eq=False, repr=False)
class Result:
    """The classes of a photo's pixels.

    Attributes:
        photo: uint8 (H, W, 3) red-green-blue, upright.
        label_set: The classes: names, colours and the void id.
        path: The photo's file; None for a picture from memory.
        notes: What the reader of the photo had to decide, a sentence each.
        info: Text that every mask carries, such as the model's name.
        place: Where on earth the photo lies; None where that is not known.
    """

    photo: np.ndarray
    label_set: LabelSet
    prediction: Prediction = field(repr=False)
    path: Path | None = None
    notes: tuple[str, ...] = ()
    info: Mapping[str, str] = field(default_factory=dict, repr=False)
    place: Place | None = field(default=None, repr=False)

    def __repr__(self) -> str:
        height, width = self.photo.shape[:2]
        name = self.path.name if self.path else "photo"
        return f"<segcli result {name}, {width} x {height}, {len(self.names)} classes of {self.label_set.name}>"

    @cached_property
    def labels(self) -> np.ndarray:
        """The class id of every pixel: (H, W), uint8, or uint16 from 256 classes on."""
        return self.prediction.labels()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the classes; a class id is an index into them."""
        return self.label_set.names

    def probabilities(self, size: tuple[int, int] | None = None) -> np.ndarray:
        """The probability of every class in every pixel: float32 (K, H, W), summing to 1 over K.

        Args:
            size: (height, width) in pixels; the photo's own where None. A large photo takes 4 K H W bytes.
        """
        return self.prediction.probabilities(size).cpu().numpy()

    def areas(self) -> dict[str, int]:
        """Pixels by class name, for the classes that were found, in the order of their ids."""
        return class_areas(self.labels, self.label_set)

    def objects(self, *, min_area: int = 0, fill_holes: bool = False) -> tuple[Object, ...]:
        """The connected regions of all classes but background, in the order of their first pixels, row after row.

        Args:
            min_area: Regions of fewer pixels are left out.
            fill_holes: Background that one region surrounds is part of it.

        Raises:
            UsageError: `min_area` is below 0, or there is no background that could be a hole.
        """
        check_option("min_area", min_area, MinArea)
        tidying = {"min_area": min_area, "fill_holes": fill_holes}
        outputs = Outputs(Path(), self.label_set, frozenset({OBJECTS}), self.info, **tidying)
        return tuple(objects_of(outputs, self.prediction))

    def overlay(self, size: int | None = None, style: OverlayStyle = PLAIN) -> Image.Image:
        """The photo with its classes in colour, and a legend; `size` is its longest side at most, in pixels."""
        return overlay(self.photo, self.labels, self.label_set, style.of_size(size))

    def refine(self, crf: CRF = True) -> Result:
        """The result that the fully connected CRF makes of this one; `crf` is True or settings.

        Raises:
            InputError: A sigma is too small for this photo.
            UsageError: `crf` is no such choice.
        """
        from segcli.crf.stage import Refinement

        settings = CRFSettings.of(crf)
        refined = Refinement.by(settings)(self.photo, self.prediction) if settings else self.prediction
        return replace(self, prediction=refined)

    def save(
        self,
        folder: str | Path,
        save: Iterable[str] = DEFAULT_KINDS,
        *,
        name: str | None = None,
        classes: Iterable[str] | None = None,
        overlay_size: int | None = None,
        overlay: OverlayStyle = PLAIN,
        min_area: int = 0,
        fill_holes: bool = False,
    ) -> dict[str, Path]:
        """Write files as `segcli predict` does: masks/NAME.png, overlays/NAME.jpg and so on.

        Args:
            folder: The output folder; it is made.
            save: Any of mask, overlay, cutout, classes, polygons, geojson, labelme, objects, gallery, probs. Files
                of many photos, such as CVAT's, are those of `predict_folder`.
            name: What the files are called, without suffix. None: as the photo's file, or "photo" without one.
            classes: Names of the classes to keep; the others become background, or void. None: all.
            overlay_size: Longest side of an overlay in pixels; None: as `overlay` says.
            overlay: How an overlay looks.
            min_area: Connected regions of fewer pixels are left out of label files and objects, though not of masks.
            fill_holes: Background that one region surrounds is part of it there, though not in masks.

        Returns:
            The files by kind.

        Raises:
            UsageError: A kind or class is not known, or the name is none of a file.
            InputError: A format cannot hold this picture, or the disk not its name.
            OSError: The folder cannot be written to.
        """
        style = overlay.of_size(overlay_size)
        check_option("min_area", min_area, MinArea)
        kinds = one_of("save", names_of(save), OF_PHOTOS)
        check_tidying(min_area, fill_holes, kinds)
        if of_many := sorted(kinds.intersection(SEVERAL)):
            raise UsageError(f"save {of_many[0]}: that is a file of many photos", "`predict_folder` writes it.")
        kept = kept_classes(None if classes is None else names_of(classes), self.label_set, kinds)
        tidying = {"min_area": min_area, "fill_holes": fill_holes}
        outputs = Outputs(Path(folder), self.label_set, kinds, self.info, style, kept, **tidying)
        written = outputs.write(self._source(name), self.photo, self.prediction, self.place)
        return {kind: outputs.folder / file["path"] for kind, file in written.files.items()}

    def _source(self, name: str | None) -> Source:
        stem = name if name is not None else self.path.stem if self.path else "photo"
        if stem in ("", ".", "..") or PurePath(stem).name != stem or "/" in stem:
            raise UsageError(f"{stem!r} is no name of a file", "Give a name without folders.")
        page = None if self.path else 0  # there is no file that could stand for the picture
        return Source(self.path or Path(stem), PurePosixPath(stem), page)
