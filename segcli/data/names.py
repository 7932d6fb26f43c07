"""Names: the classes that a user names, in a list or in a file of any kind, as `--names` takes them."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from segcli import decoding, labels
from segcli.data import label_set, name_documents, name_lists
from segcli.data.classes import Classes, Named, Table, from_labels, from_table, tidied, without_ignored
from segcli.decoding import DecodingError
from segcli.errors import DatasetError, UsageError
from segcli.files.paths import shown
from segcli.labels import LabelSet

T = TypeVar("T")

BESIDE = (
    *("names.toml", "labelmap.txt", "label_colors.txt", "label_colours.txt", "class_dict.csv", "_classes.csv"),
    *("class_mapping.csv", "label_classes.json", "objectInfo150.txt", "id2label.json", "label2id.json"),
    *("label_map.json", "meta.json", "data.yaml", "dataset.yaml", "data.yml", "dataset.yml", "labels.txt"),
    *("classes.txt", "class_names.txt", "obj.names", "names.txt", "codes.txt", "classes.json", "classes.csv"),
)
"""The names by which tools call the files that name classes; those that say more come first."""


def parse(classes: str | Path | Sequence[str] | LabelSet | Classes) -> Classes:
    """The classes that a user names.

    Args:
        classes: A list of names (also text with commas), a file that names them, a known set such as "voc2012", or
            what is a label set already.

    Raises:
        UsageError: The list or file names no classes, or no known set is called that.
    """
    if isinstance(classes, Classes):
        return classes
    if isinstance(classes, LabelSet):
        return from_labels(classes)
    if isinstance(classes, Path) or (isinstance(classes, str) and _is_file(classes)):
        return read(Path(classes))
    if isinstance(classes, str) and "," not in classes:
        return from_labels(labels.get(classes))
    listed = classes.split(",") if isinstance(classes, str) else classes
    return from_table(without_ignored(tuple(Named(tidied(name)) for name in listed)))


def _is_file(text: str) -> bool:
    """Whether a text means a file: it is one, or has a suffix and no comma."""
    if text in labels.LABEL_SETS:
        return False
    try:
        return Path(text).is_file() or ("," not in text and bool(Path(text).suffix))
    except (OSError, ValueError):  # too long for a path, or no path at all
        return False


def read(path: Path) -> Classes:
    """The classes that a file names; see `read_table` and `label_set` for its kinds.

    Raises:
        UsageError: The file cannot be read, or names no classes; the message names it.
    """
    return _told(path, lambda: label_set.read(path) if _is_toml(path) else from_table(_table(path), path.stem))


def read_table(path: Path) -> Table:
    """What a file says of its classes: a list, a table, or the file of a labelling tool, told by suffix and content.

    The table of a tool that draws shapes has background first, unless the tool lists it.

    Raises:
        UsageError: The file cannot be read, or names no classes; the message names it.
    """
    return _told(path, lambda: _of(label_set.read(path)) if _is_toml(path) else _table(path))


def _is_toml(path: Path) -> bool:
    return path.suffix.lower() == ".toml"


def _table(path: Path) -> Table:
    suffix = path.suffix.lower()
    if suffix in _DOCUMENTS:
        table = _DOCUMENTS[suffix](path)
    else:
        text = decoding.read_text(path)
        table = name_lists.parse_csv(text) if suffix in (".csv", ".tsv") else name_lists.parse_text(text)
    if not table:
        raise UsageError("it names no class", "Give a text file with one name a line.")
    return without_ignored(table)


_DOCUMENTS: dict[str, Callable[[Path], Table]] = {
    ".json": name_documents.read_json,
    ".yaml": name_documents.read_yaml,
    ".yml": name_documents.read_yaml,
    ".xml": name_documents.read_xml,
    ".py": name_documents.read_python,
}


def _of(classes: Classes) -> Table:
    """A label set's file as a table; what is void has that name."""
    names = {**dict(enumerate(classes.labels.names)), labels.VOID: "void"}
    values = [Named(names[label], value) for value, label in (classes.ids or {}).items()]
    colours = [Named(names[label], None, colour) for colour, label in (classes.colours or {}).items()]
    return (*values, *colours) or tuple(map(Named, classes.labels.names))


def _told(path: Path, read: Callable[[], T]) -> T:
    """What is read, its errors as UsageError that names the file."""
    try:
        return read()
    except (OSError, DecodingError) as error:
        raise UsageError(
            f"cannot read the label set {path}: {error}", "Give a text file with one name a line."
        ) from error
    except UsageError as error:
        raise UsageError(f"{shown(path)}: {error.message}", error.hint) from error
    except DatasetError as error:
        raise UsageError(error.message, error.hint or name_documents.NO_NAMES) from error


def beside(folder: Path) -> tuple[Path, ...]:
    """The files in a folder that name classes by the names that tools give them, those that say most first."""
    rank = {name.lower(): place for place, name in enumerate(BESIDE)}
    try:
        found = [path for path in folder.iterdir() if path.name.lower() in rank and path.is_file()]
    except OSError:
        return ()
    return tuple(sorted(found, key=lambda path: (rank[path.name.lower()], path.name)))
