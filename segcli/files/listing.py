"""Listing: the files of a run in little memory; a Source is made of each as it is asked for."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, overload

from segcli.files import glance
from segcli.files.paths import shown
from segcli.files.texts import Texts
from segcli.files.trees import output_names, stem, tree_folders

if TYPE_CHECKING:
    from segcli.storage.store import Entry


@dataclass(frozen=True)
class Source:
    """One file to read.

    Attributes:
        path: The file, spelled as the user reached it.
        tree: The place of its outputs below an output folder, without a suffix; unique in its run, never absolute,
            never with a "..".
        page: The page of the file, from 0 on; None where the first stands for the file.
        beside: Another file that its outputs are made of, such as its saved probabilities.
        film: Whether it is read as a film, a frame at a time.
        origin: Where it comes from, where that is a store; then `path` is there only while it is its turn.
        given: The file as the user reached it, where `path` is another spelling of it for another process.
    """

    path: Path
    tree: PurePosixPath
    page: int | None = None
    beside: Path | None = None
    film: bool = False
    origin: Entry | None = None
    given: Path | None = None

    @property
    def input(self) -> str:
        """The file as people know it: its address in a store, or else its path."""
        return str((self.given or self.path) if self.origin is None else self.origin.address)

    def told(self, text: str) -> str:
        """A text that speaks of the file's copy, as one that speaks of the file as people know it."""
        named = self.origin is None and self.given is None
        if named:
            return text
        return text.replace(str(self.path), self.input).replace(shown(self.path), shown(self.input))

    def output(self, folder: Path, suffix: str) -> Path:
        """The output file for this source in `folder`; `suffix` is one extension, such as ".png"."""
        return folder.joinpath(*self.tree.parts[:-1], self.tree.name + suffix)


@dataclass
class Kept:
    """What is kept of the files: about forty bytes each, where a Source and its two paths are a thousand.

    Attributes:
        folders: The folders that hold them.
        trees: The place of each folder in the output tree.
        numbers: The number of each file's folder.
        names: Each file's name in it.
        glances: The `files.glance` of each; none at all where nobody has looked.
        spelled: The files, by number, whose outputs are not called by their name without its suffix.
        films: The numbers of those that are read as films.
    """

    folders: list[Path] = field(default_factory=list)
    trees: list[PurePosixPath] = field(default_factory=list)
    numbers: array = field(default_factory=lambda: array("I"))
    names: Texts = field(default_factory=Texts)
    glances: bytes = b""
    spelled: dict[int, str] = field(default_factory=dict)
    films: frozenset[int] = frozenset()

    def leaf(self, number: int) -> str:
        """The last part of a file's tree."""
        return self.spelled.get(number) or stem(self.names[number])

    def source(self, number: int) -> Source:
        """The Source of a file by its number."""
        folder = self.numbers[number]
        path, tree = self.folders[folder] / self.names[number], self.trees[folder] / self.leaf(number)
        return Source(path, tree, film=number in self.films)

    def glance(self, number: int) -> int:
        """What is known of the first bytes of a file."""
        return self.glances[number] if self.glances else glance.UNSEEN

    def trees_of(self, numbers: Iterable[int]) -> Iterator[str]:
        """Each file's tree as a text, without a Source, which takes ten times as long."""
        heads = [_head((tree / "x").as_posix()) for tree in self.trees]
        return (heads[self.numbers[number]] + self.leaf(number) for number in numbers)

    def inputs_of(self, numbers: Iterable[int]) -> Iterator[str]:
        """Each file as people know it, without a Source."""
        heads = [_head(str(folder / "x")) for folder in self.folders]
        return (heads[self.numbers[number]] + self.names[number] for number in numbers)


def _head(text: str) -> str:
    """What comes before the name in the path of a file `x`."""
    return text[:-1]


class Listing(Sequence[Source]):
    """Files to read, each once, in the order of their trees.

    A slice, and what `where` gives, is a Listing too and shares what is kept. Equal to any sequence of equal sources.
    """

    def __init__(self, kept: Kept, order: array):
        self._kept = kept
        self._order = order

    @classmethod
    def of(cls, folders: Iterable[tuple[Path, Iterable[str]]], roots: Sequence[str], glances: bytes = b"") -> Listing:
        """The listing of files.

        Args:
            folders: Folders, each with the names of files in it; a folder may come more than once.
            roots: The absolute folders where the output trees start.
            glances: The `files.glance` of each file, in the same order; none at all where nobody has looked.
        """
        kept, places = Kept(glances=glances), {}
        for folder, names in folders:
            number = places.setdefault(folder, len(places))
            kept.names.extend(names)
            kept.numbers.extend([number] * (len(kept.names) - len(kept.numbers)))
        kept.folders = list(places)
        kept.trees = tree_folders(kept.folders, roots)
        kept.spelled = output_names(kept.trees, kept.numbers, kept.names)
        return cls(kept, ordered(kept))

    @overload
    def __getitem__(self, index: int) -> Source: ...

    @overload
    def __getitem__(self, index: slice) -> Listing: ...

    def __getitem__(self, index: int | slice) -> Source | Listing:
        if isinstance(index, slice):
            return Listing(self._kept, self._order[index])
        return self._kept.source(self._order[index])

    def __len__(self) -> int:
        return len(self._order)

    def __iter__(self) -> Iterator[Source]:
        return map(self._kept.source, self._order)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or len(self) != len(other):
            return NotImplemented if not isinstance(other, Sequence) else False
        return all(one == another for one, another in zip(self, other, strict=True))

    __hash__ = None

    def trees(self) -> Iterator[str]:
        """The tree of each as a text, as `Source.tree.as_posix()` gives it."""
        return self._kept.trees_of(self._order)

    def inputs(self) -> Iterator[str]:
        """The `Source.input` of each."""
        return self._kept.inputs_of(self._order)

    def glance(self, index: int) -> int:
        """What is known of the first bytes of one: a `files.glance`."""
        return self._kept.glance(self._order[index])

    def where(self, test: Callable[[Source], bool]) -> Listing:
        """Those that pass a test."""
        kept = self._kept
        return Listing(kept, array("I", (number for number in self._order if test(kept.source(number)))))

    def marked(self, is_film: Callable[[Source], bool], may_be: Callable[[int], bool] = lambda _: True) -> Listing:
        """The same files, those that pass a test as films; those whose glance does not pass `may_be` are not tested."""
        kept = self._kept
        hopeful = (number for number in self._order if may_be(kept.glance(number)))
        films = frozenset(number for number in hopeful if is_film(kept.source(number)))
        return Listing(replace(kept, films=films), self._order)

    def of_kind(self, film: bool) -> Listing:
        """The films, or all others."""
        films = self._kept.films
        if not films:
            return self[:0] if film else self
        return Listing(self._kept, array("I", (number for number in self._order if (number in films) == film)))


def chosen(sources: Sequence[Source], test: Callable[[Source], bool]) -> Sequence[Source]:
    """The sources that pass a test, in as little memory as they take now."""
    return sources.where(test) if isinstance(sources, Listing) else [one for one in sources if test(one)]


def trees_of(sources: Sequence[Source]) -> Iterator[str]:
    """The tree of each source as a text."""
    return sources.trees() if isinstance(sources, Listing) else (one.tree.as_posix() for one in sources)


def inputs_of(sources: Sequence[Source]) -> Iterator[str]:
    """The `Source.input` of each source."""
    return sources.inputs() if isinstance(sources, Listing) else (one.input for one in sources)


def ordered(kept: Kept) -> array:
    """The numbers of the files in the order of their trees' parts: NUL, which no name has, comes before all else."""
    folders = ["".join(f"{part}\0" for part in tree.parts) for tree in kept.trees]
    order = sorted(range(len(kept.names)), key=lambda number: folders[kept.numbers[number]] + kept.leaf(number))
    return array("I", order)
