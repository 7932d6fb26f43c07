"""usable: every file of a dataset is read before it is used."""

import threading

import numpy as np
import pytest
from heard import Heard
from PIL import Image

from segcli.data.census import Census
from segcli.data.dataset import Dataset, Sample, ids_of
from segcli.distributed import Processes
from segcli.errors import DatasetError
from segcli.labels import VOID, from_names
from segcli.pipeline.usable import SHOWN_PROBLEMS, usable

CLASSES = from_names(["background", "cat"])


class Several(Processes):
    """Processes that are threads: each gives its value and gets those of all."""

    def share(self, meeting):
        object.__setattr__(self, "meeting", meeting)
        return self

    def all_gather(self, value):
        values, barrier = self.meeting
        barrier.wait()
        values[self.rank] = value
        barrier.wait()
        return [values[rank] for rank in range(self.world_size)]

    def all_reduce_sum(self, counts):
        return sum(self.all_gather(counts))


@pytest.fixture
def made(tmp_path):
    """A function that writes samples with these ids and lists them."""
    for name in ("photos", "masks"):
        (tmp_path / name).mkdir()

    def make(*masks):
        samples = []
        for index, ids in enumerate(masks):
            name = f"{index:02}.png"
            Image.fromarray(np.full((8, 8, 3), index, np.uint8)).save(tmp_path / "photos" / name)
            Image.fromarray(np.resize(np.array(ids, np.uint8), (8, 8))).save(tmp_path / "masks" / name)
            samples.append(Sample(name[:2], tmp_path / "photos" / name, tmp_path / "masks" / name))
        return Dataset("folder", "all", CLASSES, tuple(samples), ids_of(CLASSES))

    return make


@pytest.fixture
def data(made):
    """A sound sample, and more bad ones than are told one by one."""
    return made(0, *[9] * (SHOWN_PROBLEMS + 2))


def test_problems_are_refused_and_told(data):
    heard = Heard()
    with pytest.raises(DatasetError, match=f"{SHOWN_PROBLEMS + 2} of {SHOWN_PROBLEMS + 3} samples"):
        usable(data, skip_bad=False, listener=heard)
    assert len(heard.warnings) == SHOWN_PROBLEMS + 1
    assert heard.warnings[-1].startswith("and 2 more")


def test_or_left_out(data):
    assert [sample.name for sample in usable(data, skip_bad=True).samples] == ["00"]


def test_the_labels_of_usable_samples_are_counted(made):
    census = Census(2)
    usable(made(0, [0, 1], [1, 9], [1, VOID]), skip_bad=True, census=census)
    assert census.pixels.tolist() == [64 + 32, 32 + 32, 32]  # the third has an illegal id, and is left out
    assert census.images.tolist() == [2, 2, 1]
    assert census.labels == 3


@pytest.mark.parametrize("count", [2, 3])
def test_processes_count_together_what_one_counts(made, count):
    data = made([0, 1], [1, 9], 0, [1, VOID])
    alone, meeting = Census(2), ({}, threading.Barrier(count))
    kept = usable(data, skip_bad=True, census=alone)
    censuses, results = [Census(2) for _ in range(count)], {}

    def work(rank):
        processes = Several(rank, count).share(meeting)
        results[rank] = usable(data, True, processes, census=censuses[rank])

    threads = [threading.Thread(target=work, args=(rank,)) for rank in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for rank in range(count):
        assert results[rank] == kept
        assert censuses[rank].pixels.tolist() == alone.pixels.tolist()
        assert censuses[rank].images.tolist() == alone.images.tolist()
        assert censuses[rank].labels == alone.labels == 3
