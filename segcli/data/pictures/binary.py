"""Binary masks: black and white ones, also with smoothed or blurred edges, and what is not transparent."""

from pathlib import Path

import numpy as np

from segcli.data.pictures.evidence import Evidence, Pictures, counted
from segcli.data.pictures.pixels import as_grey, exact_pixels, padded, read_pixels
from segcli.data.pictures.survey import Facts
from segcli.errors import InputError
from segcli.files.paths import shown
from segcli.images.stored import Stored

BLACK, WHITE = 0, 255
"""The raw values of a binary mask; white is the class."""
MIDDLE = 128
"""The least grey that counts as white."""
NEAR = 7
"""How far from black or white a grey of a smoothed mask may be to count as one of them."""
NEAR_LOSSY = 48
"""The same of a lossy file, such as JPEG, which rings along edges."""
LEAST_NEAR = 0.9
"""The least share of pixels near black or white in masks whose edges are smoothed."""
LEAST_NEAR_SOFT = 0.7
"""The same where there are so many greys between, none of them in a region of its own, that they can be no classes."""
MOST_REGIONS = 0.002
"""The largest share of pixels of greys that form regions of their own, as a third class would."""
FEW_GREYS = 16
"""The number of greys from which a mask has a soft edge; fewer may be classes, unless they are along edges only."""
TRIMAP_GREYS = (127, 128)
"""The grey between black and white that means "unknown" in a trimap for matting."""
MOST_COLOURS = 64
"""The most colours of a mask in colours; a picture of more of which parts are transparent is a photo cut out."""
MUCH = 0.9
"""The share of the pixels above which the class is told, since black may be it."""

_FORM = ("black-and-white masks", "binary")


def black_and_white(evidence: Evidence) -> Pictures | None:
    """Two classes and masks in black and white: white is the class that is not background.

    Edges may hold greys, from smoothing or JPEG, as long as nearly all pixels are near black or white; the cut is at
    the middle. Masks in which white has a name of its own, or is void by the user's word, are not read so.
    """
    if evidence.sole is None or _is_named(evidence, WHITE):
        return None
    greys = [file.grey for file in evidence.files]
    if None in greys:
        return None
    counts = counted(greys)
    if set(counts) == {BLACK, WHITE}:
        if all(np.array_equal(file.codes * 0xFFFFFF, file.shown) for file in evidence.files):
            return None  # values 0 and 1, shown as black and white
        return _exact(evidence, counts)
    return _smoothed(evidence, greys, counts)


def _is_named(evidence: Evidence, value: int) -> bool:
    """Whether a value means a class or void because somebody says so."""
    if value in (evidence.choice.void or ()) or (value,) * 3 in (evidence.choice.void or ()):
        return True
    label = (evidence.classes.ids or {}).get(value)
    in_table = any(entry.value == value or entry.colour == (value,) * 3 for entry in evidence.table)
    return in_table or (label is not None and label < len(evidence.labels))


def _exact(evidence: Evidence, counts: dict[int, int]) -> Pictures:
    name = evidence.name(evidence.sole)
    if evidence.found.keys() == {BLACK, WHITE} and any(map(_is_inverted, evidence.files)):
        note = f"read 255 as {name}, though viewers show it black (an inverting table of ImageJ); {_swap(evidence)}"
        return evidence.pictures(_FORM, evidence.reader, _ids(evidence), note)
    note = f"read 255 as {name}, because the masks hold only 0 and 255; if 255 is void, add --void 255"
    return evidence.pictures(_FORM, read_cut, _ids(evidence), note, *_much(evidence, counts))


def _is_inverted(file: Facts) -> bool:
    """Whether a palette shows 0 as white and 255 as black, as ImageJ's inverting table does."""
    return file.kind == "palette" and np.array_equal((255 - file.codes) * 0x010101, file.shown)


def _ids(evidence: Evidence) -> dict[int, int | None]:
    return evidence.with_void({BLACK: evidence.rest, WHITE: evidence.sole})


def _much(evidence: Evidence, counts: dict[int, int]) -> list[str]:
    """A note where the class takes nearly all pixels, since it may be the black ones."""
    share = sum(count for grey, count in counts.items() if grey >= MIDDLE) / max(1, sum(counts.values()))
    if share <= MUCH:
        return []
    return [f"{evidence.name(evidence.sole)} takes {100 * share:.0f} % of the pixels; {_swap(evidence)}"]


def _swap(evidence: Evidence) -> str:
    """How to say that black is the class."""
    rest, sole = evidence.labels.names[evidence.rest], evidence.labels.names[evidence.sole]
    return f'if black is the class, write ids = {{"{rest}" = 255, "{sole}" = 0}} in a label-set TOML'


def _smoothed(evidence: Evidence, greys: list[Facts], counts: dict[int, int]) -> Pictures | None:
    lossy = not all(file.keeps_ids for file in evidence.files)
    near = NEAR_LOSSY if lossy else NEAR
    dark = sum(count for grey, count in counts.items() if grey <= near)
    light = sum(count for grey, count in counts.items() if grey >= WHITE - near)
    solid = {int(grey) for file in greys for grey in file.codes[file.solid] if near < grey < WHITE - near}
    total, regions = sum(counts.values()), sum(counts[grey] for grey in solid)
    least = LEAST_NEAR if solid or len(counts) < FEW_GREYS else LEAST_NEAR_SOFT
    if not dark or not light or dark + light <= least * total or regions > MOST_REGIONS * total:
        return None
    if not lossy and not _has_soft_edges(evidence, set(counts) - {BLACK, WHITE}, bool(solid)):
        return None
    kind = "JPEG or a similar format" if lossy else "smoothed edges"
    note = (
        f"cut the greys of the masks ({kind}) at the middle: {MIDDLE} and above are {evidence.name(evidence.sole)}; "
        "if the greys are class ids, add --as ids"
    )
    return evidence.pictures(_FORM, read_cut, _ids(evidence), note, *_much(evidence, counts))


def _has_soft_edges(evidence: Evidence, between: set[int], solid: bool) -> bool:
    """Whether the greys between black and white, which form regions or not, come from smoothing and are no ids."""
    if evidence.values <= set(range(len(evidence.order))):
        return False
    if len(between) == 1 and between <= set(TRIMAP_GREYS):
        return False
    if all(grey <= NEAR or grey >= WHITE - NEAR for grey in between):
        return max(between) > NEAR  # else ids, and 255 for void
    return len(between) >= FEW_GREYS or not solid


def cut_outs(evidence: Evidence) -> Pictures | None:
    """Two classes and masks of which parts are transparent, opaque in one colour or as a photo: these are the class."""
    if evidence.sole is None or not _has_shape_in_alpha(evidence):
        return None
    name = evidence.name(evidence.sole)
    note = f"read all that is not transparent as {name}; if the colours are the classes, add --as colours"
    return evidence.pictures(("transparent masks", "binary"), read_alpha, _ids(evidence), note)


def _has_shape_in_alpha(evidence: Evidence) -> bool:
    cut = [file for file in evidence.files if file.clear[0]]
    pixels = sum(file.pixels for file in cut)
    if 2 * len(cut) < len(evidence.files) or not cut or sum(file.clear[1] for file in cut) > 0.1 * pixels:
        return False
    colours = counted(cut)
    if any(file.kind == "colours" for file in cut):
        colours[0] = colours.get(0, 0) - sum(file.clear[0] for file in cut)
    present = sum(count > 0 for count in colours.values())
    return present <= 1 or present > MOST_COLOURS


def read_alpha(path: Path) -> np.ndarray:
    """Read which pixels of a picture are opaque: uint8 (H, W), 0 or 255; InputError where it has no transparency."""
    stored = read_pixels(path)
    if stored.alpha is None:
        raise InputError(f"{shown(path)} has no transparency, unlike the other masks", "Export it again like them.")
    return np.where(stored.alpha >= MIDDLE, WHITE, BLACK).astype(np.uint8)


def read_cut(path: Path) -> np.ndarray:
    """Read a black-and-white mask by what it shows: uint8 (H, W), 255 where it is nearer white than black, else 0."""
    return np.where(_greys(read_pixels(path)) >= MIDDLE, WHITE, BLACK).astype(np.uint8)


def read_either(path: Path) -> np.ndarray:
    """Read a mask as `read_binary` does: uint8 (H, W), 255 inside, else 0."""
    return np.where(read_binary(path), WHITE, BLACK).astype(np.uint8)


def read_binary(path: Path) -> np.ndarray:
    """Read a mask of one class or object, whatever its black and white are: bool (H, W), true inside.

    Two values are outside and inside, the lower one outside; of more, the cut is at the middle of black and white.

    Raises:
        InputError: It cannot be read.
    """
    stored = read_pixels(path)
    greys = _greys(stored)
    if stored.keeps_ids and stored.pixels.ndim == 2 and stored.palette is None:
        present = np.unique(stored.pixels).tolist()
        if len(present) <= 2:
            return stored.pixels > max(0, min(present[0], present[-1] - 1))
    return greys >= MIDDLE


def _greys(stored: Stored) -> np.ndarray:
    """What a mask shows as grey, 0..255, (H, W); transparent parts are black."""
    pixels = stored.pixels
    if stored.palette is not None:
        pixels = padded(stored.palette)[pixels]
    if pixels.ndim == 3:
        pixels = (pixels.astype(np.uint16) @ np.array([2, 5, 1], np.uint16)) // 8
    elif (greys := as_grey(pixels, stored.white)) is not None:
        pixels = greys
    if stored.alpha is not None and stored.alpha.min() < MIDDLE <= stored.alpha.max():
        pixels = np.where(stored.alpha >= MIDDLE, pixels, 0)
    return pixels


def read_any(path: Path) -> np.ndarray:
    """Read where a mask has a value above 0, whichever: uint8 (H, W), 0 or 1; InputError where it cannot be read."""
    pixels = exact_pixels(path).pixels
    if pixels.ndim == 3:
        raise InputError(f"{shown(path)} holds colours, not the numbers of objects", "Export it again with numbers.")
    return (pixels > 0).astype(np.uint8)


def forced(evidence: Evidence) -> Pictures:
    """The masks as black-and-white ones because the user says so, whatever each calls black and white."""
    return evidence.pictures(_FORM, read_either, _ids(evidence))
