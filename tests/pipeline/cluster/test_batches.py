"""Batches begin with single photos and take about two seconds each; the last ones are small."""

from pathlib import Path, PurePosixPath

from segcli.files.listing import Source
from segcli.pipeline.cluster.batches import AIM, GROWTH, MOST, Batches


def photos(count):
    return [Source(Path(f"{number}.jpg"), PurePosixPath(str(number))) for number in range(count)]


def sizes(batches, each, workers=4):
    """The sizes of all batches that are left, where every photo takes so many seconds."""
    found = []
    while batch := batches.take(workers):
        found.append(len(batch))
        batches.learn(len(batch), each * len(batch))
    return found


def test_every_photo_is_in_one_batch_in_order():
    given, batches, taken = photos(1000), Batches(photos(1000)), []
    while batch := batches.take(3):
        taken += batch
        batches.learn(len(batch), 0.05 * len(batch))
    assert taken == given


def test_batches_take_about_two_seconds():
    found = sizes(Batches(photos(10_000)), 0.05)
    assert found[:4] == [1, 4, 16, 40]
    assert max(found) == AIM / 0.05
    assert found[-1] <= 5


def test_nothing_is_known_of_a_photos_time_before_one_is_done():
    batches = Batches(photos(100))
    assert [len(batches.take(2)) for _ in range(6)] == [1] * 6
    batches.learn(1, 1e-9)  # one that could not be read
    assert len(batches.take(2)) == GROWTH


def test_slow_photos_go_alone_and_quick_ones_have_a_limit():
    assert set(sizes(Batches(photos(20)), 30.0)) == {1}
    assert max(sizes(Batches(photos(20_000)), 1e-5, workers=1)) == MOST
