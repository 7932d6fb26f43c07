"""Coverage: labels that do not show what is to be learned stop a training."""

import numpy as np
import pytest
from heard import Heard

from segcli.data.census import Census
from segcli.data.dataset import Dataset, ids_of
from segcli.errors import DatasetError
from segcli.labels import ADE20K, VOID, from_names
from segcli.training import coverage

LABELS = from_names(["soil", "leaf", "spot"])


def counted(*ids, classes=3):
    census = Census(classes)
    census.add(np.array([ids], np.uint8))
    return census


def check(learned, held, allow_missing=False, name="folder", labels=LABELS):
    heard = Heard()
    coverage.check(Dataset(name, "train", labels, (), ids_of(labels)), learned, held, allow_missing, heard)
    return heard.warnings


def test_labels_that_show_every_class_pass_without_a_word():
    assert check(counted(0, 1, 2, VOID), counted(0)) == []


def test_a_class_without_a_pixel_stops_a_training_on_ones_own_photos():
    with pytest.raises(DatasetError, match="no label holds a pixel of spot") as caught:
        check(counted(0, 1, VOID), counted(1))
    assert "--allow-missing" in caught.value.hint
    assert "allow_missing=True" in caught.value.hint


def test_unless_it_may_be_missing_or_the_dataset_is_published():
    for options in ({"allow_missing": True}, {"name": "camvid"}):
        assert check(counted(0, 1), counted(1), **options) == [
            "no label holds a pixel of spot, so the model cannot learn it"
        ]
    assert check(counted(0), counted(0), name="voc2012") == [
        "no label holds a pixel of leaf, spot, so the model cannot learn it"
    ]


def test_a_class_that_only_photos_to_validate_on_hold_is_told():
    (warning,) = check(counted(0, 1), counted(2))
    assert warning == "only photos to validate on show spot, so the model cannot learn it"


@pytest.mark.parametrize("allow_missing", [False, True])
@pytest.mark.parametrize(("ids", "said"), [((0, VOID), "hold only soil"), ((VOID,), "hold only void")])
def test_labels_of_one_class_teach_nothing_whatever_is_allowed(ids, said, allow_missing):
    with pytest.raises(DatasetError, match=said) as caught:
        check(counted(*ids), counted(*ids), allow_missing)
    assert caught.value.hint


def test_a_channel_for_void_need_not_occur():
    every = counted(*range(1, 151), classes=151)
    assert check(every, every, labels=ADE20K) == []


def test_many_missing_classes_are_told_in_few_words():
    labels = from_names([f"class {index}" for index in range(30)])
    with pytest.raises(DatasetError, match="class 11 and 18 more"):
        check(counted(0, 1, classes=30), counted(0, classes=30), labels=labels)
