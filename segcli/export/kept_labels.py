"""Kept labels: how many of a network's labels its 8-bit form gives too, photo by photo, and what that costs in mIOU."""

from dataclasses import dataclass, field

import numpy as np

from segcli.evaluation.metrics import ConfusionMatrix
from segcli.labels import LabelSet

ENOUGH = 0.98
"""The share of equal labels from which on an 8-bit form is used; rounding to 8 bits moves outlines by a pixel here and
there."""


@dataclass
class KeptLabels:
    """The labels of a network and of its 8-bit form, compared; `add` takes a photo more.

    Attributes:
        labels: The classes.
        equal: Name of a photo -> its pixels with equal labels.
        pixels: Name of a photo -> its pixels.
        scored: The photos that were compared with the truth as well.
        before, after: The network's labels and its 8-bit form's against the truth.
    """

    labels: LabelSet
    equal: dict[str, int] = field(default_factory=dict)
    pixels: dict[str, int] = field(default_factory=dict)
    scored: int = 0

    def __post_init__(self):
        self.before, self.after = (ConfusionMatrix(len(self.labels)) for _ in range(2))

    def add(self, name: str, ours: np.ndarray, theirs: np.ndarray, truth: np.ndarray | None = None) -> None:
        """Compare a photo.

        Args:
            name: Of the photo.
            ours: The network's labels (H, W).
            theirs: Its 8-bit form's, of the same shape.
            truth: The true ids (H, W), of the same shape, 255 for void; None where they are not known.
        """
        self.equal[name], self.pixels[name] = int((ours == theirs).sum()), ours.size
        if truth is not None:
            self.before.update(truth, ours)
            self.after.update(truth, theirs)
            self.scored += 1

    @property
    def share(self) -> float:
        """The share of pixels with equal labels over all photos, 0..1; 0 without a photo."""
        return sum(self.equal.values()) / max(1, sum(self.pixels.values()))

    @property
    def suffices(self) -> bool:
        """Whether the 8-bit form may stand for the network."""
        return self.share >= ENOUGH

    @property
    def worst(self) -> tuple[str, float]:
        """The photo with the smallest share of equal labels, and that share; ValueError without a photo."""
        return min(((name, self.equal[name] / self.pixels[name]) for name in self.equal), key=lambda one: one[1])

    @property
    def mious(self) -> tuple[float | None, float | None]:
        """The mIOU of the network and of its 8-bit form, each in 0..1 or None where no pixel is labelled."""
        before, after = (matrix.scores(self.labels).miou for matrix in (self.before, self.after))
        return before, after

    def __str__(self) -> str:
        name, share = self.worst
        return f"{self.share:.2%} of labels equal float's on {len(self.equal)} photos, {share:.2%} on the worst, {name}"

    def lines(self) -> list[str]:
        """The comparison in words, with the mIOU in a line of its own where the truth is known."""
        lines = [f"checked: {self}"]
        before, after = self.mious
        if before is not None and after is not None:
            change = f"{100 * (after - before):+.2f} points"
            lines.append(f"mIOU {before:.2%} in floats, {after:.2%} in 8 bits ({change}) on {self.scored} photos")
        return lines

    def to_dict(self) -> dict:
        """JSON-plain values."""
        name, share = self.worst
        scored = {"scored": self.scored, "miou": dict(zip(("float32", "int8"), self.mious, strict=True))}
        return {
            "photos": len(self.equal),
            "share": self.share,
            "worst": {"photo": name, "share": share},
            **(scored if self.scored else {}),
        }
