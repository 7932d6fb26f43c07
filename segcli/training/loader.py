"""The stream of training crops: an endless row of photos in random order, each augmented its own way.

What stands at a position of the row follows from the seed and the position alone. Whoever computes it, a worker,
another process or a resumed run, gets the same crop.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from torch import Tensor
from torch.utils import data

from segcli.data.dataset import Dataset
from segcli.distributed import Processes
from segcli.errors import DatasetError, SegcliError
from segcli.images.read import read_rgb
from segcli.models.preprocessing import Preprocessing
from segcli.training.augment import augment, draw
from segcli.training.recipe import Augment, Schedule

ORDER, DICE = 0, 1
"""Streams of random numbers that must not meet."""

Crop = tuple[Tensor, Tensor, str]
Part = tuple[Tensor, Tensor, list[str]]


class Crops(data.Dataset):
    """Crops by their position in the row.

    Args:
        dataset: Photos with labels.
        settings: How they are augmented.
        preprocessing: What the network's inputs must look like.
        seed: Of the order and of the augmentation.
    """

    def __init__(self, dataset: Dataset, settings: Augment, preprocessing: Preprocessing, seed: int):
        self.dataset = dataset
        self.settings = settings
        self.preprocessing = preprocessing
        self.seed = seed

    def __getitem__(self, position: int) -> Crop:
        """float32 (3, crop, crop), uint8 (crop, crop) and the photo's path."""
        sample = self.dataset.samples[self.index(position)]
        rgb, label = read_rgb(sample.image), self.dataset.read_label(sample)
        if rgb.shape[:2] != label.shape:
            raise DatasetError(f"{sample.label} has another size than its photo", "See `segcli data check`.")
        drawn = draw(self.settings, np.random.default_rng((self.seed, DICE, position)))
        return *augment(rgb, label, drawn, self.settings.crop, self.preprocessing), str(sample.image)

    def index(self, position: int) -> int:
        """Which sample stands there: each round through the dataset has an order of its own."""
        epoch, place = divmod(position, len(self.dataset))
        return int(np.random.default_rng((self.seed, ORDER, epoch)).permutation(len(self.dataset))[place])


@dataclass(frozen=True)
class Positions:
    """Which positions a process takes from the row, part by part, from some iteration on.

    Each iteration takes the next `batch` positions. They are cut into `accumulate` parts of neighbours, and of each
    part every process takes its share.
    """

    schedule: Schedule
    processes: Processes
    start: int

    def __iter__(self) -> Iterator[list[int]]:
        batch, part = self.schedule.batch, self.schedule.batch // self.schedule.accumulate
        for first in range(self.start * batch, self.schedule.iterations * batch, part):
            yield list(self.processes.shard(range(first, first + part)))

    def __len__(self) -> int:
        return (self.schedule.iterations - self.start) * self.schedule.accumulate


def parts(crops: Crops, positions: Positions, workers: int, pinned: bool) -> Iterator[Part]:
    """The crops at these positions, part by part.

    Args:
        crops: The row.
        positions: Which of it.
        workers: Processes that read and augment; 0 does it here.
        pinned: Whether the tensors lie where a GPU fetches them from quickly.

    Yields:
        float32 (N, 3, crop, crop), uint8 (N, crop, crop) and the photos' paths.

    Raises:
        SegcliError: A photo or its label cannot be used, or a process that reads them is no more.
    """
    try:
        yield from data.DataLoader(crops, batch_sampler=positions, num_workers=workers, pin_memory=pinned)
    except SegcliError as error:
        raise _one_line(error) from None
    except (RuntimeError, MemoryError, OSError) as error:
        if not workers:
            raise
        why = str(error).strip().splitlines()[-1]
        hint = f"Lower run.workers, which is {workers} (0: none), and --resume from the last checkpoint."
        raise SegcliError(f"a process that reads photos has failed: {why}", hint) from error


def _one_line(error: SegcliError) -> SegcliError:
    """An error of a process that reads photos comes with its traceback, of which only the last line is for people."""
    *traceback, last = error.message.strip().splitlines()
    return type(error)(last.partition(": ")[2]) if traceback else error
