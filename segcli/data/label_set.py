"""Label set: a TOML file of one's own that names classes, and says what masks and other files call them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

from segcli import decoding
from segcli.data.classes import Classes, from_labels, is_void, one_each, painted
from segcli.decoding import DecodingError, MissingKeyError, UnknownKeyError, WrongValueError, between
from segcli.errors import UsageError, nearest
from segcli.labels import VOID, Byte, Colour, LabelSet, from_names

Value = Annotated[int, between(0, 65535)]
"""A value of masks."""


@dataclass(frozen=True)
class _File:
    """A label set's file; `ignore` is false where every pixel has a class."""

    names: tuple[str, ...]
    name: str | None = None
    palette: tuple[tuple[Byte, Byte, Byte], ...] | dict[str, tuple[Byte, Byte, Byte]] | None = None
    ignore: Byte | bool = VOID
    ids: dict[str, Value | tuple[Value, ...]] = field(default_factory=dict)
    other_names: dict[str, tuple[str, ...]] = field(default_factory=dict)


_HINTS = {
    "names": 'Write names = ["background", "leaf"].',
    "ignore": "Write an id in 0..255, or false where every pixel has a class.",
    "palette": "Write [red, green, blue], each in 0..255.",
    "ids": "Write ids = {background = 0, leaf = [1, 2], void = 3}, each in 0..65535.",
    "other_names": 'Write other_names = {leaf = ["blade", "petiole"], void = ["blurred"]}.',
}
"""What to write for each key, where it does not fit."""


def parse(text: str, stem: str) -> Classes:
    """The classes of a label set's TOML.

    Args:
        text: It has `names`, and if wished `name`, `palette` (a list of [red, green, blue], or a table by name),
            `ignore` (the void id of the label files, 255 unless said; `false` for none), `ids` (name -> its value in
            masks, or several) and `other_names` (name -> other spellings). The two tables know the name `void` too.
        stem: How the label set is called where it does not say.

    Raises:
        UsageError: It is no TOML, or no label set.
    """
    try:
        values = decoding.parse_toml(text)
    except DecodingError as error:
        raise UsageError(f"is no TOML: {error.message}", "If it is only a list of names, call it .txt.") from error
    found = _decoded(values)
    ignore = None if found.ignore is False else found.ignore
    labels = from_names(found.names, stem if found.name is None else found.name, ignore)
    labels, colours = _coloured(found, labels)
    return Classes(labels, _ids(found, labels), colours, _other_names(found, labels))


def _coloured(found: _File, labels: LabelSet) -> tuple[LabelSet, Mapping[Colour, int] | None]:
    """The label set in the colours of the file, and the class of each colour that masks may hold."""
    if found.palette is None:
        return labels, None
    if isinstance(found.palette, dict):
        marks = [(colour, _index("palette", name, labels)) for name, colour in found.palette.items()]
        return painted(labels, found.palette), one_each(marks)
    if len(found.palette) != len(labels):
        raise UsageError(f"palette is not a list of {len(labels)} colours", "Give one [red, green, blue] per name.")
    labels = replace(labels, palette=found.palette)
    return labels, from_labels(labels).colours


def _ids(found: _File, labels: LabelSet) -> dict[int, int] | None:
    """Value -> class or VOID, the void of the file among them; None where masks hold the indices themselves."""
    if not found.ids:
        return None
    void = {} if labels.ignore is None else {labels.ignore: VOID}
    listed = ((name, values if isinstance(values, tuple) else (values,)) for name, values in found.ids.items())
    return void | one_each((value, _index("ids", name, labels)) for name, values in listed for value in values)


def _other_names(found: _File, labels: LabelSet) -> dict[str, int]:
    listed = found.other_names.items()
    return one_each((other.strip().lower(), _index("other_names", name, labels)) for name, o in listed for other in o)


def _index(key: str, name: str, labels: LabelSet) -> int:
    """The class of that name, or VOID for `void`; UsageError where the set has no such name."""
    if name in labels.names:
        return labels.names.index(name)
    if is_void(name):
        return VOID
    hint = nearest(name, labels.names, f"Write {', '.join(labels.names)} or void.")
    raise UsageError(f"{key} names {decoding.shown(name)}, which is no class", hint)


def _decoded(values: dict[str, Any]) -> _File:
    try:
        found = decoding.decode(_File, values)
        if found.ignore is True:
            raise WrongValueError("ignore", True, "an id")
    except UnknownKeyError as error:
        known = ", ".join(error.known)
        raise UsageError(f"unknown key {decoding.shown(error.key)}", f"A label set has the keys {known}.") from error
    except MissingKeyError as error:
        raise UsageError("not a list of names", _HINTS["names"]) from error
    except WrongValueError as error:
        raise UsageError(error.message, _HINTS.get(error.place, error.hint)) from error
    return found


def read(path: Path) -> Classes:
    """The classes of a label set's file; UsageError, OSError or DecodingError where it cannot be read."""
    return parse(decoding.read_text(path), path.stem)
