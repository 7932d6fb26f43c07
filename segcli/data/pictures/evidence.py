"""Evidence: the masks of a dataset and all that is known of their classes, from which one reading is decided."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path

import numpy as np

from segcli.data.classes import Classes, Table, is_background
from segcli.data.dataset import ids_of
from segcli.data.pictures.pixels import NEGATIVE, read_values
from segcli.data.pictures.survey import Facts
from segcli.data.reading import Choice, Reading
from segcli.files.paths import shown
from segcli.labels import VOID, LabelSet


@dataclass(frozen=True)
class Pictures:
    """How the masks of a dataset are read, all in one way.

    Attributes:
        reading: The decision in words.
        labels: The classes.
        ids: Raw value -> class or VOID; raw values that are not in it are no class.
        value_names: What the masks or a file beside them call raw values, for messages; empty where they have no name.
        read: Reads the raw values of a mask, uint8 or uint16 (H, W); InputError where it cannot be read. Picklable.
    """

    reading: Reading
    labels: LabelSet
    ids: Mapping[int, int]
    value_names: Mapping[int, str]
    read: Callable[[Path], np.ndarray]


@dataclass(frozen=True)
class Evidence:
    """What a reading is decided from.

    Attributes:
        files: The masks.
        classes: The classes.
        table: What a file beside the masks says of them.
        choice: What the user decided.
        words: Names of folders and affixes of the masks, in lower case.
        grey: Whether palettes count by the greys that they show, not by their indices.
    """

    files: tuple[Facts, ...]
    classes: Classes
    table: Table = ()
    choice: Choice = field(default_factory=Choice)
    words: frozenset[str] = frozenset()
    grey: bool = False

    @property
    def labels(self) -> LabelSet:
        """The classes' label set."""
        return self.classes.labels

    @cached_property
    def found(self) -> dict[int, int]:
        """Value -> pixels, over all masks."""
        return counted(self.files)

    @cached_property
    def void(self) -> frozenset[int]:
        """The values that count as void: those that the user says, else the label set's own and 255."""
        if self.choice.void is not None:
            return frozenset(value for value in self.choice.void if isinstance(value, int))
        return frozenset(value for value, label in self.plain_ids.items() if label == VOID)

    @cached_property
    def plain_ids(self) -> dict[int, int]:
        """Value -> class or VOID where values are the classes' own indices."""
        return ids_of(self.labels) | ({} if self.labels.ignore is None else {VOID: VOID})

    @cached_property
    def stated_ids(self) -> Mapping[int, int] | None:
        """Value -> class or VOID as the user's file of classes says; None where that only counts the classes up."""
        ids = self.classes.ids
        counted_up = ids is not None and all(label in (value, VOID) for value, label in ids.items())
        return None if counted_up and {*range(len(self.labels))} <= ids.keys() else ids

    @property
    def given_void(self) -> frozenset[int]:
        """The values that count as void by the user's word."""
        return frozenset() if self.choice.void is None else self.void

    @cached_property
    def values(self) -> frozenset[int]:
        """The values of the masks less those that count as void; numbers below 0 are void."""
        return frozenset(value for value in self.found if value >= 0) - self.void

    @cached_property
    def listed(self) -> tuple[str, ...]:
        """The names of the list of classes that the values of the masks count along.

        It is the list of a file beside the masks, with a background put first where the classes have one that the file
        does not list; without a file it is the user's.
        """
        names = listed_names(self.table)
        found = tuple(map(self.classes.find, names))
        if all(label in (None, VOID) for label in found):
            return self.labels.names
        if self.background is not None and self.background not in found and not any(map(is_background, names)):
            return (self.labels.names[self.background], *names)
        return names

    @cached_property
    def order(self) -> tuple[int | None, ...]:
        """The class of each name in `listed`: VOID for one that means void, None for one that nobody named."""
        return tuple(map(self.classes.find, self.listed))

    @property
    def background(self) -> int | None:
        """The class that stands for "none of the others"; None where there is none."""
        return self.classes.background

    @cached_property
    def sole(self) -> int | None:
        """Of two classes the one that masks of one thing show: not the background, else the second; None of others."""
        if len(self.labels) != 2 or self.labels.ignore in (0, 1):
            return None
        return 0 if self.background == 1 else 1

    @property
    def rest(self) -> int:
        """The other one of two classes, of which `sole` is one."""
        return 1 - self.sole

    def names_of(self, words: Iterable[str]) -> bool:
        """Whether one of these words occurs in a name of the masks' folders or affixes."""
        return any(word in name for word in words for name in self.words)

    def pictures(
        self,
        reading: tuple[str, str],
        read: Callable[[Path], np.ndarray],
        ids: Mapping[int, int | None],
        *notes: str,
        value_names: Mapping[int, str] | None = None,
    ) -> Pictures:
        """The decision to read the masks in one way.

        Args:
            reading: The form in plain words, and the word for it that `--as` takes.
            read: Reads a mask's raw values.
            ids: Raw value -> class, VOID, or None for a class that nobody named.
            notes: A line for each decision between two readings.
            value_names: Names of raw values; those of None above at least.
        """
        form, as_ = reading
        if self.grey and as_ == "ids":
            as_ = ""  # --as ids takes the indices of palettes
        known = {value: label for value, label in ids.items() if label is not None}
        if NEGATIVE in known and min(self.found, default=0) < 0:
            notes = (*notes, "read values below 0 as void; if they are not void, add --void none")
        void = tuple(sorted(value for value, label in known.items() if label == VOID))
        return Pictures(Reading(form, as_, void, notes), self.labels, known, value_names or {}, read)

    def with_void(self, ids: Mapping[int, int | None]) -> dict[int, int | None]:
        """The mapping with what else counts as void; what the user says comes before any class."""
        negative = {NEGATIVE: VOID} if min(self.found, default=0) < 0 and self.choice.void != () else {}
        void = dict.fromkeys(sorted(self.void - {value for value in self.void if value < 0}), VOID)
        return {**ids, **negative, **void} if self.choice.void is not None else {**void, **negative, **ids}

    @property
    def reader(self) -> Callable[[Path], np.ndarray]:
        """Reads the values of a mask that `files` speak of."""
        return partial(read_values, grey=self.grey)

    def name(self, label: int | None) -> str:
        """A class or VOID in a sentence."""
        return "void" if label in (None, VOID) else f"the class {shown(self.labels.names[label])!r}"


def counted(files: Iterable[Facts]) -> dict[int, int]:
    """Code -> pixels over all files, in ascending order."""
    counts: Counter[int] = Counter()
    for file in files:
        counts.update(file.by_code())
    return dict(sorted(counts.items()))


def listed_names(table: Table) -> tuple[str, ...]:
    """The names of a table in the order of their values, or of its lines; none where its lines are for colours.

    `__ignore__` stands for no value.
    """
    if all(entry.value is None for entry in table) and any(entry.colour is not None for entry in table):
        return ()
    values: dict[int, str] = {}
    for entry in table:
        if entry.value is not None:
            values.setdefault(entry.value, entry.name)
    names = [name for _, name in sorted(values.items())] if values else [entry.name for entry in table]
    return tuple(name for name in dict.fromkeys(names) if name.strip().lower() != "__ignore__")
