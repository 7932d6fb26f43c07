"""A dataset and a recipe small enough to train on in a test: red blobs on green, 64 x 80 pixels."""

from pathlib import Path

import numpy as np
from PIL import Image

from segcli.labels import VOID
from segcli.training import init, recipe
from segcli.training.loop import Training
from segcli.training.partition import split
from segcli.training.recipe import Recipe

RECIPE = {
    "model": {"name": "v3-mobilenetv2-dm05", "init": "random", "output_stride": 16},
    "data": {"labels": ["field", "blob"], "size": 97},
    "schedule": {"iterations": 8, "batch": 4, "rate": 0.02},
    "augment": {"crop": 49},
    "run": {"device": "cpu", "workers": 0, "log_every": 3, "save_every": 4, "validate_every": 8, "overlays": 1},
}


def write_blobs(folder: Path, count: int = 8) -> Path:
    """`images/` and `masks/` below the folder; the first rows are void."""
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True)
    for index in range(count):
        chance = np.random.default_rng(index)
        mask = np.zeros((64, 80), np.uint8)
        top, left = chance.integers(5, 35, 2)
        mask[top : top + 25, left : left + 30] = 1
        mask[:3] = VOID
        photo = np.where(mask[..., None] == 1, (200, 60, 60), (60, 120, 60)) + chance.normal(0, 20, (64, 80, 3))
        Image.fromarray(photo.clip(0, 255).astype(np.uint8)).save(folder / "images" / f"{index}.png")
        Image.fromarray(mask).save(folder / "masks" / f"{index}.png")
    return folder


def blob_recipe(folder: Path, changes: dict | None = None) -> Recipe:
    """RECIPE for the blobs in a folder, with changes by table and key."""
    data = {"images": str(folder / "images"), "masks": str(folder / "masks")}
    tables = {name: {**table, **(changes or {}).get(name, {})} for name, table in {**RECIPE, "loss": {}}.items()}
    tables["optimizer"] = (changes or {}).get("optimizer", {})
    return recipe.Recipe.from_dict({**tables, "data": {**tables["data"], **data}})


def begin(settings: Recipe, folder: Path) -> Training:
    """A run by that recipe from its start, on the CPU."""
    import torch

    train, val = split.choose(settings.data)
    model = init.start(settings, train.labels)
    return Training(settings, model, train, val, folder, torch.device("cpu"))
