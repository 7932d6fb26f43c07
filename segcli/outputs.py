"""What a run writes for each photo, and where."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segcli.crf import WORKING_SIZE
from segcli.files import Source
from segcli.inference import Prediction
from segcli.labels import LabelSet
from segcli.masks import write_label_map
from segcli.overlay import areas, overlay, write_overlay
from segcli.preprocess import fit
from segcli.priors import write_probabilities


@dataclass(frozen=True)
class Outputs:
    """An output folder and what goes into it.

    Attributes:
        folder: Its path.
        labels: The model's classes.
        kinds: Keys of `WRITERS`.
        info: Text that every mask carries, such as the model's name.
        overlay_size: Longest side of an overlay in pixels.
    """

    folder: Path
    labels: LabelSet
    kinds: frozenset[str]
    info: Mapping[str, str]
    overlay_size: int = 1920

    def write(
        self, source: Source, photo: np.ndarray, prediction: Prediction
    ) -> tuple[dict[str, dict], dict[str, int]]:
        """Write everything for one photo, each file whole or not at all.

        Args:
            source: Where the photo came from; its tree names the outputs.
            photo: uint8 (H, W, 3).
            prediction: Of that photo.

        Returns:
            Kind -> path (relative to the folder) and size in bytes; class name -> pixels, for classes found.

        Raises:
            OSError: The folder cannot be written to.
        """
        label_map = prediction.labels()
        files = {}
        for kind, (subfolder, suffix, write) in WRITERS.items():
            if kind in self.kinds:
                path = source.output(self.folder / subfolder, suffix)
                write(self, path, photo, label_map, prediction)
                files[kind] = {"path": path.relative_to(self.folder).as_posix(), "bytes": path.stat().st_size}
        pixels, _ = areas(label_map, len(self.labels))
        found = {self.labels.names[index]: int(pixels[index]) for index in np.flatnonzero(pixels)}
        return files, found


def _write_mask(outputs: Outputs, path: Path, photo: np.ndarray, label_map: np.ndarray, _: Prediction) -> None:
    write_label_map(path, label_map, outputs.labels, outputs.info)


def _write_overlay(outputs: Outputs, path: Path, photo: np.ndarray, label_map: np.ndarray, _: Prediction) -> None:
    write_overlay(path, overlay(photo, label_map, outputs.labels, size=outputs.overlay_size))


def _write_probabilities(
    outputs: Outputs, path: Path, photo: np.ndarray, label_map: np.ndarray, prediction: Prediction
) -> None:
    write_probabilities(path, prediction.probabilities(fit(photo.shape[:2], WORKING_SIZE)), outputs.labels)


Writer = Callable[[Outputs, Path, np.ndarray, np.ndarray, Prediction], None]

WRITERS: dict[str, tuple[str, str, Writer]] = {
    "mask": ("masks", ".png", _write_mask),
    "overlay": ("overlays", ".jpg", _write_overlay),
    "probs": ("probs", ".npz", _write_probabilities),
}
"""Kind of output -> its subfolder, its suffix and what writes it."""
