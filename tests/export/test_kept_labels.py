"""How many labels stay, by hand-worked numbers."""

import numpy as np
import pytest

from segcli.export.kept_labels import KeptLabels
from segcli.labels import VOC


def test_shares_the_worst_photo_and_the_miou_that_is_lost():
    kept = KeptLabels(VOC)
    truth = np.array([[0, 0, 1, 1], [0, 0, 1, 255]])
    kept.add("a", truth % 255, np.array([[0, 0, 1, 0], [0, 0, 1, 1]]), truth)
    kept.add("b", np.zeros((2, 4), int), np.zeros((2, 4), int))
    assert kept.share == (6 + 8) / 16
    assert kept.worst == ("a", 6 / 8)
    # class 0: 4 right of 4, then 4 of 4 in a union of 5; class 1: 3 of 3, then 2 of 3
    assert kept.mious == (1.0, pytest.approx((4 / 5 + 2 / 3) / 2))
    assert kept.lines() == [
        "checked: 87.50% of labels equal float's on 2 photos, 75.00% on the worst, a",
        "mIOU 100.00% in floats, 73.33% in 8 bits (-26.67 points) on 1 photos",
    ]
    assert kept.to_dict() == {
        "photos": 2,
        "share": 14 / 16,
        "worst": {"photo": "a", "share": 0.75},
        "scored": 1,
        "miou": {"float32": 1.0, "int8": pytest.approx(11 / 15)},
    }


def test_ninety_eight_in_a_hundred_suffice():
    for equal, enough in ((98, True), (97, False)):
        kept = KeptLabels(VOC)
        kept.add("a", np.zeros((1, 100), int), (np.arange(100)[None] >= equal).astype(int))
        assert kept.suffices == enough
        assert "miou" not in kept.to_dict()
        assert len(kept.lines()) == 1
    assert not KeptLabels(VOC).suffices
