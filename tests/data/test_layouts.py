import hashlib
import tarfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from dataset_files import write_list, write_mask, write_photo
from scipy.io import savemat

from segcli import labels
from segcli.data import layouts
from segcli.errors import DatasetError, UsageError
from segcli.labels import VOID

# name, id, train id: copied from the published table, cityscapesscripts/helpers/labels.py.
CITYSCAPES_TABLE = """
unlabeled 0 255, ego vehicle 1 255, rectification border 2 255, out of roi 3 255, static 4 255, dynamic 5 255,
ground 6 255, road 7 0, sidewalk 8 1, parking 9 255, rail track 10 255, building 11 2, wall 12 3, fence 13 4,
guard rail 14 255, bridge 15 255, tunnel 16 255, pole 17 5, polegroup 18 255, traffic light 19 6, traffic sign 20 7,
vegetation 21 8, terrain 22 9, sky 23 10, person 24 11, rider 25 12, car 26 13, truck 27 14, bus 28 15,
caravan 29 255, trailer 30 255, train 31 16, motorcycle 32 17, bicycle 33 18
"""


def names(dataset):
    return [sample.name for sample in dataset.samples]


def read(dataset, index=0):
    label = dataset.read_label(dataset.samples[index])
    assert label.dtype == np.uint8
    return label.tolist()


def voc_tree(root: Path, year: int = 2012) -> Path:
    devkit = root / f"VOCdevkit/VOC{year}"
    for name in ("2007_000032", "2007_000033", "2008_000002", "2008_000003"):
        write_photo(devkit / f"JPEGImages/{name}.jpg")
    return devkit


def voc2012_tree(root: Path) -> Path:
    devkit = voc_tree(root)
    lists = devkit / "ImageSets/Segmentation"
    write_list(lists / "train.txt", "2007_000032")
    write_list(lists / "val.txt", "2007_000033")
    write_list(lists / "test.txt", "2008_000003")
    write_mask(devkit / "SegmentationClass/2007_000032.png", [[0, 20, 255]])
    write_mask(devkit / "SegmentationClass/2007_000033.png", [[0, 1, 2]])
    return devkit


@pytest.mark.parametrize("inside", [".", "VOCdevkit", "VOCdevkit/VOC2012"])
def test_voc_is_found_from_any_of_its_folders(tmp_path, inside):
    voc2012_tree(tmp_path)
    dataset = layouts.load("voc2012", tmp_path / inside, "train")
    assert (names(dataset), dataset.labels.name, len(dataset)) == (["2007_000032"], "voc2012", 1)
    assert read(dataset) == [[0, 20, VOID]]
    assert dataset.samples[0].image.is_file()


@pytest.mark.shared
def test_real_voc_and_camvid_files_are_listed_and_read(shared_data):
    for name, folder, split, count in (
        ("voc2012", "voc-mini", "val", 11),
        ("voc2012", "voc-mini", "train", 26),
        ("camvid", "camvid", "val", 101),
        ("camvid", ".", "train", 367),
    ):
        dataset = layouts.load(name, shared_data / folder, split)
        assert len(dataset) == count
        found = set(np.unique(dataset.read_label(dataset.samples[0])))
        assert found <= {*range(len(dataset.labels)), VOID}
        assert len(found) > 2


def test_vocs_test_split_has_photos_and_no_labels(tmp_path):
    voc2012_tree(tmp_path)
    dataset = layouts.load("voc2012", tmp_path, "test")
    assert dataset.samples[0].label is None
    with pytest.raises(DatasetError, match="voc2012 test has no labels"):
        dataset.read_label(dataset.samples[0])


def test_trainaug_adds_masks_less_the_images_of_val_and_keeps_vocs_own_masks(tmp_path):
    devkit = voc2012_tree(tmp_path)
    for name in ("2007_000032", "2007_000033", "2008_000002"):  # the usual archive covers train and val as well
        write_mask(devkit / f"SegmentationClassAug/{name}.png", [[7, 7, 7]])
    dataset = layouts.load("voc2012", tmp_path, "trainaug")
    assert names(dataset) == ["2007_000032", "2008_000002"]
    assert (read(dataset, 0), read(dataset, 1)) == ([[0, 20, VOID]], [[7, 7, 7]])


def test_trainaug_reads_the_benchmarks_matlab_files(tmp_path):
    devkit = voc2012_tree(tmp_path)
    folder = tmp_path / "benchmark_RELEASE/dataset/cls"
    folder.mkdir(parents=True)
    for name in ("2007_000033", "2008_000002"):
        savemat(folder / f"{name}.mat", {"GTcls": {"Segmentation": np.array([[0, 15, 15]], np.uint8)}})
    for inside in (tmp_path, devkit):
        if inside == devkit:
            (tmp_path / "benchmark_RELEASE").rename(tmp_path / "VOCdevkit/benchmark_RELEASE")
        dataset = layouts.load("voc2012", inside, "trainaug")
        assert names(dataset) == ["2007_000032", "2008_000002"]
        assert (read(dataset, 0), read(dataset, 1)) == ([[0, 20, VOID]], [[0, 15, 15]])
    dataset.samples[1].label.write_bytes(b"MATLAB 5.0 MAT-file, torn")
    with pytest.raises(DatasetError, match=r"2008_000002\.mat cannot be read as a MATLAB file"):
        read(dataset, 1)


def test_trainaug_without_the_added_masks_says_what_to_put_where(tmp_path):
    voc2012_tree(tmp_path)
    with pytest.raises(DatasetError, match="holds no masks of the Semantic Boundaries") as caught:
        layouts.load("voc2012", tmp_path, "trainaug")
    assert "SegmentationClassAug/2008_000002.png" in caught.value.hint
    assert "benchmark_RELEASE/dataset/cls" in caught.value.hint


def test_cityscapes_ids_follow_the_published_table():
    table = {}
    for row in CITYSCAPES_TABLE.replace("\n", " ").split(","):
        name, file_id, train_id = row.strip().rsplit(" ", 2)
        table[int(file_id)] = (name, int(train_id))
    assert sorted(table) == list(range(34))
    assert layouts.cityscapes_ids() == {file_id: train_id for file_id, (_, train_id) in table.items()}
    assert {train_id: name for name, train_id in table.values() if train_id != 255} == dict(
        enumerate(labels.CITYSCAPES.names)
    )


@pytest.mark.parametrize(
    ("name", "kind", "split"),
    [("cityscapes", "gtFine", "val"), ("cityscapes-coarse", "gtCoarse", "train_extra")],
)
def test_cityscapes_label_ids_become_classes(tmp_path, name, kind, split):
    write_photo(tmp_path / f"cityscapes/leftImg8bit/{split}/ulm/ulm_000000_000019_leftImg8bit.png")
    mask = tmp_path / f"cityscapes/{kind}/{split}/ulm/ulm_000000_000019_{kind}_labelIds.png"
    write_mask(mask, [[0, 7, 33, 29, 26]])
    write_mask(mask.with_name(mask.name.replace("labelIds", "labelTrainIds")), [[255, 0, 18, 255, 13]])
    for inside in (".", "cityscapes"):
        dataset = layouts.load(name, tmp_path / inside, split)
        assert (dataset.name, names(dataset)) == (name, ["ulm_000000_000019"])
        assert read(dataset) == [[VOID, 0, 18, VOID, 13]]
    mask.unlink()
    assert read(layouts.load(name, tmp_path, split)) == [[VOID, 0, 18, VOID, 13]]


def test_cityscapes_photos_of_a_city_without_labels_keep_their_place(tmp_path):
    for city in ("bonn", "ulm"):
        write_photo(tmp_path / f"leftImg8bit/val/{city}/{city}_000000_000019_leftImg8bit.png")
    write_mask(tmp_path / "gtFine/val/ulm/ulm_000000_000019_gtFine_labelIds.png", [[7]])
    dataset = layouts.load("cityscapes", tmp_path, "val")
    assert names(dataset) == ["bonn_000000_000019", "ulm_000000_000019"]
    with pytest.raises(DatasetError, match=r"bonn_000000_000019_gtFine_labelIds\.png"):
        read(dataset, 0)


def test_cityscapes_test_split_has_no_labels(tmp_path):
    write_photo(tmp_path / "leftImg8bit/test/berlin/berlin_000000_000019_leftImg8bit.png")
    assert layouts.load("cityscapes", tmp_path, "test").samples[0].label is None


def test_pascal_context_with_and_without_background(tmp_path):
    devkit = voc_tree(tmp_path, 2010)
    write_list(devkit / "ImageSets/SegmentationContext/val.txt", "2008_000002")
    write_mask(devkit / "SegmentationClassContext/2008_000002.png", [[0, 1, 59]])
    assert read(layouts.load("pascal-context", tmp_path, "val")) == [[0, 1, 59]]
    assert read(layouts.load("pascal-context-59", tmp_path, "val")) == [[VOID, 0, 58]]


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("val_id.txt", "2008_000003"),
        ("val.txt", "/JPEGImages/2008_000003.jpg /pascal_person_part_gt/2008_000003.png"),
    ],
)
def test_person_part_reads_both_kinds_of_list(tmp_path, file, line):
    devkit = voc_tree(tmp_path, 2010)
    root = tmp_path / "pascal_person_part"
    write_list(root / "pascal_person_part_trainval_list" / file, line)
    write_mask(root / "pascal_person_part_gt/2008_000003.png", [[0, 6, 255]])
    dataset = layouts.load("person-part", tmp_path, "val")
    assert read(dataset) == [[0, 6, VOID]]
    assert dataset.samples[0].image == devkit / "JPEGImages/2008_000003.jpg"


def test_camvid_pairs_by_name_and_its_void_is_11(tmp_path):
    write_photo(tmp_path / "CamVid/val/0016E5_07959.jpg")
    write_mask(tmp_path / "CamVid/valannot/0016E5_07959.png", [[0, 10, 11]])
    stray = write_mask(tmp_path / "CamVid/valannot/0016E5_07961.png", [[0]])
    dataset = layouts.load("camvid", tmp_path, "val")
    assert read(dataset) == [[0, 10, VOID]]
    assert dataset.strays == (stray,)


def test_ade20k_keeps_the_benchmarks_ids_and_makes_0_void(tmp_path):
    write_photo(tmp_path / "ADEChallengeData2016/images/validation/ADE_val_00000001.jpg")
    write_mask(tmp_path / "ADEChallengeData2016/annotations/validation/ADE_val_00000001.png", [[0, 1, 150]])
    assert read(layouts.load("ade20k", tmp_path, "val")) == [[VOID, 1, 150]]
    without_void = layouts.load("ade20k-150", tmp_path, "val")
    assert read(without_void) == [[VOID, 0, 149]]
    assert without_void.labels.names[149] == "flag"


@pytest.mark.parametrize("name", layouts.DATASETS)
def test_a_missing_dataset_says_what_to_put_where(tmp_path, name):
    layout = layouts.DATASETS[name]
    with pytest.raises(DatasetError, match="holds no") as caught:
        layouts.load(name, tmp_path, layout.splits[0])
    assert str(tmp_path) in caught.value.message
    assert "\n" not in caught.value.message
    assert "\n    " in caught.value.hint


def test_an_unknown_dataset_or_split_is_a_wrong_usage(tmp_path):
    with pytest.raises(UsageError, match="Did you mean voc2012"):
        layouts.load("voc2021", tmp_path, "val")
    with pytest.raises(UsageError, match=r"camvid has no split 'validation'\. Its splits: train, val, test"):
        layouts.load("camvid", tmp_path, "validation")


def test_a_list_that_is_missing_or_empty_is_named(tmp_path):
    devkit = voc2012_tree(tmp_path)
    with pytest.raises(DatasetError, match=r"trainval\.txt"):
        layouts.load("voc2012", tmp_path, "trainval")
    write_list(devkit / "ImageSets/Segmentation/val.txt", "", "  ")
    with pytest.raises(DatasetError, match="has no photos"):
        layouts.load("voc2012", tmp_path, "val")


def test_a_hostile_list_leads_nowhere_else(tmp_path):
    devkit = voc2012_tree(tmp_path)
    write_list(devkit / "ImageSets/Segmentation/val.txt", "../../../secret", "2007_000033", "2007_000033")
    dataset = layouts.load("voc2012", tmp_path, "val")
    assert names(dataset) == ["secret", "2007_000033"]
    assert dataset.samples[0].image.parent == devkit / "JPEGImages"


@pytest.fixture
def host(tmp_path):
    """An HTTP server on loopback: (its folder, its address)."""
    handler = partial(QuietHandler, directory=tmp_path / "host")
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield tmp_path / "host", f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.mark.parametrize("fault", ["", "another archive", "gone"])
def test_voc_is_downloaded_only_with_the_published_checksum(tmp_path, monkeypatch, host, fault):
    from torchvision.datasets.voc import DATASET_YEAR_DICT

    assert DATASET_YEAR_DICT["2012"]["md5"] in layouts.VOC_TREE
    folder, address = host
    voc2012_tree(folder)
    with tarfile.open(folder / "voc.tar", mode="w") as archive:
        archive.add(folder / "VOCdevkit", "VOCdevkit")
    md5 = "0" * 32 if fault == "another archive" else hashlib.md5((folder / "voc.tar").read_bytes()).hexdigest()
    entry = {"url": f"{address}/{'gone' if fault == 'gone' else 'voc'}.tar", "filename": "voc.tar", "md5": md5}
    monkeypatch.setitem(DATASET_YEAR_DICT, "2012", DATASET_YEAR_DICT["2012"] | entry)
    data_dir = tmp_path / "data"
    if not fault:
        layouts.download_voc2012(data_dir)
        assert names(layouts.load("voc2012", data_dir, "val")) == ["2007_000033"]
        return
    with pytest.raises(DatasetError, match="VOC 2012 cannot be fetched") as caught:
        layouts.download_voc2012(data_dir)
    assert "SegmentationClass" in caught.value.hint
    assert not (data_dir / "VOCdevkit").exists()
