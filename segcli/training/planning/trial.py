"""Trial: a few timed steps of a network before its first one, which leave no trace in it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn

from segcli.data.dataset import Dataset, Sample
from segcli.distributed import Processes
from segcli.errors import DatasetError, InputError
from segcli.inference.segmenter import Segmenter
from segcli.training import init
from segcli.training.crops.loader import Crop, Crops, MicroBatch
from segcli.training.optimization.trainer import Trainer
from segcli.training.recipe import Recipe
from segcli.weights.model_io import LoadedModel

LONG = 20.0
"""Where a first attempt takes so many seconds it is the only one."""
ENOUGH = 4.0
"""So many seconds are spent on repeating an attempt, the first of which is slower than the others."""
MOST = 3
"""The most attempts."""
MOST_BAD = 32
"""So many photos that cannot be used are passed over."""


@dataclass(frozen=True)
class Trial:
    """What the parts of a run take on this machine, in seconds.

    Attributes:
        frozen_seconds: A step with the backbone frozen; that of all learning where none is, or where steps are so slow
            that only one was tried.
        seconds: A step with all learning.
        validation_seconds: Scoring one photo, its reading included; 0 where there is none.
    """

    frozen_seconds: float
    seconds: float
    validation_seconds: float


def timed(model: LoadedModel, recipe: Recipe, train: Dataset, val: Dataset, device: torch.device) -> Trial:
    """Time a step of a recipe and the scoring of a photo, on one process.

    Gradients are thrown away, batch statistics put back: the network's values are the same bits afterwards. It takes
    some seconds; the first attempt of all is on one crop, by which it tells how long a whole one would be.

    Args:
        model: Its network is on the device already.
        recipe: Of the run.
        train: Photos to learn from, some of which are read.
        val: Photos to validate on, of which the first is read; may be empty.
        device: Where the network is.

    Raises:
        SegcliError: No photo of some can be read, or memory runs out.
    """
    crops = Crops(train, recipe.augment, model.preprocessing, recipe.run.seed)
    read, reading = _read(crops, recipe.schedule.batch // recipe.schedule.accumulate)
    images, labels, names = zip(*read, strict=True)
    batch = (torch.stack(images), torch.stack(labels), list(names))
    with unchanged(model.network):
        thawed, frozen = _computing(model, recipe, batch, device)
    parts = recipe.schedule.accumulate
    steps = [parts * _together(seconds, reading, recipe.run.workers, device) for seconds in (frozen, thawed)]
    return Trial(*steps, _validation(init.scored(model, recipe.model.eval_output_stride), val, device))


def _read(crops: Crops, count: int) -> tuple[list[Crop], float]:
    """So many crops, and the seconds that reading them took; what cannot be read is passed over: the run tells."""
    read, taken, failed = [], 0.0, None
    for position in range(count + MOST_BAD):
        start = time.perf_counter()
        try:
            read.append(crops[position])
        except (InputError, DatasetError) as error:
            failed = error
            continue
        taken += time.perf_counter() - start
        if len(read) == count:
            return read, taken
    if not read:
        raise failed
    times = -(-count // len(read))
    return (times * read)[:count], times * taken


@contextmanager
def unchanged(network: nn.Module) -> Iterator[None]:
    """Within the context a network may be trained on, but for its parameters' values; afterwards it is as before."""
    mode, buffers = network.training, [(buffer, buffer.clone()) for buffer in network.buffers()]
    learns = [(parameter, parameter.requires_grad) for parameter in network.parameters()]
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, before in buffers:
                buffer.copy_(before)
        for parameter, wanted in learns:
            parameter.requires_grad_(wanted)
            parameter.grad = None
        network.train(mode)


def _computing(model: LoadedModel, recipe: Recipe, batch: MicroBatch, device: torch.device) -> tuple[float, float]:
    """The seconds of a micro-batch's gradients with all learning, and with the backbone frozen."""
    trainer = Trainer(model, recipe, device, Processes())

    def gradients(iteration: int, part: MicroBatch) -> Callable[[], None]:
        return lambda: trainer.gradients(iteration, [part])

    thaw, count = recipe.model.freeze_backbone, len(batch[2])
    one = (batch[0][:1], batch[1][:1], batch[2][:1])
    alone = _seconds(gradients(thaw, one), device, most=1)
    if alone * count > LONG:
        return alone * count, alone * count
    thawed = _seconds(gradients(thaw, batch), device)
    return thawed, _seconds(gradients(0, batch), device) if thaw else thawed


def _seconds(work: Callable[[], None], device: torch.device, most: int = MOST) -> float:
    """What some work takes, once what only the first time takes is done."""
    taken: list[float] = []
    while len(taken) < most and sum(taken) < ENOUGH:
        start = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        taken.append(time.perf_counter() - start)
    return min(taken)


def _together(computing: float, reading: float, workers: int, device: torch.device) -> float:
    """The seconds of a micro-batch whose crops are read beforehand by workers, who share the cores with the network."""
    if not workers:
        return computing + reading
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    beside = computing + reading / cores if device.type == "cpu" else computing
    return max(beside, reading / min(workers, cores))


def _validation(model: LoadedModel, val: Dataset, device: torch.device) -> float:
    """The seconds of one photo, the first one that can be read."""
    sample = next((sample for sample in val.samples[:MOST_BAD] if _is_readable(val, sample)), None)
    if sample is None:
        return 0.0
    segmenter = Segmenter(model, device)
    return _seconds(lambda: segmenter.labels(val.read_photo(sample).rgb), device)


def _is_readable(data: Dataset, sample: Sample) -> bool:
    try:
        data.read_photo(sample)
    except InputError:
        return False
    return True
