"""Pairing: which masks belong to which photo, by their names, whatever affixes and folders a tool adds."""

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Literal

from segcli.data import tree as trees
from segcli.errors import DatasetError
from segcli.files.paths import shown

_MASK_ENDING = re.compile(
    r"([_.\- ]?(masks?|labels?|segm?|segmentations?|segmented|gt|gts|ground_?truth|lbl|annotations?|anno|annot|matte"
    r"|targets?|bw|manual1|1stho|2ndho|trimap|labelids|labeltrainids|gt(fine|coarse)_label(train)?ids|cp_masks"
    r"|color_mask|mask_?rgb)|_l|_p|_m)$"
)
_MASK_START = re.compile(r"^(masks?|labels?|gt|seg)[_.\- ]")
_PHOTO_ENDING = re.compile(r"[_.\- ]?(leftimg8bit|image|img|sat|rgb|photo)$|\.(jpe?g|png|tiff?|bmp|webp)$")
_PHOTO_START = re.compile(r"^(image|img|photo|sat)[_.\- ]")
_UPLOAD = re.compile(r"^[0-9a-f]{8}-(?=.)")
"""What Label Studio puts before the name of a photo that is uploaded."""

Kind = Literal["one", "class", "object"]
"""What the masks of a photo are: one of all classes, one a class, or one an object of a sole class."""


@dataclass(frozen=True)
class Pairing:
    """Photos with their masks.

    Attributes:
        kind: What the masks of each photo are.
        masks: Photo -> its masks, with the class of each where there is one a class.
        strays: Masks that no photo belongs to.
        words: The folders and affixes, in lower case, that told masks from photos.
    """

    kind: Kind
    masks: Mapping[Path, tuple[tuple[str, Path], ...]]
    strays: tuple[Path, ...] = ()
    words: frozenset[str] = field(default_factory=frozenset)


@lru_cache(maxsize=1 << 16)
def stems(stem: str) -> tuple[str, ...]:
    """The names, in lower case, that a mask's photo may have: its own first, then ever more affixes taken off."""
    return _stripped(stem.lower(), (_MASK_ENDING, _MASK_START))


@lru_cache(maxsize=1 << 16)
def photo_stems(stem: str) -> tuple[str, ...]:
    """The names, in lower case, under which a photo may be looked for: its own first."""
    return _stripped(stem.lower(), (_PHOTO_ENDING, _PHOTO_START))


def _stripped(stem: str, affixes: Sequence[re.Pattern[str]]) -> tuple[str, ...]:
    found = [stem]
    while True:
        shorter = next((cut for affix in affixes if (cut := affix.sub("", found[-1])) not in ("", found[-1])), None)
        if shorter is None:
            return tuple(found)
        found.append(shorter)


def split(tree: trees.Tree, classes: Sequence[str] = ()) -> tuple[list[Path], list[Path]]:
    """The photos and the masks among the pictures of one tree.

    Args:
        tree: Holds both.
        classes: Names of classes; a folder or an ending that is called so tells masks of that class.

    Returns:
        (photos, masks). A mask lies in a folder for masks; where the tree has none, it lies in one called like a class,
        or is called like a photo beside it with an affix.
    """
    pictures = [path for path in tree.pictures if not trees.is_neither(path, tree.root)]
    known = {(path.parent, path.stem.lower()) for path in pictures}
    lowered = {name.lower() for name in classes}
    apart = any(trees.holds_masks(trees.folders_below(path, tree.root)) for path in pictures)

    def is_mask(path: Path) -> bool:
        folders = trees.folders_below(path, tree.root)
        told = trees.holds_masks(folders)
        if told or (apart and told is False):
            return bool(told)
        stem = path.stem.lower()
        bare = (*stems(stem)[1:], *filter(None, (_without_class(stem, name) for name in lowered)))
        if any((path.parent, shorter) in known for shorter in bare):
            return True
        return not apart and told is None and not lowered.isdisjoint(folders)

    masks = {path for path in pictures if is_mask(path)}
    masks |= {path for path in tree.others if path.suffix.lower() == trees.MATLAB}
    masks -= {path for path in masks if trees.is_neither(path, tree.root)}
    return [path for path in pictures if path not in masks], sorted(masks)


class Photos:
    """Photos, to be found by name.

    Args:
        photos: The photos.
        root: The folder that holds them.
    """

    def __init__(self, photos: Iterable[Path], root: Path):
        self.root = root
        self._by_stem: dict[str, list[Path]] = defaultdict(list)
        self._by_place: dict[tuple[tuple[str, ...], str], list[Path]] = defaultdict(list)
        for photo in photos:
            place = trees.place(photo, root)
            for stem in photo_stems(photo.stem):
                self._by_stem[stem].append(photo)
                self._by_place[place, stem].append(photo)

    def at(self, names: Sequence[str], place: tuple[str, ...]) -> Path | None:
        """The one photo of that place which has any of the names; None if none or two."""
        return next((self._only(found, name) for name in names if (found := self._by_place.get((place, name)))), None)

    def named(self, names: Sequence[str], place: tuple[str, ...]) -> Path | None:
        """The one photo of the first name that has any: of that place, else of the whole tree; None if none or two."""
        for name in names:
            found = self._by_place.get((place, name)) or self._by_stem.get(name, [])
            if found:
                return self._only(found, name)
        return None

    def _only(self, found: Sequence[Path], name: str) -> Path | None:
        """The one photo of that name; None for several, DatasetError where they differ in their suffix only.

        What lies in a folder for masks, among the photos that a command was given, is none where another is.
        """
        if len(found) > 1:
            found = [one for one in found if not trees.holds_masks(trees.folders_below(one, self.root))] or found
        exact = [photo for photo in found if photo.stem.lower() == name]
        candidates = exact or found
        if len({(photo.parent, photo.stem) for photo in exact}) < len(exact):
            raise DatasetError(
                f"{shown(exact[0])} and {shown(exact[1])} have the same name", "Keep only one of them, or rename one."
            )
        return candidates[0] if len(candidates) == 1 else None

    def recorded(self, name: str, file: Path) -> Path | None:
        """The photo that a label file calls so, a path with "/" or a mere name, perhaps without a suffix."""
        path = PurePosixPath(name.replace("\\", "/").lower())
        bare = _UPLOAD.sub("", path.name)
        suffixed = [word for word in (path.name, bare) if word]
        for word in dict.fromkeys((*suffixed, *(PurePosixPath(word).stem for word in suffixed))):
            found = self._by_stem.get(PurePosixPath(word).stem, []) + self._by_stem.get(word, [])
            same = [photo for photo in found if word in (photo.name.lower(), photo.stem.lower())]
            if same:
                return _nearest(list(dict.fromkeys(same)), (*path.parts[:-1], *map(str.lower, file.parts[:-1])))
        return None


def _nearest(photos: Sequence[Path], folders: Sequence[str]) -> Path | None:
    """The photo whose folders are most like those; None where two are equally like them."""
    wanted = set(folders) - {".", ".."}
    ranked = sorted(photos, key=lambda photo: -len(wanted & {part.lower() for part in photo.parts[:-1]}))
    if len(ranked) == 1:
        return ranked[0]
    first, second = (len(wanted & {part.lower() for part in photo.parts[:-1]}) for photo in ranked[:2])
    return ranked[0] if first > second else None


def pair(
    photos: Sequence[Path], masks: Sequence[Path], photo_root: Path, mask_root: Path, classes: Sequence[str] = ()
) -> Pairing:
    """Find the masks of each photo.

    A mask belongs to the photo of its name once affixes such as "_mask" are taken off, in the folder that stands
    parallel to its own (images/train, masks/train) or, where there is none, anywhere if only one photo has the name.
    Where no mask is called like a photo, what all photos' names have in common at their ends, and all masks', is taken
    off (21_training, 21_manual).

    Args:
        photos: The photos.
        masks: Pictures, or MATLAB's files.
        photo_root: The folder of the photos.
        mask_root: The folder of the masks.
        classes: Names of classes, which may be folders or endings of masks.

    Raises:
        DatasetError: Photos have several masks, and nothing says which counts.
    """
    known = Photos(photos, photo_root)
    found: dict[Path, list[tuple[str, Path]]] = {photo: [] for photo in photos}
    strays = []
    for mask in masks:
        tag, photo = _photo_of(mask, mask_root, known, classes)
        if photo is None:
            strays.append(mask)
        else:
            found[photo].append((tag, mask))
    kind: Kind = "one"
    if strays and len(strays) == len(masks):
        found, strays = _by_rest(photos, masks)
        if len(strays) == len(masks):
            kind = "object"
            found, strays = _objects(photos, masks, photo_root, mask_root)
    if len(strays) == len(masks):
        kind = "one"
    elif kind == "one":
        kind, found = _settled(found)
    words = _words(photos, masks, mask_root)
    return Pairing(kind, {photo: tuple(entries) for photo, entries in found.items()}, tuple(strays), words)


def _by_rest(photos: Sequence[Path], masks: Sequence[Path]) -> tuple[dict[Path, list[tuple[str, Path]]], list[Path]]:
    """The masks by the rest of the names, once what all have in common is taken off; all are strays if a few match."""
    rests = {rest: photo for photo, rest in _rests(photos).items()}
    matched = {mask: rests[rest] for mask, rest in _rests(masks).items() if rest in rests}
    found: dict[Path, list[tuple[str, Path]]] = {photo: [] for photo in photos}
    if 2 * len(matched) < len(masks) or len(set(matched.values())) < len(matched):
        return found, list(masks)
    for mask, photo in matched.items():
        found[photo].append(("", mask))
    return found, [mask for mask in masks if mask not in matched]


def _rests(paths: Sequence[Path]) -> dict[Path, str]:
    """The names without what all of them begin and end with, digits apart; none where that leaves two alike."""
    if len(paths) < 2:
        return {}
    names = {path: path.stem.lower() for path in paths}
    start, end = _shared(names.values()), _shared(name[::-1] for name in names.values())[::-1]
    rests = {path: name[len(start) :].removesuffix(end) for path, name in names.items()}
    return rests if all(rests.values()) and len(set(rests.values())) == len(rests) else {}


def _shared(names: Iterable[str]) -> str:
    """What all names begin with, less the digits at its end, which count."""
    return os.path.commonprefix(list(names)).rstrip("0123456789")  # noqa: RUF071 (by letter is what is wanted)


def _photo_of(mask: Path, root: Path, known: Photos, classes: Sequence[str]) -> tuple[str, Path | None]:
    """The photo that a mask belongs to, and the class that its folder or ending names if it needs that to be found."""
    place, names = trees.place(mask, root), stems(mask.stem)
    if photo := known.at(names[:1], place):
        return "", photo
    for name in sorted({name.lower() for name in classes}, key=len, reverse=True):
        rest = tuple(part for part in place if part.lower() != name)
        if rest != place and (photo := known.named(names, rest)):
            return name, photo
        if (bare := _without_class(names[0], name)) and (photo := known.named(stems(bare), place)):
            return name, photo
    return "", known.named(names, place)


def _without_class(stem: str, name: str) -> str:
    """The rest of a mask's name that ends with a class; empty where it does not."""
    for ending in (f"_class_{name}", f"_{name}", f"-{name}", f".{name}"):
        if stem.endswith(ending):
            return stem.removesuffix(ending)
    return ""


def _objects(
    photos: Sequence[Path], masks: Sequence[Path], photo_root: Path, mask_root: Path
) -> tuple[dict[Path, list[tuple[str, Path]]], list[Path]]:
    """Masks of single objects: those of a place, such as ID of ID/masks, belong to the only photo there."""
    here: dict[tuple[str, ...], list[Path]] = defaultdict(list)
    for photo in photos:
        here[trees.place(photo, photo_root)].append(photo)
        here[(*trees.place(photo, photo_root), photo.stem)].append(photo)
    found: dict[Path, list[tuple[str, Path]]] = {photo: [] for photo in photos}
    strays = []
    for mask in masks:
        candidates = list(dict.fromkeys(here.get(trees.place(mask, mask_root), [])))
        if len(candidates) == 1 and trees.place(mask, mask_root):
            found[candidates[0]].append(("", mask))
        else:
            strays.append(mask)
    return found, strays


def _settled(found: dict[Path, list[tuple[str, Path]]]) -> tuple[Kind, dict[Path, list[tuple[str, Path]]]]:
    """What several masks of a photo are; DatasetError where that cannot be known."""
    tags = {tag for entries in found.values() for tag, _ in entries}
    if tags - {""} and "" not in tags and (len(tags) > 1 or any(len(entries) > 1 for entries in found.values())):
        return "class", found
    chosen = {photo: _preferred(entries) for photo, entries in found.items()}
    if any(len(entries) > 1 for entries in chosen.values()) and (named := _by_folder(chosen)):
        return "class", named
    for photo, entries in chosen.items():
        if len(entries) > 1:
            listed = ", ".join(shown(mask.name) for _, mask in entries[:3])
            message = f"{shown(photo)} has {len(entries)} masks ({listed}), and nothing says which counts"
            raise DatasetError(message, "Name the folder of the right ones with --labels, or move the others away.")
    return "one", chosen


def _by_folder(found: dict[Path, list[tuple[str, Path]]]) -> dict[Path, list[tuple[str, Path]]] | None:
    """The masks with the folders that they lie in for classes; None where a photo has two in one folder."""
    named = {photo: [(mask.parent.name, mask) for _, mask in entries] for photo, entries in found.items()}
    apart = all(len({name for name, _ in entries}) == len(entries) for entries in named.values())
    return named if apart else None


def _preferred(entries: list[tuple[str, Path]]) -> list[tuple[str, Path]]:
    """Of Cityscapes' masks of a photo the ids that it publishes."""
    for ending in ("_labelids", "_labeltrainids"):
        if len(entries) > 1 and (ids := [entry for entry in entries if entry[1].stem.lower().endswith(ending)]):
            return ids
    return entries


def _words(photos: Sequence[Path], masks: Sequence[Path], root: Path) -> frozenset[str]:
    """The folders and affixes of masks that their photos do not have."""
    plain = {photo.stem.lower() for photo in photos}
    words = {name for mask in masks for name in (root.name.lower(), *trees.folders_below(mask, root))}
    for mask in masks:
        if mask.stem.lower() not in plain:
            words.update(mask.stem.lower().removeprefix(shorter) for shorter in stems(mask.stem)[1:])
    return frozenset(words)
