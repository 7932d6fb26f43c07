"""What a run leaves to look at; the command's own tests look into the files."""

import csv
import re
import sys
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from segcli.data.dataset import Dataset, Sample
from segcli.errors import SegcliError
from segcli.evaluation.metrics import Scores
from segcli.evaluation.scoring import ImageScore
from segcli.labels import ADE20K, from_names
from segcli.training.events import Step, Validation
from segcli.training.output import artifacts
from segcli.training.output.history import History
from segcli.training.recipe import Run

HEADINGS = ["iteration", "loss", "rate", "miou"]
HISTORY = [
    {"iteration": 20, "loss": 1.5, "rate": 0.01},
    {"iteration": 25, "miou": 0.25},
    {"iteration": 40, "loss": 1.25, "rate": 0.005, "miou": None},
]


LABELS = from_names(["soil", "=HYPERLINK(0)", 'a "leaf",\nand miou'])


def test_metrics_are_one_line_a_row(tmp_path):
    artifacts.write_metrics(tmp_path, HISTORY)
    text = (tmp_path / "metrics.csv").read_text()
    assert text.splitlines() == ["iteration,loss,rate,miou", "20,1.5,0.01,", "25,,,0.25", "40,1.25,0.005,"]


def test_metrics_of_classes_follow_whatever_these_are_called(tmp_path):
    """The rows of a run that an earlier version began have none, and a row without a validation neither."""
    ious = {"soil": 0.5, LABELS.names[1]: None, LABELS.names[2]: 1.0}
    rows = [HISTORY[1], HISTORY[0], {"iteration": 30, "miou": 0.75, "iou": ious, "worst": [["photo", 0.5]]}]
    artifacts.write_metrics(tmp_path, rows, LABELS)
    with (tmp_path / "metrics.csv").open(newline="") as file:
        headings, *lines = csv.reader(file)
    classes = ["soil", "=HYPERLINK(0)", 'a "leaf",\\nand miou']
    assert headings == [*HEADINGS, *(f"{score} {name}" for score in ("iou", "dice") for name in classes)]
    assert [line[3:] for line in lines] == [
        ["0.25", *[""] * 6],
        [""] * 7,
        ["0.75", "0.5", "", "1.0", str(2 / 3), "", "1.0"],
    ]


def test_a_channel_that_stands_for_void_has_no_column(tmp_path):
    artifacts.write_metrics(tmp_path, [], ADE20K)
    headings = (tmp_path / "metrics.csv").read_text().strip().split(",")
    assert headings[4:6] == ["iou wall", "iou building"]
    assert len(headings) == 4 + 2 * 150


@pytest.mark.parametrize("history", [HISTORY, HISTORY[:1], [], [{"iteration": 9, "miou": 0.5, "iou": {"soil": 0.5}}]])
def test_a_curve_is_drawn_however_little_there_is(tmp_path, history):
    artifacts.write_curve(tmp_path, history, LABELS)
    assert (tmp_path / "curve.png").stat().st_size > 1000


class Says:
    """A prediction that gives every pixel the class 1."""

    def labels(self):
        return np.ones((30, 40), np.uint8)


@pytest.mark.parametrize(("count", "shown"), [(0, []), (1, ["2", "0"]), (9, ["2", "1", "0"])])
def test_the_first_photos_and_the_worst_are_shown(tmp_path, monkeypatch, count, shown):
    """The worst is the last; photo 1 is void everywhere."""
    monkeypatch.setattr(
        artifacts, "predicted", lambda _, found, __: ((s, np.zeros((30, 40, 3), np.uint8), Says()) for s in found)
    )
    samples = []
    for name in "012":
        Image.new("RGB", (40, 30)).save(tmp_path / f"{name}.png")  # read for its pixels without data
        samples.append(Sample(name, tmp_path / f"{name}.png", tmp_path / f"{name}.png"))
    truths = {"0": 1, "1": 255, "2": 0}
    val = Dataset(
        "folder",
        "val",
        LABELS,
        tuple(samples),
        {0: 0, 1: 1, 255: 255},
        lambda s: np.full((30, 40), truths[s.name], np.uint8),
    )
    images = tuple(ImageScore(name, miou, miou) for name, miou in (("0", 1.0), ("1", None), ("2", 0.0)))
    event = replace(validation(7, 0.5), images=images)
    artifacts.write_pictures(tmp_path, event, val, count)
    assert sorted(path.name for path in tmp_path.glob("overlays/000007/*")) == [f"{name}.jpg" for name in "012"[:count]]
    page = (tmp_path / "validation.html").read_text() if count else ""
    assert re.findall("<h2>(.)</h2>", page) == sorted(shown, key=["2", "0", "1"].index)
    artifacts.write_pictures(tmp_path, replace(event, iteration=8, best=False), val, count)
    assert sorted(path.name for path in tmp_path.glob("overlays/000008/*")) == [f"{name}.jpg" for name in "012"[:count]]
    assert not count or (tmp_path / "validation.html").read_text() == page, "it shows the model that is kept"
    artifacts.write_pictures(tmp_path, replace(event, iteration=9, best=True), val, count)
    assert not count or "Validation after 9 iterations" in (tmp_path / "validation.html").read_text()


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
    one = artifacts.Artifacts(tmp_path, Run(log_every=1), Dataset("folder", "val", LABELS, (), {}), history)
    with pytest.raises(SegcliError, match="cannot write to"):
        one.add(Step(1, 1.0, 0.1, 0.1))


def test_without_tensorboard_nothing_happens(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    board = artifacts.TensorBoard(tmp_path)
    board.add(Step(1, 0.5, 0.01, 0.1))
    board.close()
    assert list(tmp_path.iterdir()) == []
