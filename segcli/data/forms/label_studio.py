"""Label Studio: its JSON exports read, and tasks written with predictions for people to correct."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

import numpy as np

from segcli.data.forms import brush, label_studio_tasks, shapes
from segcli.data.forms.annotations import Annotations, Record
from segcli.data.forms.documents import names_in_order
from segcli.data.forms.label_studio_regions import Drawing
from segcli.data.forms.label_studio_tasks import Task
from segcli.data.forms.shapes import Shape
from segcli.errors import DatasetError
from segcli.labels import LabelSet

TOOL, PICTURE = "tag", "image"
"""What the labelling config calls the brush and the photo."""


def load(files: Sequence[Path]) -> Annotations:
    """The shapes of Label Studio's exports as JSON or JSON-MIN; the last region of a task lies on top.

    Of several annotations of a task the newest counts. Tasks that have predictions only are uncorrected.

    Raises:
        DatasetError: A file is no export of tasks.
    """
    tasks = label_studio_tasks.read(files)
    drawings = [Drawing(task.annotation.result or ()) if task.annotation else None for task in tasks]
    found = [(task, drawing) for task, drawing in zip(tasks, drawings, strict=True) if drawing is not None]
    records = [record(task, drawing) for task, drawing in found]
    used = [name for _, drawing in found for name in drawing.names]
    return Annotations(names_in_order((), used), tuple(records), notes=tuple(notes(tasks)))


def notes(tasks: Sequence[Task]) -> Iterator[str]:
    """What was decided about tasks: those without annotations, and those with several."""
    if missing := sum(task.annotation is None for task in tasks):
        yield f"{missing} of {len(tasks)} tasks have no annotation and are left out"
    if several := sum(task.people > 1 for task in tasks):
        yield f"{several} of {len(tasks)} tasks have several annotations, of which the newest counts"


def record(task: Task, drawing: Drawing) -> Record:
    """The record of a task's photo; its shapes raise DatasetError where the task is broken."""
    try:
        photo, fault = task.photo(), None
    except DatasetError as error:
        photo, fault = f"task {task.id}", error

    def read(size: tuple[int, int]) -> list[Shape]:
        if fault:
            raise fault
        try:
            return drawing.shapes(size)
        except DatasetError as error:
            raise DatasetError(f"task {task.id}: {error.message}", error.hint) from error

    skipped = Counter(drawing.skipped)
    return Record(
        photo, task.file, read, drawing.size(), len(drawing.names), drawing.boxes, skipped, not task.predicted
    )


def task(photo: str, label_map: np.ndarray, labels: LabelSet, model: str) -> dict[str, Any]:
    """A task to import into Label Studio, with a prediction that holds a brush region for each class.

    Args:
        photo: Its path below the folder that Label Studio serves (LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT), with "/".
        label_map: uint8 or uint16 (H, W) of class ids.
        labels: Their names; background and void become no region.
        model: What Label Studio shows as the version of the model.
    """
    names = shapes.foreground(labels)
    found = [label for label in np.flatnonzero(np.bincount(label_map.ravel())).tolist() if label in names]
    result = [_region(label, names[label], label_map == label) for label in found]
    # Bytes of a name that are no text become percent codes like all others.
    path = quote(photo.encode(errors="surrogateescape"))
    return {
        "data": {PICTURE: f"/data/local-files/?d={path}"},
        "predictions": [{"model_version": model, "result": result}],
    }


def _region(label: int, name: str, mask: np.ndarray) -> dict[str, Any]:
    height, width = mask.shape
    return {
        "id": f"class-{label}",
        "type": "brushlabels",
        "from_name": TOOL,
        "to_name": PICTURE,
        "original_width": width,
        "original_height": height,
        "image_rotation": 0,
        "value": {"format": "rle", "rle": list(brush.encode(mask)), "brushlabels": [name]},
    }


def config(labels: LabelSet) -> str:
    """The labelling config, in XML, of a project for the tasks of `task`: a brush for each class, in its colour."""
    brushes = [
        f'    <Label value={quoteattr(name)} background="#{bytes(labels.palette[label]).hex()}"/>'
        for label, name in shapes.foreground(labels).items()
    ]
    return f"""<View>
  <Image name="{PICTURE}" value="${PICTURE}" zoom="true"/>
  <BrushLabels name="{TOOL}" toName="{PICTURE}">
{chr(10).join(brushes)}
  </BrushLabels>
</View>
"""
