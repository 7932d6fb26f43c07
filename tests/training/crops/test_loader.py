"""The stream of crops: a function of seed and position, shared out without gap or overlap."""

import pytest
import torch
from blobs import blob_recipe, write_blobs
from torch.utils.data import DataLoader

from segcli.distributed import Processes
from segcli.models.preprocessing import Preprocessing
from segcli.training.crops.loader import Crops, Positions
from segcli.training.partition import split
from segcli.training.recipe import Augment, Schedule


@pytest.fixture(scope="module")
def crops(tmp_path_factory):
    folder = write_blobs(tmp_path_factory.mktemp("crops"))
    train, _ = split.choose(blob_recipe(folder).data)
    return Crops(train, Augment(crop=49, colour=0.2), Preprocessing(size=97), seed=5)


def test_a_position_gives_the_same_crop_whoever_asks(crops):
    again = Crops(crops.dataset, crops.settings, crops.preprocessing, seed=5)
    assert again[9][2] != again[2][2]  # asking for others in between
    for position in (0, 7, 1000):
        for one, other in zip(crops[position], again[position], strict=True):
            assert one == other if isinstance(one, str) else torch.equal(one, other)


def test_positions_and_seeds_differ(crops):
    other = Crops(crops.dataset, crops.settings, crops.preprocessing, seed=6)
    rounds = len(crops.dataset)
    same_photo = next(p for p in range(rounds, 2 * rounds) if crops.index(p) == crops.index(0))
    assert not torch.equal(crops[0][0], crops[same_photo][0])
    assert [crops.index(p) for p in range(rounds)] != [other.index(p) for p in range(rounds)]


def test_each_round_meets_every_photo_once(crops):
    count = len(crops.dataset)
    for start in (0, count, 5 * count):
        assert sorted(crops.index(p) for p in range(start, start + count)) == list(range(count))
    assert [crops.index(p) for p in range(count)] != [crops.index(p) for p in range(count, 2 * count)]


def test_processes_share_each_part_without_gap_or_overlap():
    schedule = Schedule(iterations=3, batch=8, accumulate=2)
    shares = [list(Positions(schedule, Processes(rank, 2), start=1)) for rank in (0, 1)]
    assert [sorted(a + b) for a, b in zip(*shares, strict=True)] == [
        list(range(start, start + 4)) for start in (8, 12, 16, 20)
    ]
    assert len(shares[0]) == len(Positions(schedule, Processes(), 1)) == 4


def test_workers_change_nothing(crops):
    alone, helped = (
        list(DataLoader(crops, batch_sampler=Positions(Schedule(iterations=2, batch=4), Processes(), 0), num_workers=n))
        for n in (0, 2)
    )
    for (images, labels, names), (others, their_labels, their_names) in zip(alone, helped, strict=True):
        assert torch.equal(images, others)
        assert torch.equal(labels, their_labels)
        assert names == their_names
