"""Documents: label files in JSON, XML and YAML, read within bounds, since they may come from anywhere."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar
from xml.etree import ElementTree
from xml.parsers import expat

import msgspec

from segcli.data.forms.annotations import broken
from segcli.errors import DatasetError
from segcli.files.paths import shown

MAX_BYTES = 1 << 30
"""The most bytes of a label file; COCO's largest, of 118,000 photos, has 470 MB."""
MAX_YAML_BYTES, MAX_YAML_VALUES, MAX_YAML_DEPTH = 4 << 20, 100_000, 20
"""The most bytes, values and levels of a YAML file, which names classes and folders and holds no shapes."""

T = TypeVar("T")


def read_bytes(path: Path, most: int = MAX_BYTES) -> bytes:
    """The content of a label file, as UTF-8 without a byte order mark; DatasetError where it cannot be read."""
    try:
        if not path.is_file():  # opening a pipe would wait for ever
            raise DatasetError(f"{shown(path)} is not a file", "Name a file, or a folder with label files.")
        if path.stat().st_size > most:
            raise DatasetError(f"{shown(path)} has more than {most >> 20} MB", "Split it, or export in parts.")
        data = path.read_bytes()
    except OSError as error:
        raise DatasetError(f"{shown(path)} cannot be read: {error.strerror or error}") from error
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace").encode()
    return data.removeprefix(b"\xef\xbb\xbf")


def read_json(path: Path, kind: type[T] = Any) -> T:
    """The content of a JSON file as plain values or as a msgspec type; DatasetError where it does not fit."""
    data = read_bytes(path)
    try:
        try:
            return msgspec.json.decode(data, type=kind, strict=False)
        except msgspec.ValidationError:
            raise
        except msgspec.DecodeError:
            if rb"\ud" in data.lower():  # half a pair: Python's escape for a byte of a name that is no text
                return msgspec.convert(json.loads(data), type=kind, strict=False)
            if b"NaN" not in data and b"Infinity" not in data:
                raise
            # Not JSON by the book, but what Python and QuPath write for measurements without a value; null here.
            return msgspec.json.decode(msgspec.json.encode(json.loads(data)), type=kind, strict=False)
    except (msgspec.MsgspecError, RecursionError, ValueError, OverflowError) as error:
        raise broken(path, error) from error


def read_xml(path: Path) -> ElementTree.Element:
    """The root of an XML file; DatasetError where it is none, or declares a document type, which can hold bombs."""
    builder = ElementTree.TreeBuilder()
    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = builder.start, builder.end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.buffer_text = True
    try:
        parser.Parse(read_bytes(path), True)
        return builder.close()
    except (expat.ExpatError, ValueError, AssertionError, LookupError) as error:
        raise broken(path, error) from error
    except DatasetError as error:
        raise broken(path, error) from error


def _refuse_doctype(*_: object) -> None:
    raise DatasetError("it declares a document type (DOCTYPE), which label files do not need", "Remove that line.")


def read_yaml(path: Path) -> Any:
    """The content of a YAML file in which every value is a text, so that a class called "no" stays "no".

    Raises:
        DatasetError: It cannot be read, is larger or deeper than files of names are, or uses references (`*name`), with
            which few lines can mean millions.
    """
    import yaml

    data = read_bytes(path, MAX_YAML_BYTES)
    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)  # wheels have the one in C, ten times as fast
    try:
        _check_yaml(yaml.parse(data, Loader=loader))
        return yaml.load(data, Loader=loader)  # which makes texts, lists and dicts only
    except DatasetError as error:
        raise broken(path, error) from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise broken(path, " ".join(str(error).split())) from error


def _check_yaml(events: Iterator[Any]) -> None:
    """Refuse what takes endless time or memory, as soon as the parser comes to it."""
    import yaml

    depth = 0
    for count, event in enumerate(events):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if isinstance(event, yaml.AliasEvent):
            raise DatasetError("it uses references (*name)", "Write the values out.")
        if count > MAX_YAML_VALUES or depth > MAX_YAML_DEPTH:
            raise DatasetError("it is too long for a list of class names", "Keep only the names of the classes.")


def names_in_order(listed: Sequence[str], used: Sequence[str]) -> tuple[str, ...]:
    """The classes that a file lists, then others that its shapes have, each once."""
    return tuple(dict.fromkeys((*listed, *used)))
