"""The header of a safetensors file against the library's reader: what is told is what that tells, or nothing is."""

import json
import random

import numpy as np
import pytest
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from segcli.weights import header

TENSORS = {"a": np.zeros((2, 3), np.float32), "b": np.zeros((0, 4), np.int64), "c": np.ones((), np.float16)}


def library(path):
    """What the library says, or None where it refuses the file."""
    try:
        with safe_open(path, "np") as file:
            return file.metadata() or {}
    except (SafetensorError, OSError):
        return None


@pytest.mark.parametrize("texts", [None, {"segcli": '{"version": 1}', "ü": "é"}])
@pytest.mark.parametrize("tensors", [TENSORS, {}], ids=["tensors", "none"])
def test_a_whole_file_tells_its_texts(tmp_path, texts, tensors):
    save_file(tensors, tmp_path / "a.safetensors", texts)
    assert header.texts(tmp_path / "a.safetensors") == (texts or {}) == library(tmp_path / "a.safetensors")


def test_a_damaged_file_is_never_told_otherwise_than_by_the_library(tmp_path):
    path, dice = tmp_path / "a.safetensors", random.Random(0)
    save_file(TENSORS, path, {"segcli": "text"})
    whole, told = path.read_bytes(), 0
    for _ in range(600):
        data = bytearray(whole)
        for _ in range(dice.randint(1, 2)):
            data[dice.randrange(len(data))] = dice.choice(b'0123456789{}[]",:-.F6\0\xff')
        path.write_bytes(data[: dice.choice((None, None, dice.randrange(len(data))))])
        if (found := header.texts(path)) is not None:
            assert found == library(path)
            told += 1
    assert 20 < told < 500


@pytest.mark.parametrize(
    "change",
    [
        {"shape": [2, 4]},
        {"shape": [2.0, 3.0]},
        {"shape": [-2, -3]},
        {"dtype": "F7"},
        {"data_offsets": [4, 28]},
        {"data_offsets": [0, 24, 24]},
        {"shape": [1] * 100_000},
    ],
    ids=lambda change: str(change)[:30],
)
def test_what_does_not_fit_together_is_left_to_the_library(tmp_path, change):
    values = {"a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24], **change}}
    data = json.dumps(values).encode()
    (tmp_path / "a.safetensors").write_bytes(len(data).to_bytes(8, "little") + data + bytes(24))
    assert header.texts(tmp_path / "a.safetensors") is None
