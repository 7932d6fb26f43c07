"""Kills a training run at random moments, resumes it each time, and compares the end with a run that was left alone.

Run `python tests/helpers/kill_training.py` for twenty kills of a run that ends early; a test does one. The weights are
averaged, and an auxiliary head learns too.
"""

import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import tomli_w
import torch
from blobs import begin, blob_recipe, write_blobs

from segcli.training.output import state
from segcli.training.output.run_folder import BEST, LAST, NUMBERED, STATE
from segcli.weights import checkpoint


def start(recipe: Path, folder: Path) -> subprocess.Popen | None:
    """`segcli train`, resumed where there is a state; returns once it is about to train; None: it had ended."""
    command = [sys.executable, "-m", "segcli", "train", "--config", str(recipe), "-o", str(folder)]
    if (folder / STATE).exists():
        command.append("--resume")
    alike = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}  # sums depend on it in their last bits
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=alike)
    for line in process.stderr:
        if line.startswith("model "):
            return process
    if process.wait() == 0 and (folder / STATE).exists():
        return None
    raise RuntimeError(f"training did not start: exit code {process.returncode}")


def kill_again_and_again(
    home: Path, kills: int, iterations: int, patience: float, seed: int = 0, saved: bool = False, early: int = 0
) -> list[int]:
    """Train with `kills` interruptions, within `patience` seconds each; returns where each resumed run began.

    With `saved` the first checkpoint is waited for, so that there is something to resume. With `early` the run ends
    after so many validations without a better one; what has ended is killed no more.

    Raises:
        AssertionError: A file was torn, or the end differs from that of an undisturbed run.
    """
    chance = random.Random(seed)
    run = {"save_every": 2, "validate_every": 10, "overlays": 0, "keep_every": 15, "patience": early}
    changes = {"schedule": {"iterations": iterations}, "run": run}
    changes |= {"optimizer": {"ema": 0.9}, "loss": {"auxiliary": 0.4}}
    settings = blob_recipe(write_blobs(home / "blobs"), changes)
    recipe, folder = home / "recipe.toml", home / "killed"
    recipe.write_text(tomli_w.dumps(settings.to_dict()))
    began = []
    for _ in range(kills):
        process = start(recipe, folder)
        if process is None:
            break
        while saved and process.poll() is None and not (folder / STATE).exists():
            time.sleep(0.01)
        time.sleep(chance.uniform(0, patience))
        process.kill()
        process.communicate()
        began.append(check_whole(folder))
    if process := start(recipe, folder):
        process.communicate()
        assert process.returncode == 0
    list(begin(settings, home / "undisturbed").run())
    last = state.read(home / "undisturbed").iteration
    assert (last < iterations) == bool(early)
    assert state.read(folder).iteration == last
    numbered = [f"{NUMBERED}/{iteration:06}.safetensors" for iteration in range(15, last + 1, 15)]
    for name in (BEST, LAST, *numbered):
        assert (folder / name).read_bytes() == (home / "undisturbed" / name).read_bytes(), name
    return began


def check_whole(folder: Path) -> int:
    """Every file that is there is whole; returns how many iterations the state holds."""
    for name in (BEST, LAST):
        if (folder / name).exists():
            checkpoint.read(folder / name)
    return state.read(folder).iteration if (folder / STATE).exists() else 0


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as home:
        began = kill_again_and_again(Path(home), kills=20, iterations=2000, patience=2.5, early=20)
        ended = state.read(Path(home) / "killed").iteration
    sys.stdout.write(f"killed {len(began)} times, at {began}; ended early at {ended}, with the same bits\n")
