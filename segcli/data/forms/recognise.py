"""Recognising: which label files of which tools a folder holds, by what stands in them, never by a suffix alone."""

import re
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.parsers import expat

import msgspec

from segcli.data.forms import (
    coco,
    cvat,
    darwin,
    documents,
    geojson,
    imagej,
    label_studio,
    label_studio_png,
    labelme,
    segments,
    supervisely,
    via,
    voc_boxes,
    yolo,
)
from segcli.data.forms.annotations import Annotations
from segcli.errors import DatasetError

HEAD_BYTES = 1 << 16
"""The bytes at the start of a text file that tell what it holds."""


@dataclass(frozen=True)
class Form:
    """One tool's way to write shapes.

    Attributes:
        title: The form's name in sentences.
        load: Reads its files.
        boxes: Whether `load` can draw boxes that have no outline, with `fill_boxes`.
    """

    title: str
    load: Callable[..., Annotations]
    boxes: bool = False


FORMS = {
    "labelme": Form("LabelMe JSON", labelme.load),
    "coco": Form("COCO JSON", coco.load, boxes=True),
    "yolo": Form("YOLO polygons", yolo.load, boxes=True),
    "cvat": Form("CVAT XML", cvat.load),
    "label-studio": Form("Label Studio JSON", label_studio.load),
    "label-studio-png": Form("Label Studio PNG files", label_studio_png.load),
    "supervisely": Form("Supervisely JSON", supervisely.load),
    "geojson": Form("GeoJSON", geojson.load),
    "imagej": Form("ImageJ ROIs", imagej.load),
    "via": Form("VIA regions", via.load),
    "darwin": Form("Darwin JSON", darwin.load),
    "segments": Form("Segments.ai release", segments.load),
    "voc-boxes": Form("Pascal VOC XML", voc_boxes.load, boxes=True),
}
"""The word that `--as` takes -> the form."""

_YOLO_LINE = re.compile(rb"\s*\d+(\s+-?[\d.]+(e-?\d+)?){4,}\s*$", re.IGNORECASE)
_TASK_PICTURE = re.compile(r"task-\d+-annotation-", re.IGNORECASE)
_YOLO_FILES = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")


def find(files: Sequence[Path], pictures: Iterable[Path] = ()) -> dict[str, tuple[Path, ...]]:
    """The label files among files, by the key of their form in `FORMS`, in the order of their paths.

    Args:
        files: Files that are no pictures.
        pictures: Pictures beside them, of which some belong to a form.
    """
    found: dict[str, list[Path]] = defaultdict(list)
    texts, empty = [], []
    for path in files:
        form = _form(path)
        if form == "text":
            texts.append(path)
        elif form == "empty":
            empty.append(path)
        elif form:
            found[form].append(path)
    if texts:
        yaml = [path for path in files if path.name.lower() in _YOLO_FILES]
        folders = {_labels_folder(path) for path in texts}
        found["yolo"] = [*yaml, *sorted((*texts, *(path for path in empty if _labels_folder(path) in folders)))]
    tasks = [path for path in pictures if _TASK_PICTURE.match(path.name)]
    if tasks:
        found["label-studio-png"] = [*found.pop("label-studio", []), *tasks]
    if "supervisely" in found:
        found["supervisely"].sort(key=lambda path: path.name != "meta.json")
    return {form: tuple(paths) for form, paths in found.items()}


def uses_pictures(form: str, files: Sequence[Path]) -> bool:
    """Whether label files of a form keep their shapes in pictures beside them, which are then no masks themselves."""
    if form == "coco":
        return any(b'"segments_info"' in documents.read_bytes(path) for path in files)
    return form in ("segments", "label-studio-png")


def _labels_folder(path: Path) -> Path:
    """The folder called labels that holds the text files of all splits, else the file's own."""
    return next((folder for folder in path.parents if folder.name.lower() == "labels"), path.parent)


def _form(path: Path) -> str:
    """The form of one file, "text" or "empty" for one of numbers in lines, or nothing."""
    reader = _BY_SUFFIX.get(path.suffix.lower())
    try:
        return "" if reader is None else reader(path)
    except OSError:
        return ""


def _json(path: Path) -> str:
    try:
        content = msgspec.json.decode(documents.read_bytes(path), type=dict[str, msgspec.Raw] | list[msgspec.Raw])
    except (msgspec.MsgspecError, DatasetError, RecursionError, UnicodeDecodeError):
        return _broken_json(path)
    if isinstance(content, dict):
        return _of_keys(content)
    first = _plain(content[0]) if content else None
    return _of_task(first) if isinstance(first, dict) else ""


def _broken_json(path: Path) -> str:
    """The form of a JSON file that is damaged, by the words in its head, so that its reader can say what is wrong."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    keys = dict.fromkeys(re.findall(r'"(\w+)"\s*:', head.decode(errors="replace")), msgspec.Raw(b"null"))
    if re.search(rb'"type"\s*:\s*"Feature(Collection)?"', head):  # which QuPath writes with NaN
        return "geojson"
    if {"shapes", "points"} <= keys.keys():  # LabelMe names the photo at the end, which may be missing
        return "labelme"
    return _of_keys(keys) or ("label-studio" if {"data", "annotations"} <= keys.keys() else "")


def _of_keys(content: Mapping[str, msgspec.Raw]) -> str:
    keys = content.keys()
    for form, wanted in _JSON_KEYS:
        if wanted <= keys:
            return form
    if "type" in keys and _plain(content["type"]) in ("FeatureCollection", "Feature"):
        return "geojson"
    first = _plain(next(iter(content.values()))) if content else None
    return "via" if isinstance(first, dict) and {"filename", "regions"} <= first.keys() else ""


_JSON_KEYS = (
    ("labelme", {"shapes", "imagePath"}),
    ("labelme", {"shapes", "imageHeight"}),
    ("labelme", {"info", "objects"}),  # ISAT
    ("coco", {"images", "annotations"}),
    ("via", {"_via_img_metadata"}),
    ("via", {"file", "view", "metadata"}),  # version 3
    ("darwin", {"item", "annotations"}),
    ("supervisely", {"objects", "size"}),
    ("supervisely", {"classes", "tags"}),  # meta.json
    ("segments", {"dataset", "name"}),
)
"""The form of a JSON object that has all of these keys; the first that fits counts."""


def _of_task(first: dict[str, Any]) -> str:
    """The form of a list by its first entry."""
    if first.get("type") == "Feature":
        return "geojson"
    if "data" in first and {"annotations", "completions", "predictions"} & first.keys():
        return "label-studio"
    return "label-studio" if {"annotation_id", "annotator", "lead_time"} & first.keys() else ""


def _plain(raw: msgspec.Raw) -> Any:
    try:
        return msgspec.json.decode(raw)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None


def _xml(path: Path) -> str:
    """The form of an XML file by its root."""
    roots: list[str] = []
    parser = expat.ParserCreate()
    parser.StartElementHandler = lambda name, _: roots.append(name)
    with path.open("rb") as file, suppress(expat.ExpatError, ValueError, LookupError):  # unknown encodings too
        parser.Parse(file.read(HEAD_BYTES), False)
    return {"annotations": "cvat", "annotation": "voc-boxes"}.get(roots[0], "") if roots else ""


def _txt(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    lines = [line for line in head.splitlines()[:20] if line.strip()]
    if not lines:
        return "empty"
    if len(head) == HEAD_BYTES and len(lines) > 1:
        lines.pop()  # which may be cut short
    return "text" if len(lines[0]) == HEAD_BYTES or all(map(_YOLO_LINE.match, lines)) else ""


def _zip(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()[:10]
    except (zipfile.BadZipFile, NotImplementedError, ValueError):
        return "imagej" if "roiset" in path.name.lower() else ""
    return "imagej" if any(name.lower().endswith(".roi") for name in names) else ""


def _csv(path: Path) -> str:
    with path.open("rb") as file:
        head = file.readline(HEAD_BYTES).lower()
    return "via" if b"region_shape_attributes" in head else ""


_BY_SUFFIX: dict[str, Callable[[Path], str]] = {
    ".json": _json,
    ".geojson": _json,
    ".xml": _xml,
    ".txt": _txt,
    ".zip": _zip,
    ".csv": _csv,
    ".roi": lambda path: "imagej",
}
