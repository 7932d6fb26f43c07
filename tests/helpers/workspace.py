"""A folder in which the commands that the pages print can be given: small photos, label maps, weights and a cache."""

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import films
import geotiffs
import miniatures
import numpy as np
import pytest
import tifffile
import torch
from PIL import Image, PngImagePlugin
from small_runs import smooth

from segcli import labels
from segcli.files import formats
from segcli.images.masks import write_label_map
from segcli.labels import LabelSet
from segcli.models import variants
from segcli.models.networks import deeplab
from segcli.models.preprocessing import Preprocessing
from segcli.models.spec import ASPPSpec
from segcli.weights import manifest, model_io

ROOT = Path(__file__).parents[2]
OLD_WORK = ROOT / "tests" / "old_work"
SCENES = ("dusk", "morning", "avenue")
FOLDERS = ("photos", "more-photos", "drive", "scans", "huge")
LABEL_FOLDERS = ("labels", "masks", "a", "b", "without-crf", "with-crf", "SegmentationClass")
CAT = labels.from_names(["background", "cat"])
DOWNLOADED = ["v3-mobilenetv2@voc2012", "v3plus-xception@voc2012", "v3plus-xception@cityscapes"]
"""The weights that the pages' commands take to be downloaded."""


def write(home: Path) -> None:
    """Everything that the pages' commands name and that no command before them makes."""
    _examples(home)
    for index, folder in enumerate(FOLDERS):
        for number in range(2):
            save(home / folder / f"{folder[:2]}{number}.jpg", smooth(10 * index + number, 80, 60))
    save(home / "more" / "inside" / "one.png", smooth(97, 80, 60))
    for name in ("holiday.jpg", "photo.jpg", "segmented/masks/photo.png"):
        save(home / name, smooth(99, 80, 60))
    save(home / "mixed" / "whole.jpg", smooth(96, 80, 60))
    (home / "mixed" / "part.jpg").write_bytes((home / "mixed" / "whole.jpg").read_bytes()[:-500])
    (home / "wrong.txt").write_text("photos/ph0.jpg\n")
    save(home / "panorama.jpg", smooth(98, 1100, 80))
    depth = (np.arange(80 * 60, dtype=np.uint16) * 13).reshape(60, 80)
    Image.fromarray(depth).save(home / "scans" / "pages.tif", save_all=True, append_images=[Image.fromarray(depth)])
    _films(home)
    _field(home / "field.tif")
    geotiffs.write(home / "ortho.tif", geotiffs.PLACES["utm"], 60, 80)
    _cells(home / "cells" / "cells.ome.tif")
    for index, folder in enumerate(LABEL_FOLDERS):
        _label_maps(home / folder, index)
    _label_maps(home / "scribbles", 5, void=True)
    for number in range(10):
        save(home / "leaves" / f"leaf {number}.jpg", smooth(50 + number, 80, 60))
        _outline(home / "leaves" / f"leaf {number}.jpg", number)
        save(home / "more-leaves" / f"more {number}.jpg", smooth(70 + number, 80, 60))
    shutil.copytree(home / "leaves", home / "labelled")
    _coco(home / "annotations.json")
    shutil.copytree(home / "photos", home / "export")
    _coco(home / "export" / "annotations.json")
    for name in ("my.safetensors", "run/best.safetensors"):
        checkpoint(home / name, CAT)
    checkpoint(home / "mine" / "best.safetensors", labels.from_names(["background", "leaf", "spot"]))
    checkpoint(home / "street" / "best.safetensors", labels.VOC)
    checkpoint(home / "small" / "best.safetensors", labels.from_names("sky construction ground nature traffic".split()))
    (home / "scheduler.json").write_text('{"type": "Scheduler", "address": "tcp://127.0.0.1:8786"}')
    miniatures.write_all(home / "data")
    (home / "plain").mkdir()
    shutil.copyfile(OLD_WORK / "plain" / "run.toml", home / "segmented" / "run.toml")
    for path in ("recipe.toml", "mine/recipe.toml"):
        shutil.copyfile(ROOT / "segcli" / "training" / "recipes" / "finetune.toml", home / path)


def with_cache(home: Path) -> Path:
    """The same folder with `DOWNLOADED` in a cache, to be a template."""
    write(home)
    fill_cache(home / ".cache", DOWNLOADED)
    return home


def settle(template: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a folder one's home, with all that a template has, and no network."""
    shutil.copytree(template, home, dirs_exist_ok=True)
    monkeypatch.chdir(home)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("SEGCLI_CACHE_DIR", str(home / ".cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    torch.set_num_threads(1)  # networks and pictures this small only wait for a second one


def _films(home: Path) -> None:
    """Short films, where PyAV is installed to write them, and a moving picture."""
    films.write_gif(home / "moving.gif", films.cards(3), [100] * 3)
    if not formats.VIDEO.installed:
        return
    for path in (home / "clip.mp4", home / "examples" / "drive.mp4"):
        films.write(path, films.cards(40), sound="aac")


def _field(path: Path) -> None:
    """A satellite's picture of five bands, which says which they are."""
    names = ("blue", "green", "red", "rededge", "nir")
    items = (f'<Item name="DESCRIPTION" sample="{index}">{name}</Item>' for index, name in enumerate(names))
    tags = [(42112, 2, None, f"<GDALMetadata>{''.join(items)}</GDALMetadata>")]
    bands = np.stack([smooth(20 + index, 80, 60)[..., 0] for index in range(len(names))], axis=2).astype(np.uint16) * 40
    tifffile.imwrite(path, bands, photometric="minisblack", planarconfig="contig", extratags=tags)


def _cells(path: Path) -> None:
    """A microscope's stack of three depths and three channels, which says how large a pixel is."""
    path.parent.mkdir()
    planes = np.stack([smooth(60 + depth, 80, 60).transpose(2, 0, 1) for depth in range(3)]).astype(np.uint16) * 16
    facts = {"axes": "ZCYX", "Channel": {"Name": ["DAPI", "FITC", "TRITC"]}, "SignificantBits": 12}
    size = {"PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
    tifffile.imwrite(path, planes, photometric="minisblack", metadata={**facts, **size})


def _examples(home: Path) -> None:
    """Three of the examples' scenes at an eighth of their size, also as `scenes/test`."""
    for folder, suffix in (("photos", "jpg"), ("labels", "png"), ("rough", "png")):
        for scene in SCENES:
            image = Image.open(ROOT / "examples" / folder / f"{scene}.{suffix}")
            how = Image.Resampling.LANCZOS if folder == "photos" else Image.Resampling.NEAREST
            path = home / "examples" / folder / f"{scene}.{suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            chunks = PngImagePlugin.PngInfo()
            for key, value in getattr(image, "text", {}).items():  # which classes a label map has
                chunks.add_text(key, value)
            image.resize((image.width // 8, image.height // 8), how).save(path, pnginfo=chunks)
    shutil.copytree(home / "examples" / "photos", home / "scenes" / "test" / "images")
    shutil.copytree(home / "examples" / "labels", home / "scenes" / "test" / "labels")


def save(path: Path, rgb: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(rgb).save(path)


def _label_maps(folder: Path, seed: int, void: bool = False) -> None:
    """A map of background and cat for each photo in `photos`; with `void`, most of it says nothing."""
    for number in range(2):
        label_map = (smooth(100 + 2 * seed + number, 80, 60)[..., 0] > 128).astype(np.uint8)
        if void:
            label_map[::2] = labels.VOID
        folder.mkdir(parents=True, exist_ok=True)
        write_label_map(folder / f"ph{number}.png", label_map, CAT, {})


def _outline(photo: Path, shift: int) -> None:
    """What LabelMe leaves beside a photo: a leaf, and a spot on it."""
    leaf = [[10, 10], [60 + shift, 12], [50, 50]]
    spot = [[20 + shift, 16], [30 + shift, 16], [30 + shift, 24], [20 + shift, 24]]
    shapes = [
        {"label": name, "points": points, "shape_type": "polygon"} for name, points in (("leaf", leaf), ("spot", spot))
    ]
    facts = {"version": "5.5.0", "flags": {}, "imageData": None, "imageHeight": 60, "imageWidth": 80}
    photo.with_suffix(".json").write_text(json.dumps({**facts, "imagePath": photo.name, "shapes": shapes}))


def _coco(path: Path) -> None:
    """COCO's file of a leaf in each photo of `photos`."""
    images = [{"id": number, "file_name": f"ph{number}.jpg", "width": 80, "height": 60} for number in range(2)]
    outline = {"category_id": 1, "segmentation": [[10, 10, 60, 12, 50, 50]], "iscrowd": 0}
    annotations = [{"id": number, "image_id": number, **outline} for number in range(2)]
    categories = [{"id": 1, "name": "leaf"}]
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))


def checkpoint(path: Path, classes: LabelSet) -> None:
    """Weights of a network that computes next to nothing: random, but whole and usable."""
    torch.manual_seed(len(classes))
    spec = variants.get("v3-mobilenetv2")
    backbone = replace(spec.backbone, width=0.125, divisor=1)
    spec = replace(spec, name="tiny", backbone=backbone, head=ASPPSpec(rates=(), channels=8), output_stride=16)
    path.parent.mkdir(parents=True, exist_ok=True)
    model_io.save(path, deeplab.build(spec, len(classes), 16), spec, classes, Preprocessing(size=65))


def pretend_converted(cache: Path, name: str, content: bytes) -> Path:
    """Put a file into the weights' cache as the converted download of a manifest's entry, and the record beside it.

    The file's name is the one that the cache gave it when tests/old_work was made.
    """
    entry = manifest.find(name)
    sha256 = (entry.sha256 + "0" * 64)[:64]
    place = json.loads((OLD_WORK / "facts.json").read_text())["converted"][name]
    path = cache / place.replace("0" * 12, sha256[:12])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    record = {
        "source": str(entry.source),
        "sha256": sha256,
        "commit": "5282e0e",
        "converted_sha256": hashlib.sha256(content).hexdigest(),
    }
    (path.parent / "record.json").write_text(json.dumps(record, indent=1))
    return path


def fill_cache(cache: Path, names: list[str]) -> None:
    """As if these weights had been downloaded: tiny networks with their labels."""
    for name in names:
        made = cache / "made.safetensors"
        checkpoint(made, labels.get(manifest.find(name).labels))
        pretend_converted(cache, name, made.read_bytes())
        made.unlink()
