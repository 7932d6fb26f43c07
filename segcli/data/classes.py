"""Classes: those that a user names, and all the ways in which label files may say them."""

import re
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from segcli.errors import UsageError
from segcli.labels import BACKGROUND, VOID, Colour, LabelSet, from_names

MAX_NAME = 200
"""The most characters of a class's name."""
BLACK: Colour = (0, 0, 0)

_SURE_BACKGROUND = frozenset({BACKGROUND, "bg"})
_UNLABELLED = frozenset({"unlabeled", "unlabelled"})
_BACKGROUND = _SURE_BACKGROUND | _UNLABELLED | {"none", "other"}
_VOID = frozenset({"void", "ignore", "ignored", "ignore_label", "dontcare", "dont_care"})


@dataclass(frozen=True)
class Named:
    """One class as a file names it.

    Attributes:
        name: Its name, in one line.
        value: The number that stands for it in masks; None where the file gives none.
        colour: The colour that stands for it in masks; None where the file gives none.
    """

    name: str
    value: int | None = None
    colour: Colour | None = None


Table = tuple[Named, ...]
"""What a file says of its classes, in its order; names that mean void may be among them."""


def is_background(name: str) -> bool:
    """Whether a class of that name stands for "none of the others" by the habits of labelling tools."""
    return _word(name) in _BACKGROUND


def is_void(name: str, others: Iterable[str] = ()) -> bool:
    """Whether a name stands for "no label" by the habits of labelling tools.

    Args:
        name: The name.
        others: The names beside it: "unlabeled" means void where one of them is called background.
    """
    word = _word(name)
    return word in _VOID or (word in _UNLABELLED and any(_word(other) in _SURE_BACKGROUND for other in others))


def is_unlabelled(name: str) -> bool:
    """Whether a name is "unlabeled", which means void beside a background, and else background."""
    return _word(name) in _UNLABELLED


def _word(name: str) -> str:
    """A name as the lists of aliases have it."""
    return re.sub(r"[\s_-]+", "_", name.strip().lower().replace("'", "")).strip("_")


@dataclass(frozen=True)
class Classes:
    """The classes that a user names, and what else is said about label files.

    Attributes:
        labels: The classes.
        ids: Value in masks -> class index or VOID; None where masks hold the indices themselves.
        colours: Colour in masks -> class index or VOID; None where nothing was said about colours.
        others: Other spelling, in lower case -> class index or VOID.
    """

    labels: LabelSet
    ids: Mapping[int, int] | None = None
    colours: Mapping[Colour, int] | None = None
    others: Mapping[str, int] = field(default_factory=dict)

    def find(self, name: str) -> int | None:
        """The index of the class of that name, VOID for a name that means void, None for an unknown one.

        Letters count as their lower case. A background by any of its names is the set's background class.
        """
        wanted = " ".join(name.split())
        if wanted in self.labels.names:
            return self._class(self.labels.names.index(wanted))
        lower = [known.lower() for known in self.labels.names]
        if wanted.lower() in lower:
            return self._class(lower.index(wanted.lower()))
        if wanted.lower() in self.others:
            return self.others[wanted.lower()]
        return self._alias(wanted)

    def _class(self, index: int) -> int:
        return VOID if index == self.labels.ignore else index

    def _alias(self, name: str) -> int | None:
        background = self.background
        if is_void(name) or (_word(name) in _UNLABELLED and background is None):
            return VOID
        if is_void(name, self.labels.names):
            return VOID
        return background if is_background(name) else None

    @property
    def background(self) -> int | None:
        """The index of the class that stands for "none of the others"; None where every class is a thing."""
        for aliases in (_SURE_BACKGROUND, _BACKGROUND):
            for index, name in enumerate(self.labels.names):
                if _word(name) in aliases:
                    return index
        return None


def tidied(name: str) -> str:
    """A name in one line, `_background_` and `__background__` as "background"; UsageError on one that is no name."""
    name = " ".join(name.split())
    if name.lower().strip("_") == BACKGROUND and name.lower() != BACKGROUND:
        return BACKGROUND
    if len(name) > MAX_NAME or not name.isprintable():
        raise UsageError(f"{name[:20]!r}... is no name of a class", f"A name has at most {MAX_NAME} letters.")
    return name


def from_shapes(table: Table) -> Table:
    """The table of a tool that draws shapes: void is no class of it, and what nobody drew on is background.

    Such tools list no background; it is put first where no class is called so.
    """
    names = [entry.name for entry in table]
    background = any(_word(name) in _SURE_BACKGROUND for name in names)
    first = () if background else (Named(BACKGROUND),)
    return first + tuple(entry for entry in table if not is_void(entry.name, (*names, BACKGROUND)))


def in_order(table: Table) -> Table:
    """The table by rising values, where each class has one; else as it is."""
    if any(entry.value is None for entry in table):
        return table
    return tuple(sorted(table, key=lambda entry: entry.value))


def without_ignored(table: Table) -> Table:
    """The table less LabelMe's `__ignore__`, where places are values: it has no place."""
    return table if _says_more(table) else tuple(e for e in table if e.name.lower() != "__ignore__")


def _says_more(table: Table) -> bool:
    return any(entry.value is not None or entry.colour is not None for entry in table)


def from_table(table: Table, name: str = "folder") -> Classes:
    """The classes of a file's table, in its order.

    Names that mean void are no class of a table with values or colours. In a plain list, where the place of a name is
    its value, they stay.

    Args:
        table: What the file says.
        name: How the label set is called.

    Raises:
        UsageError: A plain list repeats a name, or a value or a colour stands for two classes.
    """
    if not _says_more(table):
        return Classes(from_names([entry.name for entry in table], name))
    void = {entry.name for entry in table if is_void(entry.name, (o.name for o in table if o.name != entry.name))}
    listed = dict.fromkeys(entry.name for entry in table if entry.name not in void)
    labels = from_names(list(listed), name)
    index = dict.fromkeys(void, VOID) | {known: number for number, known in enumerate(labels.names)}
    ids = one_each((entry.value, index[entry.name]) for entry in table)
    colours = one_each((entry.colour, index[entry.name]) for entry in table)
    labels = painted(labels, {entry.name: entry.colour for entry in reversed(table) if entry.colour is not None})
    return Classes(labels, {labels.ignore: VOID} | ids if ids else None, colours or None)


def one_each(pairs: Iterable[tuple[Hashable, int]]) -> dict:
    """The class of each value, colour or spelling that is given; UsageError where one stands for two classes."""
    found: dict = {}
    for key, label in pairs:
        if key is not None and found.setdefault(key, label) != label:
            kind = {tuple: "colour", int: "value"}.get(type(key), "spelling")
            shown = ",".join(map(str, key)) if isinstance(key, tuple) else key
            raise UsageError(f"the {kind} {shown} stands for two classes", f"Give each class a {kind} of its own.")
    return found


def painted(labels: LabelSet, colours: Mapping[str, Colour]) -> LabelSet:
    """The label set with those colours, by name; other classes keep theirs."""
    palette = tuple(colours.get(name, colour) for name, colour in zip(labels.names, labels.palette, strict=True))
    return replace(labels, palette=palette)


def from_labels(labels: LabelSet) -> Classes:
    """The classes of a label set; masks in colours have those of its palette, and its own void's.

    A colour that several classes share says nothing and is left out.
    """
    times = Counter(labels.palette)
    colours = {colour: index for index, colour in enumerate(labels.palette) if times[colour] == 1}
    if labels.ignore is not None and labels.ignore < len(labels):
        colours[labels.palette[labels.ignore]] = VOID
    for void in (labels.colours()[VOID].tolist(), BLACK):
        if tuple(void) not in times:
            colours[tuple(void)] = VOID
    return Classes(labels, colours=colours)
