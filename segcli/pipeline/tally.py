"""Scores of a model on a dataset: its label maps, of one process's share of the images, and the counts they add up to.

Label maps come from a folder of earlier ones, or from the network by way of the CRF; each way is a generator.
"""

import time
from collections.abc import Callable, Iterator, Sequence
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
from segcli.pipeline.stages import Stages, network, predict_all, settle

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
    tally.reused += len(stored)
    computed = predicted(dataset, missing, segmenter, batch)
    if refine is not None:
        computed = _refined(_counted_before(computed, dataset, tally), refine)
    label_maps = chain(((sample, store.read(sample)) for sample in stored), _saved(computed, store))
    for image in evaluate(dataset, label_maps, tally.matrix, tally.trimap):
        tally.images.append(image)
        tally.seconds = time.perf_counter() - start
        yield image


class Predicted(NamedTuple):
    """A sample with its photo, uint8 (H, W, 3), and what is predicted for it so far."""

    sample: Sample
    photo: np.ndarray
    prediction: Prediction


def predicted(dataset: Dataset, samples: Sequence[Sample], segmenter: Segmenter, batch: int = 1) -> Iterator[Predicted]:
    """Read photos and ask the network, on the CPU where the device's memory does not suffice for one.

    Raises:
        InputError: A photo cannot be read, or memory does not suffice for it; it is named.
    """
    stages = Stages(dataset.read_photo, network(segmenter), fallback=oom.on_cpu(segmenter, network))
    for segmented in predict_all(samples, stages, batch):
        settle(segmented)
        if segmented.prediction is None:
            message = f"{segmented.item.image}: {segmented.error}"
            raise InputError(message, "`--skip-bad` leaves such files out.")
        yield Predicted(segmented.item, segmented.photo.rgb, segmented.prediction)


def _counted_before(computed: Iterator[Predicted], dataset: Dataset, tally: Tally) -> Iterator[Predicted]:
    """Count each prediction as it is before refinement, and pass it on."""
    before = tally.before
    for item in computed:
        before.images += evaluate(dataset, [(item.sample, item.prediction.labels())], before.matrix, before.trimap)
        yield item


def _refined(computed: Iterator[Predicted], refine: Refine) -> Iterator[Predicted]:
    """Refine each prediction; InputError, naming the photo, where that fails."""
    for item in computed:
        try:
            prediction = refine(item.photo, item.prediction)
        except InputError as error:
            raise InputError(f"{item.sample.image}: {error.message}", error.hint) from error
        yield item._replace(prediction=prediction)


def _saved(computed: Iterator[Predicted], store: Predictions | None) -> Iterator[tuple[Sample, np.ndarray]]:
    """The label map of each prediction, saved where there is a store."""
    for item in computed:
        label_map = item.prediction.labels()
        if store is not None:
            with writing(store.folder):
                store.write(item.sample, label_map)
        yield item.sample, label_map
