"""Standing: which files stand in an output folder in a store, and how large they are, by one listing."""

import hashlib
from array import array
from collections.abc import Iterable

from segcli.files.lookup import Lookup

_UNKNOWN = -1


class Standing:
    """The sizes of files by their places, in sixteen bytes each: a hash of the place stands for it.

    Of a million places none share a hash, but in one of ten million such listings.
    """

    def __init__(self, files: Iterable[tuple[str, int | None]]):
        keys, sizes = array("Q"), array("q")
        for place, size in files:
            keys.append(_key(place))
            sizes.append(_UNKNOWN if size is None else size)
        self._sizes = Lookup(keys, sizes)

    def size(self, place: str) -> int | None:
        """The bytes of a file; None where there is none."""
        sizes = self._sizes.of(_key(place))
        return sizes[0] if sizes else None


def _key(place: str) -> int:
    return int.from_bytes(hashlib.blake2b(place.encode(errors="surrogateescape"), digest_size=8).digest())
