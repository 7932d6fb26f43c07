"""Sources: which files to read, found among files, folders and patterns."""

# os.path's tests answer False for looping links and overlong names, where pathlib's raise, and its abspath follows no
# link, as names of outputs need it.
# ruff: noqa: PTH100, PTH112, PTH113, PTH120

import os
from collections import Counter, deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from segcli.errors import UsageError
from segcli.files import formats
from segcli.files.paths import folded, nearest_hint, shown
from segcli.files.trees import output_trees

RESULT_FILES = ("manifest.jsonl", "run.toml")
"""A folder that holds all of these holds results of segcli and is never read as input."""
MASK_SUFFIX, OVERVIEWS_SUFFIX = ".msk", ".ovr"
"""What GDAL appends to a picture's whole name, NAME.tif.msk, for the files with its mask and its smaller copies."""


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
    """

    path: Path
    tree: PurePosixPath
    page: int | None = None
    beside: Path | None = None
    film: bool = False

    def output(self, folder: Path, suffix: str) -> Path:
        """The output file for this source in `folder`; `suffix` is one extension, such as ".png"."""
        return folder.joinpath(*self.tree.parts[:-1], self.tree.name + suffix)


@dataclass(frozen=True)
class Found:
    """The files to read that a run's inputs name or hold.

    Attributes:
        files: The files to read, in the order of their trees.
        ignored: The number of files inside folders whose content has no format that segcli knows, such as texts, or
            that are the mask or the smaller copies of a picture.
        results: The number of files that were named, but lie among results of segcli and are not read.
        unread: Name of a format -> number of files inside folders that have it and cannot be read: photos that take an
            extra package which is not installed, documents, films; the most numerous first.
    """

    files: tuple[Source, ...]
    ignored: int
    results: int
    unread: Mapping[str, int] = field(default_factory=dict)

    @property
    def photos(self) -> tuple[Source, ...]:
        """The files that are no films."""
        return tuple(source for source in self.files if not source.film)

    @property
    def films(self) -> tuple[Source, ...]:
        """The files that are read as films."""
        return tuple(source for source in self.files if source.film)


def list_from(stream: BinaryIO) -> list[str]:
    """Read a list of paths, one a line, or each ended by NUL as `find -print0` writes them; empty ones are left out.

    Raises:
        UsageError: The stream holds a picture.
    """
    data = stream.read()
    if formats.sniff(data[: formats.HEAD]):
        raise UsageError("stdin holds a picture, not a list of paths", "Save the picture to a file and name that.")
    separator = b"\0" if b"\0" in data else b"\n"
    return [os.fsdecode(line) for line in (part.rstrip(b"\r") for part in data.split(separator)) if line]


def find(inputs: Sequence[str | Path], output: Path | None = None, films: bool = False) -> Found:
    """Find the pictures among files, folders and patterns.

    A folder is read with all its sub-folders, each real folder once, so that links cannot loop; hidden files and
    folders (a leading ".") are skipped. A pattern (`*`, `?`, `[...]`, `**`) that the shell left alone is expanded
    here, unless a file of that very name exists. Inside folders and patterns the content decides what a picture is;
    files of a known format that cannot be read are counted. A file that was named itself is always returned, and
    reading it tells what is wrong with it. So is a sub-folder that cannot be listed. A file that is reached twice is
    returned once; a link to a file is a file of its own. The output folder and folders with results of an earlier run
    (`RESULT_FILES`) are left out.

    Args:
        inputs: Paths or patterns.
        output: The folder that results will go to; it need not exist.
        films: Return video files inside folders too, where their extra is installed.

    Raises:
        UsageError: A path is not there, a pattern matches nothing, or a folder holds results of segcli.
    """
    search = _Search(output)
    for text in map(str, inputs):
        search.add(text)
    for path in _walk(search.folders, search.is_result):
        search.keep(path, search.inside)
    inside = [path for real, path in search.inside.items() if real not in search.named]
    pictures, unread, ignored = _sorted(inside, films)
    files = [*search.named.values(), *pictures]
    sources = (Source(path, tree) for path, tree in zip(files, output_trees(files, search.roots), strict=True))
    ordered = sorted(sources, key=lambda source: source.tree.parts)
    return Found(tuple(ordered), ignored, len(search.results), unread)


def is_companion(path: Path) -> bool:
    """Whether a file is the mask or the smaller copies of a picture beside it, and so no picture of its own."""
    return path.suffix.lower() in (MASK_SUFFIX, OVERVIEWS_SUFFIX) and os.path.isfile(path.with_suffix(""))


def label_maps(folder: Path) -> Path:
    """The folder of the label maps: `masks` of an output folder of segcli, any other folder itself."""
    is_output = all((folder / name).exists() for name in ("masks", *RESULT_FILES))
    return folder / "masks" if is_output else folder


def below(folder: Path) -> tuple[Path, ...]:
    """Every file below a folder, in the order of the paths, found as `find` finds photos.

    Linked sub-folders are followed, each real folder once; what is hidden is skipped, and so are results of an earlier
    run, unless the folder lies among them itself.
    """
    root = os.path.realpath(folder)

    def is_result(place: str) -> bool:
        return place != root and all(os.path.isfile(Path(place, name)) for name in RESULT_FILES)

    return tuple(sorted(_walk([folder], is_result)))


class _Search:
    """The search for the files that inputs name or match.

    Attributes:
        named: `_Identities.file` -> path, of the files that are inputs themselves.
        inside: The same, of the files that a pattern matched or a folder holds.
        results: The real paths of named files that lie among results.
        folders: The folders to walk.
        roots: The absolute folders where output trees start.
        is_result: Whether a real folder is, or lies in, one for results.
    """

    def __init__(self, output: Path | None):
        self.named: dict[Hashable, Path] = {}
        self.inside: dict[Hashable, Path] = {}
        self.results: set[str] = set()
        self.folders: list[Path] = []
        self.roots: list[str] = []
        self.is_result = _result_test(output)
        self.identities = _Identities()

    def add(self, text: str) -> None:
        """Take one input; UsageError where nothing is to be found there."""
        path = Path(text)
        if not text:
            raise UsageError("an input is an empty name", "Is a variable of the shell not set?")
        if os.path.isdir(path):
            self._add_folder(path, root=path)
        elif os.path.lexists(path):
            self._add_file(path, path.parent, self.named)
        elif _is_pattern(text):
            self._add_pattern(path)
        else:
            raise UsageError(f"{shown(path)} is not there", nearest_hint(path))

    def _add_pattern(self, pattern: Path) -> None:
        fixed = next(i for i, part in enumerate(pattern.parts) if _is_pattern(part))
        root, rest = Path(*pattern.parts[:fixed]), Path(*pattern.parts[fixed:])
        try:
            matches = [path for path in sorted(root.glob(str(rest))) if not _is_hidden(path.relative_to(root))]
        except ValueError as error:  # Python before 3.13 takes `**` only as a whole part of a path
            raise UsageError(f"{shown(pattern)} is no valid pattern: {error}") from None
        if not matches:
            raise UsageError(f"nothing matches {shown(pattern)}", f"Does {shown(root.absolute())} hold the files?")
        for path in matches:
            if os.path.isdir(path):
                self._add_folder(path, root)
            elif os.path.isfile(path):
                self._add_file(path, root, self.inside)

    def _add_folder(self, folder: Path, root: Path) -> None:
        if folder == root and self.is_result(os.path.realpath(folder)):
            hint = "Name the folder of the photos, and with --output a folder outside it."
            raise UsageError(
                f"{shown(folder)} is, or lies in, a folder for results, which is never read as input", hint
            )
        self.roots.append(os.path.abspath(root))
        self.folders.append(folder)

    def _add_file(self, path: Path, root: Path, files: dict[Hashable, Path]) -> None:
        real = os.path.realpath(path)
        if self.is_result(os.path.dirname(real)):
            self.results.add(real)
            return
        self.roots.append(os.path.abspath(root))
        self.keep(path, files)

    def keep(self, path: Path, files: dict[Hashable, Path]) -> None:
        """Note a file once; of two ways that lead to it, the one without a link."""
        place = self.identities.file(path)
        if place not in files or files[place].parent.is_symlink():
            files[place] = path


class _Identities:
    """What tells one file or folder from all others, also where a disk takes `Trip` and `trip` for one folder."""

    def __init__(self):
        self._folders: dict[Path, Hashable] = {}

    def folder(self, path: Path) -> Hashable:
        """A folder's identity: its number and its real path as any disk reads it; the real path where it has none."""
        if path not in self._folders:
            real = os.path.realpath(path)
            number = _number(real)
            self._folders[path] = (*number, folded(real)) if number else real
        return self._folders[path]

    def file(self, path: Path) -> Hashable:
        """A file's identity; a link to a file is a file of its own."""
        number = _number(path)
        return (self.folder(path.parent), *((*number, folded(path.name)) if number else (path.name,)))


def _number(path: str | Path) -> tuple[int, int] | None:
    """The device and number of a file, folder or link; None where it has none."""
    try:
        facts = os.lstat(path)
    except OSError:
        return None
    return (facts.st_dev, facts.st_ino) if facts.st_ino else None


def _walk(roots: Sequence[Path], is_result: Callable[[str], bool]) -> Iterator[Path]:
    """Every file below the roots that is not hidden; linked folders last, so that real ones keep their names."""
    folders = deque(path for path in roots if not path.is_symlink())
    linked = deque(path for path in roots if path.is_symlink())
    seen, identities = set(), _Identities()
    while folders or linked:
        here = (folders or linked).popleft()
        if (identity := identities.folder(here)) in seen or is_result(os.path.realpath(here)):
            continue
        seen.add(identity)
        try:
            entries = sorted(here.iterdir())
        except OSError:
            yield here
            continue
        for path in entries:
            if path.name.startswith("."):
                continue
            if os.path.isdir(path):
                (linked if path.is_symlink() else folders).append(path)
            elif os.path.isfile(path):
                yield path


def _result_test(output: Path | None) -> Callable[[str], bool]:
    """A test of whether a real folder is, or lies in, the output folder or one with results of an earlier run."""
    real_output = None if output is None else os.path.realpath(output)

    @cache
    def is_result(folder: str) -> bool:
        if folder == real_output or all(os.path.isfile(Path(folder, name)) for name in RESULT_FILES):
            return True
        parent = os.path.dirname(folder)
        return parent != folder and is_result(parent)

    return is_result


def _is_pattern(text: str) -> bool:
    return any(character in text for character in "*?[")


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def is_picture(path: Path) -> bool:
    """Whether the content is a picture that segcli reads, with an extra package if need be.

    So counts what cannot be opened, and a picture whose package is not installed: its reader says why.
    """
    try:
        known = format_of(path)
    except OSError:
        return True
    return known is not None and known.is_read


def is_raw(path: Path) -> bool:
    """Whether the content is a camera raw file, of a kind that its first bytes tell."""
    try:
        known = format_of(path)
    except OSError:
        return False
    return known is not None and known.extra is formats.RAW


def format_of(path: Path) -> formats.Format | None:
    """The format of a file's content; OSError where it cannot be opened."""
    with path.open("rb") as file:
        return formats.sniff(file.read(formats.HEAD))


def _sorted(paths: Iterable[Path], films: bool) -> tuple[list[Path], dict[str, int], int]:
    """The pictures to read, the count of what is not read by the names of formats, and the count of all else."""
    pictures: list[Path] = []
    unread: Counter[str] = Counter()
    ignored = 0
    for path in paths:
        try:
            known = format_of(path)
        except OSError:  # its reader says why
            pictures.append(path)
            continue
        if films and known is not None and formats.is_film(known):
            known = formats.FILM
        if known is None or is_companion(path):
            ignored += 1
        elif known.is_read_here:
            pictures.append(path)
        else:
            unread[known.name] += 1
    return pictures, dict(sorted(unread.items(), key=lambda item: (-item[1], item[0]))), ignored
