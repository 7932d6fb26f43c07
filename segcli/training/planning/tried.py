"""Tried: a drafted recipe on this machine: what memory it needs, made to fit, and the time of its steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from segcli.data.dataset import Dataset
from segcli.distributed import Processes
from segcli.pipeline.listener import SILENT, Listener
from segcli.training.planning import rules
from segcli.training.planning.length import Pace
from segcli.training.planning.rules import Facts, Reason
from segcli.training.recipe import Recipe

if TYPE_CHECKING:
    from segcli.weights.model_io import LoadedModel

ROOM = 0.6
"""The share of the free memory that a step may take."""
SMALLEST_CROP, SMALLEST_BATCH = 129, 2
CROPS = (385, 257, 193, 129)
"""The sides that are tried, one after the other, where memory is short."""

Draft = Callable[[Sequence[Reason]], Recipe]
"""From decisions to the recipe that they come to, the user's own keys included."""


def first_model(recipe: Recipe, dataset: Dataset, listener: Listener) -> LoadedModel:
    """The model before its first step."""
    from segcli.training import init

    with listener.downloading() as progress:
        return init.start(recipe, dataset.labels, progress)


def fitted(facts: Facts, reasons: Sequence[Reason], draft: Draft, model: LoadedModel) -> tuple[Reason, ...]:
    """The decisions with a batch, and then crops, that memory holds; the smallest where it holds none of them.

    Args:
        facts: What the rules look at.
        reasons: The decisions so far.
        draft: Makes a recipe of decisions.
        model: The first model.
    """
    from segcli.training.planning import memory

    room = facts.machine.memory and facts.machine.memory * ROOM
    reasons = tuple(reasons)
    while room:
        recipe = draft(reasons)
        if memory.footprint(recipe, model.spec, len(model.labels), device=facts.machine.device).total <= room:
            break
        smaller = _smaller(facts, recipe)
        if smaller is None:
            break
        reasons = tuple(smaller if reason.topic == smaller.topic else reason for reason in reasons)
        if draft(reasons) == recipe:  # the user has set what would be lowered
            break
    return reasons


def _smaller(facts: Facts, recipe: Recipe) -> Reason | None:
    """The next smaller batch, or else the next smaller crop; None where both are as small as they may be."""
    why = f"what fits the {facts.machine.memory / 1e9:.1f} GB of memory that are free"
    count, side = recipe.schedule.batch // 2, max(recipe.augment.crop_size)
    if count >= SMALLEST_BATCH and "schedule.batch" not in facts.asked:
        return rules.batch_of(facts, count, why)
    lower = next((crop for crop in CROPS if crop < side), None)
    if lower is None or "augment.crop" in facts.asked:
        return None
    return Reason("crop", f"{lower} pixels a side", why, rules.crop_keys(lower))


def pace(facts: Facts, recipe: Recipe, model: LoadedModel, data: Dataset) -> Pace:
    """What steps and a validation take here, by trying some.

    Args:
        facts: What the rules look at.
        recipe: As it was drafted; its number of steps does not matter.
        model: The first model.
        data: All photos, as they are read.
    """
    from segcli.training import trainer
    from segcli.training.planning import trial

    if not facts.thawed:  # so that both kinds of steps are tried
        recipe = replace(recipe, model=replace(recipe.model, freeze_backbone=1))
    placed = trainer.place(model, recipe.run, facts.machine.device, Processes())
    found = trial.timed(placed, recipe, data, data, facts.machine.device)
    return Pace(found.frozen_seconds, found.seconds, (facts.held_out or facts.apart) * found.validation_seconds)


def with_values(recipe: Recipe, dataset: Dataset) -> Dataset:
    """The dataset with its photos read by the range and bands that a run would take."""
    from segcli.training import photos

    first = photos.first_values(recipe.model.init)
    return replace(dataset, photos=photos.resolved(recipe.data, dataset, replace(dataset, samples=()), first, SILENT))
