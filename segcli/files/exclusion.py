"""Exclusion: the files and folders that patterns leave out, as those of `rsync --exclude` do."""

import os
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from segcli.errors import UsageError
from segcli.files.paths import shown

ANY_DEPTH = "**"
"""What a pattern begins or ends with that means all folders; every pattern means them anyway."""


@dataclass(frozen=True)
class _Pattern:
    """A pattern by its parts.

    Attributes:
        parts: What the last parts of a path are compared with.
        folders_only: Whether files are left alone.
        whole: Whether the path must have no parts before these.
    """

    parts: tuple[str, ...]
    folders_only: bool
    whole: bool

    def matches(self, parts: Sequence[str], is_folder: bool) -> bool:
        """Whether it matches a path, by the path's parts."""
        if (self.folders_only and not is_folder) or len(self.parts) > len(parts):
            return False
        last = parts[len(parts) - len(self.parts) :]
        return (not self.whole or len(last) == len(parts)) and all(map(fnmatchcase, last, self.parts))


class Exclusion:
    """Tells which paths are left out.

    A pattern is compared with the last parts of a path: `masks` is every file or folder of that name, at any depth,
    `*_mask.png` every file that ends so, and `train/masks` a `masks` inside a `train`. `masks/` is folders only. What
    lies in a folder that is left out is left out too.

    Args:
        patterns: `*`, `?` and `[...]` stand for other signs, but for no "/".

    Attributes:
        count: How many files and folders were left out so far.

    Raises:
        UsageError: A pattern is empty, or has ** between two names.
    """

    def __init__(self, patterns: Sequence[str | Path] = ()):
        self._patterns = {text: _parsed(text) for text in map(os.fspath, patterns)}
        self._unmatched = dict.fromkeys(self._patterns)
        self.count = 0

    def __bool__(self) -> bool:
        return bool(self._patterns)

    @property
    def unmatched(self) -> tuple[str, ...]:
        """The patterns that left out nothing so far."""
        return tuple(self._unmatched)

    def leaves_out(self, place: str, is_folder: bool = False) -> bool:
        """Whether a file or folder itself is left out, by its whole path or address; the folders above are not asked.

        It is counted.
        """
        parts = _composed(place).replace(os.sep, "/").split("/")
        matching = [text for text, pattern in self._patterns.items() if pattern.matches(parts, is_folder)]
        for text in matching:
            self._unmatched.pop(text, None)
        self.count += bool(matching)
        return bool(matching)

    def leaves_out_below(self, root: str, place: str, is_folder: bool = False) -> bool:
        """Whether a path below a root, or a folder between them, is left out; it is counted once."""
        if not self:
            return False
        between = place[len(root) :].replace(os.sep, "/").strip("/").split("/")
        above = ("/".join((root.rstrip("/"), *between[:depth])) for depth in range(1, len(between)))
        return any(self.leaves_out(folder, True) for folder in above) or self.leaves_out(place, is_folder)


NOTHING = Exclusion()
"""Leaves out nothing."""


def _composed(text: str) -> str:
    """The text with each letter as one sign: macOS keeps the accents of names apart, and keyboards do not."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def _parsed(text: str) -> _Pattern:
    plain = _composed(text).replace(os.sep, "/")
    parts = [part for part in plain.split("/") if part not in ("", ".")]
    while parts and parts[0] == ANY_DEPTH:
        parts.pop(0)
    folders_only = plain.endswith("/")
    while parts and parts[-1] == ANY_DEPTH:
        parts.pop()
        folders_only = True
    if not parts:
        raise UsageError(
            f"--exclude {shown(text) or chr(34) * 2} names nothing", "Name files or folders, such as masks."
        )
    if ANY_DEPTH in parts:
        hint = "Give the name of the inner folder alone: it is left out wherever it is."
        raise UsageError(f"--exclude {shown(text)}: ** cannot stand between two names", hint)
    whole = plain.startswith("/") or os.path.isabs(text)  # noqa: PTH117 - Windows knows more of them than a Path
    return _Pattern((*([""] if plain.startswith("/") else []), *parts), folders_only, whole)
