"""The stream of training crops: endless, photos in random order, each augmented its own way.

The crop at a position of the stream follows from the seed and the position alone. Whoever computes it, a worker,
another process or a resumed run, gets the same one.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from torch import Tensor
from torch.utils import data

from segcli.data.dataset import Dataset
from segcli.distributed import Processes
from segcli.errors import DatasetError, SegcliError
from segcli.labels import VOID
from segcli.models.preprocessing import Preprocessing
from segcli.training.crops.augment import augment, sample_params
from segcli.training.recipe import Augment, Schedule

ORDER, AUGMENTATION = 0, 1
"""Keys of two random streams from one seed: which photo stands where, and how it is augmented."""

Crop = tuple[Tensor, Tensor, str]
"""float32 (3, h, w), uint8 (h, w) and the path of the photo; h and w are the crop's sides."""
MicroBatch = tuple[Tensor, Tensor, list[str]]
"""float32 (N, 3, h, w), uint8 (N, h, w) and the paths of the photos."""


class Crops(data.Dataset):
    """Crops by their position in the stream.

    Args:
        dataset: Photos with labels.
        settings: How they are augmented.
        preprocessing: What the network's inputs must look like.
        seed: Decides the order and the augmentation.
    """

    def __init__(self, dataset: Dataset, settings: Augment, preprocessing: Preprocessing, seed: int):
        self.dataset = dataset
        self.settings = settings
        self.preprocessing = preprocessing
        self.seed = seed

    def __getitem__(self, position: int) -> Crop:
        """The crop at a position.

        Raises:
            InputError: The photo cannot be read.
            DatasetError: Its label cannot be used, or has another size.
        """
        sample = self.dataset.samples[self.index(position)]
        photo, label = self.dataset.read_photo(sample), self.dataset.read_label(sample)
        rgb = photo.rgb
        if rgb.shape[:2] != label.shape:
            raise DatasetError(f"{sample.label} has another size than its photo", "See `segcli data check`.")
        if photo.valid is not None:
            label[~photo.valid] = VOID
        params = sample_params(self.settings, np.random.default_rng((self.seed, AUGMENTATION, position)))
        return *augment(rgb, label, params, self.settings.crop_size, self.preprocessing), str(sample.image)

    def index(self, position: int) -> int:
        """The index of the sample at a position; each epoch has an order of its own."""
        epoch, place = divmod(position, len(self.dataset))
        return int(np.random.default_rng((self.seed, ORDER, epoch)).permutation(len(self.dataset))[place])


@dataclass(frozen=True)
class Positions:
    """The positions that a process takes from the stream, one list for each micro-batch, from some iteration on.

    Each iteration takes the next `batch` positions. They are cut into `accumulate` micro-batches of neighbours, and of
    each of these every process takes its shard.

    Attributes:
        schedule: Of the recipe.
        processes: Who shares the micro-batches.
        start: The first iteration, counted from 0.
    """

    schedule: Schedule
    processes: Processes
    start: int

    def __iter__(self) -> Iterator[list[int]]:
        batch, size = self.schedule.batch, self.schedule.batch // self.schedule.accumulate
        for first in range(self.start * batch, self.schedule.iterations * batch, size):
            yield list(self.processes.shard(range(first, first + size)))

    def __len__(self) -> int:
        return (self.schedule.iterations - self.start) * self.schedule.accumulate


def micro_batches(crops: Crops, positions: Positions, workers: int, pinned: bool) -> Iterator[MicroBatch]:
    """The crops at these positions, one micro-batch after the other.

    Args:
        crops: The stream.
        positions: Which of it.
        workers: Processes that read and augment; 0 does it here.
        pinned: Whether the tensors lie in page-locked memory, from which a GPU copies without blocking.

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
    """An error of a process that reads photos, without the traceback with which its message comes."""
    *traceback, last = error.message.strip().splitlines()
    return type(error)(last.partition(": ")[2]) if traceback else error
