"""Label files: what labelling tools open, so that people can correct what a model predicted.

Each photo's part is written as the photo is done; what needs all photos is made of the parts at the end of a run.
Files that people correct where they lie, LabelMe's and YOLO's, are never written over once somebody has.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from msgspec import Struct
from PIL import Image

from segcli.data.forms import cvat, label_studio, labelme, yolo
from segcli.errors import InputError, UsageError
from segcli.files import parts as parts_of
from segcli.files.atomic import sha256, write_whole
from segcli.files.encoding import to_json
from segcli.files.paths import shown
from segcli.files.sources import Source
from segcli.images import polygons
from segcli.images.opening import opened, opened_file
from segcli.labels import LabelSet

if TYPE_CHECKING:
    from segcli.pipeline.mergers import Merger
    from segcli.pipeline.outputs import Outputs
    from segcli.pipeline.writer import Labelled, Writer

OPENED: Mapping[str, tuple[str, ...]] = {
    "JPEG": (".jpg", ".jpeg"),
    "PNG": (".png",),
    "BMP": (".bmp",),
    "WebP": (".webp",),
}
"""The formats that every labelling tool opens, with their suffixes; the usual one first."""
YOLO_FILE = "yolo/data.yaml"
"""The file, below an output folder, that describes YOLO's data set."""


class _Task(Struct):
    """What a task for Label Studio must hold."""

    data: dict[str, Any]
    predictions: list[dict[str, Any]]


class _Mark(Struct):
    """What `_write_mark` writes."""

    stem: str
    sha256: list[str]


def corrected(folder: Path, source: Source, kinds: Iterable[str]) -> frozenset[str]:
    """The kinds whose file of that photo is there already and was drawn or corrected by a person."""
    return frozenset(
        kind for kind, is_corrected in _CORRECTED.items() if kind in kinds and is_corrected(folder, source)
    )


def write_polygons(outputs: Outputs, labelled: Labelled) -> dict[str, Path]:
    """Write a photo's part of COCO's polygons.json."""
    path = labelled.source.output(outputs.folder / "polygons", ".json")
    polygons.write_polygons(path, labelled.source.input, labelled.drawn, outputs.labels)
    return {"polygons": path}


def write_labelme(outputs: Outputs, labelled: Labelled) -> dict[str, Path]:
    """Write LabelMe's JSON of a photo, and the photo beside it, as LabelMe opens them."""
    picture = _write_picture(outputs.folder / "labelme", labelled)
    path = _labelme_file(outputs.folder, labelled.source)
    if "labelme" not in labelled.corrected:
        with write_whole(path) as file:
            file.write(labelme.document(picture.name, labelled.drawn, outputs.labels))
    return {"labelme": path, "labelme photo": picture}


def _labelme_file(folder: Path, source: Source) -> Path:
    return source.output(folder / "labelme", ".json")


def _is_corrected_labelme(folder: Path, source: Source) -> bool:
    """So counts a file that cannot be read: nobody knows what is in it."""
    path = _labelme_file(folder, source)
    return path.is_file() and labelme.load([path]).records[0].corrected


def write_label_studio(outputs: Outputs, labelled: Labelled) -> dict[str, Path]:
    """Write a photo's task for Label Studio as JSON."""
    path = labelled.source.output(outputs.folder / "label-studio", ".json")
    model = outputs.info.get("model", "CRF")
    task = label_studio.task(_place(labelled.source), labelled.drawn, outputs.labels, f"segcli {model}")
    with write_whole(path) as file:
        file.write(to_json(task).encode())
    return {"label-studio": path}


def merge_label_studio(path: Path, parts: Iterable[Path], labels: LabelSet) -> None:
    """Write the tasks of many photos as one list, and the labelling config beside it; InputError for a damaged part."""
    with write_whole(path) as file:
        file.write(b"[")
        for number, part in enumerate(parts):
            file.write(b",\n" if number else b"\n")
            file.write(to_json(parts_of.load(part, _Task)).encode())
        file.write(b"\n]\n")
    with write_whole(path.with_name("label_config.xml")) as file:
        file.write(label_studio.config(labels).encode())


def write_cvat(outputs: Outputs, labelled: Labelled) -> dict[str, Path]:
    """Write a photo's `<image>` of CVAT's XML."""
    path = labelled.source.output(outputs.folder / "cvat", ".xml")
    with write_whole(path) as file:
        file.write(cvat.image(0, _place(labelled.source), labelled.drawn, outputs.labels).encode())
    return {"cvat": path}


def merge_cvat(path: Path, parts: Iterable[Path], labels: LabelSet) -> None:
    """Write CVAT's XML of many photos, one at a time in memory; InputError for a damaged part."""
    with write_whole(path) as file:
        for piece in cvat.document(_numbered(parts), labels):
            file.write(piece.encode())


def _numbered(parts: Iterable[Path]) -> Iterator[str]:
    """Each part with its place in the file, which nobody knew when it was written."""
    for number, part in enumerate(parts):
        with parts_of.understood(part):
            image = ElementTree.fromstring(part.read_bytes())
            if image.tag != "image":
                raise ValueError(image.tag)
        image.set("id", str(number))
        yield ElementTree.tostring(image, "unicode")


def write_yolo(outputs: Outputs, labelled: Labelled) -> dict[str, Path]:
    """Write YOLO's text file of a photo, and the photo in the folder beside it.

    Raises:
        UsageError: The folder holds text files of other classes, which are numbers there.
    """
    picture = _write_picture(outputs.folder / "yolo" / "images", labelled)
    mark, path = _yolo_files(outputs.folder, labelled.source)
    _check_yolo_classes(outputs)
    if "yolo" not in labelled.corrected:
        text = yolo.lines(labelled.drawn, outputs.labels).encode()
        (outputs.folder / YOLO_FILE).unlink(missing_ok=True)  # its marks are those of earlier files until the run ends
        _write_mark(mark, labelled.source, hashlib.sha256(text).hexdigest())
        with write_whole(path) as file:
            file.write(text)
    return {"yolo": mark, "yolo labels": path, "yolo photo": picture}


def merge_yolo(path: Path, parts: Iterable[Path], labels: LabelSet) -> None:
    """Write YOLO's data.yaml; it marks every text file that segcli wrote there, in earlier runs too."""
    written = sorted({*parts, *(path.parent / yolo.MARKS).rglob("*.json")})
    marks = {mark["stem"]: mark["sha256"][-1] for mark in map(_read_mark, written) if mark["sha256"]}
    with write_whole(path) as file:
        file.write(yolo.data_yaml(labels, marks).encode())


def _yolo_files(folder: Path, source: Source) -> tuple[Path, Path]:
    """The file that holds a photo's mark, hidden from tools that read the folder, and its text file of labels."""
    return source.output(folder / "yolo" / yolo.MARKS, ".json"), source.output(folder / "yolo" / "labels", ".txt")


def _is_corrected_yolo(folder: Path, source: Source) -> bool:
    mark, path = _yolo_files(folder, source)
    return path.is_file() and sha256(path) not in _read_mark(mark)["sha256"]


def _check_yolo_classes(outputs: Outputs) -> None:
    """Note the classes of a YOLO folder; UsageError where it was begun with others."""
    path, names = outputs.folder / "yolo" / ".classes", to_json(outputs.labels.names).encode()
    if not path.is_file():
        with write_whole(path) as file:
            file.write(names)
    elif path.read_bytes() != names:
        message = f"{shown(path.parent)} holds labels of other classes, which are mere numbers there"
        raise UsageError(message, "Name another folder with --output, or move that one away.")


def _write_mark(mark: Path, source: Source, digest: str) -> None:
    """Note the hash of a text file before it is written, beside those of earlier ones: a run may be killed between."""
    hashes = [*(one for one in _read_mark(mark)["sha256"] if one != digest), digest]
    with write_whole(mark) as file:
        file.write(to_json({"stem": source.tree.as_posix(), "sha256": hashes}).encode())


def _read_mark(mark: Path) -> dict[str, Any]:
    """A photo's stem, and the hashes of the text files that segcli has written for it, the latest last.

    A mark that cannot be read has no hashes: its text file counts as a person's, and stays.
    """
    try:
        return parts_of.load(mark, _Mark)
    except (OSError, InputError):
        return {"stem": "", "sha256": []}


def _place(source: Source) -> str:
    """The photo's path below the folder that all photos of the run lie in; a page is called like its picture."""
    name = source.path.name if source.page is None else f"{source.tree.name}.png"
    return source.tree.with_name(name).as_posix()


def _write_picture(folder: Path, labelled: Labelled) -> Path:
    """Write the photo as tools open it: the file itself if every tool opens its kind, else a PNG of its pixels."""
    source = labelled.source
    suffix = _own_suffix(labelled)
    path = source.output(folder, suffix or ".png")
    with write_whole(path) as file:
        if suffix:
            with source.path.open("rb") as photo:
                shutil.copyfileobj(photo, file)
        else:
            Image.fromarray(labelled.photo).save(file, "PNG", compress_level=1)
    return path


def _own_suffix(labelled: Labelled) -> str:
    """The suffix of the photo's file where tools open it; else nothing: deep grey would be black in most of them."""
    source = labelled.source
    if source.page is not None:
        return ""
    with opened_file(source.path) as (_, known):
        suffixes = OPENED.get(known.name, ())
    if not suffixes:
        return ""
    with opened(source.path, labelled.photo.size) as (image, _):
        suffixes = suffixes if image.mode[0] not in "IF" else ()
    own = source.path.suffix
    return own if own.lower() in suffixes else next(iter(suffixes), "")


_CORRECTED: dict[str, Callable[[Path, Source], bool]] = {"labelme": _is_corrected_labelme, "yolo": _is_corrected_yolo}
"""Kind -> whether a photo's file in an output folder was corrected, for the kinds that are corrected where they lie."""

WRITERS: dict[str, Writer] = {
    "polygons": write_polygons,
    "labelme": write_labelme,
    "label-studio": write_label_studio,
    "cvat": write_cvat,
    "yolo": write_yolo,
}
"""Kind of label file -> what writes it for one photo and returns its files, by the names that records keep."""

MERGERS: dict[str, tuple[str, Merger]] = {
    "polygons": ("polygons.json", polygons.merge),
    "label-studio": ("label-studio.json", merge_label_studio),
    "cvat": ("cvat.xml", merge_cvat),
    "yolo": (YOLO_FILE, merge_yolo),
}
"""Kind of label file -> the file for the whole run, and what makes it from the photos' parts."""
