import numpy as np
import pytest
from dataset_files import write_mask
from sklearn.metrics import jaccard_score

from segcli.errors import InputError, UsageError
from segcli.evaluation import comparison
from segcli.evaluation.comparison import Comparison, Difference
from segcli.evaluation.metrics import ConfusionMatrix
from segcli.labels import VOC, VOID


@pytest.fixture
def folders(tmp_path):
    """Two folders of two photos each, B differing from A in about a quarter of the pixels."""
    generator = np.random.default_rng(0)
    for name in ("one", "two"):
        a = generator.integers(0, 3, (30, 40), np.uint8)
        write_mask(tmp_path / "a" / f"{name}.png", a)
        write_mask(tmp_path / "b" / f"{name}.png", np.where(generator.random(a.shape) < 0.75, a, 3 - a))
    return tmp_path / "a", tmp_path / "b"


def test_a_folder_agrees_with_itself(folders):
    total = Comparison(VOC)
    differences = list(total.compare(comparison.pair(folders[0], folders[0]).pairs))
    assert {difference.agreement for difference in differences} == {1.0}
    assert total.between.scores(VOC).miou == 1.0


def test_per_class_agreement_is_the_iou_of_the_two(folders):
    total = Comparison(VOC)
    differences = list(total.compare(comparison.pair(*folders).pairs))
    assert [difference.name for difference in differences] == ["one", "two"]
    a, b = (np.stack([getattr(difference, side) for difference in differences]).ravel() for side in "ab")
    expected = jaccard_score(a, b, labels=[0, 1, 2, 3], average=None)
    scores = total.between.scores(VOC)
    np.testing.assert_allclose([scores.per_class[VOC.names[i]] for i in range(4)], expected, atol=1e-12)
    assert scores.pixel_accuracy == pytest.approx((a == b).mean())
    assert differences[0].agreement == pytest.approx((differences[0].a == differences[0].b).mean())


def test_the_truth_decides_which_is_better(folders):
    total = Comparison(VOC)
    expected = ConfusionMatrix(21)
    for difference in total.compare(comparison.pair(*folders).pairs):
        truth = difference.a.copy()
        truth[0] = VOID
        total.score(difference, truth)
        expected.update(truth, difference.b)
    assert total.a.scores(VOC).miou == 1.0
    assert total.b.scores(VOC) == expected.scores(VOC)
    assert total.b.scores(VOC).miou < 1


def test_maps_that_only_one_folder_has_are_listed(folders):
    a, b = folders
    write_mask(a / "three.png", [[0]])
    (b / "two.png").unlink()
    found = comparison.pair(a, b)
    assert ([name for name, _, _ in found.pairs], found.only_a, found.only_b) == (["one"], ("three", "two"), ())


def test_folders_that_cannot_be_paired_are_a_wrong_usage(folders, tmp_path):
    with pytest.raises(UsageError, match="is no folder"):
        comparison.pair(folders[0], tmp_path / "absent")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=r"no label map in common\. The first has 2 label maps, the second 0"):
        comparison.pair(folders[0], tmp_path / "empty")


def test_maps_of_two_sizes_are_named(folders):
    write_mask(folders[1] / "two.png", np.zeros((30, 41)))
    pairs = comparison.pair(*folders).pairs
    with pytest.raises(InputError, match="the label maps of two have 40 x 30 and 41 x 30 pixels"):
        list(Comparison(VOC).compare(pairs))


def test_a_truth_of_another_size_is_named(folders):
    total = Comparison(VOC)
    difference = next(total.compare(comparison.pair(*folders).pairs))
    with pytest.raises(InputError, match="the prediction of one is 40 x 30 pixels, its label 5 x 4"):
        total.score(difference, np.zeros((4, 5), np.uint8))


def test_the_picture_shows_each_sides_class_where_they_differ_and_the_photo_elsewhere():
    a, b = np.zeros((2, 60, 80), np.uint8)
    a[10:20, 10:20], b[10:20, 10:20] = 15, 12
    photo = np.full((60, 80, 3), 100, np.uint8)
    drawn = np.asarray(comparison.picture(Difference("x", 0.98, a, b), VOC, photo))
    assert tuple(drawn[15, 15]) == VOC.palette[15]
    assert tuple(drawn[15, 80 + comparison.GAP + 15]) == VOC.palette[12]
    assert tuple(drawn[40, 40]) == (190, 190, 190)


@pytest.mark.parametrize("photo", [None, np.zeros((3, 3, 3), np.uint8)], ids=["no photo", "another size"])
def test_the_picture_has_a_plain_backdrop_without_a_photo_and_void_has_a_name(photo):
    a, b = np.zeros((2, 3000, 2000), np.uint8)
    b[:9] = VOID
    drawn = comparison.picture(Difference("x", 0.997, a, b), VOC, photo)
    assert drawn.width == 2 * 640 + comparison.GAP
    assert drawn.getpixel((5, 900)) == (235, 235, 235)
