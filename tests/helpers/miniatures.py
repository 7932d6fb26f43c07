"""Miniature copies of the papers' datasets in their published layouts, all in one folder: photos of noise."""

import json
from pathlib import Path

import numpy as np
from dataset_files import write_list, write_mask
from PIL import Image

from segcli.labels import CITYSCAPES_LABEL_IDS

SIZE = (30, 40)
"""Height and width of every photo."""
PARTS = {"train": ("2007_000032", "2007_000039"), "val": ("2007_000033",)}
"""The names of VOC's photos by split."""


def write_all(root: Path) -> Path:
    """VOC 2012 with the Semantic Boundaries Dataset, PASCAL-Context, Person-Part, Cityscapes and COCO."""
    _pascal(root, 2012, "SegmentationClass", "Segmentation", 21)
    _pascal(root, 2010, "SegmentationClassContext", "SegmentationContext", 60)
    for name in ("2008_000002", "2008_000003"):
        _photo(root / f"VOCdevkit/VOC2012/JPEGImages/{name}.jpg")
        _mask(root / f"VOCdevkit/VOC2012/SegmentationClassAug/{name}.png", range(21))
    for split, names in PARTS.items():
        write_list(root / f"pascal_person_part/pascal_person_part_trainval_list/{split}_id.txt", *names)
        for name in names:
            _mask(root / f"pascal_person_part/pascal_person_part_gt/{name}.png", range(7))
    for kind, split, town in (
        *(("gtFine", "train", "ulm"), ("gtFine", "val", "bonn")),
        *(("gtCoarse", "train", "ulm"), ("gtCoarse", "train_extra", "augsburg")),
    ):
        _street(root / "cityscapes", kind, split, town)
    for split in ("train", "val"):
        _coco(root / "coco", split)
    return root


def _photo(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(_chance(path).integers(0, 256, (*SIZE, 3), dtype=np.uint8)).save(path)


def _mask(path: Path, ids) -> None:
    """Blocks of 5 x 5 pixels, each of one of the ids."""
    blocks = _chance(path).choice(list(ids), (SIZE[0] // 5, SIZE[1] // 5))
    write_mask(path, blocks.repeat(5, 0).repeat(5, 1))


def _chance(path: Path) -> np.random.Generator:
    return np.random.default_rng(list(path.name.encode()))


def _pascal(root: Path, year: int, masks: str, lists: str, classes: int) -> None:
    devkit = root / f"VOCdevkit/VOC{year}"
    for split, names in (*PARTS.items(), ("trainval", sum(PARTS.values(), ()))):
        write_list(devkit / f"ImageSets/{lists}/{split}.txt", *names)
    for name in sum(PARTS.values(), ()):
        _photo(devkit / f"JPEGImages/{name}.jpg")
        _mask(devkit / masks / f"{name}.png", range(classes))


def _street(root: Path, kind: str, split: str, town: str) -> None:
    for index in (19, 20):
        name = f"{town}_000000_{index:06}"
        _photo(root / f"leftImg8bit/{split}/{town}/{name}_leftImg8bit.png")
        _mask(root / f"{kind}/{split}/{town}/{name}_{kind}_labelIds.png", (0, *CITYSCAPES_LABEL_IDS))


def _coco(root: Path, split: str) -> None:
    """Two photos with a person of 1,100 pixels each, and one without: too little for training."""
    height, width = SIZE
    outline = [[0, 0, width, 0, width, height - 2, 0, height - 2]]
    photos = [{"id": i, "file_name": f"{i:012}.jpg", "width": width, "height": height} for i in (1, 2, 3)]
    for photo in photos:
        _photo(root / f"{split}2017" / photo["file_name"])
    about = {"category_id": 1, "segmentation": outline, "area": 1120.0, "iscrowd": 0}
    path = root / f"annotations/instances_{split}2017.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"images": photos, "annotations": [{"image_id": i, **about} for i in (1, 2)]}))
