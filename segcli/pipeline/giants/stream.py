"""Stream: a picture of any size through a network, window by window; no more than a row of windows is in memory.

After each row of windows the journal notes how far it is, so that a run that is stopped goes on there, and the result
is the same to the last byte.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from segcli.errors import InputError
from segcli.inference.forward import Forward
from segcli.inference.pooled_mean import PooledMean
from segcli.inference.windows import Enlarging, Ring, Windows
from segcli.models.preprocessing import Preprocessing
from segcli.pipeline.giants.journal import Journal
from segcli.pipeline.giants.labels import LabelRows
from segcli.pipeline.giants.pictures import SmallPicture
from segcli.pipeline.giants.refining import Refining
from segcli.pipeline.giants.samples import Samples
from segcli.pipeline.giants.view import View
from segcli.pipeline.progress import Stage
from segcli.weights.checkpoint import is_finite

BAND = 128
"""The rows of the label map that are made at a time."""
_MEAN, _RING = "mean", "ring"
_PROBE = 96
"""A side of a window that is small, and large enough to tell how far apart a network's scores are."""


@dataclass(frozen=True)
class Network:
    """A network as it is asked.

    Attributes:
        forward: Takes a window to logits.
        device: Where it is.
        preprocessing: The model's.
        output_stride: Input pixels a feature.
        align_corners: The spec's rule for enlarging scores.
    """

    forward: Forward
    device: torch.device
    preprocessing: Preprocessing
    output_stride: int
    align_corners: bool

    def scores(self, window: Tensor, mean: Tensor | None) -> Tensor:
        """The logits (1, K, h, w) of a window's input, on the CPU.

        Raises:
            InputError: They are no numbers.
        """
        scores = self.forward.logits(window.to(self.device), None if mean is None else mean.to(self.device)).cpu()
        if not is_finite(scores):
            hint = "Its values may be far from those that the model was trained on; see --range and --precision."
            raise InputError("the network gives NaN or infinite values for a part of it", hint)
        return scores

    def passes(self, windows: Windows) -> int:
        """How often it sees all windows: twice where it is told the average over the picture."""
        return 2 if self.forward.pools_image and not windows.is_one else 1

    @torch.inference_mode()
    def grid(self, windows: Windows) -> tuple[int, tuple[int, int]]:
        """The number of channels, K, and the (height, width) of the scores of the whole input."""
        side = _PROBE + windows.corner
        shape = windows.size if windows.is_one else (side, side)
        scores = self.forward.logits(torch.zeros(1, 3, *shape, device=self.device))
        if windows.is_one:
            return scores.shape[1], (scores.shape[2], scores.shape[3])
        stride = (side - windows.corner) // max(scores.shape[2] - windows.corner, 1)
        return scores.shape[1], windows.grid(stride)


@dataclass
class Sinks:
    """What takes the parts of a picture as they are made.

    Attributes:
        labels: Its label map.
        pictures: The photo at small sizes.
        samples: Its scores at small sizes.
        table: What each id of the network is written as, by id; None leaves them.
    """

    labels: LabelRows
    pictures: Sequence[SmallPicture] = ()
    samples: Sequence[Samples] = ()
    table: np.ndarray | None = None

    @property
    def facts(self) -> dict:
        """What the journal is to note of them."""
        return {**self.labels.state, **{key: value for one in self.pictures for key, value in one.state[0].items()}}

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """What the journal is to keep of them."""
        arrays = {key: value for one in self.pictures for key, value in one.state[1].items()}
        return arrays | {key: value for one in self.samples for key, value in one.state.items()}


@dataclass
class Stream:
    """One picture on its way.

    Attributes:
        network: The network.
        enlarging: Leads from its scores to the photo's size.
        windows: Where its windows lie.
        view: The photo.
        sinks: What takes the results.
        journal: Notes how far it is.
        refining: The CRF; None leaves the network's outlines.
        notes: What the journal is to note besides.
        kept: The arrays that it is to keep besides.
        classes: The number of channels, K.
        grid: The (height, width) of all scores.
        tell: Hears of each window: the stage, the windows seen in it, and the rows of the photo that are labelled.
    """

    network: Network
    enlarging: Enlarging
    windows: Windows
    view: View
    sinks: Sinks
    journal: Journal
    refining: Refining | None = None
    notes: Mapping = field(default_factory=dict)
    kept: Mapping[str, np.ndarray] = field(default_factory=dict)
    classes: int = 0
    grid: tuple[int, int] = (0, 0)
    tell: Callable[[Stage, int, int], None] = lambda *_: None

    @torch.inference_mode()
    def run(self) -> None:
        """Do what is left of it.

        Raises:
            InputError: The picture is damaged, or the network gives NaN or infinite values for it.
        """
        mean = self._image_mean()
        row = self._row(_RING)
        self._ring = self._stored_ring()
        self._begin(row, self._first_pixel)
        for number in range(row, len(self.windows.rows)):
            self._label(number, mean)
            arrays = {"total": self._ring.total.numpy(), "weights": self._ring.weights.numpy(), **self._means(mean)}
            self._note(_RING, number + 1, arrays, {"first": self._ring.first})

    def _row(self, phase: str) -> int:
        """The row of windows that is next in a phase."""
        return self.journal.facts.get("row", 0) if self.journal.facts.get("phase") == phase else 0

    def _begin(self, row: int, pixel: int) -> None:
        """Go on with a row of windows, and a row of the photo from which on it matters where there is data."""
        if row < len(self.windows.rows):
            heard = [picture.heard for picture in self.sinks.pictures]
            self.view.begin(self.windows.rows[row], pixel, min(heard, default=self.view.height))

    def _note(self, phase: str, row: int, arrays: Mapping[str, np.ndarray], facts: Mapping) -> None:
        noted = {**self.notes, "phase": phase, "row": row, **facts, **self.sinks.facts}
        self.journal.note(noted, {**self.kept, **arrays, **self.sinks.arrays})

    def _means(self, mean: Tensor | None) -> dict[str, np.ndarray]:
        return {} if mean is None else {_MEAN: mean.numpy()}

    def _stored_ring(self) -> Ring:
        ring = Ring(self.classes, self.grid[1], self.windows.is_one)
        if self._row(_RING):
            ring.first = self.journal.facts["first"]
            ring.total, ring.weights = (torch.from_numpy(self.journal.arrays[name]) for name in ("total", "weights"))
        return ring

    @cached_property
    def _stride(self) -> int:
        """Input pixels a score, vertically as horizontally; of one window only it does not matter."""
        cells = max(self.grid[0] - self.windows.corner, 1)
        return max(1, (self.windows.sides[0] - self.windows.corner) // cells)

    def _inputs(self, number: int, stage: Stage):
        """The windows of a row that show data: left, and input (1, 3, h, w); says of each that it is done."""
        top = self.windows.rows[number]
        height, width = self.windows.size
        rows = self.view.rows(top, top + height)
        for done, left in enumerate(self.windows.columns, number * len(self.windows.columns) + 1):
            if not self.view.is_void(top, left, (height, width)):
                part = rows[:, left : left + width]
                yield left, self.windows.input(top, left, part, self.network.preprocessing)
            self.tell(stage, done, self.sinks.labels.done)

    def _image_mean(self) -> Tensor | None:
        """The average (1, C, 1, 1) of the image features, which takes a pass of its own; None without pooling."""
        if self.network.passes(self.windows) == 1:
            return None
        if self._row(_RING):
            return torch.from_numpy(self.journal.arrays[_MEAN])
        row, pooled = self._row(_MEAN), None
        if row:
            pooled = self._pooled(len(self.journal.arrays["sums"]))
            pooled.sums, pooled.share = self.journal.arrays["sums"], self.journal.facts["share"]
        following = [*self.windows.rows[1:], 0]
        self._begin(row, self.view.pixel(self.windows.rows[min(row, len(following) - 1)]))
        for number in range(row, len(following)):
            pooled = self._averaged(number, pooled)
            self.view.drop(following[number], self.view.pixel(following[number]))
            if pooled is not None:
                self._note(_MEAN, number + 1, {"sums": pooled.sums}, {"share": pooled.share})
        return None if pooled is None else pooled.value()

    def _averaged(self, number: int, pooled: PooledMean | None) -> PooledMean | None:
        """The average so far with the features of a row of windows."""
        for left, window in self._inputs(number, "mean"):
            features = self.network.forward.image_features(window.to(self.network.device))
            pooled = pooled or self._pooled(features.shape[1])
            pooled.add(self.windows.rows[number], left, features)
        return pooled

    def _pooled(self, channels: int) -> PooledMean:
        return PooledMean(self.windows, self.network.output_stride, channels)

    def _label(self, number: int, mean: Tensor | None) -> None:
        """Do a row of windows, and the rows of the label map that no later one changes."""
        windows, stride = self.windows, self._stride
        top = windows.rows[number]
        for left, window in self._inputs(number, "labels"):
            self._ring.add(top // stride, left // stride, self.network.scores(window, mean))
        last = number + 1 == len(windows.rows)
        until = self.grid[0] if last else windows.until(number, stride)
        self._give(number, until, windows.place.photo[0] if last else self.enlarging.ready(until))
        needed = [self.enlarging.needed(self._first_pixel), *(one.needed() for one in self.sinks.samples)]
        self._ring.drop(min(needed))
        self.view.drop(self.grid[0] * stride if last else windows.rows[number + 1], self._first_pixel)

    def _give(self, number: int, until: int, bottom: int) -> None:
        """Give the sinks the rows of scores before `until` that are new, and the photo's rows before `bottom`."""
        sinks = self.sinks
        scores = self._ring.scores(self._ring.first, until)
        for sample in sinks.samples:
            sample.add(scores, self._ring.first, until)
        step = self.refining.core if self.refining else BAND
        for top in range(sinks.labels.done, bottom, step):
            end = min(top + step, bottom)
            labels = self._labels(scores, top, end)
            sinks.labels.add(self._written(labels, top, self.view.valid(top, end)))
            self.tell("labels", (number + 1) * len(self.windows.columns), sinks.labels.done)

    def _labels(self, scores: Tensor, top: int, bottom: int) -> np.ndarray:
        """The label map of the photo's rows from `top` to `bottom`, by final scores, or by the CRF."""
        first = self._ring.first
        if self.refining is None:
            return self.enlarging.labels(scores, first, top, bottom)
        return self.refining.labels(self._ring.scores(first, self._ring.bottom), first, self.view, top, bottom)

    @property
    def _first_pixel(self) -> int:
        """The first row of the photo that is still needed."""
        return max(0, self.sinks.labels.done - (self.refining.margin if self.refining else 0))

    def _written(self, labels: np.ndarray, top: int, valid: np.ndarray | None) -> np.ndarray:
        """Labels as they are written: of the kept classes, void where there is no data."""
        if valid is not None:
            labels[~valid] = np.iinfo(labels.dtype).max
            for sample in self.sinks.samples:
                sample.mark(top, valid)
        return labels if self.sinks.table is None else self.sinks.table.take(labels)
