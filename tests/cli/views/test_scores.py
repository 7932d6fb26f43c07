"""How scores look."""

import numpy as np

from segcli.cli.views.scores import coverage, only_predicted
from segcli.evaluation.metrics import ConfusionMatrix
from segcli.labels import ADE20K, VOID, from_names


def scores(truth, predicted, labels):
    return (
        ConfusionMatrix(len(labels)).update(np.array([truth], np.uint8), np.array([predicted], np.uint8)).scores(labels)
    )


def test_an_miou_over_fewer_classes_than_named_says_so():
    labels = from_names(["soil", "leaf", "spot", "moss"])
    found = scores([0, 0, 1], [0, 2, 1], labels)
    assert (found.classes, found.named, found.absent) == (3, 4, ("moss",))
    assert coverage(found) == " over 3 of 4 classes; no pixel of: moss"
    assert found.to_dict()["absent"] == ["moss"]
    assert coverage(scores([0, 1, 2, 3], [0, 0, 0, 0], labels)) == ""


def test_the_miou_over_the_classes_in_the_truth_is_told_from_the_one_over_all():
    labels = from_names(["soil", "leaf", "spot", "moss"])
    found = scores([0, 0, 1, 1], [0, 2, 1, 3], labels)
    assert (found.miou, found.classes) == (0.25, 4)  # soil and leaf 1/2, spot and moss 0
    assert (found.miou_present, found.present) == (0.5, 2)
    assert only_predicted(found) == " over 2 classes; the mIOU also has a 0 for each of the 2 that are predicted only"
    assert (found.to_dict()["miou"], found.to_dict()["miou_present"]) == (0.25, 0.5)


def test_a_channel_that_stands_for_void_is_not_missed():
    found = scores([*range(1, 150), VOID], [1] * 150, ADE20K)
    assert (found.classes, found.named, found.absent) == (149, 150, ("flag",))
