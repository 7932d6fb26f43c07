"""Every recipe of the papers with its true network, on miniature copies of the datasets: does it run where you are?

python benchmarks/recipes.py                         # all of them at crops of 65 pixels, batches of 2
python benchmarks/recipes.py --crop 0 v3-resnet101   # one, at its published crop
python benchmarks/recipes.py --crop 0 --batch 0      # all at the published crop and batch: a large GPU's memory
python benchmarks/recipes.py --imagenet              # from ImageNet's weights, which are fetched; otherwise fresh ones

Each takes three iterations of which the third is taken after a resume, validates, and predicts a photo with the
checkpoint. A second stage begins with the checkpoint of the first, which runs before it. Fresh weights are trained with
shortened gradients (`optimizer.clip`), since those of a frozen network that has seen no photo explode. What does not
run is printed with its reason (memory, mostly), and the exit code is 1. The photos are noise: scores mean nothing.
"""

import argparse
import os
import re
import sys
import tempfile
import time
from contextlib import chdir
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "helpers"))

import numpy as np
import torch
from miniatures import SIZE, write_all

from segcli import devices
from segcli.errors import SegcliError
from segcli.inference.segmenter import Segmenter
from segcli.training import packaged, recipe
from segcli.training.events import Validation
from segcli.training.recipe import IMAGENET, Recipe
from segcli.training.run import train
from segcli.weights import model_io

OUTPUT = re.compile(r"--config (\S+).*? -o (\S+)")
"""A command in a recipe's comments: which recipe, and the folder of its run."""


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="recipes (all on published datasets but camvid)")
    parser.add_argument("--crop", type=int, default=65, help="pixels a side; 0: the recipe's (65)")
    parser.add_argument("--batch", type=int, default=2, help="photos a step; 0: the recipe's (2)")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--imagenet", action="store_true", help="begin with ImageNet's weights, not with fresh ones")
    return parser.parse_args()


def published() -> list[str]:
    """The recipes of the papers, what others begin with first."""
    found = {name: one.read() for name, one in packaged.all_recipes().items()}
    names = [name for name, one in found.items() if one.data.dataset not in ("folder", "camvid")]
    return sorted(names, key=lambda name: found[name].model.init != IMAGENET)


def first_stage(name: str) -> str | None:
    """The recipe whose run a recipe begins with; None where it begins with ImageNet."""
    init = packaged.get(name).read().model.init
    leaves = {folder: owner for one in packaged.all_recipes().values() for owner, folder in OUTPUT.findall(one.text)}
    return None if init == IMAGENET else leaves[init.partition("/")[0]]


def settings(name: str, home: Path, chosen: argparse.Namespace) -> Recipe:
    """The recipe with three iterations, on the miniatures."""
    changes = [f"data.data_dir={home}", "schedule.iterations=3", f"run.device={chosen.device}", "run.workers=0"]
    changes += ["run.save_every=1", "run.validate_every=3", "run.overlays=1"]
    changes += [f"augment.crop={chosen.crop}"] if chosen.crop else []
    changes += [f"schedule.batch={chosen.batch}"] if chosen.batch else []
    if not chosen.imagenet:
        changes.append("optimizer.clip=1")
        changes += ["model.init=random"] * (first_stage(name) is None)
    return recipe.read(packaged.get(name).path, changes)


def run(name: str, home: Path, chosen: argparse.Namespace) -> str:
    """Run a recipe in the folder that its commands name; what was seen, in words."""
    init = packaged.get(name).read().model.init
    folder = dict(OUTPUT.findall(packaged.get(name).text)).get(name, name)
    if init != IMAGENET and not (home / init).exists():
        run(first_stage(name), home, chosen)
    wanted, start = settings(name, home, chosen), time.perf_counter()
    for event in train(wanted, home / folder):
        if event.iteration == 3:  # its step is lost
            break
    last = [event for event in train(wanted, home / folder, resume=True) if isinstance(event, Validation)][-1]
    seconds, shipped = time.perf_counter() - start, model_io.load(home / folder)
    labels = Segmenter(shipped, devices.choose(chosen.device)).labels(np.zeros((*SIZE, 3), np.uint8))
    if labels.shape != SIZE:
        raise SystemExit(f"{name}: a mask of {labels.shape} for a photo of {SIZE}")
    size = "x".join(map(str, wanted.augment.crop_size))
    return (
        f"{shipped.spec.name}, crop {size}, batch {wanted.schedule.batch}: 3 iterations, resumed at 2, "
        f"{len(last.images)} photos validated at {last.segmenter.model.preprocessing.size}, a mask; {seconds:.0f} s"
    )


def main() -> int:
    """Run the recipes one by one; 1 where one of them fails."""
    chosen, failed = options(), 0
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as place, chdir(place):
        home = write_all(Path(place).resolve())
        for name in chosen.names or published():
            try:
                print(f"{name}: {run(name, home, chosen)}", flush=True)
            except SegcliError as error:
                failed = 1
                print(f"{name}: does not run here: {error.message}", flush=True)
    return failed


if __name__ == "__main__":
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    sys.exit(main())
