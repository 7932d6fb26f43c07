"""A model on a dataset: its label maps, one process's share after the other, and the scores they add up to."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from segcli.data.dataset import Dataset, Sample
from segcli.distributed import Processes
from segcli.errors import InputError
from segcli.evaluation.metrics import ConfusionMatrix
from segcli.evaluation.predictions import Predictions
from segcli.evaluation.scoring import ImageScore, evaluate
from segcli.evaluation.trimap import Trimap
from segcli.images.read import read_photo
from segcli.inference import oom
from segcli.inference.segmenter import Prediction, Segmenter
from segcli.pipeline.stages import Stages, network, predict_all

Refine = Callable[[np.ndarray, Prediction], Prediction]


@dataclass
class Tally:
    """What is counted while images come in; `all_reduce` makes it that of all processes.

    Attributes:
        matrix: Of the final label maps.
        trimap: Likewise, in bands around void; None if not asked for.
        before: (matrix, trimap) of the label maps before refinement; None without a refinement.
        images: Each image's own score.
        reused: How many label maps were read instead of computed.
        seconds: Wall time.
    """

    matrix: ConfusionMatrix
    trimap: Trimap | None = None
    before: "Tally | None" = None
    images: list[ImageScore] = field(default_factory=list)
    reused: int = 0
    seconds: float = 0.0

    @classmethod
    def empty(cls, classes: int, trimap: bool, refined: bool) -> "Tally":
        """Nothing counted yet."""
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

    Args:
        dataset: With labels.
        segmenter: The model and its protocol.
        tally: Takes the counts; has a `before` exactly if there is a refinement.
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
    predicted = _predictions(dataset, samples, segmenter, tally, refine, store, batch)
    for image in evaluate(dataset, predicted, tally.matrix, tally.trimap):
        tally.images.append(image)
        tally.seconds = time.perf_counter() - start
        yield image


def _predictions(
    dataset: Dataset,
    samples: Sequence[Sample],
    segmenter: Segmenter,
    tally: Tally,
    refine: Refine | None,
    store: Predictions | None,
    batch: int,
) -> Iterator[tuple[Sample, np.ndarray]]:
    reuse = store if refine is None else None
    missing = []
    for sample in samples:
        if reuse is None or not reuse.has(sample):
            missing.append(sample)
            continue
        tally.reused += 1
        yield sample, reuse.read(sample)
    stages = Stages(lambda sample: read_photo(sample.image), network(segmenter), fallback=oom.on_cpu(segmenter))
    for segmented in predict_all(missing, stages, batch):
        sample, prediction = segmented.item, segmented.prediction
        if prediction is None:
            raise InputError(f"{sample.image}: {segmented.error}", "`--skip-bad` leaves such files out.")
        if refine is not None and tally.before is not None:
            _count_before(dataset, sample, prediction, tally.before)
            try:
                prediction = refine(segmented.photo.rgb, prediction)
            except InputError as error:
                raise InputError(f"{sample.image}: {error.message}", error.hint) from error
        label_map = prediction.labels()
        if store is not None:
            store.write(sample, label_map)
        yield sample, label_map


def _count_before(dataset: Dataset, sample: Sample, prediction: Prediction, before: Tally) -> None:
    before.images += evaluate(dataset, [(sample, prediction.labels())], before.matrix, before.trimap)
