"""The files of an evaluation: scores.json, its pictures, and overlays of the worst images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from segcli.files.atomic import write_whole
from segcli.files.encoding import to_json
from segcli.images import plots
from segcli.images.overlay import overlay, write_overlay

if TYPE_CHECKING:
    from segcli.pipeline.evaluation import Evaluation


def write(evaluation: Evaluation, folder: Path, worst_count: int) -> None:
    """Leave scores.json, the confusion matrix, the trimap's curves and overlays of the worst images in a folder.

    Args:
        evaluation: What was scored.
        folder: Made where it is missing.
        worst_count: How many of the worst images.

    Raises:
        OSError: The folder cannot be written to.
    """
    tally, result = evaluation.tally, evaluation.to_dict(worst_count)
    with write_whole(folder / "scores.json") as file:
        file.write(to_json(result, indent=1).encode())
    with write_whole(folder / "confusion.png") as file:
        plots.confusion_matrix(tally.matrix.counts, evaluation.data.labels).save(file, "PNG")
    if tally.trimap is not None:
        with write_whole(folder / "trimap.png") as file:
            plots.trimap(evaluation.curves()).save(file, "PNG")
    _write_overlays(evaluation, folder / "worst", {image["name"] for image in result["worst"]})


def _write_overlays(evaluation: Evaluation, folder: Path, names: set[str]) -> None:
    """Overlays of the named samples, computed once more."""
    for sample in evaluation.data.samples:
        if sample.name in names:
            photo = evaluation.data.read_photo(sample)
            picture = overlay(photo.rgb, evaluation.predicted(photo).labels(), evaluation.data.labels)
            write_overlay(folder / f"{sample.name}.jpg", picture)
