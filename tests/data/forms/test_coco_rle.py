import numpy as np
import pytest
from pycocotools import mask as coco_mask

from segcli.data.forms import coco_rle
from segcli.errors import DatasetError


def decoded(counts, height, width):
    """The whole photo's mask of what `decode` gives."""
    part, (row, column) = coco_rle.decode(counts, height, width)
    mask = np.zeros((height, width), bool)
    mask[row : row + part.shape[0], column : column + part.shape[1]] = part
    return mask


def theirs(mask):
    """The packed text that pycocotools makes of a mask."""
    return coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()


def masks():
    rng = np.random.default_rng(0)
    for density in (0, 0.02, 0.5, 0.9, 1):
        yield rng.random((37, 23)) < density
    yield np.kron(rng.random((4, 5)) < 0.5, np.ones((90, 70))).astype(bool)  # long runs, whose numbers take characters
    yield rng.random((1, 9)) < 0.5
    yield rng.random((9, 1)) < 0.5


@pytest.mark.parametrize("mask", list(masks()))
def test_runs_are_those_of_pycocotools(mask):
    packed = theirs(mask)
    counts = coco_rle.unpack(packed)
    again = coco_mask.frPyObjects({"size": list(mask.shape), "counts": counts}, *mask.shape)["counts"].decode()
    assert again == packed
    assert np.array_equal(decoded(packed, *mask.shape), mask)
    assert np.array_equal(decoded(counts, *mask.shape), mask)


def test_runs_go_down_the_columns():
    assert decoded([2, 3, 1], 3, 2).tolist() == [[False, True], [False, True], [True, False]]


def test_a_mask_is_cut_to_what_it_covers():
    mask = np.zeros((4000, 3000), bool)
    mask[3990:3995, 7:9] = True
    part, place = coco_rle.decode(theirs(mask), 4000, 3000)
    assert part.tolist() == [[True, True]] * 5
    assert place == (3990, 7)


@pytest.mark.parametrize(
    ("counts", "match"),
    [
        ([3, 2], "5 pixels, not the 6"),
        ([3, 4], "7 pixels, not the 6"),
        ([7, -1], "6 pixels, not the 6"),
        ([1 << 70, 1], "pixels, not the 6"),
        ([], "0 pixels"),
        ("", "0 pixels"),
        ("33\x00", "damaged"),
        ("3\u00e93", "damaged"),
        ("\ud800", "damaged"),
        ("3p", "damaged"),
        ("3o", "damaged"),  # says that more follows
        ("o" * 6 + "O", "longer than any photo"),
    ],
)
def test_damaged_runs_are_refused(counts, match):
    with pytest.raises(DatasetError, match=match):
        coco_rle.decode(counts, 3, 2)


@pytest.mark.parametrize(("height", "width"), [(0, 5), (-3, -2), (1 << 40, 1), (20000, 20000)])
def test_no_mask_is_made_of_a_size_that_no_photo_has(height, width):
    with pytest.raises(DatasetError, match="a mask states"):
        coco_rle.decode([height * width], height, width)
