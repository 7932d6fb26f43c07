"""ImageJ: regions from its ROI Manager, in a zip of each photo or as single .roi files.

A class is nowhere stored as such. It is what the names of regions say without their counters, or their groups.
"""

import io
import re
import struct
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path, PurePosixPath

from segcli.data.forms.annotations import ONLY_CLASS, Annotations, Record, broken
from segcli.data.forms.documents import names_in_order, read_bytes
from segcli.data.forms.roi import Roi, decode
from segcli.data.forms.shapes import Shape
from segcli.data.tree import PICTURES
from segcli.errors import DatasetError

MAX_ZIP_BYTES, MAX_ROI_BYTES, MAX_TOTAL_BYTES = 64 << 20, 32 << 20, 256 << 20
"""The most bytes of a zip, of one region in it, and of all regions that it holds once unpacked."""
MAX_ROIS = 200_000
"""The most entries of a zip; slides with more cells than that are cut into tiles anyway."""
MOST_NUMBERED_CLASSES = 10
"""With more numbers than this after one word (cell1, cell2, ...), they count objects; else they may be classes."""

_COUNTER = re.compile(r"([-_ .#]+\d+|\s*\(\d+\))+$")
_ENTRY_NUMBER = re.compile(r"^\d+[-_ .]+")
_DIGITS = re.compile(r"\d+$")
_AUTOMATIC = re.compile(r"[-_ .\d]*|F\d+-C\d+|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
"""Names that nobody gave: places and counters (ImageJ), frame and number, or random (roifile, Cellpose)."""
_AFFIX = re.compile(r"[-_ .]*roi[-_ ]?set[-_ .]*|[-_ .]rois?$|^rois?[-_ .]|^rois?$", re.IGNORECASE)


@dataclass(frozen=True)
class _Photo:
    """The regions of one photo: (name of the file or entry, region) each, or what is wrong with them."""

    name: str
    file: Path
    rois: Sequence[tuple[str, Roi]] | DatasetError


def load(files: Sequence[Path]) -> Annotations:
    """The regions of ROI zips and .roi files; a photo whose regions cannot be read raises when it is drawn.

    A region's class is its property "class", else its name without a counter ("leaf-1" is a leaf), else "group N" of
    its group. Where no region has any, all are of one class. Points and lines are skipped; the last lies on top.
    """
    photos = [*_from_zips(files), *_from_rois(files)]
    rois = [entry for photo in photos if not isinstance(photo.rois, DatasetError) for entry in photo.rois]
    naming = _Naming([(entry, roi) for entry, roi in rois if not roi.nothing])
    records = tuple(_record(photo, naming) for photo in photos)
    used = [naming.class_of(entry, roi) for entry, roi in rois if not roi.nothing]
    names = names_in_order([], [name for name in used if name])
    return Annotations(names, records, "list", naming.notes())


def _record(photo: _Photo, naming: "_Naming") -> Record:
    if isinstance(photo.rois, DatasetError):
        return Record(photo.name, photo.file, lambda size: _raise(photo.rois))
    skipped: dict[str, int] = defaultdict(int)
    shapes, boxes = [], 0
    for entry, roi in photo.rois:
        name = "" if roi.nothing else naming.class_of(entry, roi)
        if name:
            shapes.append(Shape(name, roi.rings))
            boxes += roi.is_box
        else:
            skipped[roi.nothing or "without a class"] += 1
    return Record(photo.name, photo.file, lambda size: shapes, None, len(shapes), boxes, dict(skipped))


def _raise(error: DatasetError) -> Sequence[Shape]:
    raise error


class _Naming:
    """How the regions of all files together say their classes.

    Args:
        rois: The (name of the file or entry, region) of every region that encloses pixels.
    """

    def __init__(self, rois: Sequence[tuple[str, Roi]]):
        self._counted = _counted(self._given(entry, roi) for entry, roi in rois)
        self._nameless = not any(self._given(entry, roi) or roi.group for entry, roi in rois) and bool(rois)
        self._changed = sorted({self._given(*pair) for pair in rois} - {self.class_of(*pair) for pair in rois} - {""})
        self._grouped = any(roi.group and not self._given(entry, roi) for entry, roi in rois)
        self._splines = sum(roi.is_spline for _, roi in rois)

    def class_of(self, entry: str, roi: Roi) -> str:
        """The class of a region; empty where it has none."""
        if roi.properties.get("class"):
            return roi.properties["class"]
        name = _COUNTER.sub("", self._given(entry, roi)).strip()
        name = _DIGITS.sub("", name) if _DIGITS.sub("", name) in self._counted else name
        return name or (f"group {roi.group}" if roi.group else ONLY_CLASS if self._nameless else "")

    @staticmethod
    def _given(entry: str, roi: Roi) -> str:
        """The name that somebody gave to a region; empty where a program made it up."""
        name = roi.properties.get("class") or roi.name.strip() or _ENTRY_NUMBER.sub("", entry)
        return "" if _AUTOMATIC.fullmatch(name) else name

    def notes(self) -> tuple[str, ...]:
        """A line for each decision."""
        notes = []
        if self._changed:
            some = ", ".join(map(repr, self._changed[:3])) + (", ..." if len(self._changed) > 3 else "")
            notes.append(
                f"numbers at the end of ROI names count objects ({some}); if they are classes, write them as words"
            )
        if self._nameless:
            notes.append(f"no ROI has a name or group, so all are of one class, {ONLY_CLASS!r}")
        if self._grouped:
            notes.append(
                'ROIs without a name have their group as class ("group 1"): the files do not hold the names of groups'
            )
        if self._splines:
            notes.append(f"{self._splines} ROIs are fitted splines, drawn with straight lines from point to point")
        return tuple(notes)


def _counted(names: Iterable[str]) -> set[str]:
    """The words that are followed by more numbers than classes would be."""
    numbers: dict[str, set[str]] = defaultdict(set)
    for name in (_COUNTER.sub("", name) for name in names):
        numbers[_DIGITS.sub("", name)].add(name)
    return {word for word, with_number in numbers.items() if word and len(with_number) > MOST_NUMBERED_CLASSES}


def _from_zips(files: Iterable[Path]) -> Iterator[_Photo]:
    for file in files:
        if file.suffix.lower() == ".zip":
            name = _AFFIX.sub("", file.stem)
            yield _checked(name or _only_photo(file.parent), file, lambda file=file: _unpacked(file))


def _from_rois(files: Iterable[Path]) -> Iterator[_Photo]:
    """One photo for all .roi files that belong together."""
    together: dict[tuple[Path, str], list[Path]] = defaultdict(list)
    photos_beside = cache(_photos_beside)
    for file in files:
        if file.suffix.lower() == ".roi":
            together[file.parent, _photo_of(file, photos_beside(file.parent))].append(file)
    for (_, name), members in together.items():
        yield _checked(name, members[0], lambda members=members: _read(members))


def _checked(name: str, file: Path, read: Callable[[], Iterable[tuple[str, bytes]]]) -> _Photo:
    """A photo's regions, or what is wrong with them."""
    try:
        rois = [_decoded(name, entry, data) for entry, data in read()]
        planes = {roi.plane for _, roi in rois if roi.plane and not roi.nothing}
        if len(planes) > 1:
            reason = f"its ROIs belong to {len(planes)} slices of a stack, not to one photo"
            raise DatasetError(reason, "Save the ROIs of each slice in a zip that is named like its photo.")
        return _Photo(name, file, rois)
    except DatasetError as error:
        return _Photo(name, file, broken(file, error, "Save it again from ImageJ's ROI Manager."))


def _decoded(photo: str, entry: str, data: bytes) -> tuple[str, Roi]:
    """The names of an entry and a region without that of their photo, which ImageJ gives to what it saves."""
    try:
        roi = decode(data)
    except DatasetError as error:
        raise DatasetError(f"{entry!r}: {error.message}") from error
    return _without(photo, entry), replace(roi, name=_without(photo, roi.name))


def _without(photo: str, name: str) -> str:
    rest = name.removeprefix(photo)
    return rest.lstrip("-_ .") if rest != name and rest[:1] in ("", *"-_ .") else name


def _unpacked(file: Path) -> Iterator[tuple[str, bytes]]:
    """The (name, content) of the regions in a zip; nothing of their paths is used."""
    data = read_bytes(file, MAX_ZIP_BYTES)
    if data.count(zipfile.stringCentralDir) > MAX_ROIS:
        raise DatasetError(f"it has more than {MAX_ROIS} entries")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            yield from _entries(archive)
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, RuntimeError, OSError) as error:
        raise DatasetError(f"the zip is damaged ({error})") from error


def _entries(archive: zipfile.ZipFile) -> Iterator[tuple[str, bytes]]:
    total, found = 0, False
    for info in archive.infolist():
        path = PurePosixPath(info.filename)
        if path.suffix.lower() != ".roi" or path.name.startswith("._"):  # macOS's own notes on files
            continue
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise DatasetError("it is packed in a way that ImageJ does not use")
        with archive.open(info) as entry:
            data = entry.read(MAX_ROI_BYTES + 1)
        total, found = total + len(data), True
        if len(data) > MAX_ROI_BYTES or total > MAX_TOTAL_BYTES:
            raise DatasetError(f"it holds more than {MAX_TOTAL_BYTES >> 20} MB, or one ROI of {MAX_ROI_BYTES >> 20} MB")
        yield path.stem, data
    if not found:
        raise DatasetError("it holds no ROI")


def _read(files: Sequence[Path]) -> Iterator[tuple[str, bytes]]:
    total = 0
    for file in files:
        data = read_bytes(file, MAX_ROI_BYTES)
        total += len(data)
        if total > MAX_TOTAL_BYTES:
            raise DatasetError(f"the ROIs of its folder take more than {MAX_TOTAL_BYTES >> 20} MB")
        yield file.stem, data


def _photo_of(roi: Path, photos: Iterable[str]) -> str:
    """The photo of a .roi file: the one that its name begins with, else the only one beside it, else its folder's."""
    begins = [name for name in photos if re.match(re.escape(name) + r"([-_ .]|$)", roi.stem)]
    return max(begins, key=len, default="") or _only_photo(roi.parent)


def _only_photo(folder: Path) -> str:
    photos = _photos(folder)
    return photos.pop() if len(photos) == 1 else folder.absolute().name


def _photos_beside(folder: Path) -> set[str]:
    """The names, without suffixes, of the pictures in a folder and in those beside it."""
    beside = (path for path in _listed(folder.parent) if path.is_dir())
    return _photos(folder).union(*map(_photos, beside))


def _photos(folder: Path) -> set[str]:
    return {path.stem for path in _listed(folder) if path.suffix.lower() in PICTURES}


def _listed(folder: Path) -> Sequence[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return ()
