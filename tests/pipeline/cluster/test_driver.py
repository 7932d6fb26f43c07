"""The driver beside workers that die, refuse or are lost: each photo ends once, and none is blamed for another."""

from collections import Counter
from pathlib import Path, PurePosixPath
from types import SimpleNamespace

import pytest

from segcli.errors import SegcliError
from segcli.files.listing import Source
from segcli.pipeline.cluster.driver import KILLED, Driver
from segcli.pipeline.cluster.errand import Done
from segcli.pipeline.cluster.scheduler import KilledError, Landed
from segcli.pipeline.listener import Listener
from segcli.pipeline.records import DONE, Record

ERRAND = SimpleNamespace(job=SimpleNamespace(plan=SimpleNamespace(settings="s")))


class Pretended:
    """A scheduler whose workers do what `answer` says of a batch's names and of those under way with it."""

    def __init__(self, answer, workers=("one", "two")):
        self.answer, self.names, self.notes, self.most = answer, workers, [], 0
        self.threads = dict.fromkeys(workers, 1)

    def ask(self, function, *arguments):
        return dict.fromkeys(self.names, "")

    def workers(self, fresh=False):
        return self.names

    def flight(self):
        return self

    def __len__(self):
        return len(self.notes)

    def send(self, function, errand, sources, *, note, workers=()):
        self.notes.append((note, workers))
        self.most = max(self.most, len(self.notes))

    def landed(self):
        together = [source.tree.name for note, _ in self.notes for source in note]
        note, workers = self.notes.pop(0)
        yield Landed(note, self.answer([source.tree.name for source in note], together, workers))


def done(names, worker="one"):
    return Done(tuple(Record(name, f"{name}.jpg", DONE) for name in names), 0.01 * len(names), worker)


def photos(count):
    return [Source(Path(f"{number}.jpg"), PurePosixPath(str(number))) for number in range(count)]


def records(scheduler, count=200, listener=None):
    return list(Driver(scheduler, listener or Listener()).records(ERRAND, photos(count)))


def test_every_photo_has_one_record_and_few_batches_are_under_way():
    scheduler = Pretended(lambda names, *_: done(names))
    found = Counter(record.name for record in records(scheduler))
    assert found == Counter(str(number) for number in range(200))
    assert scheduler.most == 6


def test_a_photo_that_kills_its_workers_fails_alone():
    """Whatever is under way with it is suspected too: it is done again, by itself."""
    scheduler = Pretended(lambda names, together, _: KilledError() if "77" in together else done(names))
    found = records(scheduler)
    assert Counter(record.name for record in found) == Counter(str(number) for number in range(200))
    assert [(record.name, record.error) for record in found if record.status != DONE] == [("77", KILLED)]


def test_a_worker_that_joins_late_and_differs_gets_no_more_work():
    told = []
    listener = Listener()
    listener.warn = told.append
    asked = []

    def answer(names, _, workers):
        asked.append(workers)
        return done(names) if len(asked) != 3 else Done((), 0.0, "two", "has segcli 0.0.1\nInstall it.")

    found = records(Pretended(answer), 50, listener)
    assert len(found) == 50
    assert told == ["worker two has segcli 0.0.1; it gets no work"]
    assert asked[-1] == ["one"]


def test_where_no_worker_is_left_the_run_ends():
    with pytest.raises(SegcliError, match="worker one has segcli 0") as error:
        records(Pretended(lambda *_: Done((), 0.0, "one", "has segcli 0\nInstall it."), ("one",)))
    assert error.value.hint == "Install it."


def test_an_error_of_a_worker_and_records_of_other_photos_end_the_run():
    with pytest.raises(SegcliError, match="cannot write to out"):
        records(Pretended(lambda *_: SegcliError("cannot write to out")))
    with pytest.raises(SegcliError, match="did other photos"):
        records(Pretended(lambda names, *_: done(names[1:])))
