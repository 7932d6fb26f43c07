"""Search: the photos that addresses name or hold, by the listings of their stores; none of them is opened."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from segcli.errors import UsageError
from segcli.files import formats, suffixes
from segcli.files.exclusion import NOTHING, Exclusion
from segcli.files.paths import shown
from segcli.files.sources import RESULT_FILES, Found, is_pattern, without_effect
from segcli.storage.address import Address
from segcli.storage.objects import Gathering, below, common
from segcli.storage.store import THREADS, Entry, Store
from segcli.storage.trouble import StoreError

TELL = 100_000
"""After so many objects a listing says how far it is."""


class Stores:
    """The stores that a run speaks with, each opened when it is first needed."""

    def __init__(self):
        self._open: dict[str, Store] = {}

    def of(self, address: Address) -> Store:
        """The store of an address; UsageError where its package is not installed."""
        if address.scheme not in self._open:
            self._open[address.scheme] = Store(address)
        return self._open[address.scheme]


@dataclass(frozen=True)
class FoundObjects(Found):
    """The objects to read that a run's inputs name or hold; see Found.

    Attributes:
        objects: Tells what lies beside them.
    """

    objects: Gathering = field(default_factory=Gathering)
    is_here = False


def find(
    inputs: Sequence[Address],
    stores: Stores,
    copies: Path,
    *,
    output: Address | None = None,
    films: bool = False,
    exclude: Exclusion = NOTHING,
    tell: Callable[[str], None] = lambda _: None,
) -> FoundObjects:
    """Find the photos among objects, folders and patterns of stores, as `files.sources.find` does among files.

    Inside folders and patterns an object's suffix says whether it is a photo, since opening it would be a request each.
    Hidden objects and folders (a leading "."), the output folder and folders with results are left out.

    Args:
        inputs: The addresses.
        stores: The stores.
        copies: The folder of this computer that each object is copied to when it is its turn.
        output: The folder that results will go to.
        films: Return video files too, where their extra is installed.
        exclude: What is left out, wherever it is, also where an input names it.
        tell: Hears how far a long listing is.

    Raises:
        UsageError: An address is not there, a pattern matches nothing, or a folder holds results of segcli.
        StoreError: A store cannot be reached, or refuses.
    """
    search = _Search(stores, output, films, exclude, tell)
    inputs = [address for address in inputs if not exclude.leaves_out(str(address))]
    with ThreadPoolExecutor(THREADS) as pool:
        known = list(pool.map(search.named, inputs))
    folders = [address for address, entries in zip(inputs, known, strict=True) if not entries]
    for entries in filter(None, known):
        search.add_named(*entries)
    for address in _outermost(folders):
        search.add_folder(address)
    return search.found(copies)


class _Search:
    """A search for the objects that inputs name, match or hold."""

    def __init__(
        self,
        stores: Stores,
        output: Address | None,
        films: bool,
        exclude: Exclusion,
        tell: Callable[[str], None],
    ):
        self._stores, self._output, self._films, self._exclude, self._tell = stores, output, films, exclude, tell
        self._objects = Gathering()
        self._roots: list[Address] = []
        self._results = 0
        self._ignored: Counter[str] = Counter()
        self._unread: dict[str, Counter[str]] = {}

    def named(self, address: Address) -> list[Entry]:
        """The object of that very address, and then what lies beside it; nothing where there is no such object."""
        store = self._stores.of(address)
        try:
            entry = store.find(address)
        except StoreError:
            if address.kind.lists:
                raise
            entry = None
        if entry is None:
            return [] if address.kind.lists else [Entry(address)]
        return [entry, *(store.siblings(address) if address.kind.lists else ())]

    def add_named(self, entry: Entry, *siblings: Entry) -> None:
        """Take an object that was named itself: reading it tells what is wrong with it."""
        if self._is_result(entry.address.parent):
            self._results += 1
            return
        self._roots.append(entry.address.parent)
        known = suffixes.taken_for(entry.address.name)
        self._objects.name(entry, film=self._films and known is not None and formats.is_film(known))
        for one in siblings:
            self._objects.add_beside(one)

    def add_folder(self, address: Address) -> None:
        """Take a folder, or what matches a pattern; UsageError where nothing is to be found there."""
        if self._is_result(address):
            message = f"{shown(str(address))} is, or lies in, a folder for results, which is never read as input"
            raise UsageError(message, "Name the folder of the photos, and with --output a folder outside it.")
        if self._walk(address):
            self._roots.append(address)
        elif not is_pattern(address.path):
            raise UsageError(f"{shown(str(address))} is not there", "Is the name of the bucket and the key right?")
        elif not self._match(address):
            raise UsageError(f"nothing matches {shown(str(address))}", "Patterns know *, **, ? and [...].")

    def _walk(self, folder: Address) -> int:
        """Take all objects below a folder; how many there were."""
        count = 0
        for entry in self._below(folder):
            count += 1
            if not self._exclude.leaves_out_below(str(folder), str(entry.address)):
                self._take(entry)
            if count % TELL == 0:
                self._tell(f"{shown(str(folder))}: {count} objects listed so far")
        return count

    def _below(self, folder: Address) -> Iterator[Entry]:
        """The objects below a folder that are not hidden."""
        start = len(folder.path)
        for page in self._stores.of(folder).pages(folder):
            yield from (entry for entry in page if "/." not in entry.address.path[start:])

    def _match(self, pattern: Address) -> int:
        """Take the objects that match; how many there were."""
        from fsspec.utils import glob_translate

        parts = pattern.path.split("/")
        fixed = next(number for number, part in enumerate(parts) if is_pattern(part))
        root = Address(pattern.scheme, "/".join(parts[:fixed]))
        if not root.path:
            raise UsageError(f"{shown(str(pattern))}: the bucket is no pattern", "Name the bucket itself.")
        matches = re.compile(glob_translate(pattern.path)).match
        count = 0
        for entry in self._below(root):
            if matches(entry.address.path):
                count += 1
                if not self._exclude.leaves_out_below(str(root), str(entry.address)):
                    self._take(entry, self._objects.match)
        self._roots += [root] if count else []
        return count

    def _take(self, entry: Entry, take: Callable | None = None) -> None:
        """Take an object of a folder as its suffix says."""
        folder, _, name = str(entry.address).rpartition("/")
        known = suffixes.taken_for(name)
        if self._films and known is not None and formats.is_film(known):
            known = formats.FILM
        if known is not None and known.is_read_here:
            (take or self._objects.add)(entry, film=known is formats.FILM)
            return
        if known is None:
            self._ignored[folder] += 1
        else:
            self._unread.setdefault(folder, Counter())[known.name] += 1
        if suffixes.is_beside(name) or name in RESULT_FILES:
            self._objects.add_beside(entry)

    def _is_result(self, folder: Address) -> bool:
        """Whether a folder is, or lies in, the output folder or one with results of an earlier run."""
        while folder.kind.lists and "/" in folder.path:
            if folder == self._output or self._holds_results(folder):
                return True
            folder = folder.parent
        return folder == self._output

    def _holds_results(self, folder: Address) -> bool:
        with suppress(StoreError):  # who may not read there has no results there
            return all(self._stores.of(folder).find(folder / name) for name in RESULT_FILES)
        return False

    def found(self, copies: Path) -> FoundObjects:
        """All that was taken."""
        left_out = self._objects.results() + ([str(self._output)] if self._output else [])
        files = self._objects.listing(copies, common(self._roots), left_out)
        counted = list(self._ignored.keys() | self._unread.keys())
        out = below(left_out, counted)
        kept = [folder for number, folder in enumerate(counted) if number not in out]
        ignored = sum(self._ignored[folder] for folder in kept)
        unread = sum((self._unread.get(folder, Counter()) for folder in kept), Counter())
        told = {"left_out": self._exclude.count, "remarks": without_effect(self._exclude)}
        return FoundObjects(files, ignored, self._results, _by_number(unread), objects=self._objects, **told)


def _by_number(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _outermost(folders: Sequence[Address]) -> list[Address]:
    """The folders, each once, without those that lie in another of them."""
    texts = {str(folder): folder for folder in folders}
    inside = {text for text in texts for other in texts if text.startswith(f"{other}/") and not is_pattern(other)}
    return [folder for text, folder in texts.items() if text not in inside]
