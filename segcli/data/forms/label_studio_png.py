"""Label Studio's PNG export: a picture for each brush region, which names its task and class but not its photo.

The JSON export of the same project says which photo a task has. It holds the regions too, with their order, and so
the pictures are only needed for tasks whose regions it lacks.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from segcli.data.forms import bitmaps, brush, label_studio, label_studio_tasks
from segcli.data.forms.annotations import Annotations, Record
from segcli.data.forms.documents import names_in_order
from segcli.data.forms.label_studio_regions import Drawing, Region
from segcli.data.forms.label_studio_tasks import Task
from segcli.data.forms.shapes import Shape
from segcli.errors import DatasetError, InputError
from segcli.files.paths import shown
from segcli.images.opening import opened

_STEM = re.compile(r"task-(\d+)-annotation-([^-]+)-by-([^-]*)-(.+)-\d+", re.IGNORECASE)
"""task-TASK-annotation-ANNOTATION-by-PERSON-TOOL-CLASS-NUMBER; Label Studio leaves no dash in PERSON."""


@dataclass(frozen=True)
class _Mask:
    """A picture, and the parts of its name: the task, the annotation, and TOOL-CLASS."""

    file: Path
    task: str
    annotation: str
    label: str


def load(files: Sequence[Path]) -> Annotations:
    """The shapes of an export: pictures, and the JSON export that says which photo each task has."""
    exports = [file for file in files if file.suffix.lower() == ".json"]
    return load_pictures([file for file in files if file not in set(exports)], exports)


def load_pictures(files: Sequence[Path], exports: Sequence[Path]) -> Annotations:
    """The shapes of pictures, one a region, on the photos of the tasks of JSON exports.

    Of pictures of one photo that overlap, the smaller region lies on top, since their order is not known.

    Raises:
        DatasetError: There is no JSON export, or a file is called otherwise than Label Studio's pictures.
    """
    masks = _by_task(files)
    if not exports:
        message = f"{len(files)} masks of Label Studio name the number of their task, but not their photo"
        raise DatasetError(message, "Put the JSON export of the same project beside them.")
    tasks = label_studio_tasks.read(exports)
    drawings = [Drawing((task.annotation and task.annotation.result) or ()) for task in tasks]
    name = _naming([region for task in tasks for region in (task.annotation and task.annotation.result) or ()])
    told, pictured, used = [], [], [word for drawing in drawings for word in drawing.names]
    for task, drawing in zip(tasks, drawings, strict=True):
        left = _newest(task, masks.pop(task.id, ()))
        if left and not drawing.brushes:
            pictured.append(_record(task, drawing, left, name))
            used += [name(mask.label) for mask in left]
        elif task.annotation:
            told.append(label_studio.record(task, drawing))
    pictured += [_lost(number, left) for number, left in masks.items()]
    records = (*(map(_layered, told) if pictured else told), *pictured)
    order = "area" if pictured else "list"
    return Annotations(names_in_order((), used), records, order, tuple(label_studio.notes(tasks)))


def _parts(file: Path) -> _Mask:
    parts = _STEM.fullmatch(file.stem)
    if parts is None:
        hint = "Its masks have names such as task-1-annotation-1-by-1-tag-leaf-0.png. Keep these names."
        raise DatasetError(f"{shown(file)} does not have a name that Label Studio gives to masks", hint)
    return _Mask(file, parts[1], parts[2], parts[4])


def _by_task(files: Sequence[Path]) -> dict[str, list[_Mask]]:
    found: dict[str, list[_Mask]] = defaultdict(list)
    for file in files:
        mask = _parts(file)
        found[mask.task].append(mask)
    return found


def _newest(task: Task, masks: Collection[_Mask]) -> list[_Mask]:
    """The pictures of the annotation that counts: the task's, else the one of the highest number."""
    if not masks:
        return []
    there = {mask.annotation for mask in masks}
    wanted = str(task.annotation.id) if task.annotation else ""
    if wanted not in there:
        wanted = max(there, key=lambda number: (len(number), number))
    return [mask for mask in masks if mask.annotation == wanted]


def _naming(regions: Sequence[Region]) -> Callable[[str], str]:
    """What finds the class in TOOL-CLASS, of which both may hold dashes, and where slashes of the class became dashes.

    The tools that the export's regions name are known; else TOOL is taken to end at the first dash.
    """
    tools = sorted({region.from_name for region in regions if region.from_name}, key=len, reverse=True)
    classes = {re.sub(r"[/\\]", "-", word): word for region in regions for word in region.value.names()}

    def name(label: str) -> str:
        tool = next((tool for tool in tools if label.startswith(f"{tool}-")), label.partition("-")[0])
        word = label[len(tool) + 1 :] or label
        return classes.get(word, word)

    return name


def _layered(record: Record) -> Record:
    """The record with each region on a layer of its own: their order is known, whatever their area."""
    return replace(record, shapes=lambda size: [replace(s, z=place) for place, s in enumerate(record.shapes(size))])


def _record(task: Task, drawing: Drawing, masks: Sequence[_Mask], name: Callable[[str], str]) -> Record:
    """The record of a task with pictures; regions of other kinds than brushes are in the JSON export only."""
    base = label_studio.record(replace(task, predicted=False), drawing)

    def shapes(size: tuple[int, int]) -> list[Shape]:
        return bitmaps.bounded([*base.shapes(size), *(_shape(mask, name(mask.label), size) for mask in masks)])

    first, *others = (mask.file for mask in masks)
    return replace(
        base, file=first, shapes=shapes, drawn=base.drawn + len(masks), others=(*others, base.file, *base.others)
    )


def _shape(mask: _Mask, name: str, size: tuple[int, int]) -> Shape:
    try:
        with opened(mask.file) as (image, _):
            pixels = bitmaps.values(image) > brush.CUT
    except InputError as error:
        raise DatasetError(error.message, error.hint) from error
    if pixels.shape != size:
        width, height = pixels.shape[::-1]
        raise DatasetError(
            f"{shown(mask.file.name)} has {width} x {height} pixels, but its photo is {size[1]} x {size[0]}"
        )
    bitmap, origin = bitmaps.tight(pixels)
    return Shape(name, bitmap=bitmap, origin=origin)


def _lost(number: str, masks: Sequence[_Mask]) -> Record:
    """The record of pictures whose task no export has."""

    def shapes(size: tuple[int, int]) -> list[Shape]:
        message = f"no JSON export has the task {number}, so its photo is not known"
        raise DatasetError(message, "Export the project again, as JSON and as PNG.")

    return Record(f"task {number}", masks[0].file, shapes, drawn=len(masks))
