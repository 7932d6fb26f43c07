"""What the CRF starts from: saved probabilities and rough label maps, as opinions about a photo's pixels."""

from dataclasses import replace
from pathlib import PurePosixPath

import numpy as np
import pytest
import torch
from PIL import Image

from segcli.crf import unary
from segcli.crf.unary import from_saved
from segcli.data.names import parse
from segcli.data.photo_labels import open_labels
from segcli.errors import InputError, SegcliError
from segcli.files.sources import Source
from segcli.images.photo import Photo
from segcli.images.probabilities import write_probabilities
from segcli.labels import VOC, LabelSet, from_names

PETS = from_names(["background", "cat", "dog"], "pets")
FOREST = LabelSet("forest", ("fir", "oak"), ((0, 64, 0), (64, 128, 0)))
"""A label set without black."""


def photo(height=4, width=6):
    return Photo(np.zeros((height, width, 3), np.uint8), ("a remark",))


def saved(path, classes=3, labels=PETS):
    values = np.random.default_rng(0).dirichlet(np.ones(classes), (4, 6))
    write_probabilities(path, values.transpose(2, 0, 1), labels)


class TestSavedProbabilities:
    def test_lie_over_the_whole_photo(self, tmp_path):
        saved(tmp_path / "a.npz")
        start = from_saved(photo(8, 12), tmp_path / "a.npz", PETS)
        assert start.prediction.probabilities().shape == (3, 8, 12)
        assert start.notes == ("a remark",)

    def test_of_other_classes_are_refused(self, tmp_path):
        saved(tmp_path / "a.npz", 2, FOREST)
        with pytest.raises(InputError, match=r"2 classes \(forest\), such as fir; the other files have 3 \(pets\)"):
            from_saved(photo(), tmp_path / "a.npz", PETS)


def indexed(path, ids, palette=None):
    image = Image.fromarray(np.array(ids, np.uint8))
    if palette is not None:
        image.putpalette([value for colour in palette for value in colour])
    image.save(path)
    return path


def believed(start):
    """The believed class of each pixel, -1 where there is no opinion."""
    probabilities = start.prediction.probabilities()
    spread = probabilities.amax(0) - probabilities.amin(0)
    return torch.where(spread < 1e-6, -1, probabilities.argmax(0)).tolist()


def started(rough, labels=PETS, photo_size=None, size=0):
    """The Unary of a photo of (height, width) pixels, by default the label map's, with a rough label map."""
    with Image.open(rough) as image:
        width, height = image.size
    height, width = photo_size or (height, width)
    picture = rough.parent / "photos" / rough.name
    picture.parent.mkdir(exist_ok=True)
    Image.new("RGB", (width, height)).save(picture)
    drawn = open_labels([picture], rough, parse(labels))
    return unary.reader(labels, size, drawn, 0.7)(Source(picture, PurePosixPath("a"), beside=rough))


class TestRoughLabelMaps:
    def test_ids_are_trusted_as_far_as_asked(self, tmp_path):
        probabilities = started(indexed(tmp_path / "a.png", [[0, 1], [2, 255]])).prediction.probabilities()
        expected = [[0.7, 0.15, 0.15, 1 / 3], [0.15, 0.7, 0.15, 1 / 3], [0.15, 0.15, 0.7, 1 / 3]]
        assert probabilities.flatten(1).numpy() == pytest.approx(np.array(expected))

    def test_the_label_sets_own_void_is_no_opinion(self, tmp_path):
        labels = from_names(["a", "b"], ignore=9)
        assert believed(started(indexed(tmp_path / "a.png", [[0, 1, 9, 255]]), labels)) == [[0, 1, -1, -1]]

    def test_colours_are_the_label_sets_and_black_is_void(self, tmp_path):
        Image.fromarray(np.array([[(64, 128, 0), (0, 64, 0), (0, 0, 0)]], np.uint8)).save(tmp_path / "a.png")
        assert believed(started(tmp_path / "a.png", FOREST)) == [[1, 0, -1]]

    def test_a_drawing_programs_numbering_is_not_taken_for_ids(self, tmp_path):
        path = indexed(tmp_path / "a.png", [[0, 1, 2]], [(64, 128, 0), (0, 64, 0), (0, 0, 0)])
        start = started(path, FOREST)
        assert believed(start) == [[1, 0, -1]]

    @pytest.mark.parametrize(
        "palette", [None, VOC.palette, [(i, i, i) for i in range(256)]], ids=["none", "VOC", "grey"]
    )
    def test_ids_stay_ids_whatever_colours_they_wear(self, tmp_path, palette):
        start = started(indexed(tmp_path / "a.png", [[2, 1, 0]], palette))
        assert believed(start) == [[2, 1, 0]]
        assert start.notes == ()

    def test_a_palette_of_nothing_but_black_says_nothing(self, tmp_path):
        assert believed(started(indexed(tmp_path / "a.png", [[2, 1, 0]], [(0, 0, 0)] * 3))) == [[2, 1, 0]]

    def test_another_size_is_refused(self, tmp_path):
        path = indexed(tmp_path / "a.png", [[0, 1]])
        with pytest.raises(InputError, match=r"a\.png and its photo differ in size: 2 x 1 and 6 x 4"):
            started(path, photo_size=(4, 6))

    def test_an_id_without_a_class_is_named(self, tmp_path):
        with pytest.raises(SegcliError, match=r"\b9\b"):
            started(indexed(tmp_path / "a.png", [[0, 1, 7, 9, 9]]))

    def test_a_map_that_is_void_everywhere_says_nothing_to_refine(self, tmp_path):
        with pytest.raises(InputError, match="void everywhere"):
            started(indexed(tmp_path / "a.png", [[255, 255]]))

    def test_a_large_map_is_shrunk_to_the_working_size_without_new_ids(self, tmp_path):
        ids = np.zeros((90, 120), np.uint8)
        ids[:, 60:] = 2
        start = started(indexed(tmp_path / "a.png", ids), size=40)
        assert start.prediction.scores.shape == (1, 3, 30, 40)
        assert start.prediction.probabilities().shape == (3, 90, 120)
        small = start.prediction.probabilities((30, 40)).argmax(0).numpy()
        assert np.array_equal(small, np.repeat([[0, 2]], 20, 1).repeat(30, 0))


def test_a_reader_takes_the_probabilities_beside_a_photo(tmp_path):
    Image.fromarray(photo().rgb).save(tmp_path / "cat.png")
    saved(tmp_path / "cat.npz")
    read = unary.reader(PETS, 0)
    source = Source(tmp_path / "cat.png", PurePosixPath("cat"), beside=tmp_path / "cat.npz")
    expected = from_saved(photo(), tmp_path / "cat.npz", PETS)
    np.testing.assert_array_equal(read(source).prediction.labels(), expected.prediction.labels())
    with pytest.raises(InputError, match="no probabilities"):
        read(replace(source, beside=None))
