"""Staging: objects copied to this computer a few ahead of their turn, as files that the rest of a run reads."""

from __future__ import annotations

import shutil
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from segcli.errors import InputError
from segcli.files.listing import Source
from segcli.files.sieve import MASK_SUFFIX
from segcli.files.sources import is_picture
from segcli.films.choice import is_film
from segcli.films.options import FilmKinds
from segcli.images.geo.sidecars import aux_path, world_names
from segcli.images.reading import MAX_PIXELS
from segcli.pipeline.ahead import threads
from segcli.pipeline.records import Record
from segcli.storage.objects import Gathering
from segcli.storage.scratch import Scratch
from segcli.storage.search import Stores
from segcli.storage.store import THREADS, Entry

MOST, MOST_BYTES = 48, 256 << 20
"""The objects, and of those that are small the bytes, that are copied before it is their turn."""


@dataclass(frozen=True)
class Staged:
    """An object whose turn has come.

    Attributes:
        source: With its copy, what the content is read as, and the facts of the state that was copied.
        error: Why there is no copy.
        is_picture: Whether the content is one that is read. So counts an object that was named by itself: its reader
            says what is wrong with it.
    """

    source: Source
    error: InputError | None = None
    is_picture: bool = True


class Staging:
    """Copies objects to a scratch folder.

    Args:
        stores: The stores.
        scratch: Where to.
        objects: Tells what lies beside them.
        films: What is read as a film.
        max_pixels: Larger pictures are no moving ones.
    """

    def __init__(
        self,
        stores: Stores,
        scratch: Scratch,
        objects: Gathering,
        films: FilmKinds = "auto",
        max_pixels: int = MAX_PIXELS,
    ):
        self._stores, self._scratch, self._objects = stores, scratch, objects
        self._films, self._max_pixels = films, max_pixels

    def staged(self, sources: Iterable[Source]) -> Iterator[Staged]:
        """Each object once it is copied, in order; whoever gets one lets it go with `release`.

        Raises:
            StoreError: A store cannot be reached, or refuses.
            SegcliError: The disk is full.
        """
        queue, begun, ahead = iter(sources), deque[tuple[int, Future]](), 0
        with threads(THREADS) as pool:
            while True:
                while len(begun) < MOST and ahead < MOST_BYTES and (source := next(queue, None)) is not None:
                    begun.append((source.origin.size or 0, self._begin(pool, source)))
                    ahead += begun[-1][0]
                if not begun:
                    return
                size, future = begun.popleft()
                yield future.result()
                ahead -= size

    def _begin(self, pool: ThreadPoolExecutor, source: Source) -> Future:
        self._scratch.require(source.origin.size or 0)
        beside = self._objects.beside(source.origin.address, beside_names(source.origin.address.name))
        return pool.submit(self._copied, source, beside)

    def _copied(self, source: Source, beside: list[Entry]) -> Staged:
        try:
            source.path.parent.mkdir(parents=True, exist_ok=True)
            entry = self._stores.of(source.origin.address).fetch(source.origin, source.path)
            for one in beside:
                self._stores.of(one.address).fetch(one, source.path.with_name(one.address.name))
        except InputError as error:
            return Staged(source, error)
        film = self._films != "none" and is_film(source.path, self._films, self._max_pixels)
        is_meant = film or self._objects.is_named(source.origin.address) or is_picture(source.path)
        return Staged(replace(source, origin=entry, film=film), is_picture=is_meant)

    def release(self, source: Source) -> None:
        """Remove an object's copy."""
        shutil.rmtree(source.path.parent, ignore_errors=True)


def beside_names(name: str) -> set[str]:
    """The names of files that may lie beside a photo and say where it lies, or where it has data."""
    path = Path(name)
    return {*world_names(path), aux_path(path).name, path.with_suffix(".prj").name, name + MASK_SUFFIX}


def told(record: Record, source: Source) -> Record:
    """A record that speaks of the object where its error or its notes name the copy."""

    def named(text: str) -> str:
        return text.replace(str(source.path), source.input).replace(str(source.path.parent), source.input)

    error = None if record.error is None else named(record.error)
    return replace(record, error=error, notes=tuple(map(named, record.notes)))
