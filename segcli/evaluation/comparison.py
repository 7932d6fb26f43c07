"""Comparisons of two folders of predictions: where they differ, and which is nearer to the truth."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from segcli.errors import InputError, UsageError
from segcli.evaluation import predictions
from segcli.evaluation.metrics import ConfusionMatrix
from segcli.evaluation.scoring import check_prediction
from segcli.files.paths import shown
from segcli.images.plots import INK
from segcli.labels import VOID, LabelSet

PANEL = 960
"""The long side of each half of a picture, at most, in pixels."""

GAP, LINE = 8, 26
"""The space between the halves, and the height of a line of text, in pixels."""


@dataclass(frozen=True)
class Pairing:
    """The label maps that two folders have in common.

    Attributes:
        pairs: (name, map in A, map in B), in the order of the names.
        only_a: Names that only A has.
        only_b: Names that only B has.
    """

    pairs: tuple[tuple[str, Path, Path], ...]
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]


def pair(a: Path, b: Path) -> Pairing:
    """Find the maps of the same name in two folders; UsageError if there are none."""
    for folder in (a, b):
        if not folder.is_dir():
            raise UsageError(f"{shown(folder)} is no folder", "Give two folders of predicted label maps.")
    in_a, in_b = predictions.find(a), predictions.find(b)
    common = sorted(in_a.keys() & in_b.keys())
    if not common:
        hint = f"The first has {len(in_a)} label maps, the second {len(in_b)}; they are matched by their names."
        raise UsageError(f"{shown(a)} and {shown(b)} have no label map in common", hint)
    pairs = tuple((name, in_a[name], in_b[name]) for name in common)
    return Pairing(pairs, tuple(sorted(in_a.keys() - in_b.keys())), tuple(sorted(in_b.keys() - in_a.keys())))


@dataclass(frozen=True)
class Difference:
    """The two label maps of one photo.

    Attributes:
        name: The photo's name.
        agreement: Share of the pixels with the same class in both, 0..1.
        a: The classes that A predicts, uint8 (H, W).
        b: The classes that B predicts, uint8 (H, W).
    """

    name: str
    agreement: float
    a: np.ndarray
    b: np.ndarray


class Comparison:
    """The differences of two folders, summed over photos.

    Attributes:
        labels: The classes.
        between: A as the truth, B as the prediction: its per-class IOU is the two's agreement on each class.
        a: A against the truth, over the photos that have one.
        b: B against the truth, over the photos that have one.
    """

    def __init__(self, labels: LabelSet):
        self.labels = labels
        self.between, self.a, self.b = (ConfusionMatrix(len(labels)) for _ in range(3))

    def compare(self, pairs: Iterable[tuple[str, Path, Path]]) -> Iterator[Difference]:
        """Read and count pairs, and yield each one's difference; InputError for maps that cannot be compared."""
        for name, path_a, path_b in pairs:
            a, b = (predictions.read_classes(path, self.labels) for path in (path_a, path_b))
            if a.shape != b.shape:
                sizes = " and ".join(f"{ids.shape[1]} x {ids.shape[0]}" for ids in (a, b))
                hint = "Both are to be at the photo's own size."
                raise InputError(f"the label maps of {name} have {sizes} pixels", hint)
            self.between.update(a, b)
            yield Difference(name, float((a == b).mean()), a, b)

    def score(self, difference: Difference, truth: np.ndarray) -> None:
        """Count a pair against its truth: ids (H, W) in 0..K-1 or VOID; InputError if the sizes differ."""
        for matrix, ids in ((self.a, difference.a), (self.b, difference.b)):
            check_prediction(difference.name, ids, truth.shape, len(self.labels))
            matrix.update(truth, ids)


def picture(difference: Difference, labels: LabelSet, photo: np.ndarray | None = None) -> Image.Image:
    """Draw where two label maps disagree: A's classes on the left, B's on the right, all else faded.

    Below stand the most frequent disagreements with their share of the photo's pixels.

    Args:
        difference: The photo's two label maps.
        labels: Names and colours.
        photo: uint8 (H, W, 3), the backdrop; without it, or at another size, the backdrop is plain.

    Returns:
        An RGB picture.
    """
    left, right = (_half(difference, ids, labels, photo) for ids in (difference.a, difference.b))
    changes = _changes(difference)
    width, height = max(left.width + GAP + right.width, 560), left.height + LINE * (len(changes) + 2)
    whole = Image.new("RGB", (width, height), "white")
    whole.paste(left, (0, 0))
    whole.paste(right, (left.width + GAP, 0))
    draw, font = ImageDraw.Draw(whole), ImageFont.load_default(16)
    title = f"{difference.name}: A (left) and B (right) agree on {100 * difference.agreement:.1f} % of the pixels"
    draw.text((GAP, left.height + LINE), title, INK, font, anchor="lm")
    for row, (classes, share) in enumerate(changes, start=2):
        middle = left.height + row * LINE
        draw.text((80, middle), f"{100 * share:.1f} %", INK, font, anchor="rm")
        for x, label in zip((96, 320), classes, strict=True):
            colour = tuple(labels.colours()[label].tolist())
            draw.rectangle((x, middle - 7, x + 14, middle + 7), fill=colour, outline=INK)
            draw.text((x + 24, middle), "void" if label == VOID else labels.names[label], INK, font, anchor="lm")
    return whole


def _half(difference: Difference, ids: np.ndarray, labels: LabelSet, photo: np.ndarray | None) -> Image.Image:
    """The colours of `ids` where the two maps differ, over the faded photo."""
    differs = (difference.a != difference.b)[..., None]
    backdrop = np.full((*ids.shape, 3), 235, np.uint8)
    if photo is not None and photo.shape == backdrop.shape:
        backdrop[:] = 150 + 0.4 * photo.mean(axis=2, keepdims=True)
    half = Image.fromarray(np.where(differs, labels.colours()[ids], backdrop))
    half.thumbnail((PANEL, PANEL))
    return half


def _changes(difference: Difference, most: int = 5) -> list[tuple[tuple[int, int], float]]:
    """The most frequent pairs of differing classes (A's, B's), each with its share of all pixels."""
    codes = difference.a.astype(np.int32) * 256 + difference.b
    counts = np.bincount(codes[difference.a != difference.b].ravel())
    frequent = np.argsort(-counts, kind="stable")[:most]
    return [(divmod(int(code), 256), counts[code] / codes.size) for code in frequent if counts[code]]
