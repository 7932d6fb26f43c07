"""Tried: a drafted recipe on this machine: what memory it needs, made to fit, and the time of its steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from segcli.data.dataset import Dataset
from segcli.distributed import Processes
from segcli.pipeline.listener import SILENT, Listener
from segcli.training.partition import own_photos, split
from segcli.training.planning import machine, rules
from segcli.training.planning.length import Pace
from segcli.training.planning.rules import Facts, Reason
from segcli.training.recipe import Recipe

if TYPE_CHECKING:
    import torch

    from segcli.training.planning.foretold import Foretold, Needs
    from segcli.weights.model_io import LoadedModel

ROOM = 0.6
"""The share of the free memory that a run is planned to take."""
SMALLEST_BATCH = 2
CROPS = (385, 257, 193, 129)
"""The sides that are tried, one after the other, where memory is short."""

Draft = Callable[[Sequence[Reason]], Recipe]
"""From decisions to the recipe that they come to, the user's own keys included."""


def first_model(
    recipe: Recipe, data: Dataset, device: torch.device, listener: Listener, dry: bool = False
) -> LoadedModel:
    """The model before its first step, on the device; with `dry` nothing is downloaded, see `init.start`."""
    from segcli.training import init
    from segcli.training.optimization import trainer

    if dry and (gap := init.lacking(recipe.model)):
        listener.note(str(gap))
    with listener.downloading() as progress:
        return trainer.place(init.start(recipe, data.labels, progress, dry), recipe.run, device, Processes())


def needs_of(facts: Facts, model: LoadedModel, data: Dataset) -> Needs:
    """What recipes need of this machine's memory."""
    from segcli.training.planning import foretold

    largest = foretold.largest_input(model, data) if facts.held_out or facts.apart else None
    return foretold.Needs(model, facts.machine.device, Processes(), largest)


def fitted(facts: Facts, reasons: Sequence[Reason], draft: Draft, needs: Needs) -> tuple[Reason, ...]:
    """The decisions with a batch, and then crops, that memory holds; the smallest where it holds none of them.

    Args:
        facts: What the rules look at.
        reasons: The decisions so far.
        draft: Makes a recipe of decisions.
        needs: What recipes need of the memory.
    """
    room = (needs.available() or 0) * ROOM
    reasons = tuple(reasons)
    while room:
        recipe = draft(reasons)
        smaller = None if needs.bytes(recipe) <= room else _smaller(facts, recipe)
        if smaller is None:
            break
        reasons = tuple(smaller if reason.topic == smaller.topic else reason for reason in reasons)
    return reasons


def _smaller(facts: Facts, recipe: Recipe) -> Reason | None:
    """The next smaller batch, or else the next smaller crop; None where both are as small as they may be."""
    why = f"this fits the {facts.machine.memory / 1e9:.1f} GB of free memory, and more does not"
    count, side = recipe.schedule.batch // 2, max(recipe.augment.crop_size)
    if count >= SMALLEST_BATCH and "schedule.batch" not in facts.asked:
        return rules.batch_of(facts, count, why)
    lower = next((crop for crop in CROPS if crop < side), None)
    if lower is None or "augment.crop" in facts.asked:
        return None
    return Reason("crop", rules.crop_words(lower), why, rules.crop_keys(lower))


def pace(facts: Facts, recipe: Recipe, model: LoadedModel, data: Dataset) -> Pace:
    """What steps and a validation take here, by trying some.

    Args:
        facts: What the rules look at.
        recipe: As it was drafted; its number of steps does not matter.
        model: The first model.
        data: All photos, as they are read.
    """
    from segcli.training.planning import trial

    if not facts.thawed:  # so that both kinds of steps are tried
        recipe = replace(recipe, model=replace(recipe.model, freeze_backbone=1))
    found = trial.timed(model, recipe, data, data, facts.machine.device)
    return Pace(found.frozen_seconds, found.seconds, (facts.held_out or facts.apart) * found.validation_seconds)


def told(facts: Facts, recipe: Recipe, model: LoadedModel, data: Dataset, pace: Pace, folder: Path) -> Foretold:
    """What the planned runs will take together; UsageError where they cannot fit.

    Args:
        facts: What the rules look at.
        recipe: As it is planned.
        model: The first model.
        data: All photos.
        pace: What steps and a validation take.
        folder: Where the files go.
    """
    from segcli.training.planning import foretold
    from segcli.training.timing.clock import Costs

    held_out = replace(data, samples=data.samples[: facts.held_out or facts.apart])
    costs, runs = Costs(pace.frozen, pace.step, pace.validation), facts.folds + 1
    found = foretold.foretell(recipe, model, data, held_out, folder, facts.machine.device, known=costs)
    return replace(found, seconds=runs * found.seconds, disk=runs * found.disk).within_minutes()


def of_recipe(recipe: Recipe, folder: Path, listener: Listener = SILENT) -> Foretold:
    """What a run of a recipe will take; nothing is written or downloaded.

    Args:
        recipe: Any recipe.
        folder: Where its files would go.
        listener: Hears how the labels are read, and of downloads.

    Raises:
        SegcliError: As for `segcli.train`, or memory or disk do not suffice.
    """
    from segcli.training.planning import foretold

    first = own_photos.of_first_weights(recipe.model.init)
    train, val = split.choose(recipe.data, listener.counting, first=first)
    if train.reading is not None:
        train.reading.tell(listener.note, listener.warn)
    place = machine.look(recipe.run.device).device
    model = first_model(recipe, train, place, listener, dry=True)
    parts = (with_values(recipe, train), with_values(recipe, val) if len(val) else val)
    return foretold.foretell(recipe, model, *parts, folder, place)


def with_values(recipe: Recipe, dataset: Dataset) -> Dataset:
    """The dataset with its photos read by the range and bands that a run would take."""
    from segcli.training import photos

    first = photos.first_values(recipe.model.init)
    return replace(dataset, photos=photos.resolved(recipe.data, dataset, replace(dataset, samples=()), first, SILENT))
