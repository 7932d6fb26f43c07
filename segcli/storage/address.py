"""Address: where a file or a folder lies in a store, such as s3://bucket/photos or https://host/photo.jpg."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import PurePosixPath
from urllib.parse import unquote

from segcli.errors import UsageError
from segcli.files.paths import shown

CLOUD = "pip install 'segcli[cloud]'"
"""The command that installs segcli's extra for stores."""
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://(.*)", re.DOTALL)
_NO_CREDENTIALS = "Leave them to the store's own ways: environment variables, profiles, roles."


@dataclass(frozen=True)
class Scheme:
    """A kind of store.

    Attributes:
        module: The module that speaks with it.
        install: The command that installs that module.
        lists: Whether it has folders that can be listed.
        writes: Whether segcli writes to it: it can put an object only where there is none.
        has_query: Whether what follows a "?" is no part of a file's name, and may hold a signature.
    """

    module: str
    install: str = CLOUD
    lists: bool = True
    writes: bool = True
    has_query: bool = False

    @property
    def installed(self) -> bool:
        """Whether fsspec and the module are there; imports neither."""
        return find_spec("fsspec") is not None and find_spec(self.module) is not None


SCHEMES = {
    "s3": Scheme("s3fs"),
    "gs": Scheme("gcsfs", "pip install gcsfs"),
    "hf": Scheme("huggingface_hub", writes=False),
    "https": Scheme("aiohttp", lists=False, writes=False, has_query=True),
    "http": Scheme("aiohttp", lists=False, writes=False, has_query=True),
    "memory": Scheme("fsspec"),
}
"""The scheme of an address -> its kind of store; memory is fsspec's own, which lives as long as the process."""


@dataclass(frozen=True)
class Address:
    """A place in a store. Its text never holds a signature.

    Attributes:
        scheme: A key of `SCHEMES`.
        path: What follows "scheme://", without a "/" at its end.
        query: What follows the path with a "?" at the web's addresses, as it was given: it may be a signature, which
            is kept out of everything that is shown or written.
    """

    scheme: str
    path: str
    query: str = field(default="", repr=False)

    def __str__(self) -> str:
        return f"{self.scheme}://{self.path}"

    @property
    def kind(self) -> Scheme:
        """What is known of its store."""
        return SCHEMES[self.scheme]

    @property
    def url(self) -> str:
        """The whole address, signature included, for the store alone."""
        return f"{self}?{self.query}" if self.query else str(self)

    @property
    def name(self) -> str:
        """The last part of the path, as a file would be called."""
        last = self.path.rpartition("/")[2]
        return unquote(last) if self.kind.has_query else last

    @property
    def parent(self) -> Address:
        """The folder that it lies in."""
        return Address(self.scheme, self.path.rpartition("/")[0])

    def __truediv__(self, name: str | PurePosixPath) -> Address:
        return replace(self, path=f"{self.path}/{name}", query="")


def of_text(text: str) -> Address:
    """The address whose `str` this is."""
    scheme, _, path = text.partition("://")
    return Address(scheme, path)


def plain(text: str) -> str:
    """An input as it may be shown and written down: an address without what may be a signature."""
    return str(parse(text)) if is_address(text) else text


def is_address(text: object) -> bool:
    """Whether a text is an address rather than a path on this computer."""
    return isinstance(text, str) and _SCHEME.fullmatch(text) is not None


def parse(text: str) -> Address:
    """The address that a text is.

    Raises:
        UsageError: It names no store that segcli knows, or holds credentials, which are not repeated.
    """
    found = _SCHEME.fullmatch(text)
    scheme, rest = (found[1].lower(), found[2]) if found else ("", text)
    if scheme not in SCHEMES:
        known = ", ".join(f"{name}://" for name in SCHEMES if name != "memory")
        raise UsageError(f"{scheme or 'this'}://... is no address that segcli reads", f"It knows {known} and paths.")
    if not _is_text(rest):
        raise UsageError(f"an address {scheme}://... holds bytes that are no text", "Addresses are in UTF-8.")
    query = ""
    if SCHEMES[scheme].has_query:
        rest, _, query = rest.partition("#")[0].partition("?")
    _refuse_credentials(scheme, rest)
    path = rest.rstrip("/")
    if not path or path.startswith("/"):
        raise UsageError(f"{scheme}://{path} names no bucket or host", f"Write {scheme}://BUCKET/FOLDER.")
    return Address(scheme, path, query)


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _refuse_credentials(scheme: str, rest: str) -> None:
    """UsageError where a name, a key or a password stands before the bucket or host; a key may hold slashes."""
    host = rest.partition("/")[0]
    _, colon, port = host.rpartition("]")[2].partition(":")  # an IPv6 address is in brackets
    if "@" in host or (colon and not (SCHEMES[scheme].has_query and port.isdecimal())):
        raise UsageError(f"an address {scheme}://... holds credentials, which belong in no address", _NO_CREDENTIALS)


def are_stored(inputs: Sequence[str]) -> bool:
    """Whether inputs lie in stores. Raises UsageError where some do and others lie on this computer."""
    stored = [text for text in inputs if is_address(text)]
    if stored and len(stored) < len(inputs):
        other = next(text for text in inputs if not is_address(text))
        message = f"{shown(other)} lies on this computer, and other inputs in a store"
        raise UsageError(message, "Give them to two runs.")
    return bool(stored)


def require_package(address: Address) -> None:
    """Refuse, before any work, a store whose package is not installed. Raises UsageError."""
    if not address.kind.installed:
        message = f"{address.scheme}:// needs an extra package that is not installed ({address.kind.module})"
        raise UsageError(message, f"Install it: {address.kind.install}")
