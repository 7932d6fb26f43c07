"""Joined splits: whose samples there are, whose ids count, and what cannot be joined."""

import pickle

import pytest
from dataset_files import write_list, write_mask, write_photo

from segcli.data import layouts
from segcli.errors import UsageError
from segcli.labels import CITYSCAPES, VOID


def city(root, kind, split, name, ids, suffix="labelIds"):
    """A photo of Cityscapes and its label."""
    town = name.partition("_")[0]
    write_photo(root / f"cityscapes/leftImg8bit/{split}/{town}/{name}_leftImg8bit.png")
    return write_mask(root / f"cityscapes/{kind}/{split}/{town}/{name}_{kind}_{suffix}.png", ids)


@pytest.fixture
def streets(tmp_path):
    city(tmp_path, "gtFine", "train", "ulm_000000_000019", [[7, 8]])
    city(tmp_path, "gtFine", "val", "bonn_000000_000019", [[33, 0]])
    city(tmp_path, "gtCoarse", "train", "ulm_000000_000019", [[7, 0]])
    city(tmp_path, "gtCoarse", "train_extra", "augsburg_000000_000000", [[26, 0]])
    return tmp_path


def read(dataset):
    return {sample.name: dataset.read_label(sample).tolist() for sample in dataset.samples}


def test_the_v3_papers_trainval_coarse_is_fine_and_coarse_labels_together(streets):
    """Its 3,475 photos with fine labels, then 20,000 with coarse ones."""
    dataset = layouts.load("cityscapes", streets, "train+val+cityscapes-coarse:train_extra")
    assert read(dataset) == {
        "ulm_000000_000019": [[0, 1]],
        "bonn_000000_000019": [[18, VOID]],
        "augsburg_000000_000000": [[13, VOID]],
    }
    assert (dataset.name, dataset.labels) == ("cityscapes", CITYSCAPES)
    assert dataset.split == "train+val+cityscapes-coarse:train_extra"


def test_each_part_is_read_by_its_own_ids(streets):
    """Train ids in one part: 7 is traffic sign there, road elsewhere."""
    label = streets / "cityscapes/gtCoarse/train_extra/augsburg/augsburg_000000_000000_gtCoarse_labelIds.png"
    label.unlink()
    city(streets, "gtCoarse", "train_extra", "augsburg_000000_000000", [[7, 255]], "labelTrainIds")
    dataset = layouts.load("cityscapes", streets, "train+cityscapes-coarse:train_extra")
    assert read(dataset) == {"ulm_000000_000019": [[0, 1]], "augsburg_000000_000000": [[7, VOID]]}
    assert read(pickle.loads(pickle.dumps(dataset))) == read(dataset)  # as processes that read photos get it


def test_another_datasets_split_can_be_meant_alone(streets):
    dataset = layouts.load("cityscapes-coarse", streets, "cityscapes:val")
    assert (dataset.name, dataset.split, read(dataset)) == ("cityscapes", "val", {"bonn_000000_000019": [[18, VOID]]})


def test_a_photo_in_two_parts_is_refused(streets):
    for split in ("train+train", "train+cityscapes-coarse:train"):
        with pytest.raises(UsageError, match="has 1 photo in two of its parts, such as ulm_000000_000019"):
            layouts.load("cityscapes", streets, split)


def test_other_classes_are_refused(streets):
    write_photo(streets / "camvid/val/a.png")
    write_mask(streets / "camvid/valannot/a.png", [[0, 11]])
    with pytest.raises(UsageError, match="camvid val cannot be joined to cityscapes train: it has other classes"):
        layouts.load("cityscapes", streets, "train+camvid:val")


@pytest.mark.parametrize(
    ("split", "said", "advice"),
    [
        ("train+vall", "cityscapes has no split 'vall'", "train, val, test"),
        ("train+", "cityscapes has no split ''", "joins two"),
        ("cityscape-coarse:train", "no dataset is called 'cityscape-coarse'", "Did you mean cityscapes-coarse"),
        ("camvid:train_extra", "camvid has no split 'train_extra'", "train, val, test"),
    ],
)
def test_a_part_that_does_not_exist_is_named(tmp_path, split, said, advice):
    with pytest.raises(UsageError) as caught:
        layouts.load("cityscapes", tmp_path, split)
    assert said in caught.value.message
    assert advice in caught.value.hint


def test_vocs_trainaug_with_matlab_files_joins_its_val(tmp_path):
    from scipy.io import savemat

    devkit = tmp_path / "VOCdevkit/VOC2012"
    for name in ("2007_000032", "2007_000033", "2008_000002"):
        write_photo(devkit / f"JPEGImages/{name}.jpg")
    write_list(devkit / "ImageSets/Segmentation/train.txt", "2007_000032")
    write_list(devkit / "ImageSets/Segmentation/val.txt", "2007_000033")
    write_mask(devkit / "SegmentationClass/2007_000032.png", [[0, 20, 255]])
    write_mask(devkit / "SegmentationClass/2007_000033.png", [[0, 1, 2]])
    (tmp_path / "benchmark_RELEASE/dataset/cls").mkdir(parents=True)
    savemat(tmp_path / "benchmark_RELEASE/dataset/cls/2008_000002.mat", {"GTcls": {"Segmentation": [[0, 15, 15]]}})
    dataset = layouts.load("voc2012", tmp_path, "trainaug+val")
    assert read(dataset) == {
        "2007_000032": [[0, 20, VOID]],
        "2008_000002": [[0, 15, 15]],
        "2007_000033": [[0, 1, 2]],
    }
