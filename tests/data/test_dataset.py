import pickle

import numpy as np
import pytest
from dataset_files import write_mask, write_photo

from segcli import labels
from segcli.data import dataset
from segcli.data.dataset import Dataset, Sample
from segcli.errors import DatasetError
from segcli.labels import VOID


@pytest.fixture
def leaves(tmp_path):
    """Two classes; void is 9 in the files."""
    classes = labels.LabelSet("leaves", ("soil", "leaf"), ((0, 0, 0), (0, 255, 0)), ignore=9)
    entries = tuple(Sample(name, tmp_path / f"{name}.jpg", tmp_path / f"{name}.png") for name in "ab")
    return Dataset("leaves", "val", classes, entries, dataset.ids_of(classes))


def test_void_becomes_255(leaves):
    write_mask(leaves.samples[0].label, [[0, 1, 9]])
    np.testing.assert_array_equal(leaves.read_label(leaves.samples[0]), np.array([[0, 1, VOID]], np.uint8))


def test_an_illegal_id_is_named_with_its_file_and_its_pixels(leaves):
    write_mask(leaves.samples[1].label, [[0, 2, 2, 255]])
    with pytest.raises(DatasetError, match=r"b\.png holds id 2 \(2 pixels\), id 255 \(1 pixel\)") as caught:
        leaves.read_label(leaves.samples[1])
    assert caught.value.hint == "Labels of leaves hold ids from 0 to 1, and 9 for void."


def test_ids_of_16_bits_are_told_apart_from_their_low_byte(leaves):
    mapped, illegal = dataset.map_ids(np.array([[1, 257, 65535]], np.uint16), leaves.ids)
    assert (mapped.tolist(), illegal) == ([[1, VOID, VOID]], {257: 1, 65535: 1})


def test_without_a_void_id_255_is_illegal():
    classes = labels.from_names(["soil", "leaf"], ignore=None)
    assert dataset.map_ids(np.array([[0, 255]], np.uint8), dataset.ids_of(classes))[1] == {255: 1}


@pytest.mark.parametrize("kind", ["missing", "colours", "jpeg", "torn"])
def test_a_label_that_is_no_mask_is_named(leaves, kind):
    label = leaves.samples[0].label
    if kind == "colours":
        write_photo(label)
    elif kind == "jpeg":
        write_photo(label, format="JPEG")
    elif kind == "torn":
        write_mask(label, np.random.default_rng(0).integers(0, 2, (64, 64)))
        label.write_bytes(label.read_bytes()[:-100])
    with pytest.raises(DatasetError, match=r"a\.png"):
        leaves.read_label(leaves.samples[0])


def test_without_drops_the_named_samples_and_nothing_else(leaves):
    rest = leaves.without({"a"})
    assert [sample.name for sample in rest.samples] == ["b"]
    assert (rest.name, rest.labels, len(leaves)) == ("leaves", leaves.labels, 2)


def test_without_leaves_no_empty_dataset(leaves):
    with pytest.raises(DatasetError, match="no sample of leaves"):
        leaves.without({"a", "b"})


def test_a_dataset_travels_to_worker_processes(leaves):
    assert pickle.loads(pickle.dumps(leaves)) == leaves
