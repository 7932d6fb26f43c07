"""Store: what holds objects under keys, spoken with through fsspec; every call is made again where trouble may pass."""

from __future__ import annotations

import hashlib
import mimetypes
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from segcli.files.pace import Pace
from segcli.storage import s3_pages
from segcli.storage.address import Address, require_package
from segcli.storage.trouble import ChangedError, CutError, StoreError, is_gone, is_taken, of_object, of_store, patiently

Result = TypeVar("Result")

THREADS = 16
"""The calls that are under way together: most of a call's time is the store's answer on its way."""
IN_ONE = 32 << 20
"""The bytes up to which an object comes by one answer, which is of one state of it, and goes up as one."""
_MD5 = re.compile("[0-9a-f]{32}")
_TAGS = ("ETag", "etag", "md5Hash", "blob_id", "created")
"""What stores call the text that another content, or another writing, of an object changes."""
_TIMES = ("LastModified", "created", "mtime", "updated")
"""What stores call the time at which an object was written."""


class Entry(NamedTuple):
    """An object of a store.

    Attributes:
        address: Where it lies.
        size: Its bytes; None where the store does not say.
        etag: A text that is another one once its content is; empty where the store has none.
        changed: When it was written, in seconds by the store's clock; 0 where the store does not say.
    """

    address: Address
    size: int | None = None
    etag: str = ""
    changed: float = 0.0


class Store:
    """The store that holds an address; there is one for each scheme.

    Args:
        address: An address in it.

    Raises:
        UsageError: Its package is not installed.
    """

    def __init__(self, address: Address):
        require_package(address)
        self.scheme = address.scheme
        self.files = _filesystem(address.scheme)

    def pages(self, folder: Address) -> Iterator[list[Entry]]:
        """The objects below a folder, about a thousand at once, so that memory stays the same however many there are.

        Of s3 these are the store's own pages; of other stores those of one folder each.

        Raises:
            StoreError: The store cannot be reached, or refuses.
        """
        pages = self._s3_pages(folder) if self.scheme == "s3" else self._folders(folder)
        while True:
            try:
                page = next(pages, None)
            except Exception as error:
                raise of_store(error, folder) from error
            if page is None:
                return
            yield page

    def siblings(self, address: Address) -> list[Entry]:
        """The objects that lie beside an object and are called like it up to the suffix. Raises StoreError."""
        stem = address.path.rpartition(".")[0]
        if self.scheme == "s3":
            pages = self._s3_pages(Address("s3", f"{stem}."), whole=False)
            return [one for one in next(pages, []) if one.address.parent == address.parent]
        found = patiently(partial(self.files.ls, address.parent.path, detail=True))
        entries = (self._entry(one["name"].strip("/"), one) for one in found if one["type"] != "directory")
        return [one for one in entries if one.address.path.startswith(f"{stem}.")]

    def _s3_pages(self, folder: Address, whole: bool = True) -> Iterator[list[Entry]]:
        """Pages of a folder's objects, or of those whose keys only begin like that."""
        bucket, _, prefix = folder.path.partition("/")
        asked = {"Bucket": bucket, "Prefix": f"{prefix}/" if prefix and whole else prefix}
        while True:
            page = patiently(partial(self.files.call_s3, "list_objects_v2", **asked))
            yield [
                self._entry(f"{bucket}/{one['Key']}", one)
                for one in page.get("Contents", ())
                if not one["Key"].endswith("/")
            ]
            if not page.get("IsTruncated"):
                return
            asked["ContinuationToken"] = page["NextContinuationToken"]

    def _folders(self, folder: Address) -> Iterator[list[Entry]]:
        folders = [folder.path]
        while folders:
            here = folders.pop()
            try:
                found = patiently(partial(self.files.ls, here, detail=True))
            except FileNotFoundError:
                continue
            names = {one["name"].strip("/"): one for one in found}
            names.pop(here, None)  # some stores name the folder itself
            folders += [name for name, one in names.items() if one["type"] == "directory"]
            yield [self._entry(name, one) for name, one in names.items() if one["type"] != "directory"]

    def _entry(self, path: str, facts: dict[str, Any]) -> Entry:
        tag = next((_plain(facts[name]) for name in _TAGS if facts.get(name)), "")
        times = (_plain(facts[name]) for name in _TIMES if facts.get(name))
        changed = next((time for time in times if isinstance(time, float)), 0.0)
        size = facts.get("size", facts.get("Size"))
        return Entry(Address(self.scheme, path), size, str(tag).strip('"'), changed)

    def find(self, address: Address) -> Entry | None:
        """An object's facts; None where there is none. Raises StoreError."""
        try:
            facts = patiently(lambda: self.files.info(self._path(address)))
        except Exception as error:
            if is_gone(error):
                return None
            raise of_store(error, address) from error
        if facts.get("type") == "directory":
            return None
        return self._entry(address.path, facts)._replace(address=address)

    def fetch(self, entry: Entry, path: Path) -> Entry:
        """Copy an object to a file, whole; gives the facts of the state that was copied.

        Raises:
            InputError: It is gone, may not be read, or is cut or replaced time after time.
            StoreError: The store cannot be reached, or refuses.
        """
        known = entry

        def once() -> Entry:
            nonlocal known
            self._get(known.address, path)
            if _is_whole(path, known):
                return known
            before, now = known, self.find(known.address)
            if now is None:
                raise FileNotFoundError(str(known.address))
            known = now
            if (now.size, now.etag) != (before.size, before.etag):
                raise ChangedError
            if now.size not in (None, path.stat().st_size):
                raise CutError
            return now

        try:
            return patiently(once)
        except Exception as error:
            raise of_object(error, entry.address) from error

    def _get(self, address: Address, path: Path) -> None:
        from fsspec.callbacks import Callback

        pace, came = Pace(), 0

        def hear(size: int | None, value: int, **_: Any) -> None:
            nonlocal came
            pace.add(value - came)
            came = value

        call = partial(self.files.get_file, self._path(address), str(path), callback=Callback(hooks={"pace": hear}))
        pace.wait(call)

    def read(self, address: Address) -> bytes:
        """An object's bytes. Raises InputError and StoreError as `fetch` does."""
        return self._told(lambda: self.files.cat_file(self._path(address)), address)

    def put(self, address: Address, data: bytes) -> None:
        """Put an object in the place of what is there, whole or not at all. Raises StoreError."""
        self._told(lambda: self._pipe(address, data), address, of_store)

    def create(self, address: Address, data: bytes) -> bool:
        """Put an object where there is none, whole or not at all; False where there is one already.

        Raises:
            StoreError: The store cannot be reached, or refuses.
        """
        try:
            patiently(lambda: self._pipe(address, data, mode="create"))
        except Exception as error:
            if not is_taken(error):
                raise of_store(error, address) from error
            return self.read(address) == data  # a first try whose answer was lost on its way
        return True

    def send(self, address: Address, path: Path) -> None:
        """Put a file of this computer in the place of what is there, whole or not at all. Raises StoreError."""
        if path.stat().st_size <= IN_ONE:
            self.put(address, path.read_bytes())
        else:
            how = {"chunksize": IN_ONE} if self.scheme == "s3" else {}
            self._told(lambda: self.files.put_file(str(path), self._path(address), **how), address, of_store)

    def holds(self, address: Address, path: Path) -> bool:
        """Whether an object is known to have the bytes of a file of this computer. Raises StoreError."""
        found = self.find(address)
        if found is None or found.size != path.stat().st_size:
            return False
        return found.etag == (_md5_of_pieces(path) if "-" in found.etag else _md5(path))

    def remove(self, addresses: list[Address]) -> None:
        """Remove objects; those that are gone already do no harm. Raises StoreError."""

        def one(address: Address) -> None:
            try:
                patiently(lambda: self.files.rm_file(self._path(address)))
            except Exception as error:
                if not is_gone(error):
                    raise of_store(error, address) from error

        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(one, addresses))

    def _pipe(self, address: Address, data: bytes, **how: Any) -> None:
        if self.scheme == "s3" and (kind := mimetypes.guess_type(address.name)[0]):
            how["ContentType"] = kind  # else a browser offers a mask as a download
        self.files.pipe_file(self._path(address), data, **how)

    def listed(self, folder: Address) -> list[Entry]:
        """All objects below a folder at once; for folders of a few. Raises StoreError."""
        try:
            return [entry for page in self.pages(folder) for entry in page]
        except StoreError as error:
            if is_gone(error.__cause__ or error):
                return []
            raise

    def _told(self, call: Callable[[], Result], address: Address, told: Callable = of_object) -> Result:
        try:
            return patiently(call)
        except Exception as error:
            raise told(error, address) from error

    def _path(self, address: Address) -> str:
        return address.url if address.kind.has_query else address.path


def _plain(value: Any) -> Any:
    """A time as seconds, any other value as it is."""
    return value.timestamp() if isinstance(value, datetime) else value


def _is_whole(path: Path, entry: Entry) -> bool:
    """Whether a copy is proved to be the whole object in the state that its facts tell."""
    size = path.stat().st_size
    if entry.size not in (None, size):
        return False
    if _MD5.fullmatch(entry.etag):  # of most objects the MD5 of their bytes; of those encrypted by a key it is not
        return _md5(path) == entry.etag
    return size <= IN_ONE


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, partial(hashlib.md5, usedforsecurity=False)).hexdigest()


def _md5_of_pieces(path: Path) -> str:
    """What S3 calls a file that went up in pieces of `IN_ONE` bytes."""
    with path.open("rb") as file:
        pieces = [hashlib.md5(piece, usedforsecurity=False).digest() for piece in iter(partial(file.read, IN_ONE), b"")]
    return f"{hashlib.md5(b''.join(pieces), usedforsecurity=False).hexdigest()}-{len(pieces)}"


def _filesystem(scheme: str) -> Any:
    """The file system of fsspec for a scheme, without its memory of listings, and without tries of its own."""
    import fsspec

    plain = {"use_listings_cache": False, "skip_instance_cache": True}
    if scheme == "s3":
        pieces = {"default_block_size": IN_ONE, "max_concurrency": 2}  # else a large file takes a gigabyte on its way
        files = fsspec.filesystem("s3", config_kwargs={"retries": {"max_attempts": 0}}, **pieces, **plain)
        files.retries = 1
        s3_pages.read_here(files)
        return files
    if scheme in ("http", "https"):
        import aiohttp

        limits = aiohttp.ClientTimeout(total=None, sock_connect=30, sock_read=60)
        return fsspec.filesystem(scheme, client_kwargs={"timeout": limits}, **plain)
    return fsspec.filesystem(scheme, **plain)
