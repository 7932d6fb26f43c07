"""Documents that name classes: JSON, YAML and XML of labelling tools, of training frameworks, and of one's own."""

import ast
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import msgspec

from segcli.data.classes import Named, Table, from_shapes, in_order, tidied
from segcli.data.forms import documents
from segcli.data.name_lists import paint, whole
from segcli.decoding import shown
from segcli.errors import DatasetError, UsageError
from segcli.labels import BACKGROUND, Colour

NO_NAMES = "Give a list of names, a table of ids and names, or the file of a labelling tool."
"""What to do about a document that names no class."""

MAX_PYTHON_BYTES = 1 << 20
"""The most bytes of a Python file that describes a dataset."""

_LISTS = ("names", "classes", "labels", "label_classes", "id2label", "label2id")
"""The keys under which a document lists its classes."""
_AROUND = ("metainfo", "dataset_meta", "dataset", "task_attributes")
"""The keys of tables in which such a key may stand."""
_NAMES = ("class_name", "name", "title", "label", "className")
_VALUES = ("png_index", "value", "index", "label_id", "trainId", "id")
_COLOURS = ("color", "colour", "hex", "rgb", "class_color")
_OF_SHAPES = frozenset({"supercategory", "isthing", "attributes", "shape", "geometry_config", "svg"})
"""Keys of classes of tools that draw shapes, whose ids stand in no mask."""


class _Annotation(msgspec.Struct):
    category_id: Any = None


class _Coco(msgspec.Struct):
    """What COCO's JSON says of its classes; shapes, which may have hundreds of megabytes, are passed over."""

    categories: list[dict[str, Any]] = []
    annotations: list[_Annotation] = []


def read_json(path: Path) -> Table:
    """The classes of a JSON file, whichever way it names them; UsageError, DatasetError where it names none."""
    try:
        coco = documents.read_json(path, _Coco)
    except DatasetError:  # a list, perhaps; reading it as any JSON says what is wrong where it is none
        coco = _Coco()
    return _categories(coco) if coco.categories else _table(documents.read_json(path))


def _categories(coco: _Coco) -> Table:
    """COCO's categories, less the one that Roboflow adds: it stands above the others, and no shape has it."""
    above = {str(entry.get("supercategory")) for entry in coco.categories}
    used = {str(annotation.category_id) for annotation in coco.annotations}
    listed = []
    for entry in coco.categories:
        named = _entry(entry)
        is_above = named.name in above and entry.get("supercategory") in (None, "none")
        if not (used and is_above and str(entry.get("id")) not in used):
            listed.append(Named(named.name, None, named.colour))
    return from_shapes(tuple(listed))


def read_python(path: Path) -> Table:
    """The classes of an MMSegmentation dataset, whose Python has `classes` and `palette`; the file is never run."""
    try:
        with warnings.catch_warnings(action="ignore"):  # of what the file escapes oddly
            tree = ast.parse(documents.read_bytes(path, MAX_PYTHON_BYTES))
        assigned = [(name.lower(), node) for name, node in _assigned(tree)]
        found = {name: _literal(node) for name, node in assigned if name in ("classes", "palette")}
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = str(error) or "it is nested too deeply"
        raise UsageError(f"it is no Python: {reason}", "Give a list of names, one a line.") from error
    if not isinstance(found.get("classes"), list):
        raise UsageError("it has no classes = (...) of texts", "Give a list of names, one a line.")
    return _table(found)


def _assigned(tree: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """What gets a name in Python: by `name = value`, `dict(name=value)` or `{"name": value}`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            yield from ((target.id, node.value) for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.keyword) and node.arg:
            yield node.arg, node.value
        elif isinstance(node, ast.Dict):
            pairs = zip(node.keys, node.values, strict=True)
            yield from ((k.value, v) for k, v in pairs if isinstance(k, ast.Constant) and isinstance(k.value, str))


def _literal(node: ast.expr) -> Any:
    """A value as JSON would have it; None where it is computed."""
    try:
        return msgspec.json.decode(msgspec.json.encode(ast.literal_eval(node)))
    except (ValueError, TypeError, OverflowError, msgspec.MsgspecError):
        return None


def read_yaml(path: Path) -> Table:
    """The classes of a YAML file: YOLO's data.yaml, a list, or a table; UsageError, DatasetError as for JSON."""
    content = documents.read_yaml(path)
    if not isinstance(content, Mapping) or not isinstance(content.get("names"), Mapping | list):
        return _table(content)
    table = _numbered(_table(content["names"]))
    if mapping := content.get("label_mapping"):
        return _raw_values(table, mapping)
    if "masks_dir" in content or (path.parent / "masks").is_dir():
        return table
    return from_shapes(tuple(Named(entry.name) for entry in table))


def _numbered(table: Table) -> Table:
    return tuple(Named(n.name, place if n.value is None else n.value, n.colour) for place, n in enumerate(table))


def _raw_values(table: Table, mapping: Any) -> Table:
    """Ultralytics' names under the values of the masks: `label_mapping` has value: id, or value: "ignore_label"."""
    names = {str(entry.value): entry.name for entry in table} | {"ignore_label": "void", "255": "void", "-1": "void"}
    if not isinstance(mapping, Mapping) or not {str(label) for label in mapping.values()} <= names.keys():
        raise UsageError("label_mapping is no table of values and ids", 'Write it as {7: 0, 8: 1, 0: "ignore_label"}.')
    raw: dict[str, list[int]] = {name: [] for name in names.values()}
    for value, label in mapping.items():
        if not str(value).startswith("-"):  # Cityscapes' licence plate, -1, stands in no mask
            raw[names[str(label)]].append(whole(str(value)))
    listed = ((name, values or [None]) for name, values in raw.items() if values or name != "void")
    return tuple(Named(name, value) for name, values in listed for value in values)


def _table(content: Any, depth: int = 3) -> Table:
    """The classes of plain values: a list of names or of tables, or a table in one of many ways."""
    if isinstance(content, list):
        return _listed(content)
    if not isinstance(content, Mapping) or not depth:
        raise UsageError("it names no class", NO_NAMES)
    lower = {str(key).lower(): value for key, value in content.items()}
    if isinstance(lower.get("categories"), list):
        return from_shapes(tuple(Named(entry.name, None, entry.colour) for entry in _listed(lower["categories"])))
    for key in _LISTS:
        if isinstance(lower.get(key), Mapping | list) and lower[key]:
            return _painted(_table(lower[key], depth - 1), lower.get("palette"))
    for key in _AROUND:
        if isinstance(lower.get(key), Mapping):
            return _table(lower[key], depth - 1)
    return in_order(tuple(_pair(key, value) for key, value in content.items()))


def _painted(table: Table, palette: Any) -> Table:
    if not isinstance(palette, list) or not palette:
        return table
    if len(palette) != len(table):
        raise UsageError(f"palette is not a list of {len(table)} colours", "Give one [red, green, blue] per name.")
    colours = map(_colour, palette)
    return tuple(Named(entry.name, entry.value, colour) for entry, colour in zip(table, colours, strict=True))


def _listed(entries: Sequence[Any]) -> Table:
    if all(isinstance(entry, str) for entry in entries):
        return tuple(Named(tidied(entry)) for entry in entries)
    if not all(isinstance(entry, Mapping) for entry in entries):
        raise UsageError("its list does not only hold names", NO_NAMES)
    table = tuple(map(_entry, entries))
    if any(_OF_SHAPES & entry.keys() for entry in entries):
        return from_shapes(tuple(Named(entry.name, None, entry.colour) for entry in table))
    if any("png_index" in entry for entry in entries) and all(entry.value != 0 for entry in table):
        table = (Named(BACKGROUND, 0), *table)  # CloudFactory lists no background
    return in_order(table)


def _entry(entry: Mapping[str, Any]) -> Named:
    """One class as a table of its facts."""
    name = next((entry[key] for key in _NAMES if isinstance(entry.get(key), str)), None)
    if name is None:
        raise UsageError(f"{shown(dict(entry))} has no name", NO_NAMES)
    value = next((entry[key] for key in _VALUES if _is_number(entry.get(key))), None)
    colour = next((entry[key] for key in _COLOURS if entry.get(key)), None)
    return Named(tidied(name), None if value is None else whole(str(value)), colour and _colour(colour))


def _pair(key: str, value: Any) -> Named:
    """One class of a table: id and name, name and id, or name and colour."""
    if _is_number(key) and isinstance(value, str):
        return Named(tidied(value), whole(key))
    if _is_number(value):
        return Named(tidied(str(key)), whole(str(value)))
    if _is_number(key) and isinstance(value, Mapping):
        return Named(_entry(value).name, whole(key), _entry(value).colour)
    if isinstance(value, list) or (isinstance(value, str) and value.startswith("#")):
        return Named(tidied(str(key)), None, _colour(value))
    raise UsageError(f"{shown(key)} stands for no class", NO_NAMES)


def _is_number(value: Any) -> bool:
    if isinstance(value, str):
        return value.strip().isdecimal()
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _colour(value: Any) -> Colour:
    """A colour of a document, a text or a list of numbers; UsageError on any other value."""
    return paint(value if isinstance(value, str) else ",".join(map(str, value)) if isinstance(value, list) else "")


def read_xml(path: Path) -> Table:
    """The classes of CVAT's annotations.xml, or of Label Studio's config; UsageError, DatasetError if none."""
    root = documents.read_xml(path)
    if root.tag == "View":
        return from_shapes(tuple(_label_studio(root)))
    labels = root.find("meta")
    found = [] if labels is None else [label for labels in labels.iter("labels") for label in labels.findall("label")]
    if not found:
        raise UsageError("it names no class", "Give the annotations.xml of CVAT, or Label Studio's labelling config.")
    return from_shapes(tuple(_cvat(label) for label in found))


def _cvat(label: ElementTree.Element) -> Named:
    colour = label.findtext("color")
    return Named(tidied(label.findtext("name") or ""), None, paint(colour) if colour else None)


def _label_studio(root: ElementTree.Element) -> list[Named]:
    groups = [group for group in root.iter() if group.tag.endswith("Labels")]
    labels = [label for group in groups for label in group.iter("Label")]
    names = dict.fromkeys(label.get("alias") or label.get("value") or "" for label in labels)
    return [Named(tidied(name)) for name in names]
