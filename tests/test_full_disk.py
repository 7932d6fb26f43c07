"""A disk that is full while any kind of file is written: the file's name is told, and no part of it is left."""

import errno
import os

import numpy as np
import pytest
import torch
from PIL import Image
from small_runs import smooth

from segcli.errors import SegcliError
from segcli.export import export
from segcli.files import atomic
from segcli.files.atomic import write_whole, writing
from segcli.images import gallery
from segcli.images.cutout import write_cutout
from segcli.images.masks import write_label_map
from segcli.images.overlay import write_overlay
from segcli.images.probabilities import write_probabilities
from segcli.labels import VOC
from segcli.models.preprocessing import Preprocessing
from segcli.models.variants import get
from segcli.pipeline.records import Record
from segcli.pipeline.tables import write_areas, write_review
from segcli.training.output import artifacts, run_folder, state
from segcli.training.output import gallery as validation_gallery
from segcli.training.recipe import Recipe
from segcli.weights import checkpoint
from segcli.weights.checkpoint import Checkpoint

PHOTO = smooth(0, 200, 150)
LABELS = PHOTO[..., 0] % 21
RECORD = Record("a", "a.jpg", "done", width=200, height=150, areas={"cat": 7}, uncertainty=0.5)
ROWS = [{"iteration": step, "loss": 1 / step, "rate": 0.1} for step in range(1, 9)]
TENSORS = {"weight": torch.zeros(300, 300)}
STATE = state.State(1, {}, "", {}, TENSORS, {"state": TENSORS}, {}, None, [], [])


def _export(folder, monkeypatch):
    monkeypatch.setitem(export.FORMATS, "onnx", lambda _: bytes(50_000))
    export.write(folder / "model.onnx", "onnx", None)


def _copy(folder):
    with write_whole(folder / "photo.png") as file:
        Image.fromarray(PHOTO).save(file, "PNG")


WRITERS = {
    "mask.png": lambda folder: write_label_map(folder / "mask.png", LABELS, VOC),
    "overlay.jpg": lambda folder: write_overlay(folder / "overlay.jpg", Image.fromarray(PHOTO)),
    "cutout.png": lambda folder: write_cutout(folder / "cutout.png", Image.fromarray(PHOTO)),
    "photo.png": _copy,
    "probs.npz": lambda folder: write_probabilities(folder / "probs.npz", np.full((21, 9, 9), 1 / 21), VOC),
    "part.json": lambda folder: gallery.write_entry(
        folder / "part.json", gallery.Entry("a", PHOTO, LABELS, {"cat": 7}), VOC
    ),
    "gallery.html": lambda folder: gallery.merge(folder / "gallery.html", [], VOC),
    "areas.csv": lambda folder: write_areas(folder / "areas.csv", [RECORD] * 99),
    "review.csv": lambda folder: write_review(folder / "review.csv", [RECORD] * 99),
    "metrics.csv": lambda folder: artifacts.write_metrics(folder, ROWS),
    "curve.png": lambda folder: artifacts.write_curve(folder, ROWS),
    "validation.html": lambda folder: validation_gallery.write(folder / "validation.html", "Validation", [], 0, VOC),
    "recipe.toml": lambda folder: run_folder.write_recipe(folder, Recipe()),
    "state.pt": lambda folder: state.write(folder, STATE),
    "best.safetensors": lambda folder: checkpoint.write(
        folder / "best.safetensors", Checkpoint(get("v3-mobilenetv2"), VOC, Preprocessing(), tensors=TENSORS)
    ),
}


class Disk:
    """Stands for a disk with so many bytes free; the last ones go in a short write, as they do on a real one."""

    def __init__(self, monkeypatch):
        self.free = self.written = 1 << 40
        self._write = os.write
        monkeypatch.setattr(atomic.os, "write", self.write)

    def write(self, descriptor, data):
        size = min(self.free, len(data))
        if size == 0 < len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.free -= size
        return self._write(descriptor, bytes(data[:size]))


@pytest.mark.parametrize("name", [*WRITERS, "model.onnx"])
def test_no_kind_of_file_is_torn_and_each_is_named(name, tmp_path, monkeypatch):
    def write():
        with writing(tmp_path):
            _export(tmp_path, monkeypatch) if name == "model.onnx" else WRITERS[name](tmp_path)

    disk = Disk(monkeypatch)
    write()
    before, path = disk.free, tmp_path / name
    old, size = path.read_bytes(), (1 << 40) - before
    assert size >= len(old) > 0
    for share in (0, 0.01, 0.4, 0.8, 0.99):
        disk.free = int(size * share)
        with pytest.raises(SegcliError, match="No space left") as caught:
            write()
        assert name in caught.value.message
        assert caught.value.hint
        assert os.listdir(tmp_path) == [name]  # noqa: PTH208 - hidden files too
        assert path.read_bytes() == old
    disk.free = size + 1000
    write()
    assert path.stat().st_size == len(old)
