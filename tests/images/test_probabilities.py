"""Files of probabilities, good ones and hostile ones."""

import io
import json
import zipfile

import numpy as np
import pytest

from segcli.errors import InputError
from segcli.images import probabilities
from segcli.images.probabilities import classes_of, read_probabilities, write_probabilities
from segcli.labels import from_names

PETS = from_names(["background", "cat", "dog"], "pets")


def saved(path) -> np.ndarray:
    values = np.random.default_rng(0).dirichlet(np.ones(3), (4, 6)).transpose(2, 0, 1)
    write_probabilities(path, values, PETS)
    return values


class TestProbabilities:
    def test_come_back_with_their_classes(self, tmp_path):
        expected = saved(tmp_path / "a.npz")
        found, labels = read_probabilities(tmp_path / "a.npz")
        assert np.abs(found - expected).max() < 1e-3
        assert found.dtype == np.float32
        assert labels == PETS

    def test_are_plain_numpy_for_others(self, tmp_path):
        saved(tmp_path / "a.npz")
        with np.load(tmp_path / "a.npz") as data:
            assert data["probabilities"].dtype == np.float16
            assert list(data["names"]) == list(PETS.names)

    def test_tell_their_classes_even_if_the_first_file_is_damaged(self, tmp_path):
        (tmp_path / "a.npz").write_bytes(b"PK")
        saved(tmp_path / "b.npz")
        assert classes_of([tmp_path / "a.npz", tmp_path / "b.npz"]) == PETS
        with pytest.raises(InputError, match=r"a\.npz"):
            classes_of([tmp_path / "a.npz"])


def archive(**members) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **members)
    return buffer.getvalue()


def hostile() -> dict[str, bytes]:
    labels, flat = np.array(json.dumps(PETS.to_dict())), np.full((3, 2, 2), 1 / 3, np.float32)
    good = archive(probabilities=flat, labels=labels)
    nan, negative, logits = flat.copy(), flat.copy(), flat * 9
    nan[0, 0, 0], negative[0, 0, 0] = np.nan, -0.5
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:  # an array that claims 8 EB
        header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (3, 1000000000, 1000000000), }"
        header += b" " * (117 - len(header)) + b"\n"
        file.writestr("probabilities.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
        file.writestr("labels.npy", b"")
    flipped = bytearray(good)
    flipped[60:70] = b"\xff" * 10
    return {
        "empty": b"",
        "text": b"no archive",
        "cut": good[: len(good) // 2],
        "flipped": bytes(flipped),
        "npy": good[2:],
        "pickle": archive(probabilities=np.array([print], object), labels=labels),
        "no labels": archive(probabilities=flat),
        "deep labels": archive(probabilities=flat, labels=np.array("[" * 100_000)),
        "labels of another kind": archive(probabilities=flat, labels=np.array('{"name": 1}')),
        "two dimensions": archive(probabilities=flat[0], labels=labels),
        "whole numbers": archive(probabilities=flat.astype(int), labels=labels),
        "two classes": archive(probabilities=flat[:2], labels=labels),
        "no pixels": archive(probabilities=flat[:, :0], labels=labels),
        "NaN": archive(probabilities=nan, labels=labels),
        "negative": archive(probabilities=negative, labels=labels),
        "logits": archive(probabilities=logits, labels=labels),
        "huge": buffer.getvalue(),
    }


@pytest.mark.parametrize("name", hostile())
def test_what_holds_no_probabilities_is_one_clear_error(tmp_path, name):
    path = tmp_path / "photo.npz"
    path.write_bytes(hostile()[name])
    with pytest.raises(InputError, match=r"photo\.npz") as caught:
        read_probabilities(path)
    assert "\n" not in str(caught.value)
    assert "predict --save probs" in caught.value.hint


def test_a_missing_file_says_so(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        read_probabilities(tmp_path / "a.npz")


def test_a_file_that_would_fill_the_memory_is_not_unpacked(tmp_path, monkeypatch):
    saved(tmp_path / "a.npz")
    monkeypatch.setattr(probabilities, "MOST_BYTES", 100)
    with pytest.raises(InputError, match="unpack"):
        read_probabilities(tmp_path / "a.npz")
