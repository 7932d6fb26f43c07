"""Damaged files of every kind are read or refused in one line; `python tests/fuzz.py` tries thousands of each."""

import os
import random
import signal

import fuzz
import fuzz_workers
import pytest
from damage import numbered, spliced
from fuzz_engine import Reader, Seed, Trial, in_this_process

from segcli.errors import InputError

WHOLE = [Seed("a.txt", b"12 words"), Seed("b.txt", b"34 others")]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("reader", fuzz.READERS, ids=lambda reader: reader.name)
def test_damaged_files_are_read_or_refused(reader, tmp_path):
    trial = Trial.of(reader, tmp_path, seed=1)
    trial.check()
    outcome = in_this_process(trial, range(12))
    assert not outcome.crashes, outcome.crashes[0]
    assert outcome.counts.total() == 12


def trial_of(tmp_path, read) -> Trial:
    return Trial.of(Reader("texts", lambda folder: WHOLE, lambda folder, seed: read(folder / seed.path)), tmp_path)


def test_a_damaged_file_is_the_same_each_time(tmp_path):
    trial = trial_of(tmp_path, lambda path: None)
    contents = [trial.file(number)[1] for number in range(50)]
    assert contents == [trial.file(number)[1] for number in range(50)]
    assert len(set(contents)) > 40
    assert sum(content in (seed.content for seed in WHOLE) for content in contents) < 5


def test_numbers_and_pieces_are_exchanged():
    chance = random.Random(0)
    assert {numbered(b"12", chance)[:2] for _ in range(200)} >= {b"-1", b"na", b"99", b"0.", b""}
    assert any(b"cd" in spliced(b"abab", b"cdcd", chance) for _ in range(50))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
class TestWorkers:
    """A reader that dies, hangs, or wants too much memory is one fault; the files after it are tried all the same."""

    def tally(self, tmp_path, read, count=10):
        return fuzz_workers.run(trial_of(tmp_path, read), range(count))

    def test_files_that_are_read_or_refused_are_no_faults(self, tmp_path):
        def read(path):
            if path.name == "a.txt":
                raise InputError("it is damaged")

        tally = self.tally(tmp_path, read)
        assert tally.counts == {"refused": 5, "read": 5}
        assert tally.is_clean

    def test_a_signal_is_counted_and_the_next_files_are_tried(self, tmp_path):
        tally = self.tally(tmp_path, lambda path: path.name == "a.txt" and os.kill(os.getpid(), signal.SIGSEGV))
        assert tally.counts == {"signal": 5, "read": 5}
        assert "--first 0 --count 1" in tally.told[0]
        assert "SIGSEGV" in tally.told[0]

    def test_what_hangs_is_ended(self, tmp_path, monkeypatch):
        monkeypatch.setattr(fuzz_workers, "HANGS", 0.2)

        def read(path):
            while path.name == "a.txt":
                pass

        tally = self.tally(tmp_path, read, 2)
        assert tally.counts == {"hang": 1, "read": 1}

    def test_memory_is_limited(self, tmp_path):
        tally = self.tally(tmp_path, lambda path: bytes(2 * fuzz_workers.MEMORY), 2)
        assert tally.counts == {"crashed": 2}
        assert "MemoryError" in tally.told[0]

    def test_any_other_error_is_told_with_its_traceback(self, tmp_path):
        tally = self.tally(tmp_path, lambda path: {}["x"], 1)
        assert tally.counts == {"crashed": 1}
        assert "KeyError: 'x'" in tally.told[0]
        assert not tally.is_clean

    def test_what_is_printed_to_stdout_is_a_fault(self, tmp_path):
        tally = self.tally(tmp_path, lambda path: print("x") if path.name == "a.txt" else None, 4)  # noqa: T201
        assert tally.counts == {"crashed": 2, "read": 2}
        assert "stdout" in tally.told[0]
