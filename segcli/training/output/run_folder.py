"""The folder of a training run: what its files are called, and whether a run may start in it."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import tomli_w

from segcli.errors import UsageError
from segcli.files.atomic import PARTIAL, write_whole, writing
from segcli.files.lock import locked
from segcli.files.paths import shown
from segcli.pipeline.records import check_folder
from segcli.training.recipe import Recipe
from segcli.weights.reference import BEST, LAST, RECIPE

STATE = "state.pt"
"""The state from which the run is resumed."""
NUMBERED = "checkpoints"
"""The folder of the checkpoints that `run.keep_every` keeps, by iteration."""
METRICS, CURVE, OVERLAYS, TENSORBOARD = "metrics.csv", "curve.png", "overlays", "tensorboard"
GALLERY = "validation.html"
"""The files and folders that a run leaves to look at."""


def check(folder: Path, resume: bool) -> None:
    """Refuse a folder that cannot be written to, or that holds what a new run would overwrite; makes nothing.

    Raises:
        UsageError: A new run shall start where there is one already.
        SegcliError: The folder cannot be made or written to.
    """
    check_folder(folder)
    if resume:
        return
    if (folder / STATE).exists():
        raise UsageError(f"{folder} holds a run already", "Go on with --resume, or name another folder with --output.")
    if any((folder / name).exists() for name in (LAST, BEST)):
        raise UsageError(
            f"{folder} holds the checkpoints of a run, which a new one would overwrite",
            "Name another folder with --output.",
        )


@contextmanager
def alone(folder: Path, resume: bool) -> Iterator[None]:
    """Within the context no other process trains in a folder, which is made; one that stays empty is removed again.

    Raises:
        UsageError: Another process trains in it; or as for `check`, for one may have done so by now.
        SegcliError: As for `check`.
    """
    made = not folder.exists()
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    try:
        with locked(folder) as free:
            if not free:
                hint = "Wait until it has ended, or name another folder with --output."
                raise UsageError(f"another process is training in {shown(folder)}", hint)
            check(folder, resume)
            yield
    finally:
        if made:
            with suppress(OSError):  # it holds a run now
                folder.rmdir()


def restarted(folder: Path) -> bool:
    """Whether torchrun has started this job anew after a crash, and there is a state to go on from."""
    return os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") != "0" and (folder / STATE).exists()


def write_recipe(folder: Path, recipe: Recipe, comments: Sequence[str] = ()) -> None:
    """Write recipe.toml, which repeats the run, with lines of comment at its head; SegcliError where that fails."""
    head = "".join(f"# {line}\n" for line in comments)
    with writing(folder), write_whole(folder / RECIPE) as file:
        file.write((head + tomli_w.dumps(recipe.to_dict())).encode())


def remove_unfinished(folder: Path) -> None:
    """Remove the files that a killed run has left half written."""
    for place in (folder, folder / NUMBERED):
        for path in place.glob(PARTIAL.format("*")):
            path.unlink(missing_ok=True)
