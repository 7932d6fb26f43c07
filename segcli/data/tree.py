"""Tree: the files of a dataset's folders, photos and masks told apart by their names."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from segcli.errors import DatasetError
from segcli.files import sieve, sources
from segcli.files.paths import shown

PICTURES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".gif", ".bmp", ".jp2", ".avif", ".heic", ".ppm", ".pgm")
"""The suffixes that make a file a photo or a mask whatever it holds, so that a broken one shows up."""
MATLAB = ".mat"
"""The suffix of MATLAB's files, of which the Semantic Boundaries Dataset's masks are some."""

_ENDING = r"([_-]?(png|dir|full|img|images|tif|train|val|valid|test|training|validation))?"
_MASK_FOLDER = re.compile(
    r"(.*?)(mask|label|annot|annotation|ann|seg|segmentation|segmentationclass(aug|raw|png)?|gt|gtfine|gtcoarse|matte"
    r"|ground_?truth|trimap|target|cls|lbl|labell?ed(?!.*image).*|manual)s?" + _ENDING
)
_PHOTO_FOLDER = re.compile(
    r"(.*?)(image|img|photo|picture|jpegimage|leftimg8bit|rgb|raw|stillsraw|original|input|sat)s?" + _ENDING
)
_FOLDERS = "Give the folder of the photos and the folder of their labels."
_OTHER_FOLDER = re.compile(r"segmentationobject(png)?|inst|superpixels|visuali[sz]ations?|__macosx|overlays?")
_OTHER_FILE = re.compile(r"_superpixels$|_gt(fine|coarse)_(color|instanceids|polygons)$|^task-\d+-annotation-", re.I)


@dataclass(frozen=True)
class Tree:
    """The files below a folder.

    Attributes:
        root: The folder, or the one file that was named instead.
        pictures: The pictures, by content or suffix.
        others: All other files, label files of tools among them.
    """

    root: Path
    pictures: tuple[Path, ...]
    others: tuple[Path, ...]


def walk(root: Path, without: Path | None = None) -> Tree:
    """The files below a folder, or the one file; those below `without`, where that lies inside, are left out.

    Raises:
        DatasetError: There is no such folder or file.
    """
    if root.is_file():
        return _sorted(root, (root,))
    if not root.is_dir():
        raise DatasetError(f"{shown(root)} is no folder", _FOLDERS)
    found = sources.below(root)
    if without is not None and without != root and without.is_relative_to(root):
        found = tuple(path for path in found if not path.is_relative_to(without))
    return _sorted(root, found)


def _sorted(root: Path, found: Sequence[Path]) -> Tree:
    """The files, pictures and others apart."""
    pictures = tuple(path for path in found if _is_picture(path) and (path == root or not sieve.is_companion(path)))
    twins = _raw_twins(pictures)
    pictures = tuple(path for path in pictures if path not in twins)
    taken = set(pictures)
    return Tree(root, pictures, tuple(path for path in found if path not in taken))


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in PICTURES or sources.is_picture(path)


def _raw_twins(pictures: Sequence[Path]) -> set[Path]:
    """The raw files of cameras that wrote the finished photo of the same name beside them: that one is the photo."""
    named: dict[Path, list[Path]] = {}
    for path in pictures:
        named.setdefault(path.with_suffix(""), []).append(path)
    twins: set[Path] = set()
    for group in named.values():
        raws = {path for path in group if len(group) > 1 and sources.is_raw(path)}
        twins |= raws if len(raws) < len(group) else set()
    return twins


def folders_below(path: Path, root: Path) -> tuple[str, ...]:
    """The names of the folders between `root` and a file, in lower case."""
    return tuple(part.lower() for part in path.relative_to(root).parts[:-1])


def holds_masks(folders: tuple[str, ...]) -> bool | None:
    """Whether what lies in such folders, named in lower case from the outermost on, are masks by the field's habits.

    The innermost folder that says anything decides; None where none does, False where it is one for photos.
    """
    for name in reversed(folders):
        if _MASK_FOLDER.fullmatch(name):
            return True
        if _PHOTO_FOLDER.fullmatch(name):
            return False
    return None


def is_neither(path: Path, root: Path) -> bool:
    """Whether a picture is neither photo nor mask: drawings of labels, numbers of objects, superpixels."""
    if _OTHER_FILE.search(path.stem):
        return True
    return any(_OTHER_FOLDER.fullmatch(name) for name in folders_below(path, root))


def place(path: Path, root: Path) -> tuple[str, ...]:
    """The folders between `root` and a file that say which part of a dataset it is, such as ("train",).

    Folders that only say whether they hold photos or masks are left out, so that a photo and its mask share a place.
    """
    below = path.relative_to(root).parts[:-1]
    return tuple(
        part for part in below if not (_MASK_FOLDER.fullmatch(part.lower()) or _PHOTO_FOLDER.fullmatch(part.lower()))
    )


def sample_names(photos: Sequence[Path], root: Path, flat: bool) -> dict[Path, str]:
    """The photos' names in a dataset: their stems where `flat` and unique, else their places below the root.

    Raises:
        DatasetError: Two photos differ in their suffixes only.
    """
    stems = [photo.stem.lower() for photo in photos]
    if flat and len(set(stems)) == len(stems):
        return {photo: photo.stem for photo in photos}
    taken: dict[str, Path] = {}
    for photo in photos:
        name = photo.relative_to(root).with_suffix("").as_posix()
        if name in taken:
            raise DatasetError(
                f"{shown(taken[name])} and {shown(photo)} have the same name", "Keep only one of them, or rename one."
            )
        taken[name] = photo
    return {photo: name for name, photo in taken.items()}


def common_root(*paths: Path) -> Path:
    """The deepest folder that holds all of the paths."""
    return Path(os.path.commonpath([path.parent if path.is_file() else path for path in paths]))
