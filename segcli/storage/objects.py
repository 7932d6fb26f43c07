"""Objects: what a run reads from a store, listed in little memory; a Source is made of each as it is asked for."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from segcli.errors import UsageError
from segcli.files.listing import Kept, Listing, Source, ordered
from segcli.files.paths import shown
from segcli.files.sources import RESULT_FILES
from segcli.files.texts import Texts
from segcli.files.trees import NAME_BYTES, output_names
from segcli.storage.address import Address, of_text
from segcli.storage.store import Entry

UNKNOWN = -1
"""The size of an object of which the store does not say it."""


@dataclass
class _Objects(Kept):
    """What is kept of objects: about a hundred bytes each.

    Attributes:
        copies: The folder of this computer that they are copied to, each when it is its turn.
        homes: The address of each folder that holds them.
        keys: Each object's name, where its file is called otherwise, by its number.
        sizes: Their bytes, or `UNKNOWN`.
        etags: Their ETags.
        queries: What follows the "?" of an address, by its number; it may be a signature.
    """

    copies: Path = Path()
    homes: list[Address] = field(default_factory=list)
    keys: dict[int, str] = field(default_factory=dict)
    sizes: array = field(default_factory=lambda: array("q"))
    etags: Texts = field(default_factory=Texts)
    queries: dict[int, str] = field(default_factory=dict, repr=False)

    def source(self, number: int) -> Source:
        folder, size, name = self.numbers[number], self.sizes[number], self.names[number]
        home = self.homes[folder]
        path = f"{home.path}/{self.keys.get(number, name)}"
        address = Address(home.scheme, path, self.queries.get(number, ""))
        origin = Entry(address, None if size == UNKNOWN else size, self.etags[number])
        copy = self.copies / str(number) / _short(name)
        tree = self.trees[folder] / self.leaf(number)
        return Source(copy, tree, film=number in self.films, origin=origin)

    def inputs_of(self, numbers: Iterable[int]) -> Iterator[str]:
        heads = [f"{home}/" for home in self.homes]
        return (heads[self.numbers[number]] + self.keys.get(number, self.names[number]) for number in numbers)


class Gathering:
    """Objects as they are listed."""

    def __init__(self):
        self._places: dict[str, int] = {}
        self._numbers = array("I")
        self._names = Texts()
        self._sizes = array("q")
        self._etags = Texts()
        self._films: set[int] = set()
        self._queries: dict[int, str] = {}
        self._named: dict[str, str] = {}
        self._matched: set[str] = set()
        self._beside: dict[str, tuple[int | None, str]] = {}

    def match(self, entry: Entry, film: bool = False) -> None:
        """Take an object that a pattern matched; twice is once."""
        if str(entry.address) not in self._named:
            self._matched.add(str(entry.address))
        self.name(entry, film)

    def is_named(self, address: Address) -> bool:
        """Whether an object was named by itself, so that its reader tells what is wrong with it."""
        text = str(address)
        return text in self._named and text not in self._matched

    def name(self, entry: Entry, film: bool = False) -> None:
        """Take an object that was named by itself; twice is once.

        Raises:
            UsageError: Another address differs in its query alone, which is part of no name.
        """
        text, query = str(entry.address), entry.address.query
        if text in self._named and self._named[text] != query:
            hint = "Their results would have one name. Give them to two runs with outputs of their own."
            raise UsageError(f"two addresses of {shown(text)} differ in what follows the ? alone", hint)
        if text not in self._named:
            self._named[text] = query
            self._add(text, entry, film)

    def add(self, entry: Entry, film: bool = False) -> None:
        """Take an object of a folder, unless it was named by itself."""
        text = str(entry.address)
        if not self._named or text not in self._named:
            self._add(text, entry, film)

    def _add(self, text: str, entry: Entry, film: bool) -> None:
        number, (folder, _, name) = len(self._names), text.rpartition("/")
        self._numbers.append(self._places.setdefault(folder, len(self._places)))
        self._names.append(name)
        self._sizes.append(UNKNOWN if entry.size is None else entry.size)
        self._etags.append(entry.etag)
        if film:
            self._films.add(number)
        if entry.address.query:
            self._queries[number] = entry.address.query

    def add_beside(self, entry: Entry) -> None:
        """Take an object that may say where a photo lies, or that a folder holds results."""
        self._beside[str(entry.address)] = (entry.size, entry.etag)

    def listing(self, copies: Path, base: Address | None, left_out: Sequence[str] = ()) -> Listing:
        """The objects to read, in the order of their trees.

        Args:
            copies: The folder of this computer that each is copied to when it is its turn.
            base: The folder that the trees are below; None: they begin with the scheme.
            left_out: The texts of folders whose objects are not read.

        Raises:
            UsageError: The outputs of two folders would have one place.
        """
        homes = list(map(of_text, self._places))
        trees = [_tree(home, base) for home in homes]
        if len(set(trees)) < len(trees):
            twins = next(home for number, home in enumerate(homes) if trees[number] in trees[:number])
            raise UsageError(f"the outputs of {shown(str(twins))} would meet those of another folder", "Rename it.")
        keys = dict(self._renamed(homes))
        names = Texts(keys.get(number, name) for number, name in enumerate(self._names)) if keys else self._names
        kept = _Objects([Path(str(home)) for home in homes], trees, self._numbers, names)
        kept.spelled = output_names(trees, self._numbers, names)
        kept.films = frozenset(self._films)
        kept.keys = {number: self._names[number] for number in keys}
        kept.copies, kept.homes, kept.queries = copies, homes, self._queries
        kept.sizes, kept.etags = self._sizes, self._etags
        out, order = below(left_out, list(self._places)), ordered(kept)
        return Listing(kept, array("I", (one for one in order if kept.numbers[one] not in out)) if out else order)

    def _renamed(self, homes: Sequence[Address]) -> Iterator[tuple[int, str]]:
        """The numbers of the objects whose files are called otherwise, and how."""
        for number, (home, key) in enumerate(zip(self._numbers, self._names, strict=True)):
            if (name := _file_name(homes[home], key)) != key:
                yield number, name

    def results(self) -> list[str]:
        """The texts of the folders that hold all of `RESULT_FILES`, which `add_beside` was given."""
        first, *rest = RESULT_FILES
        folders = [text.rpartition("/")[0] for text in self._beside if text.endswith(f"/{first}")]
        return [one for one in folders if all(f"{one}/{name}" in self._beside for name in rest)]

    def beside(self, address: Address, names: Iterable[str]) -> list[Entry]:
        """The objects of these names in the folder of an address."""
        folder = address.parent
        found = ((folder / name, self._beside.get(f"{folder}/{name}")) for name in (names if self._beside else ()))
        return [Entry(place, *facts) for place, facts in found if facts is not None]


def common(roots: Sequence[Address]) -> Address | None:
    """The deepest folder that holds all of these; None where they lie in several stores, or there are none."""
    if len({one.scheme for one in roots}) != 1:
        return None
    parts = [one.path.split("/") for one in roots]
    same = [level[0] for level in takewhile(lambda level: len(set(level)) == 1, zip(*parts, strict=False))]
    return Address(roots[0].scheme, "/".join(same)) if same else None


def below(folders: Sequence[str], homes: Sequence[str]) -> set[int]:
    """The numbers of the homes that are, or lie in, one of some folders; all are texts of addresses."""
    wanted = set(folders)
    if not wanted:
        return set()
    return {number for number, home in enumerate(homes) if not wanted.isdisjoint(_with_parents(home))}


def _with_parents(text: str) -> Iterator[str]:
    while "/" in text:
        yield text
        text = text.rpartition("/")[0]


def _tree(home: Address, base: Address | None) -> PurePosixPath:
    """The place of a folder's outputs: keys may hold empty parts and dots, which no folder's name is."""
    parts = home.path.split("/")
    parts = [home.scheme, *parts] if base is None else parts[len(base.path.split("/")) :]
    return PurePosixPath(*(_file_name(home, part) for part in parts))


def _file_name(home: Address, part: str) -> str:
    """A part of an address as a file or folder can be called."""
    name = unquote(part) if home.kind.has_query else part
    if name in ("", ".", ".."):
        return {"": "_nothing", ".": "_dot", "..": "_dots"}[name]
    return name.replace("/", "_").replace("\0", "_")


def _short(name: str) -> str:
    """A name as a disk can hold it: its end, with the suffix, where it is too long."""
    return name if len(name) < NAME_BYTES // 4 else name.encode()[-NAME_BYTES:].decode(errors="ignore")
