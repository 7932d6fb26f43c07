"""Parts: which photos a training run learned from and which were held out, by their files' content; its split.toml.

A photo is known again by its SHA-256, whatever it is called and wherever it lies. One that was saved anew, by another
program or with other compression, has another content and counts as one that the run has never met.
"""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Literal

import tomli_w
from msgspec import Meta

from segcli import decoding
from segcli.data.counting import Counting, uncounted
from segcli.data.dataset import Dataset, Sample
from segcli.decoding import DecodingError
from segcli.errors import DatasetError, InputError
from segcli.files import atomic
from segcli.files.encoding import to_json
from segcli.files.paths import shown

SPLIT = "split.toml"
"""The file's name in the folder of a run."""
VERSION = 2
"""The version of the file. A reader takes its own version and earlier ones, and refuses newer ones."""
THREADS = 4
"""How many files are hashed at once."""
HEADER = "# Which photos this run learned from and which were held out: name and SHA-256 of the file of each.\n"
SEAL = "checksum"
"""The key of the SHA-256 of all other values."""
Kind = Literal["train", "held-out", "new"]
"""What a photo is to a run: learned from, held out, or never met."""
Content = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
"""The SHA-256 of a file."""


@dataclass(frozen=True)
class Parts:
    """The photos of a training run.

    Attributes:
        train: Name -> SHA-256 of the photos that it learned from.
        held_out: Name -> SHA-256 of those that it was validated on.
        how: How they were parted, in one line.
        before: SHA-256 of the photos that its first weights had learned from, where those came from a run too.
        version: Of the file.
        labels_of_train: Name -> SHA-256 of the label of each photo that it learned from; files of version 1 have none.
        labels_of_held_out: The same of those that it was validated on.
    """

    train: dict[str, Content]
    held_out: dict[str, Content]
    how: str = ""
    before: tuple[Content, ...] = ()
    version: int = VERSION
    labels_of_train: dict[str, Content] = field(default_factory=dict)
    labels_of_held_out: dict[str, Content] = field(default_factory=dict)

    @classmethod
    def of(
        cls, train: Dataset, held_out: Dataset, how: str, first: "Parts | None" = None, counting: Counting = uncounted
    ) -> "Parts":
        """The photos of a new run, each file of which is read once; those that cannot be read are left out.

        Args:
            train: The photos to learn from; repeats do no harm.
            held_out: The photos to validate on.
            how: How they were parted, in one line.
            first: The photos of the run that the first weights come from.
            counting: Shows how far the reading has come.
        """
        both = [dict.fromkeys(part.samples) for part in (train, held_out)]
        every = [sample for part in both for sample in part]
        found, labels = contents(every, counting, "hashing"), label_contents(every, counting)
        sides, theirs = (
            [{key_of(sample): hashes[sample] for sample in part if sample in hashes} for part in both]
            for hashes in (found, labels)
        )
        before = () if first is None else tuple(sorted(first.learned))
        return cls(*sides, how, before, VERSION, *theirs)

    @cached_property
    def learned(self) -> frozenset[str]:
        """The SHA-256 of all photos that the run's weights have learned from."""
        return frozenset((*self.train.values(), *self.before))

    @cached_property
    def _held(self) -> frozenset[str]:
        return frozenset(self.held_out.values())

    @property
    def seen_before(self) -> list[str]:
        """The names of the held-out photos that were learned from all the same: copies, or by the first weights."""
        return [name for name, content in self.held_out.items() if content in self.learned]

    def kind(self, content: str | None) -> Kind:
        """What a photo of that SHA-256 is to the run; None: a file that cannot be read."""
        if content in self.learned:
            return "train"
        return "held-out" if content in self._held else "new"

    def has_names_of(self, train: Dataset, held_out: Dataset) -> bool:
        """Whether datasets have the photos of these names, whatever their content."""
        sides = ((self.train, train), (self.held_out, held_out))
        return all(side.keys() == {key_of(sample) for sample in part.samples} for side, part in sides)


def key_of(sample: Sample) -> str:
    """A photo's name as split.toml has it: what would not print is escaped, so that any name can be written."""
    return shown(sample.name)


def contents(samples: Iterable[Sample], counting: Counting = uncounted, verb: str = "reading") -> dict[Sample, str]:
    """The SHA-256 of each photo's file; those that cannot be read are left out."""
    listed = list(samples)
    found = _hashed((sample.image for sample in listed), counting, verb)
    return {sample: found[sample.image] for sample in listed if sample.image in found}


def label_contents(samples: Iterable[Sample], counting: Counting = uncounted) -> dict[Sample, str]:
    """The SHA-256 of each photo's label, over those of its files; labels that cannot be read are left out."""
    listed = [sample for sample in samples if sample.label_files]
    found = _hashed((file for sample in listed for file in sample.label_files), counting, "hashing labels")
    whole = (sample for sample in listed if found.keys() >= set(sample.label_files))
    return {
        sample: sha256("".join(found[file] for file in sample.label_files).encode()).hexdigest() for sample in whole
    }


def _hashed(files: Iterable[Path], counting: Counting, verb: str) -> dict[Path, str]:
    """The SHA-256 of each file, read once however often it is named; those that cannot be read are left out."""
    listed = list(dict.fromkeys(files))
    found: dict[Path, str] = {}
    with counting(len(listed), verb) as counter, ThreadPoolExecutor(THREADS) as pool:
        for file, content in zip(listed, pool.map(_content, listed), strict=True):
            counter.advance()
            if content is not None:
                found[file] = content
    return found


def _content(file: Path) -> str | None:
    try:
        return atomic.sha256(file)
    except (OSError, InputError):
        return None


def write(folder: Path, parts: Parts) -> None:
    """Write split.toml into a run's folder, whole or not at all; SegcliError where that fails."""
    tables = {
        "version": parts.version,
        "how": parts.how,
        "before": list(parts.before),
        "train": parts.train,
        "held_out": parts.held_out,
        "labels_of_train": parts.labels_of_train,
        "labels_of_held_out": parts.labels_of_held_out,
    }
    with atomic.writing(folder), atomic.write_whole(folder / SPLIT) as file:
        file.write((HEADER + tomli_w.dumps({SEAL: _seal(tables), **tables})).encode())


def read(folder: Path) -> Parts | None:
    """The photos of the run in a folder; None where it has no split.toml, as runs of earlier versions.

    Raises:
        DatasetError: The file cannot be read, is damaged, or was written by a newer segcli.
    """
    path = folder / SPLIT
    if not path.exists():
        return None
    try:
        tables = decoding.read_toml(path)
        _check_version(tables, path)
        seal = tables.pop(SEAL, None)
        found = decoding.decode(Parts, tables)
    except OSError as error:
        raise DatasetError(f"{shown(path)} cannot be read: {error.strerror or error}", _WITHOUT) from error
    except DecodingError as error:
        raise DatasetError(f"{shown(path)} is damaged: {_first_line(error.message)}", _WITHOUT) from error
    if seal != _seal(tables):
        raise DatasetError(f"{shown(path)} was changed after the run wrote it: its checksum is different", _WITHOUT)
    return found


def beside(path: Path) -> Parts | None:
    """The photos of the run in whose folder, or in one below, a model's file or what it links to lies; None: no run's.

    Raises:
        DatasetError: As for `read`.
    """
    folder = home(path)
    return None if folder is None else read(folder)


def home(path: Path) -> Path | None:
    """The folder with the split.toml that `beside` reads for a model's file; None where there is none."""
    places = dict.fromkeys((path, path.absolute(), path.resolve()))  # of a link also where the file itself lies
    folders = (folder for place in places for folder in place.parents[:2])
    return next((folder for folder in folders if (folder / SPLIT).exists()), None)


_WITHOUT = "Copy it again from a backup, or remove it. Without it nothing tells which photos the run learned from."


def _check_version(tables: Mapping[str, object], path: Path) -> None:
    version = tables.get("version")
    if type(version) is int and version > VERSION:
        raise DatasetError(f"{shown(path)} was written by a newer segcli", "Update segcli from where you got it.")


def _seal(tables: Mapping[str, object]) -> str:
    """The SHA-256 of the tables' values: photos moved by hand from one table to the other would pass for held out."""
    return sha256(to_json(tables).encode()).hexdigest()


def _first_line(text: str) -> str:
    return next(iter(text.splitlines()), text)
