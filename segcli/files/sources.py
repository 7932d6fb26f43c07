"""Sources: which files to read, found among files, folders and patterns."""

# os.path's tests answer False for looping links and overlong names, where pathlib's raise, and its abspath follows no
# link, as names of outputs need it.
# ruff: noqa: PTH100, PTH112, PTH113, PTH120

import os
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import BinaryIO, ClassVar

from segcli.errors import UsageError
from segcli.files import formats, glance, label_folders
from segcli.files.exclusion import NOTHING, Exclusion
from segcli.files.listing import Listing, Source
from segcli.files.paths import folded, nearest_hint, shown
from segcli.files.sieve import Sieve
from segcli.files.texts import Texts
from segcli.files.walk import Identities, walk

RESULT_FILES = ("manifest.jsonl", "run.toml")
"""A folder that holds all of these holds results of segcli and is never read as input."""

MOST_LISTED = 1 << 28
"""The bytes of the longest list of paths: those of some millions of photos."""


@dataclass(frozen=True)
class Found:
    """The files to read that a run's inputs name or hold.

    Attributes:
        files: The files to read, in the order of their trees.
        ignored: The number of files inside folders whose content has no format that segcli knows, such as texts, or
            that are the mask or the smaller copies of a picture.
        results: The number of files that were named, but lie among results of segcli and are not read.
        unread: Name of a format -> number of files inside folders that have it and cannot be read: photos that take an
            extra package which is not installed, documents, films; the most numerous first. Files that are named like
            photos and hold none are `sieve.DAMAGED`.
        damaged: The paths of the first of these.
        left_out: The number of files and folders that the run's patterns leave out.
        remarks: What a person should know of this, such as a pattern that left out nothing.
    """

    files: Sequence[Source]
    ignored: int
    results: int
    unread: Mapping[str, int] = field(default_factory=dict)
    damaged: Sequence[str] = ()
    left_out: int = 0
    remarks: Sequence[str] = ()
    is_here: ClassVar[bool] = True
    """Whether the files lie on this computer, to be looked at before it is their turn."""

    @property
    def photos(self) -> Sequence[Source]:
        """The files that are no films."""
        return self._of_kind(film=False)

    @property
    def films(self) -> Sequence[Source]:
        """The files that are read as films."""
        return self._of_kind(film=True)

    def _of_kind(self, film: bool) -> Sequence[Source]:
        if isinstance(self.files, Listing):
            return self.files.of_kind(film)
        return tuple(source for source in self.files if source.film == film)


def list_from(stream: BinaryIO, called: str = "stdin") -> list[str]:
    """Read a list of paths, one a line, or each ended by NUL as `find -print0` writes them; empty ones are left out.

    Raises:
        UsageError: The stream holds a picture, or more than `MOST_LISTED` bytes.
    """
    data = stream.read(MOST_LISTED + 1)
    if len(data) > MOST_LISTED:
        raise UsageError(f"{called} has more than {MOST_LISTED >> 20} MB", "Divide it into several lists.")
    if formats.sniff(data[: formats.HEAD]):
        hint = "Save the picture to a file and name that." if called == "stdin" else "Name the picture as an INPUT."
        raise UsageError(f"{called} holds a picture, not a list of paths", hint)
    separator = b"\0" if b"\0" in data else b"\n"
    return [os.fsdecode(line) for line in (part.rstrip(b"\r") for part in data.split(separator)) if line]


def find(
    inputs: Sequence[str | Path], output: Path | None = None, films: bool = False, exclude: Exclusion = NOTHING
) -> Found:
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
        exclude: What is left out, wherever it is, also where an input names it.

    Raises:
        UsageError: A path is not there, a pattern matches nothing, or a folder holds results of segcli.
    """
    search = _Search(output, exclude, _above(inputs) if exclude else "")
    for text in map(str, inputs):
        search.add(text)
    sieve = Sieve(films)
    search.walk(sieve)
    named = [(path.parent, (path.name,)) for path in search.named.values()]
    glances = bytearray(glance.UNSEEN for _ in named)  # whatever they are, they are read, and some may be pipes
    inside = [(path.parent, (path.name,)) for path in search.matched() if sieve.passes(str(path), glances)]
    files = Listing.of([*named, *inside, *search.walked], search.roots, bytes(glances + search.glances))
    remarks = (*without_effect(exclude), *label_folders.remarks(search.walked))
    return Found(files, sieve.ignored, len(search.results), sieve.unread, sieve.damaged, exclude.count, remarks)


def without_effect(exclude: Exclusion) -> list[str]:
    """A remark for each pattern that left out nothing."""
    return [f"--exclude {shown(text)} left out nothing: is the name right?" for text in exclude.unmatched]


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

    return tuple(sorted(here / name for here, names in walk([folder], is_result) for name in names))


class _Search:
    """The search for the files that inputs name or match.

    Attributes:
        named: `Identities.file` -> path, of the files that are inputs themselves.
        inside: The same, of the files that a pattern matched.
        walked: Folders, each with the names of the pictures that `walk` found in it.
        glances: What is known of each of these pictures.
        results: The real paths of named files that lie among results.
        folders: The folders to walk.
        roots: The absolute folders where output trees start.
        is_result: Whether a real folder is, or lies in, one for results.
        above: The deepest folder that holds all inputs: the folders below it can be left out.
    """

    def __init__(self, output: Path | None, exclude: Exclusion, above: str):
        self.named: dict[Hashable, Path] = {}
        self.inside: dict[Hashable, Path] = {}
        self.walked: list[tuple[Path, Texts]] = []
        self.glances = bytearray()
        self.results: set[str] = set()
        self.folders: list[Path] = []
        self.roots: list[str] = []
        self.is_result = _result_test(output)
        self.exclude, self.above = exclude, above
        self.identities = Identities()

    def add(self, text: str) -> None:
        """Take one input; UsageError where nothing is to be found there."""
        path = Path(text)
        if not text:
            raise UsageError("an input is an empty name", "Is a variable of the shell not set?")
        if os.path.isdir(path):
            if not self._is_input_left_out(text, is_folder=True):
                self._add_folder(path, root=path)
        elif os.path.lexists(path):
            if not self._is_input_left_out(text):
                self._add_file(path, path.parent, self.named)
        elif is_pattern(text):
            self._add_pattern(path)
        else:
            raise UsageError(f"{shown(path)} is not there", nearest_hint(path))

    def _is_input_left_out(self, place: str, is_folder: bool = False) -> bool:
        """Whether an input is, or lies in a folder that is: the shell makes of `photos/*/*` the names of files."""
        return self.exclude.leaves_out_below(self.above, os.path.abspath(place), is_folder)

    def _is_left_out(self, place: str, is_folder: bool = False) -> bool:
        return bool(self.exclude) and self.exclude.leaves_out(os.path.abspath(place), is_folder)

    def _add_pattern(self, pattern: Path) -> None:
        fixed = next(i for i, part in enumerate(pattern.parts) if is_pattern(part))
        root, rest = Path(*pattern.parts[:fixed]), Path(*pattern.parts[fixed:])
        try:
            matches = [path for path in sorted(root.glob(str(rest))) if not _is_hidden(path.relative_to(root))]
        except ValueError as error:  # Python before 3.13 takes `**` only as a whole part of a path
            raise UsageError(f"{shown(pattern)} is no valid pattern: {error}") from None
        if not matches:
            raise UsageError(f"nothing matches {shown(pattern)}", f"Does {shown(root.absolute())} hold the files?")
        above = os.path.abspath(root)
        for path in matches:
            if self.exclude.leaves_out_below(above, os.path.abspath(path), os.path.isdir(path)):
                continue
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

    def walk(self, sieve: Sieve) -> None:
        """Find the pictures in the folders; those that a pattern matched as well stay with these."""
        for folder, names in walk(self.folders, self.is_result, partial(self._is_left_out, is_folder=True)):
            self._require_listed(folder, names)
            new = self._once(folder, names)
            if self.exclude:
                new = [name for name in new if not self._is_left_out(str(folder / name))]
            if self.named or self.inside:
                new = [name for name in new if self._is_new(folder / name)]
            place = str(folder / "x")[:-1]
            if pictures := Texts(name for name in new if sieve.passes(place + name, self.glances)):
                self.walked.append((folder, pictures))

    def _require_listed(self, folder: Path, names: list[str]) -> None:
        """UsageError for a folder that cannot be listed and has no place in the tree; others are files that fail."""
        if len(names) == 1 and (path := folder / names[0]) in self.folders and self._base() == os.path.abspath(path):
            raise UsageError(f"{shown(path)} cannot be listed", "You need the permission to read it.")

    def _base(self) -> str:
        try:
            return os.path.commonpath(self.roots)
        except ValueError:  # several Windows drives
            return ""

    def matched(self) -> list[Path]:
        """The files that a pattern matched and that were not named as well."""
        return [path for place, path in self.inside.items() if place not in self.named]

    def _is_new(self, path: Path) -> bool:
        """Whether a file of a folder was neither named nor matched; walks come to each folder once."""
        place = self.identities.file(path)
        if place in self.inside:
            self.keep(path, self.inside)
        return place not in self.named and place not in self.inside

    def _once(self, folder: Path, names: list[str]) -> list[str]:
        """A folder's names without other spellings of the same file, which a disk that ignores case may list."""
        if len(set(map(folded, names))) == len(names):
            return names
        return [path.name for path in {self.identities.file(folder / name): folder / name for name in names}.values()]


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


def _above(inputs: Sequence[str | Path]) -> str:
    """The deepest folder that holds all inputs, patterns left aside; empty where there is none."""
    places = [os.path.dirname(os.path.abspath(text)) for text in map(str, inputs) if text and os.path.lexists(text)]
    try:
        return os.path.commonpath(places)
    except ValueError:  # no inputs, or several Windows drives
        return ""


def is_pattern(text: str) -> bool:
    """Whether a text has a sign that stands for others."""
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
    return formats.sniff(glance.first_bytes(str(path)))
