"""A model's own file on the terminal: what it is, what it knows, and what its training has reached."""

from __future__ import annotations

from typing import Any

from segcli.cli.display import Display
from segcli.cli.views.scores import percent
from segcli.files.paths import shown
from segcli.pipeline import photo_values
from segcli.weights import metadata
from segcli.weights.metadata import Metadata
from segcli.weights.reference import ModelReference


def show(display: Display, reference: ModelReference) -> None:
    """Print what a checkpoint, or a file of `segcli export`, says of itself; WeightsError where it says nothing.

    Args:
        display: Prints.
        reference: The file.
    """
    about = _read(reference)
    if reference.note:
        display.note(reference.note)
    scores, size = dict(about.scores), about.preprocessing.size or "the photo's own"
    display.data(f"{reference}: {about.spec.name}, DeepLab{about.spec.family} with {about.spec.backbone.kind}")
    display.data(f"  classes        {len(about.labels)}: {', '.join(shown(name) for name in about.labels.names)}")
    display.data(f"  working size   {size}, output stride {about.spec.output_stride}")
    if words := photo_values.words(about.photos):
        display.data(f"  photos         {words}")
    if isinstance(scores.get("miou"), float):
        display.data(f"  trained        {scores.get('iteration')} iterations, val mIOU {percent(scores['miou'])}")
    display.json(_facts(reference, about))


def _read(reference: ModelReference) -> Metadata:
    if not reference.is_exported:
        return metadata.read(reference.path)
    from segcli.weights import onnx_file

    return onnx_file.facts(reference.path)


def _facts(reference: ModelReference, about: Metadata) -> dict[str, Any]:
    """The same as JSON-plain values."""
    return {
        "path": str(reference.path),
        "name": about.spec.name,
        "labels": list(about.labels.names),
        "output_stride": about.spec.output_stride,
        "preprocessing": about.preprocessing.to_dict(),
        "photos": about.photos.to_dict(),
        "scores": dict(about.scores),
        "provenance": dict(about.provenance),
    }
