"""Foretold: the time, memory and disk that a run will take, told before its first step, and refused where they lack."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from segcli.data.dataset import Dataset
from segcli.distributed import Processes
from segcli.errors import InputError, UsageError
from segcli.files import headroom, paths
from segcli.images import read
from segcli.inference.transform import geometry
from segcli.models.preprocessing import STRIDE
from segcli.training.planning import memory, trial
from segcli.training.planning.length import MORE
from segcli.training.planning.memory import Footprint
from segcli.training.recipe import Recipe
from segcli.training.timing.clock import Costs, duration
from segcli.weights.model_io import LoadedModel

WRITTEN = 200e6
"""The bytes of a checkpoint that are hashed and written in a second."""
PICTURE = 150_000
"""The bytes of a picture of a validation photo."""
SHORTEST = 10
"""A run of no more steps is not timed beforehand: that would take as long."""
SMALLEST_CROP = 97
"""The shorter side of the smallest crop that is proposed, in pixels."""
LOOKED_AT = 500
"""Of so many photos to validate on the size is looked up."""


@dataclass(frozen=True)
class Foretold:
    """What a run will take.

    Attributes:
        seconds: Of all steps, validations and checkpoints; None where no step was timed.
        step_seconds: The mean of a step; None likewise.
        memory: Bytes at a time on this machine, of all processes that it shares out to; a GPU's own on a GPU.
        available: Bytes of that memory that the run can have; None: nobody knows.
        disk: Bytes of the files that it leaves, and of one that is being written.
        free: Bytes that are free where they go.
        costs: The seconds of the run's parts; None where no step was timed.
        minutes: The time that the run keeps to; 0: there is no limit.
    """

    seconds: float | None
    step_seconds: float | None
    memory: int
    available: int | None
    disk: int
    free: int
    costs: Costs | None = None
    minutes: float = 0.0

    @property
    def time(self) -> str:
        """The time in words, the limit among them where not all steps fit; "" where nobody knows."""
        if self.seconds is None:
            return ""
        whole, step = duration(self.seconds), f"{self.step_seconds:.2g} s an iteration"
        if self.minutes and self.seconds > 60 * self.minutes:
            return f"{round(self.minutes, 2):g} min, too short for all iterations (about {whole}, {step})"
        return f"about {whole} ({step})"

    def within_minutes(self) -> Foretold:
        """The same where more steps stand in a plan than are thought to fit, so that a fast run fills its minutes."""
        limit = 60 * self.minutes
        if not limit or self.seconds is None or not limit < self.seconds <= MORE * limit:
            return self
        return replace(self, seconds=limit)

    def __str__(self) -> str:
        """All of it in a line for people."""
        time = f"{self.time}, " if self.time else ""
        room = "" if self.available is None else f" of {size(self.available)} free"
        return f"{time}{size(self.memory)} of memory{room}, {size(self.disk)} on disk"


def foretell(
    recipe: Recipe,
    model: LoadedModel,
    train: Dataset,
    val: Dataset,
    folder: Path,
    device: torch.device,
    processes: Processes | None = None,
    *,
    timing: bool = True,
    known: Costs | None = None,
) -> Foretold:
    """Foretell a run; refused where it cannot fit, before a step is timed.

    Args:
        recipe: Of the run.
        model: The first model, its network on the device; it keeps every bit.
        train: Photos to learn from.
        val: Photos to validate on; may be empty.
        folder: Where the run's files go.
        device: Where the network is.
        processes: Who shares the work; several of them time nothing.
        timing: Whether a few steps are timed.
        known: What the parts take, where that was measured before: then no step is timed.

    Raises:
        UsageError: Memory or disk do not suffice; it names the setting to lower and a value that fits.
        SegcliError: A photo cannot be read, or memory runs out all the same.
    """
    processes = processes or Processes()
    needs = Needs(model, device, processes, largest_input(model, val))
    print_ = needs.footprint(recipe)
    disk, free = disk_bytes(recipe, print_, val), shutil.disk_usage(paths.nearest_existing(folder)).free
    told = Foretold(None, None, needs.bytes(recipe), needs.available(), disk, free, minutes=recipe.schedule.minutes)
    require_fit(recipe, told, needs, folder)
    if known is None:
        if not timing or processes.world_size > 1 or recipe.schedule.iterations <= SHORTEST:
            return told
        found = trial.timed(model, recipe, train, val, device)
        known = Costs(found.frozen_seconds, found.seconds, len(val) * found.validation_seconds)
    costs = replace(known, validation=known.validation if len(val) else 0.0, saving=state_bytes(print_) / WRITTEN)
    count = recipe.schedule.iterations
    whole = costs.left(recipe, 0, count) + costs.validation * model.trained
    mean = Costs(costs.frozen, costs.step).left(recipe, 0, count) / count
    return replace(told, seconds=whole, step_seconds=mean, costs=costs).within_minutes()


@dataclass(frozen=True)
class Needs:
    """What recipes need of the memory here, for one model.

    Attributes:
        model: Its network is in memory already.
        device: Where the network is.
        processes: Who shares the work.
        photo: (height, width) of the network's largest input in validation; None: nothing is validated.
    """

    model: LoadedModel
    device: torch.device
    processes: Processes
    photo: tuple[int, int] | None

    def footprint(self, recipe: Recipe) -> Footprint:
        """What one process needs."""
        count, where = self.processes.world_size, {"device": self.device, "photo": self.photo}
        return memory.footprint(recipe, self.model.spec, len(self.model.labels), processes=count, loaded=True, **where)

    def bytes(self, recipe: Recipe) -> int:
        """What the processes on this machine need together; of a GPU's own memory, each its own."""
        return self._sharing * self.footprint(recipe).total

    def available(self) -> int | None:
        """What they can have together, what they have already included; None: unknown."""
        found = memory.available(self.device)
        return found and found + (self._sharing - 1) * headroom.own_bytes()

    @property
    def _sharing(self) -> int:
        """How many processes share one memory."""
        if self.device.type == "cuda":
            return 1
        return int(os.environ.get("LOCAL_WORLD_SIZE", self.processes.world_size))


def require_fit(recipe: Recipe, told: Foretold, needs: Needs, folder: Path) -> None:
    """Refuse a run for which memory or disk do not suffice.

    Args:
        recipe: Of the run.
        told: What it will take.
        needs: What other recipes would need.
        folder: Where the run's files go.

    Raises:
        UsageError: With the setting to change, and where there is one a value that fits.
    """
    if told.available is not None and told.memory > told.available:
        message = f"this run needs about {size(told.memory)} of memory, {size(told.available)} are free"
        raise UsageError(message, _advice(recipe, told.available, needs))
    if told.disk > told.free:
        message = f"this run writes about {size(told.disk)} to {paths.shown(folder)}, {size(told.free)} are free there"
        hint = "Make room or name another folder with --output"
        more = (
            f"; or keep fewer checkpoints: run.keep_every is {recipe.run.keep_every}" if recipe.run.keep_every else ""
        )
        raise UsageError(message, f"{hint}{more}.")


def _advice(recipe: Recipe, available: int, needs: Needs) -> str:
    """The first change that fits: more parts a batch, else smaller crops too."""
    for settings, changed in _smaller(recipe, needs.processes.world_size):
        if (wanted := needs.bytes(changed)) <= available:
            return f"{settings} needs {size(wanted)}."
    return "Take a smaller model, or another machine: even one small crop at a time needs more."


def _smaller(recipe: Recipe, processes: int) -> Iterator[tuple[str, Recipe]]:
    """Recipes that need less and less memory, and how to get them."""
    batch, parts = recipe.schedule.batch, recipe.schedule.accumulate
    finer = [n for n in range(parts + 1, batch + 1) if batch % n == 0 and batch // n % processes == 0]
    for parts in finer:
        recipe = replace(recipe, schedule=replace(recipe.schedule, accumulate=parts))
        yield f"--set schedule.accumulate={parts}", recipe
    first = f"--set schedule.accumulate={parts} " if finer else ""
    height, width = sides = recipe.augment.crop_size
    for longest in range(max(sides) - STRIDE, SMALLEST_CROP - 1, -STRIDE):
        shrunk = tuple(max(SMALLEST_CROP, side * longest // max(sides) // STRIDE * STRIDE + 1) for side in sides)
        crop = shrunk[0] if height == width else shrunk
        text = f"[{shrunk[0]},{shrunk[1]}]" if isinstance(crop, tuple) else crop
        yield f"{first}--set augment.crop={text}", replace(recipe, augment=replace(recipe.augment, crop=crop))


def largest_input(model: LoadedModel, val: Dataset) -> tuple[int, int] | None:
    """(height, width) of the network's largest input among the photos to validate on; None where there are none."""
    sizes = [found for sample in val.samples[:LOOKED_AT] if (found := _input(model, sample.image))]
    return max(sizes, key=lambda sides: sides[0] * sides[1], default=None)


def _input(model: LoadedModel, photo: Path) -> tuple[int, int] | None:
    """The network's input for one photo; None where that is not known."""
    try:
        return geometry(read.upright_size(photo), model.preprocessing).padded
    except InputError:
        return None  # reading it will say what is wrong


def state_bytes(print_: Footprint) -> int:
    """The bytes of a state and a checkpoint."""
    return 2 * print_.weights + print_.optimizer + print_.average


def disk_bytes(recipe: Recipe, print_: Footprint, val: Dataset) -> int:
    """The most bytes that a run's files take at a time: a file is whole beside the one that it replaces."""
    run, count = recipe.run, recipe.schedule.iterations
    numbered = count // run.keep_every * print_.weights if run.keep_every else 0
    pictures = (1 + count // run.validate_every) * min(len(val), run.overlays) * PICTURE
    state = state_bytes(print_) - print_.weights
    return 2 * print_.weights + 2 * state + numbered + pictures


def size(count: int) -> str:
    """Bytes in words: "35 MB", "2.4 GB"."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{max(1, round(count / 1e6))} MB"
