"""Colours: masks whose colours say the classes, in pictures of colours and in palettes that an editor renumbered."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from segcli.data.pictures.evidence import Evidence, Pictures, counted
from segcli.data.pictures.palettes import Palette, blends, candidates, colour_of
from segcli.data.pictures.pixels import as_grey, exact_pixels, padded
from segcli.data.pictures.survey import Facts, packed
from segcli.errors import DatasetError, InputError
from segcli.files.paths import shown
from segcli.images.stored import Stored
from segcli.labels import VOID

FORM = ("colours", "colours")
MOST_EDGES = 0.2
"""The largest share of pixels that smoothed edges between colours may have, over all masks; small masks have much."""
MOST_ODD = 0.25
"""The largest share of the pixels along edges whose colour is no blend of two known ones but of three that meet."""
MOST_OF_ONE = 0.02
"""The same of a single such colour; one with more, and more than 3 pixels, may be a class that nobody named."""
NEAR = 16
"""How far from a known colour, in steps of 0..255, one along an edge is all but that colour."""
REACH = 2
"""How far from a pixel of an edge the region lies that it may belong to: 2 is 5 x 5 pixels."""
_GREY = 0x010101


def by_colour(evidence: Evidence, *notes: str) -> Pictures:
    """The reading of all masks by the colours that they show; DatasetError where no palette has them."""
    files = [_shown(file) for file in evidence.files]
    found = counted(files)
    palettes = list(candidates(evidence))
    complete = all(file.complete for file in files)
    for palette in palettes:
        if complete and not palette.unknown(found):
            return _pictures(evidence, palette, *notes)
    for palette in palettes:
        if complete and (edges := _with_edges(files, found, palette)) is not None:
            share = sum(edges.unknown(found).values())
            note = (
                f"{share} pixels along smoothed edges have mixed colours and are read as the nearest colour beside them"
            )
            return _pictures(evidence, edges, *notes, note, edges=True)
    for palette in palettes:
        if complete and not palette.swapped().unknown(found):
            note = "the colours are those of the classes with red and blue exchanged (BGR for RGB), and are read so"
            return _pictures(evidence, palette.swapped(), *notes, note)
    if (two := _two_colours(evidence, found)) is not None:
        return two
    raise _unknown(evidence, palettes, found, complete)


def _shown(file: Facts) -> Facts:
    """The mask by the colours that it shows."""
    if file.kind == "colours":
        return file
    if file.shown is None:
        message = f"{shown(file.path)} holds numbers of more than 8 bits, while other masks hold colours"
        raise DatasetError(
            message, "All masks of a dataset are read in one way. Export this one again like the others."
        )
    codes, place = np.unique(file.shown, return_inverse=True)
    counts, solid = np.zeros(len(codes), np.int64), np.zeros(len(codes), bool)
    np.add.at(counts, place, file.counts)
    np.logical_or.at(solid, place, file.solid)
    return replace(file, kind="colours", codes=codes, counts=counts, solid=solid, shown=codes)


def _with_edges(files: list[Facts], found: Mapping[int, int], palette: Palette) -> Palette | None:
    """The palette for masks whose edges were smoothed; None where unknown colours are no such edges.

    It lacks colours that occur along edges only and lie between two others: there they are blends, and no class.
    """
    solid = {int(code) for file in files for code in file.codes[file.solid]}
    regions = np.array(sorted(palette.targets.keys() & solid), np.int64)
    thin = np.array(sorted(palette.targets.keys() & found.keys() - solid), np.int64)
    if len(regions) < 2 or len(regions) > 256:
        return None
    palette = palette.without(thin[blends(thin, regions)].tolist())
    unknown = palette.unknown(found)
    total, rest = sum(unknown.values()), np.array(list(unknown), np.int64)
    if total > MOST_EDGES * sum(found.values()) or solid & unknown.keys():
        return None
    odd = [unknown[code] for code in rest[~blends(rest, regions)].tolist()]
    return palette if sum(odd) <= MOST_ODD * total and max(odd, default=0) <= max(3, MOST_OF_ONE * total) else None


def _two_colours(evidence: Evidence, found: Mapping[int, int]) -> Pictures | None:
    """Two classes, and masks in black and one other colour: that is the class that is not background."""
    if evidence.sole is None or len(found) != 2 or 0 not in found:
        return None
    code, names = max(found), evidence.labels.names
    targets = {0: evidence.rest, code: evidence.sole}
    palette = Palette("", {colour: names[label] for colour, label in targets.items()}, targets)
    note = (
        f"read the colour {colour_of(code)} as {evidence.name(evidence.sole)}, as the masks hold only it and black; "
        "if that is wrong, name all classes, or give their colours in a label-set TOML"
    )
    return _pictures(evidence, palette, note)


def _pictures(evidence: Evidence, palette: Palette, *notes: str, edges: bool = False) -> Pictures:
    raw = palette.raw_values()
    classes = {index: index for index in range(len(evidence.labels)) if index != evidence.labels.ignore}
    names = {value: palette.names[code] for code, value in raw.items()}
    return evidence.pictures(
        FORM,
        partial(read_colours, raw=tuple(sorted(raw.items())), edges=edges),
        {**classes, VOID: VOID},
        *notes,
        value_names=names | dict(enumerate(evidence.labels.names)),
    )


def _unknown(evidence: Evidence, palettes: list[Palette], found: Mapping[int, int], complete: bool) -> DatasetError:
    """The error for colours that no palette has: those of the palette that has most of the pixels."""
    best = min(palettes, key=lambda palette: sum(palette.unknown(found).values()))
    unknown = best.unknown(found)
    total = max(1, sum(found.values()))
    listed = ", ".join(f"{colour_of(code)} ({pixels} pixels)" for code, pixels in list(unknown.items())[:5])
    share = 100 * sum(unknown.values()) / total
    more = "" if complete else "more than "
    many = f"{more}{len(unknown)} colour{'s' * (len(unknown) != 1)} ({share:.3g} % of the pixels)"
    message = f"the masks have {many} that stand for no class in {best.source}: {listed}"
    if not complete:
        return DatasetError(
            message, "Perhaps these are photos, or masks that were once JPEG. Export the masks again as PNG."
        )
    return DatasetError(message, f"Write into a label-set TOML for --names: {palette_table(evidence, best, found)}.")


def palette_table(evidence: Evidence, palette: Palette, found: Mapping[int, int]) -> str:
    """The lines of a label-set TOML that give each class a colour of the masks, as far as can be guessed.

    Args:
        evidence: With the classes, of which at most five are written.
        palette: The palette that knows most of the colours.
        found: The colours of the masks with their pixels.
    """
    names = evidence.labels.names[:5]
    sure = {label: code for code, label in reversed(palette.targets.items()) if code in found}
    rest = iter(palette.unknown(found))
    colours = [(name, sure[label] if label in sure else next(rest, None)) for label, name in enumerate(names)]
    colours.append(("void", next(rest, None)))
    pairs = [f'"{name}" = {list(colour_of(code))}' for name, code in colours if code is not None]
    more = ", ..." * (len(evidence.labels) > len(names))
    listed = ", ".join(f'"{name}"' for name in names)
    return f"names = [{listed}{more}] and palette = {{{', '.join(pairs)}}}, each class with its own colour"


def renumbered(evidence: Evidence) -> Pictures | Evidence | None:
    """What palettes whose indices do not count say: a reading by colour, or the evidence by the greys they show.

    Indices do not count where the palettes of two masks differ at an index that both use, or where all colours are
    known and mean other classes than the indices.

    Raises:
        DatasetError: Palettes differ, and their colours are not known.
    """
    files = [file for file in evidence.files if file.kind == "palette"]
    if not files or evidence.stated_ids is not None:
        return None
    differ = _differ(files)
    if not differ and _share_colours(files):
        return None
    found = counted([_shown(file) for file in files])
    greys = [file.grey for file in evidence.files]
    if None not in greys and (differ or _grey_ids(evidence, files)):
        return replace(evidence, files=tuple(greys), grey=True)
    for palette in candidates(evidence):
        if not palette.unknown(found):
            return by_colour(evidence, _note(differ)) if differ or _contradicts(evidence, files, palette) else None
    if differ:
        raise _differing(evidence, found)
    return None


def _share_colours(files: list[Facts]) -> bool:
    """Whether two indices of a mask show one colour, so that the colours tell less than the indices."""
    return any(len(set(file.shown.tolist())) < len(file.codes) for file in files)


def _differ(files: list[Facts]) -> bool:
    """Whether an index has two colours."""
    colours: dict[int, int] = {}
    return any(colours.setdefault(index, colour) != colour for index, colour in _entries(files))


def _entries(files: Iterable[Facts]) -> Iterator[tuple[int, int]]:
    """The entries of the masks' palettes that are used: (index, colour)."""
    for file in files:
        yield from zip(file.codes.tolist(), file.shown.tolist(), strict=True)


def _grey_ids(evidence: Evidence, files: list[Facts]) -> bool:
    """Whether palettes show the class ids themselves as greys, and their indices are others."""
    shown_greys = {int(colour) // _GREY for file in files for colour in file.shown}
    differs = any(np.any(file.codes * _GREY != file.shown) for file in files)
    inside = shown_greys - {0, VOID}
    return differs and bool(inside) and inside <= set(range(len(evidence.order)))


def _contradicts(evidence: Evidence, files: list[Facts], palette: Palette) -> bool:
    """Whether a known palette gives an index of a mask another class than the index itself."""
    values = {entry.value: evidence.classes.find(entry.name) for entry in evidence.table if entry.value is not None}
    by_index = evidence.with_void(values or dict(enumerate(evidence.order)))
    return any(by_index.get(index, -1) != palette.targets[colour] for index, colour in _entries(files))


def _note(differ: bool) -> str:
    why = "which differ from mask to mask" if differ else "which mean other classes"
    return f"read the colours of the masks' palettes, not the indices, {why}; if the indices are the ids, add --as ids"


def _differing(evidence: Evidence, found: Mapping[int, int]) -> DatasetError:
    codes = sorted(found, key=found.get, reverse=True)
    listed = ", ".join(str(colour_of(code)) for code in codes[:5]) + ", ..." * (len(codes) > 5)
    message = f"the palettes of the masks differ, so that indices say nothing, and the colours are unknown: {listed}"
    table = palette_table(evidence, next(candidates(evidence)), found)
    return DatasetError(message, f"Write into a label-set TOML for --names: {table}; --as ids takes the indices.")


def read_colours(path: Path, raw: tuple[tuple[int, int], ...], edges: bool = False) -> np.ndarray:
    """Read a mask by the colours that it shows.

    Args:
        path: The mask.
        raw: (colour 0xRRGGBB, raw value) of each known colour, ascending.
        edges: Let pixels of unknown colours take the nearest known colour within `REACH` pixels.

    Returns:
        The raw values, uint8 (H, W), or uint16 where one needs it.

    Raises:
        InputError: It cannot be read, or has colours that are not known.
    """
    codes = packed(_rgb(path, exact_pixels(path)))
    known = np.array([code for code, _ in raw], np.uint32)
    values = np.array([value for _, value in raw])
    place = np.searchsorted(known, codes)
    np.minimum(place, len(known) - 1, out=place)
    strange = known[place] != codes
    found = values.astype(np.uint8 if values.max() < 256 else np.uint16)[place]
    if edges and strange.any():
        strange = _settle(found, codes, strange, known, values)
        strange = _fill(found, codes, strange)
    if strange.any():
        raise _strange(path, codes[strange])
    return found


def _rgb(path: Path, stored: Stored) -> np.ndarray:
    """The colours that a mask shows, uint8 (H, W, 3); transparent parts are black where others are opaque."""
    pixels = stored.pixels
    if stored.palette is not None:
        return padded(stored.palette)[pixels]
    if pixels.ndim == 2:
        greys = as_grey(pixels, stored.white)
        if greys is None:
            raise InputError(f"{shown(path)} holds numbers of more than 8 bits, while other masks hold colours")
        pixels = np.repeat(greys.astype(np.uint8)[..., None], 3, 2)
    if stored.alpha is not None and stored.alpha.min() < 128 <= stored.alpha.max():
        return np.where(stored.alpha[..., None] >= 128, pixels, np.uint8(0))
    return pixels


def _settle(
    found: np.ndarray, codes: np.ndarray, strange: np.ndarray, known: np.ndarray, values: np.ndarray
) -> np.ndarray:
    """Give strange pixels the value of a known colour that they all but have; return where others are."""
    present, place = np.unique(codes[strange], return_inverse=True)
    apart = _distance(present[:, None], known[None])
    near = apart.min(1) <= NEAR**2
    rest = strange.copy()
    rest[strange] = ~near[place]
    settled = strange & ~rest
    found[settled] = values[apart.argmin(1)][place[near[place]]]
    return rest


def _fill(found: np.ndarray, codes: np.ndarray, strange: np.ndarray) -> np.ndarray:
    """Give strange pixels the value of the known one within reach whose colour is nearest; return what is left."""
    rows, columns = np.nonzero(strange)
    nearest = np.full(len(rows), np.iinfo(np.int64).max)
    chosen = np.zeros(len(rows), found.dtype)
    height, width = found.shape
    for down in range(-REACH, REACH + 1):
        for right in range(-REACH, REACH + 1):
            y, x = np.clip(rows + down, 0, height - 1), np.clip(columns + right, 0, width - 1)
            apart = np.where(strange[y, x], nearest, _distance(codes[y, x], codes[rows, columns]))
            closer = apart < nearest
            nearest, chosen = np.where(closer, apart, nearest), np.where(closer, found[y, x], chosen)
    reached = nearest < np.iinfo(np.int64).max
    found[rows[reached], columns[reached]] = chosen[reached]
    rest = np.zeros_like(strange)
    rest[rows[~reached], columns[~reached]] = True
    return rest


def _distance(codes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The squared distance of colours, int64 (n,)."""
    shares = ((codes >> shift & 0xFF).astype(np.int64) - (others >> shift & 0xFF) for shift in (0, 8, 16))
    return sum(share**2 for share in shares)


def _strange(path: Path, codes: np.ndarray) -> InputError:
    values, counts = np.unique(codes, return_counts=True)
    commonest = colour_of(int(values[counts.argmax()]))
    message = f"{shown(path)} has {len(codes)} pixels in colours of no class, most of them {commonest}"
    return InputError(message, "Give the colour to a class in a label-set TOML, or export the mask again.")
