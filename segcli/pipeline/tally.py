"""Scores of a model on a dataset: its label maps, of one process's share of the images, and the counts they add up to.

Label maps come from a folder of earlier ones, or from the network by way of the CRF. The network works in the caller's
thread; reading, the CRF, and deciding and counting label maps have threads of their own (`stages`).
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain
from typing import NamedTuple

import numpy as np

from segcli.data.dataset import Dataset, Sample
from segcli.distributed import Processes
from segcli.errors import InputError
from segcli.evaluation.metrics import ConfusionMatrix
from segcli.evaluation.predictions import Predictions
from segcli.evaluation.scoring import ImageScore, evaluate
from segcli.evaluation.trimap import Trimap
from segcli.files.atomic import writing
from segcli.inference import oom
from segcli.inference.prediction import Prediction
from segcli.inference.segmenter import Segmenter
from segcli.pipeline.ahead import ahead, threads
from segcli.pipeline.stages import THREADS, Segmented, Stages, early, network, predict_all, settle

BEHIND = 2 * THREADS
"""Images that wait to be counted, at most; each is a photo in memory."""

Refine = Callable[[np.ndarray, Prediction], Prediction]


@dataclass
class Tally:
    """The counts of the images scored so far; `all_reduce` makes them those of all processes.

    Attributes:
        matrix: The confusion matrix of the final label maps, with `matrix.scores(labels).miou`.
        trimap: The same in bands around void; None if not asked for.
        before: The tally of the label maps before refinement; None without a refinement.
        images: Each image's own scores, in the order they were scored.
        reused: How many label maps were read instead of computed.
        seconds: Wall time from the first image to the last.
    """

    matrix: ConfusionMatrix
    trimap: Trimap | None = None
    before: "Tally | None" = None
    images: list[ImageScore] = field(default_factory=list)
    reused: int = 0
    seconds: float = 0.0

    @classmethod
    def empty(cls, classes: int, trimap: bool, refined: bool) -> "Tally":
        """A tally of nothing yet, for so many classes; `refined`: what is before a refinement is counted too."""
        before = cls.empty(classes, trimap, refined=False) if refined else None
        return cls(ConfusionMatrix(classes), Trimap(classes) if trimap else None, before)

    def like(self) -> "Tally":
        """A tally of nothing, of the same parts."""
        return Tally.empty(len(self.matrix.counts), self.trimap is not None, self.before is not None)

    def add(self, other: "Tally") -> None:
        """Add the counts and the images of another tally of the same parts."""
        self.matrix.counts += other.matrix.counts
        if self.trimap is not None:
            self.trimap.counts += other.trimap.counts
        if self.before is not None:
            self.before.add(other.before)
        self.images += other.images
        self.reused += other.reused

    def all_reduce(self, processes: Processes) -> None:
        """Make every process's tally the sum over the processes; the counts are exact."""
        self.matrix.counts[:] = processes.all_reduce_sum(self.matrix.counts)
        if self.trimap is not None:
            self.trimap.counts[:] = processes.all_reduce_sum(self.trimap.counts)
        if self.before is not None:
            self.before.all_reduce(processes)
        self.images = [image for images in processes.all_gather(self.images) for image in images]
        self.reused = sum(processes.all_gather(self.reused))
        self.seconds = max(processes.all_gather(self.seconds))


def score(
    dataset: Dataset,
    segmenter: Segmenter,
    tally: Tally,
    processes: Processes,
    *,
    refine: Refine | None = None,
    store: Predictions | None = None,
    batch: int = 1,
) -> Iterator[ImageScore]:
    """Score this process's shard of a dataset; yields each image's own score.

    Images whose label maps are stored already come first, then the others, both in the dataset's order.

    Args:
        dataset: Photos with labels, all of them usable.
        segmenter: The model and its protocol.
        tally: Takes the counts; from `Tally.empty`, with a `before` exactly if there is a refinement.
        processes: Who shares the images; call `tally.all_reduce(processes)` when all are through.
        refine: From a photo and its prediction to a better one, such as the CRF's.
        store: Label maps are saved there, and those there already are not computed; not for a refinement's `before`.
        batch: Photos a call of the network.

    Raises:
        InputError: A photo cannot be read or refined.
        DatasetError: A label cannot be used.
    """
    start = time.perf_counter()
    samples = processes.shard(dataset.samples)
    stored = [sample for sample in samples if store.has(sample)] if store and refine is None else []
    known = set(stored)
    missing = [sample for sample in samples if sample not in known]
    counts = _Counts(dataset, tally, store)
    computed = predict_all(missing, _stages(dataset, segmenter, refine), batch)
    with threads(THREADS) as counting, closing(computed):
        parts = (
            ahead(counting, counts.stored, stored, BEHIND),
            ahead(counting, counts.computed, computed, BEHIND),
        )
        for part in chain(*parts):
            tally.add(part)
            tally.seconds = time.perf_counter() - start
            yield part.images[0]


class Predicted(NamedTuple):
    """A sample with its photo, uint8 (H, W, 3), and what is predicted for it."""

    sample: Sample
    photo: np.ndarray
    prediction: Prediction


def predicted(dataset: Dataset, samples: Sequence[Sample], segmenter: Segmenter, batch: int = 1) -> Iterator[Predicted]:
    """Read photos and ask the network, on the CPU where the device's memory does not suffice for one.

    Raises:
        InputError: A photo cannot be read, or memory does not suffice for it; it is named.
    """
    for segmented in predict_all(samples, _stages(dataset, segmenter), batch):
        prediction = _settled(segmented)
        yield Predicted(segmented.item, segmented.photo.rgb, prediction)


def _stages(dataset: Dataset, segmenter: Segmenter, refine: Refine | None = None) -> Stages:
    fallback = oom.on_cpu(segmenter, network)
    return Stages(dataset.read_photo, network(segmenter), refine, fallback, prepare=early(segmenter))


def _settled(segmented: Segmented) -> Prediction:
    """What was predicted for a sample; InputError, naming the photo, where that failed."""
    settle(segmented)
    if segmented.prediction is not None:
        return segmented.prediction
    image, refusal = segmented.item.image, segmented.refusal
    if refusal is not None:
        raise InputError(f"{image}: {refusal.message}", refusal.hint) from refusal
    raise InputError(f"{image}: {segmented.error}", "`--skip-bad` leaves such files out.")


@dataclass(frozen=True)
class _Counts:
    """The counts of single images, for threads.

    Attributes:
        dataset: Photos with labels.
        whole: The tally that they are to be added to.
        store: Takes the label maps that were computed.
    """

    dataset: Dataset
    whole: Tally
    store: Predictions | None

    def stored(self, sample: Sample) -> Tally:
        """The counts of a label map that is there already."""
        tally = self.whole.like()
        self._count(sample, self.store.read(sample), tally)
        tally.reused = 1
        return tally

    def computed(self, segmented: Segmented) -> Tally:
        """The counts of what was predicted, and of what that was before a refinement; the label map is saved."""
        tally, prediction = self.whole.like(), _settled(segmented)
        if tally.before is not None:
            self._count(segmented.item, oom.near(Prediction.labels, segmented.unrefined), tally.before)
        label_map = oom.near(Prediction.labels, prediction)
        if self.store is not None:
            with writing(self.store.folder):
                self.store.write(segmented.item, label_map)
        self._count(segmented.item, label_map, tally)
        return tally

    def _count(self, sample: Sample, label_map: np.ndarray, tally: Tally) -> None:
        tally.images += evaluate(self.dataset, [(sample, label_map)], tally.matrix, tally.trimap)
