"""What a run leaves to look at; the command's own tests look into the files."""

import sys

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from segcli.errors import SegcliError
from segcli.evaluation.metrics import Scores
from segcli.training import artifacts
from segcli.training.events import Step, Validation
from segcli.training.history import History
from segcli.training.recipe import Run

HISTORY = [
    {"iteration": 20, "loss": 1.5, "rate": 0.01},
    {"iteration": 25, "miou": 0.25},
    {"iteration": 40, "loss": 1.25, "rate": 0.005, "miou": None},
]


def test_metrics_are_one_line_a_row(tmp_path):
    artifacts.write_metrics(tmp_path, HISTORY)
    text = (tmp_path / "metrics.csv").read_text()
    assert text.splitlines() == ["iteration,loss,rate,miou", "20,1.5,0.01,", "25,,,0.25", "40,1.25,0.005,"]


@pytest.mark.parametrize("history", [HISTORY, HISTORY[:1], []])
def test_a_curve_is_drawn_however_little_there_is(tmp_path, history):
    artifacts.write_curve(tmp_path, history)
    assert (tmp_path / "curve.png").stat().st_size > 1000


def scalars(folder):
    """{name: [(iteration, value), ...]} as TensorBoard itself reads the files."""
    board = EventAccumulator(str(folder)).Reload()
    return {
        tag: [(event.step, round(event.value, 6)) for event in board.Scalars(tag)] for tag in board.Tags()["scalars"]
    }


def test_tensorboard_reads_what_happens(tmp_path):
    board = artifacts.TensorBoard(tmp_path)
    board.add(Step(1, 0.5, 0.01, 0.1))
    board.add(Step(2, 0.25, 0.005, 0.1))
    board.add(validation(2, 0.75))
    board.add(validation(3, None))
    board.close()
    assert scalars(tmp_path / "tensorboard") == {
        "loss": [(1, 0.5), (2, 0.25)],
        "rate": [(1, 0.01), (2, 0.005)],
        "miou": [(2, 0.75)],
    }


def test_tensorboard_forgets_what_a_killed_run_did_after_it_was_saved(tmp_path):
    for part, (start, losses) in enumerate([(0, [1.0, 2.0, 3.0, 4.0]), (2, [5.0])]):
        board = artifacts.TensorBoard(tmp_path, iteration=start)
        for iteration, loss in enumerate(losses, start + 1):
            board.add(Step(iteration, loss, 0.01, 0.1))
        board.close()
        (new,) = (path for path in (tmp_path / "tensorboard").iterdir() if path.name != "tfevents.0")
        new.rename(new.with_name(f"tfevents.{part}"))  # the names order them, and tell seconds
    assert scalars(tmp_path / "tensorboard")["loss"] == [(1, 1.0), (2, 2.0), (3, 5.0)]


def validation(iteration, miou):
    return Validation(iteration, Scores(miou, {}, None, None, None, 1), True, 1.0, None)


def test_a_folder_that_cannot_be_written_to_is_told_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    (tmp_path / "metrics.csv").mkdir()
    history = History(1, rows=[{"iteration": 1, "loss": 1.0, "rate": 0.1}])
    one = artifacts.Artifacts(tmp_path, Run(log_every=1), None, history)
    with pytest.raises(SegcliError, match="cannot write to"):
        one.add(Step(1, 1.0, 0.1, 0.1))


def test_without_tensorboard_nothing_happens(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    board = artifacts.TensorBoard(tmp_path)
    board.add(Step(1, 0.5, 0.01, 0.1))
    board.close()
    assert list(tmp_path.iterdir()) == []
