"""What overlaps, in which order results come, how much waits between stages, and what an error costs."""

import itertools
import threading
import weakref
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from small_runs import smooth, tree
from tiny import tiny_model

from segcli.errors import InputError, SegcliError
from segcli.files.sources import Source
from segcli.images.photo import Photo
from segcli.images.read import read_photo
from segcli.inference.prediction import IN_FLOAT32, from_probabilities
from segcli.inference.segmenter import Segmenter
from segcli.labels import VOC
from segcli.pipeline import stages as folder
from segcli.pipeline.ledger import Ledger
from segcli.pipeline.outputs import Outputs
from segcli.pipeline.stages import Stages, early, network, predict_all, segment

PATIENCE = 20
"""Seconds until something that never happens counts as such."""


@dataclass(eq=False)
class Read:
    rgb: np.ndarray
    notes: tuple[str, ...] = ()


def read(item):
    return Read(np.full((4, 4, 3), item, np.uint8))


def predict(photos):
    """Predictions that name their photo: class 1's probability is its number over 256."""
    shares = [torch.tensor(photo.rgb[0, 0, 0] / 256).float() for photo in photos]
    return [from_probabilities(torch.stack([1 - p, p]).reshape(2, 1, 1), (4, 4)) for p in shares]


def number(segmented):
    return round(float(segmented.prediction.scores[0, 1, 0, 0]) * 256)


class Meeting:
    """Two stages that must be at work at the same time for either to go on."""

    def __init__(self):
        self.met = False
        self._barrier = threading.Barrier(2)

    def attend(self):
        if not self.met:
            self._barrier.wait(PATIENCE)
            self.met = True


def test_a_photo_that_memory_cannot_hold_fails_alone():
    def read_or_fail(item):
        if item == 2:
            raise MemoryError
        return read(item)

    done = list(predict_all([1, 2, 3], Stages(read_or_fail, predict)))
    assert [one.error is None for one in done] == [True, False, True]
    assert "there is not enough memory for this photo" in done[1].error


def test_results_come_in_order_whatever_takes_long():
    slow = threading.Event()

    def read_late(item):
        if item == 0:
            slow.wait(PATIENCE)
        elif item == 2:
            slow.set()
        return read(item)

    found = list(predict_all(range(7), Stages(read_late, predict, lambda photo, prediction: prediction), batch=2))
    assert [segmented.item for segmented in found] == list(range(7))
    assert [number(segmented) for segmented in found] == list(range(7))
    assert all(set(segmented.seconds) == {"read", "predict", "refine"} for segmented in found)


def test_reading_goes_on_while_the_network_works():
    meeting = Meeting()

    def read_one(item):
        if item == 1:
            meeting.attend()
        return read(item)

    def predict_one(photos):
        meeting.attend()
        return predict(photos)

    list(predict_all(range(3), Stages(read_one, predict_one)))
    assert meeting.met


def test_inputs_are_made_while_the_network_works_but_for_large_ones(monkeypatch):
    segmenter, makers = Segmenter(tiny_model()), set()
    made = folder.to_array

    def spying(rgb, *rest):
        makers.add((len(rgb), threading.current_thread() is threading.main_thread()))
        return made(rgb, *rest)

    def read_one(item):
        return Photo(smooth(item, 50 + item, 40))

    monkeypatch.setattr(folder, "to_array", spying)
    plain = list(predict_all(range(2), Stages(read_one, network(segmenter))))
    assert makers == {(40, True)}
    makers.clear()
    ready = list(predict_all(range(2), Stages(read_one, network(segmenter), prepare=early(segmenter))))
    assert makers == {(40, False)}
    for one, other in zip(plain, ready, strict=True):
        assert other.prepared is None
        assert torch.equal(one.prediction.scores, other.prediction.scores)
    makers.clear()
    monkeypatch.setattr(folder, "MADE_EARLY", 50)
    list(predict_all(range(2), Stages(read_one, network(segmenter), prepare=early(segmenter))))
    assert makers == {(40, True)}


def test_the_network_goes_on_while_a_photo_is_refined():
    meeting = Meeting()

    def predict_one(photos):
        if photos[0].rgb[0, 0, 0] == 1:
            meeting.attend()
        return predict(photos)

    def refine(photo, prediction):
        if photo[0, 0, 0] == 0:
            meeting.attend()
        return prediction

    list(predict_all(range(3), Stages(read, predict_one, refine)))
    assert meeting.met


@pytest.mark.parametrize("refine", [None, lambda photo, prediction: prediction])
@pytest.mark.parametrize("batch", [1, 4])
def test_no_queue_grows(batch, refine):
    """A consumer that stops to think: of an endless folder only so many photos are read and held."""
    alive, most = weakref.WeakSet(), 0

    def read_one(item):
        photo = read(item % 256)
        alive.add(photo)
        return photo

    results = predict_all(itertools.count(), Stages(read_one, predict, refine), batch)
    for _ in range(40):
        next(results)
        most = max(most, len(alive))
    results.close()
    assert most <= folder.READ_AHEAD + 2 * batch + folder.REFINE_BEHIND + 2


def test_a_photo_that_cannot_be_read_or_refined_costs_nobody_else():
    def read_most(item):
        if item == 2:
            raise InputError("is no picture")
        if item == 3:
            raise PermissionError(13, "Permission denied")
        return read(item)

    def refine(photo, prediction):
        if photo[0, 0, 0] == 5:
            raise InputError("nan")
        return prediction

    sizes = []

    def predict_some(photos):
        sizes.append(len(photos))
        return predict(photos)

    found = list(predict_all(range(7), Stages(read_most, predict_some, refine), batch=4))
    errors = {segmented.item: segmented.error for segmented in found if segmented.error}
    assert errors == {2: "is no picture", 3: "Permission denied", 5: "nan"}
    assert [number(segmented) for segmented in found if not segmented.error] == [0, 1, 4, 6]
    assert sizes == [2, 3]


@pytest.mark.parametrize("stage", ["read", "predict", "refine"])
def test_a_bug_is_not_hidden(stage):
    def broken(*_):
        raise RuntimeError("shape mismatch")

    stages = {"read": read, "predict": predict, "refine": lambda photo, prediction: prediction} | {stage: broken}
    with pytest.raises(RuntimeError, match="shape mismatch"):
        list(predict_all(range(9), Stages(**stages)))


def test_who_stops_early_leaves_no_thread_behind():
    before, begun = threading.active_count(), []

    def read_one(item):
        begun.append(item)
        return read(item)

    results = predict_all(range(1000), Stages(read_one, predict, lambda photo, prediction: prediction))
    next(results)
    results.close()
    assert threading.active_count() == before
    assert len(begun) < 20


@pytest.fixture
def sources(tmp_path):
    found = []
    for index in range(6):
        path = tmp_path / f"{index}.png"
        Image.fromarray(smooth(index, 40 + 7 * index, 50)).save(path)
        found.append(Source(path, PurePosixPath(f"part{index % 2}/{index}")))
    return found


def stages(refine=None):
    return Stages(lambda source: read_photo(source.path), network(Segmenter(tiny_model())), refine)


def outputs(path):
    path.mkdir()
    return Outputs(path, VOC, frozenset({"mask", "overlay", "classes"}), {"model": "tiny"})


def test_records_follow_the_sources_and_stand_in_the_ledger(sources, tmp_path):
    ledger = Ledger(tmp_path / "out")
    found = list(segment(sources, stages(lambda photo, prediction: prediction), outputs(tmp_path / "out"), ledger, "s"))
    assert [record.name for record in found] == [source.tree.as_posix() for source in sources]
    assert all(set(record.seconds) == {"read", "predict", "refine", "write"} for record in found)
    again = Ledger(tmp_path / "out")
    assert again.records == {record.name: record for record in found}
    assert not again.to_do(sources, "s")


def test_every_run_writes_the_same_bytes(sources, tmp_path):
    for name, batch in (("once", 1), ("again", 3)):
        out = outputs(tmp_path / name)
        list(segment(sources, stages(), out, Ledger(tmp_path / name), "s", batch))
    once, again = tmp_path / "once", tmp_path / "again"
    assert tree(once) == tree(again)
    for path in tree(once) - {"manifest.jsonl"}:
        assert (once / path).read_bytes() == (again / path).read_bytes()


def test_writing_goes_on_while_the_network_works(sources, tmp_path):
    meeting, plain, out = Meeting(), stages(), outputs(tmp_path / "out")

    def predict_one(photos):
        if photos[0].rgb.shape[1] == 47:  # the second
            meeting.attend()
        return plain.predict(photos)

    def write(source, photo, prediction, place):
        if source is sources[0]:
            meeting.attend()
        return out.write(source, photo, prediction, place)

    watched = SimpleNamespace(folder=out.folder, write=write)
    records = list(segment(sources, Stages(plain.read, predict_one), watched, Ledger(out.folder), "s"))
    assert meeting.met
    assert len(records) == 6


def test_an_interrupted_run_keeps_what_the_network_has_done(sources, tmp_path):
    plain = stages()

    def predict_or_stop(photos):
        if photos[0].rgb.shape[1] == 61:  # the fourth
            raise KeyboardInterrupt
        return plain.predict(photos)

    out = outputs(tmp_path / "out")
    with pytest.raises(KeyboardInterrupt):
        list(segment(sources, Stages(plain.read, predict_or_stop), out, Ledger(out.folder), "s"))
    assert len(Ledger(out.folder).records) == 3


def test_a_full_disk_is_one_clear_error(sources, tmp_path):
    out = outputs(tmp_path / "out")

    def write(source, photo, prediction, place):
        if source is sources[2]:
            raise OSError(28, "No space left on device")
        return out.write(source, photo, prediction, place)

    full = SimpleNamespace(folder=out.folder, write=write)
    with pytest.raises(SegcliError, match="No space left on device"):
        list(segment(sources, stages(), full, Ledger(out.folder), "s"))
    assert sources[2].tree.as_posix() not in Ledger(out.folder).records


@pytest.mark.parametrize("refine", [None, lambda photo, prediction: prediction], ids=["network", "refined"])
def test_a_photo_without_numbers_fails_alone_and_half_precision_is_said(sources, tmp_path, refine):
    plain = stages()

    def spoilt(photos):
        made = plain.predict(photos)
        width = photos[0].rgb.shape[1]
        nothing = [replace(one, scores=one.scores * float("nan")) for one in made]
        if width == 47:  # the second
            return nothing
        return [replace(nothing[0], in_float32=lambda: made[0])] if width == 61 else made  # the fourth

    out = outputs(tmp_path / "out")
    records = list(segment(sources, Stages(plain.read, spoilt, refine), out, Ledger(out.folder), "s"))
    assert [record.error is not None for record in records] == [False, True, False, False, False, False]
    assert "the network gives NaN or infinite values for it" in records[1].error
    assert [IN_FLOAT32 in record.notes for record in records] == [False, False, False, True, False, False]
    assert tree(tmp_path / "out").isdisjoint({f"masks/{records[1].name}.png"})
