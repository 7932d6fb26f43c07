"""Validation: the scores of the model as it is now on the validation photos, which one process or several compute."""

from typing import NamedTuple

import torch

from segcli.data.dataset import Dataset
from segcli.distributed import Processes
from segcli.errors import InputError
from segcli.evaluation.metrics import Scores
from segcli.evaluation.scoring import ImageScore
from segcli.inference import oom
from segcli.inference.segmenter import Segmenter
from segcli.pipeline.tally import Tally, score
from segcli.training import failures
from segcli.weights.model_io import LoadedModel


class Validated(NamedTuple):
    """What a validation found.

    Attributes:
        scores: Over the photos of all processes.
        images: The photos' own scores, likewise.
        segmenter: What predicted them, for pictures.
    """

    scores: Scores
    images: tuple[ImageScore, ...]
    segmenter: Segmenter


def validate(model: LoadedModel, val: Dataset, device: torch.device, processes: Processes) -> Validated:
    """Score a model on a dataset.

    Args:
        model: Its network is on the device already.
        val: Photos with labels.
        device: Where the network is.
        processes: Who shares the photos; all of them get the scores of all photos.

    Raises:
        InputError: A photo cannot be read, or memory does not suffice for it.
        DatasetError: A label cannot be used.
    """
    tally = Tally.empty(len(val.labels), trimap=False, refined=False)
    segmenter = Segmenter(model, device)
    try:
        for _ in score(val, segmenter, tally, processes):
            pass
    except InputError as error:
        if oom.TOO_LARGE not in error.message:
            raise
        raise failures.too_large_to_validate(error, oom.TOO_LARGE) from error
    tally.all_reduce(processes)
    return Validated(tally.matrix.scores(val.labels), tuple(tally.images), segmenter)
