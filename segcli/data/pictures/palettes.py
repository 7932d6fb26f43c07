"""Palettes: the tables of colours that masks in colours, and palettes that an editor renumbered, may follow."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from segcli import labels
from segcli.data.pictures.evidence import Evidence
from segcli.labels import VOID, Colour, LabelSet, voc_palette

BLACK, CREAM = 0x000000, 0xE0E0C0
"""The colours that mean void by habit: where no class is black, and in VOC's masks."""
FIRST_UNNAMED = 256
"""The raw value of the first colour whose class nobody named."""

_KNOWN_SETS = (labels.VOC, labels.CITYSCAPES, labels.CAMVID, labels.ADE20K, labels.PASCAL_CONTEXT)
_CITYSCAPES_VOID = (
    *((0x6F4A00, "dynamic"), (0x510051, "ground"), (0xFAAAA0, "parking"), (0xE6968C, "rail track")),
    *((0xB4A5B4, "guard rail"), (0x966464, "bridge"), (0x96785A, "tunnel"), (0x00005A, "caravan")),
    (0x00006E, "trailer"),
)
"""The colours in `*_gtFine_color.png` of what is no class of CITYSCAPES."""


@dataclass(frozen=True)
class Palette:
    """What colours mean.

    Attributes:
        source: Where it is from, in a sentence.
        names: Colour 0xRRGGBB -> what the masks' maker calls it.
        targets: Colour 0xRRGGBB -> class or VOID; None where nobody named that class.
    """

    source: str
    names: Mapping[int, str]
    targets: Mapping[int, int | None]

    def unknown(self, found: Mapping[int, int]) -> dict[int, int]:
        """Of colours with their pixels those that it does not have, the commonest first."""
        rest = {code: pixels for code, pixels in found.items() if code not in self.targets}
        return dict(sorted(rest.items(), key=lambda entry: -entry[1]))

    def swapped(self) -> "Palette":
        """The same with red and blue exchanged."""
        return replace(self, names=_swapped(self.names), targets=_swapped(self.targets))

    def without(self, codes: Iterable[int]) -> "Palette":
        """The same less some colours."""
        gone = set(codes)
        return replace(self, targets={code: label for code, label in self.targets.items() if code not in gone})

    def raw_values(self) -> dict[int, int]:
        """Colour -> raw value: the class or VOID, or a value of its own from `FIRST_UNNAMED` on."""
        unnamed = sorted({self.names[code] for code, label in self.targets.items() if label is None})
        raw = {name: FIRST_UNNAMED + place for place, name in enumerate(unnamed)}
        return {code: raw[self.names[code]] if label is None else label for code, label in self.targets.items()}


def _swapped(table: Mapping[int, object]) -> dict:
    return {(code & 0xFF) << 16 | code & 0xFF00 | code >> 16: value for code, value in table.items()}


def code_of(colour: Colour) -> int:
    """A colour as 0xRRGGBB."""
    red, green, blue = colour
    return red << 16 | green << 8 | blue


def colour_of(code: int) -> Colour:
    """The inverse of `code_of`."""
    return code >> 16, code >> 8 & 0xFF, code & 0xFF


def candidates(evidence: Evidence) -> Iterator[Palette]:
    """The palettes that the masks may follow, the likelier first.

    One that the user's file of classes gives is the only one; so is that of a file beside the masks. Else they are
    VOC's colours in the order of the classes, the label set's own, and those of published datasets, by name.
    """
    own = evidence.classes.colours
    if own is not None and evidence.labels.palette != voc_palette(len(evidence.labels)):
        yield _complete(evidence, "the colours of the classes", _of_user(evidence, own))
        if evidence.labels.names == labels.CITYSCAPES.names:
            yield _known(evidence, labels.CITYSCAPES)
        return
    coloured = [(code_of(entry.colour), entry.name) for entry in evidence.table if entry.colour is not None]
    if any(evidence.classes.find(name) not in (None, VOID) for _, name in coloured):
        yield _complete(evidence, "the file of colours beside the masks", _by_name(evidence, coloured))
        return
    in_order = zip(map(code_of, voc_palette(len(evidence.listed))), evidence.listed, strict=True)
    yield _complete(evidence, "VOC's colours", _by_name(evidence, in_order))
    yield _complete(evidence, "the label set's colours", _by_name(evidence, _of_set(evidence.labels)))
    for known in _KNOWN_SETS:
        palette = _known(evidence, known)
        if len({label for label in palette.targets.values() if label not in (None, VOID)}) > 1:
            yield palette


def _known(evidence: Evidence, known: LabelSet) -> Palette:
    """The palette of a published dataset; what Cityscapes calls no class is void where nobody named it."""
    found = _by_name(evidence, _of_set(known))
    if known is labels.CITYSCAPES:
        more = _by_name(evidence, _CITYSCAPES_VOID)
        found |= {code: (name, VOID if label is None else label) for code, (name, label) in more.items()}
    return _complete(evidence, f"the colours of {known.name}", found)


def _of_set(known: LabelSet) -> Iterator[tuple[int, str]]:
    return zip(map(code_of, known.palette), known.names, strict=True)


def _of_user(evidence: Evidence, own: Mapping[Colour, int]) -> dict[int, tuple[str, int]]:
    names = {VOID: "void", **dict(enumerate(evidence.labels.names))}
    return {code_of(colour): (names[label], label) for colour, label in own.items()}


def _by_name(evidence: Evidence, listed: Iterable[tuple[int, str]]) -> dict[int, tuple[str, int | None]]:
    """Colour -> (name, class); of two names with one colour the first counts."""
    found: dict[int, tuple[str, int | None]] = {}
    for code, name in listed:
        found.setdefault(code, (name, evidence.classes.find(name)))
    return found


def _complete(evidence: Evidence, source: str, found: Mapping[int, tuple[str, int | None]]) -> Palette:
    """The palette with what is void: by the user's word or by habit; black is background where that has no colour."""
    given = evidence.choice.void
    if given is None and CREAM not in found:
        found = {**found, CREAM: ("void", VOID)}
    if BLACK not in found and evidence.background not in (None, *(label for _, label in found.values())):
        found = {**found, BLACK: (evidence.labels.names[evidence.background], evidence.background)}
    elif BLACK not in found and given is None:
        found = {**found, BLACK: ("void", VOID)}
    for value in given or ():
        if isinstance(value, tuple):
            found = {**found, code_of(value): ("void", VOID)}
    names = {code: name for code, (name, _) in found.items()}
    return Palette(source, names, {code: label for code, (_, label) in found.items()})


def blends(codes: np.ndarray, known: np.ndarray, tolerance: float = 10) -> np.ndarray:
    """Which colours lie on the line between two known ones, as smoothing makes them: bool (n,).

    Args:
        codes: int64 (n,) of 0xRRGGBB.
        known: int64 (k,) of 0xRRGGBB.
        tolerance: How far from the line, in steps of 0..255.
    """
    points, ends = _channels(codes), _channels(known)
    found = np.zeros(len(codes), bool)
    for start in range(len(known)):
        others = ends[start + 1 :]
        along = others - ends[start]  # (m, 3)
        from_start = points[:, None] - ends[start]  # (n, 1, 3)
        length = np.maximum((along**2).sum(1), 1)
        place = np.clip((from_start * along).sum(2) / length, 0, 1)
        apart = from_start - place[..., None] * along
        found |= ((apart**2).sum(2) <= tolerance**2).any(1) if len(others) else False
    return found


def _channels(codes: np.ndarray) -> np.ndarray:
    return np.stack([codes >> 16, codes >> 8 & 0xFF, codes & 0xFF], 1).astype(np.float64)
