"""Files that the CRF starts from, good ones and hostile ones."""

import io
import json
import zipfile
from dataclasses import replace
from pathlib import PurePosixPath

import numpy as np
import pytest
import torch
from PIL import Image

from segcli.crf import unary
from segcli.crf.unary import BY_COLOUR, from_label_map, from_saved
from segcli.errors import InputError
from segcli.files.sources import Source
from segcli.images import probabilities
from segcli.images.probabilities import classes_of, read_probabilities, write_probabilities
from segcli.images.read import Photo
from segcli.labels import VOC, LabelSet, from_names

PETS = from_names(["background", "cat", "dog"], "pets")
FOREST = LabelSet("forest", ("fir", "oak"), ((0, 64, 0), (64, 128, 0)))
"""A label set without black."""


def photo(height=4, width=6):
    return Photo(np.zeros((height, width, 3), np.uint8), ("a remark",))


def saved(path, classes=3, labels=PETS):
    probabilities = torch.rand(classes, 4, 6).softmax(0)
    write_probabilities(path, probabilities.numpy(), labels)
    return probabilities


class TestProbabilities:
    def test_come_back_with_their_classes(self, tmp_path):
        expected = saved(tmp_path / "a.npz")
        probabilities, labels = read_probabilities(tmp_path / "a.npz")
        assert np.abs(probabilities - expected.numpy()).max() < 1e-3
        assert probabilities.dtype == np.float32
        assert labels == PETS

    def test_are_plain_numpy_for_others(self, tmp_path):
        saved(tmp_path / "a.npz")
        with np.load(tmp_path / "a.npz") as data:
            assert data["probabilities"].dtype == np.float16
            assert list(data["names"]) == list(PETS.names)

    def test_lie_over_the_whole_photo(self, tmp_path):
        saved(tmp_path / "a.npz")
        prior = from_saved(photo(8, 12), tmp_path / "a.npz", PETS)
        assert prior.prediction.probabilities().shape == (3, 8, 12)
        assert prior.notes == ("a remark",)

    def test_of_other_classes_are_refused(self, tmp_path):
        saved(tmp_path / "a.npz", 2, FOREST)
        with pytest.raises(InputError, match=r"2 classes \(forest\), such as fir; the other files have 3 \(pets\)"):
            from_saved(photo(), tmp_path / "a.npz", PETS)

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


def indexed(path, ids, palette=None):
    image = Image.fromarray(np.array(ids, np.uint8))
    if palette is not None:
        image.putpalette([value for colour in palette for value in colour])
    image.save(path)
    return path


def believed(prior):
    """The believed class of each pixel, -1 where there is no opinion."""
    probabilities = prior.prediction.probabilities()
    spread = probabilities.amax(0) - probabilities.amin(0)
    return torch.where(spread < 1e-6, -1, probabilities.argmax(0)).tolist()


class TestRoughLabelMaps:
    def test_ids_are_trusted_as_far_as_asked(self, tmp_path):
        path = indexed(tmp_path / "a.png", [[0, 1], [2, 255]])
        probabilities = from_label_map(photo(2, 2), path, PETS, 0.7, 0).prediction.probabilities()
        expected = [[0.7, 0.15, 0.15, 1 / 3], [0.15, 0.7, 0.15, 1 / 3], [0.15, 0.15, 0.7, 1 / 3]]
        assert probabilities.flatten(1).numpy() == pytest.approx(np.array(expected))

    def test_the_label_sets_own_void_is_no_opinion(self, tmp_path):
        labels = from_names(["a", "b"], ignore=9)
        path = indexed(tmp_path / "a.png", [[0, 1, 9, 255]])
        assert believed(from_label_map(photo(1, 4), path, labels, 0.7, 0)) == [[0, 1, -1, -1]]

    def test_colours_are_the_label_sets_and_black_is_void(self, tmp_path):
        Image.fromarray(np.array([[(64, 128, 0), (0, 64, 0), (0, 0, 0)]], np.uint8)).save(tmp_path / "a.png")
        assert believed(from_label_map(photo(1, 3), tmp_path / "a.png", FOREST, 0.7, 0)) == [[1, 0, -1]]

    def test_a_drawing_programs_numbering_is_not_taken_for_ids(self, tmp_path):
        path = indexed(tmp_path / "a.png", [[0, 1, 2]], [(64, 128, 0), (0, 64, 0), (0, 0, 0)])
        prior = from_label_map(photo(1, 3), path, FOREST, 0.7, 0)
        assert believed(prior) == [[1, 0, -1]]
        assert prior.notes == ("a remark", BY_COLOUR)

    @pytest.mark.parametrize(
        "palette", [None, VOC.palette, [(i, i, i) for i in range(256)]], ids=["none", "VOC", "grey"]
    )
    def test_ids_stay_ids_whatever_colours_they_wear(self, tmp_path, palette):
        path = indexed(tmp_path / "a.png", [[2, 1, 0]], palette)
        prior = from_label_map(photo(1, 3), path, PETS, 0.7, 0)
        assert believed(prior) == [[2, 1, 0]]
        assert prior.notes == ("a remark",)

    def test_a_palette_of_nothing_but_black_says_nothing(self, tmp_path):
        path = indexed(tmp_path / "a.png", [[2, 1, 0]], [(0, 0, 0)] * 3)
        assert believed(from_label_map(photo(1, 3), path, PETS, 0.7, 0)) == [[2, 1, 0]]

    def test_another_size_is_refused(self, tmp_path):
        path = indexed(tmp_path / "a.png", [[0, 1]])
        with pytest.raises(InputError, match=r"a\.png and its photo differ in size: 2 x 1 and 6 x 4"):
            from_label_map(photo(), path, PETS, 0.7, 0)

    def test_an_id_without_a_class_is_named(self, tmp_path):
        path = indexed(tmp_path / "a.png", [[0, 3, 3]])
        with pytest.raises(InputError, match=r"a\.png holds id 3 \(2 pixels\)"):
            from_label_map(photo(1, 3), path, PETS, 0.7, 0)

    def test_a_colour_without_a_class_is_named(self, tmp_path):
        Image.new("RGB", (6, 4), (1, 2, 3)).save(tmp_path / "a.png")
        with pytest.raises(InputError, match=r"\(1, 2, 3\)"):
            from_label_map(photo(), tmp_path / "a.png", PETS, 0.7, 0)

    def test_a_large_map_is_shrunk_to_the_working_size_without_new_ids(self, tmp_path):
        ids = np.zeros((90, 120), np.uint8)
        ids[:, 60:] = 2
        path = indexed(tmp_path / "a.png", ids)
        prior = from_label_map(photo(90, 120), path, PETS, 0.7, 40)
        assert prior.prediction.scores.shape == (1, 3, 30, 40)
        assert prior.prediction.probabilities().shape == (3, 90, 120)
        small = prior.prediction.probabilities((30, 40)).argmax(0).numpy()
        assert np.array_equal(small, np.repeat([[0, 2]], 20, 1).repeat(30, 0))


@pytest.mark.parametrize("kind", ["probabilities", "label map"])
def test_a_reader_takes_the_file_beside_a_photo(tmp_path, kind):
    Image.fromarray(photo().rgb).save(tmp_path / "cat.png")
    saved(tmp_path / "cat.npz")
    Image.new("L", (6, 4), 2).save(tmp_path / "rough.png")
    beside, labels = (tmp_path / "cat.npz", None) if kind == "probabilities" else (tmp_path / "rough.png", PETS)
    read, known = unary.reader([beside], labels, 0.7, 0)
    source = Source(tmp_path / "cat.png", PurePosixPath("cat"), beside=beside)
    assert known == PETS
    expected = from_saved(photo(), beside, PETS) if labels is None else from_label_map(photo(), beside, PETS, 0.7, 0)
    np.testing.assert_array_equal(read(source).prediction.labels(), expected.prediction.labels())
    with pytest.raises(InputError, match=kind):
        read(replace(source, beside=None))
