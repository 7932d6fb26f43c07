"""Lists of names: text files and tables with commas that name classes, as tools write them."""

import csv
import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from segcli.data.classes import BLACK, Named, Table, in_order, is_background, tidied
from segcli.decoding import shown
from segcli.errors import UsageError
from segcli.labels import BACKGROUND, Colour

MAX_TEXT = 1 << 17
"""The most characters of a list of names; 255 classes at most have one."""
MAX_LINE = 400
"""The most characters of a line; the sole line of a list with commas may be longer."""

_NUMBER = r"(\d{1,3})"
_CVAT = re.compile(rf"([^:]+):(?:\s*{_NUMBER}\s*,\s*{_NUMBER}\s*,\s*{_NUMBER}\s*)?:[^:]*:[^:]*")
_COLOUR_FIRST = re.compile(rf"{_NUMBER}[\s,]+{_NUMBER}[\s,]+{_NUMBER}[\s,]+(\S.*)")
_COLOUR_LAST = re.compile(rf"(.*?\S)[\s,;:]+{_NUMBER}[\s,]+{_NUMBER}[\s,]+{_NUMBER}")
_NUMBERED = re.compile(r"(\d{1,5})(?:\s*[:,=;\t]\s*|\s+)(\S.*)")
_NUMBERED_LAST = re.compile(r"(.*\S)\s*[:,=;\t]\s*(\d{1,5})")
_ITEM = re.compile(r"item\s*\{([^{}]*)\}")

_NAMES = ("class_name", "name", "class", "label", "classname", "label_name", "category", "classes", "names")
_VALUES = ("pixel_value", "value", "png_index", "id", "index", "idx", "class_id", "label_id", "label_value", "trainid")
_COLOURS = ("class_color", "color", "colour", "rgb", "hex", "class_colour", "color_rgb")
_SHARES = (("r", "g", "b"), ("red", "green", "blue"))


def parse_text(text: str) -> Table:
    """The classes of a text file: LabelMe's, CVAT's, CamVid's, ADE20K's, or one name a line.

    Blank lines, and lines that begin with "#", say nothing. Numbered lines (0: sky, 1: road) give values.

    Raises:
        UsageError: It names no class, or it is no text.
    """
    _check(text)
    if text.lstrip().startswith(("{", "<")):
        raise UsageError("it is no list of names, but JSON or XML", "Give the file its suffix, .json or .xml.")
    if items := _ITEM.findall(text):
        return tuple(map(_item, items))
    lines = [line.strip() for line in text.split("\n")]
    lines = [line for line in lines if line and not line.startswith("#")]
    if lines and max(map(len, lines)) > MAX_LINE and len(lines) > 1:
        raise UsageError(f"it has a line of {max(map(len, lines))} letters", "Give a text file with one name a line.")
    for read in (_cvat, _camvid, _colour_last, _objects, _numbered):
        if lines and len(lines[0]) <= MAX_LINE and (table := read(lines)) is not None:
            return table
    names = [name.strip(" '\"") for name in lines[0].strip("[]()").split(",")] if len(lines) == 1 else lines
    return tuple(Named(tidied(name)) for name in names)


def _check(text: str) -> None:
    """UsageError on what is no text or far too long for a list of names."""
    if "\0" in text or len(text) > MAX_TEXT:
        what = "no text" if "\0" in text else f"too long for a list of names: {len(text)} letters"
        raise UsageError(f"it is {what}", "Give a text file with one name a line.")


def _matched(pattern: re.Pattern[str], lines: Sequence[str]) -> list[tuple[str, ...]] | None:
    """The groups of every line; None where one does not fit."""
    found = [pattern.fullmatch(line) for line in lines]
    return [match.groups() for match in found] if all(found) else None


def _cvat(lines: Sequence[str]) -> Table | None:
    """CVAT's labelmap.txt; pixels that nobody drew on are black in its masks, listed or not."""
    rows = _matched(_CVAT, lines)
    if rows is None:
        return None
    table = tuple(Named(tidied(name), None, _colour(shares) if shares[0] else None) for name, *shares in rows)
    named = any(is_background(entry.name) or entry.colour == BLACK for entry in table)
    return table if named else (Named(BACKGROUND, None, BLACK), *table)


def _camvid(lines: Sequence[str]) -> Table | None:
    rows = _matched(_COLOUR_FIRST, lines)
    return rows and tuple(Named(tidied(name), None, _colour(shares)) for *shares, name in rows)


def _colour_last(lines: Sequence[str]) -> Table | None:
    rows = _matched(_COLOUR_LAST, lines)
    return rows and tuple(Named(tidied(name), None, _colour(shares)) for name, *shares in rows)


def _objects(lines: Sequence[str]) -> Table | None:
    """objectInfo150.txt of ADE20K: a table with tabs; value 0 is void, and the first of several names counts."""
    head = lines[0].lower().split("\t")
    if "idx" not in head or "name" not in head:
        return None
    table = parse_csv("\n".join(lines), "\t")
    named = tuple(Named(entry.name.split(",")[0].strip(), entry.value) for entry in table)
    return named if any(entry.value == 0 for entry in named) else (Named("void", 0), *named)


def _numbered(lines: Sequence[str]) -> Table | None:
    """Lines of a value and a name, from 0 or 1 on; other lines may just begin or end with a number."""
    rows = _matched(_NUMBERED, lines)
    if rows is None:
        rows = [(value, name) for name, value in _matched(_NUMBERED_LAST, lines) or ()]
    values, names = [int(value) for value, _ in rows], {name for _, name in rows}
    rising = len(rows) > 1 and values[0] in (0, 1) and all(one < two for one, two in pairwise(values))
    if not rising or len(names) < len(rows):
        return None
    return tuple(Named(tidied(name), whole(value)) for value, name in rows)


def _item(text: str) -> Named:
    """One class of TensorFlow's label map: `item { id: 1 name: 'leaf' }`."""
    name = re.search(r"(?:display_)?name\s*:\s*(?:'([^']*)'|\"([^\"]*)\")", text)
    value = re.search(r"\bid\s*:\s*(\d{1,9})", text)
    if name is None or value is None:
        raise UsageError(f"item {shown(text.strip())} has no name and id", "Write item { id: 1 name: 'leaf' }.")
    return Named(tidied(name[1] or name[2] or ""), whole(value[1]))


def parse_csv(text: str, delimiter: str = "") -> Table:
    """The classes of a table with a heading: names, and their values or colours (r, g and b, #hex, or one cell).

    Args:
        text: Of the file: class_dict.csv, `_classes.csv`, class_mapping.csv and their like.
        delimiter: Between cells; the commonest of the heading if empty.

    Raises:
        UsageError: No column holds names, or a cell is neither a value nor a colour.
    """
    _check(text)
    rows = _rows(text, delimiter)
    if not rows:
        return ()
    head = [re.sub(r"[\s_-]+", "_", cell.strip().lower()) for cell in rows[0]]
    columns = _columns(head)
    if columns is None:
        return _without_heading(rows)
    return in_order(tuple(_entry(row, head, columns) for row in rows[1:]))


class _Columns(NamedTuple):
    """The columns of a table: of names, of values, of colours, and of red, green and blue."""

    name: int
    value: int | None
    colour: int | None
    shares: tuple[int, ...]


def _columns(head: Sequence[str]) -> _Columns | None:
    """The columns by their headings; None where none is of names. UsageError where there are names alone."""
    name, value, colour = (_column(head, known) for known in (_NAMES, _VALUES, _COLOURS))
    if name is None:
        return None
    shares = next((group for group in _SHARES if all(share in head for share in group)), ())
    if len(head) > 1 and value is None and colour is None and not shares:
        raise UsageError(
            "no column holds values or colours", "Head it name,r,g,b or Pixel Value,Class, or give one name a line."
        )
    return _Columns(name, value, colour, tuple(head.index(share) for share in shares))


def _rows(text: str, delimiter: str) -> list[list[str]]:
    lines = [line for line in text.split("\n") if line.strip() and not line.startswith("#")]
    between = delimiter or max(",;\t", key=lambda mark: lines[0].count(mark) if lines else 0)
    try:
        return list(csv.reader(lines, delimiter=between, skipinitialspace=True))
    except csv.Error as error:
        raise UsageError(f"it is no table: {error}", "Separate the cells by commas.") from error


def _column(head: Sequence[str], known: Iterable[str]) -> int | None:
    return next((head.index(word) for word in known if word in head), None)


def _without_heading(rows: Sequence[Sequence[str]]) -> Table:
    """Rows of a value and a name, a name and a value, a name and a colour, or names alone."""
    return parse_text("\n".join(" ".join(cell.strip() for cell in row) for row in _value_first(rows)))


def _value_first(rows: Sequence[Sequence[str]]) -> list[Sequence[str]]:
    if all(len(row) == 2 and row[1].strip().isdecimal() for row in rows):
        return [row[::-1] for row in rows]
    return list(rows)


def _entry(row: Sequence[str], head: Sequence[str], columns: _Columns) -> Named:
    """One row as a class; UsageError where it has too few cells, or one that is not what the heading says."""
    if len(row) < len(head):
        raise UsageError(f"the row {','.join(row)[:80]!r} has too few cells", "Give each row as many as the heading.")
    value = None if columns.value is None else whole(row[columns.value])
    colour = None
    if columns.shares:
        colour = _colour([row[place] for place in columns.shares])
    elif columns.colour is not None:
        last = columns.colour == len(head) - 1
        mark = paint_or_value(",".join(row[columns.colour :]) if last else row[columns.colour])
        value, colour = (mark, None) if isinstance(mark, int) else (value, mark)
    return Named(tidied(row[columns.name]), value, colour)


def whole(text: str) -> int:
    """A value of masks, 0..65535, as a file writes it; UsageError on any other text."""
    digits = re.fullmatch(r"(\d{1,5})(\.0*)?", text.strip(), re.ASCII)
    if digits is None or int(digits[1]) > 65535:
        raise UsageError(f"{text[:40]!r} is no value of masks", "Write a whole number in 0..65535.")
    return int(digits[1])


def paint_or_value(text: str) -> int | Colour:
    """What a cell for a colour holds: one number is a value of grey masks, three or #rrggbb are a colour."""
    return whole(text) if text.strip().isdecimal() and len(text.strip()) < 6 else paint(text)


def paint(text: str) -> Colour:
    """A colour such as #3c8232, 60 130 50 or (60, 130, 50); UsageError on any other text."""
    hexadecimal = re.fullmatch(r"\s*(?:#|0x)?([0-9a-fA-F]{6})(?:[0-9a-fA-F]{2})?\s*", text)
    if hexadecimal:
        red, green, blue = bytes.fromhex(hexadecimal[1])
        return red, green, blue
    return _colour(re.findall(r"-?\d+(?:\.\d+)?", text))


def _colour(shares: Sequence[str]) -> Colour:
    numbers = [int(share) for share in shares if re.fullmatch(r"\s*\d{1,3}\s*", share)]
    if len(numbers) != 3 or len(shares) not in (3, 4) or max(numbers) > 255:
        raise UsageError(f"{','.join(shares)[:40]!r} is no colour", "Write red, green and blue, each in 0..255.")
    return numbers[0], numbers[1], numbers[2]
