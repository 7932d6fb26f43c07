"""Tasks: Label Studio's exports, with the photo of each task and the regions that count.

Two forms are read. JSON is a list of tasks, each with its annotations (called completions until 2021), of which there
are several where people worked on the same photo or began anew. JSON-MIN is a list of annotations, whose regions stand
beside the data of their task and under the names of the tools they were drawn with.
"""

import base64
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote_to_bytes, urlsplit

import msgspec

from segcli.data.forms.annotations import broken
from segcli.data.forms.documents import read_json
from segcli.data.forms.label_studio_regions import Region, Value
from segcli.errors import DatasetError

_PICTURE = re.compile(r"\.(jpe?g|jfif|png|bmp|gif|webp|tiff?|heic|avif|jp2)$", re.IGNORECASE)
_UPLOADED = re.compile(r"^data/upload/\d+/")
_PHOTO_KEYS = ("image", "img", "photo", "picture", "image_url", "url")
"""What people call the photo of a task, where several of its values could be one."""


class Annotation(msgspec.Struct):
    """What one person drew on a task, or one model predicted.

    Attributes:
        id: Its number; higher ones are newer.
        result: Its regions, and relations and answers, in the order in which they were made.
        was_cancelled: Whether the person skipped the task; older files say `skipped`.
        updated_at: When it was changed last; as text that sorts by time, or as seconds.
        created_at: When it was begun.
    """

    id: int | str | None = None
    result: list[Region] | None = None
    was_cancelled: bool | None = None
    skipped: bool | None = None
    updated_at: Any = None
    created_at: Any = None


class _Task(msgspec.Struct):
    id: int | str | None = None
    data: dict[str, Any] = {}
    annotations: list[Annotation] | None = None
    completions: list[Annotation] | None = None
    predictions: list[Annotation | int] | None = None
    file_upload: str | None = None


@dataclass(frozen=True)
class Task:
    """A task and the annotation that counts.

    Attributes:
        file: The export.
        id: The task's number, as text.
        data: Its values, of which one is the photo.
        upload: The name of its uploaded file, or nothing.
        annotation: The newest that was not cancelled, else the newest prediction, else None.
        predicted: Whether it is a prediction.
        people: How many annotations there are to choose from.
    """

    file: Path
    id: str
    data: Mapping[str, Any]
    upload: str
    annotation: Annotation | None
    predicted: bool
    people: int

    def photo(self) -> str:
        """The path or name of the photo, decoded; DatasetError where no value, or more than one, can be it."""
        pictures = {key: link for key, value in self.data.items() if _PICTURE.search(link := decoded(value))}
        tools = {region.to_name for region in (self.annotation and self.annotation.result) or () if region.to_name}
        if len(pictures) == 1:
            return next(iter(pictures.values()))
        for key in (*(tools if len(tools) == 1 else ()), *_PHOTO_KEYS):
            if key in (pictures or self.data) and (link := decoded(self.data[key])):
                return link
        if len(pictures) > 1:
            raise DatasetError(f"task {self.id} names several pictures ({', '.join(pictures)})", "Keep one of them.")
        if self.upload:
            return self.upload
        raise DatasetError(f"task {self.id} names no photo", "Its data needs the path or URL of a picture.")


def read(files: Iterable[Path]) -> list[Task]:
    """The tasks of exports; DatasetError where a file is none, or a part of it has the wrong kind of value."""
    return [task for file in files for task in _read(file)]


def _read(file: Path) -> Iterator[Task]:
    short: dict[str, list[tuple[dict[str, Any], Annotation]]] = {}
    for number, raw in enumerate(read_json(file, list[msgspec.Raw]), 1):
        try:
            keys = _parsed(raw, dict[str, msgspec.Raw])
            if "data" in keys and keys.keys() & {"annotations", "completions", "predictions"}:
                yield _chosen(file, _parsed(raw, _Task), number)
            else:
                data, annotation = _short(keys)
                short.setdefault(str(data.get("id", f"at place {number}")), []).append((data, annotation))
        except (msgspec.MsgspecError, RecursionError, ValueError, OverflowError) as error:
            raise broken(file, f"the task at place {number}: {error}") from error
    for key, entries in short.items():
        done = [annotation for _, annotation in entries if annotation.id is not None]
        yield Task(file, key, entries[0][0], "", _newest(done), False, len(done))


def _parsed(raw: msgspec.Raw, kind: Any) -> Any:
    return msgspec.json.decode(raw, type=kind, strict=False)


def _chosen(file: Path, task: _Task, number: int) -> Task:
    people = [
        annotation
        for annotation in task.annotations or task.completions or ()
        if not (annotation.was_cancelled or annotation.skipped)
    ]
    name = f"at place {number}" if task.id is None else str(task.id)
    # Some exports hold the numbers of predictions only.
    guesses = [guess for guess in task.predictions or () if isinstance(guess, Annotation)]
    annotation = _newest(people) or _newest(guesses)
    return Task(file, name, task.data, task.file_upload or "", annotation, not people, len(people))


def _newest(annotations: Sequence[Annotation]) -> Annotation | None:
    def age(place: int) -> tuple[str, int, int]:
        annotation = annotations[place]
        number = annotation.id if isinstance(annotation.id, int) else -1
        return str(annotation.updated_at or annotation.created_at or ""), number, place

    return annotations[max(range(len(annotations)), key=age)] if annotations else None


def _short(keys: Mapping[str, msgspec.Raw]) -> tuple[dict[str, Any], Annotation]:
    """The data of a task of JSON-MIN, and its annotation, whose id is None where nobody has annotated it."""
    data, regions = {}, []
    for key, raw in keys.items():
        if _first(raw) == "[":
            parts = _parsed(raw, list[msgspec.Raw])
            if parts and all(_first(part) == "{" for part in parts):
                for part in parts:
                    region = _parsed(part, Region)
                    region.value, region.from_name = _parsed(part, Value), key
                    regions.append(region)
        elif _first(raw) != "{":
            data[key] = _parsed(raw, Any)
    annotation = Annotation(data.get("annotation_id"), regions)
    annotation.updated_at, annotation.created_at = data.get("updated_at"), data.get("created_at")
    return data, annotation


def _first(raw: msgspec.Raw) -> str:
    return chr(memoryview(raw)[0])


def decoded(link: Any) -> str:
    """The path that a link to a photo stands for, with "/"; nothing where it is no text, or holds the photo itself.

    Label Studio serves files of a folder as `/data/local-files/?d=PATH`, of a cloud as `/tasks/1/resolve/?fileuri=`
    with the address in base64, and uploads as `/data/upload/PROJECT/HASH-NAME`. Other links are URLs or paths.
    """
    if not isinstance(link, str) or link.startswith("data:"):
        return ""
    try:
        parts = urlsplit(link)
    except ValueError:
        return ""
    query = parse_qs(parts.query, errors="surrogateescape")
    if local := query.get("d"):
        return local[0].replace("\\", "/").lstrip("/")
    if cloud := query.get("fileuri"):
        try:
            return decoded(base64.b64decode(cloud[0], validate=True).decode())
        except ValueError:
            return ""
    is_link = len(parts.scheme) > 1 or link.startswith("/")  # a scheme of one letter is a drive of Windows
    path = os.fsdecode(unquote_to_bytes(parts.path)) if is_link else link
    return _UPLOADED.sub("", path.replace("\\", "/").lstrip("/"))
