"""What a run leaves to look at; the command's own tests look into the files."""

import sys
from types import SimpleNamespace

import pytest

from segcli.evaluation.metrics import Scores
from segcli.training import artifacts
from segcli.training.events import Step, Validation

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


def test_tensorboard_gets_what_happens_where_it_is_installed(tmp_path, monkeypatch):
    written = []
    writer = SimpleNamespace(add_scalar=lambda *values: written.append(values), close=lambda: written.append("closed"))
    module = SimpleNamespace(SummaryWriter=lambda folder, purge_step: written.append((folder, purge_step)) or writer)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    board = artifacts.TensorBoard(tmp_path, iteration=4)  # a killed run may have noted more than it saved
    board.add(Step(5, 0.5, 0.01, 0.1))
    board.add(Validation(6, Scores(0.75, {}, None, None, None, 1), True, 1.0, None))
    board.close()
    assert written[0] == (tmp_path / "tensorboard", 5)
    assert written[1:] == [("loss", 0.5, 5), ("rate", 0.01, 5), ("miou", 0.75, 6), "closed"]


def test_without_tensorboard_nothing_happens(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    board = artifacts.TensorBoard(tmp_path)
    board.add(Step(1, 0.5, 0.01, 0.1))
    board.close()
    assert list(tmp_path.iterdir()) == []
