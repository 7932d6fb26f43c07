"""Plan: a whole recipe for one's own photos and labels on this machine, with the reason for each decision."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segcli.data.dataset import Dataset
from segcli.data.reading import Choice, void_text
from segcli.errors import UsageError
from segcli.pipeline.listener import SILENT, Listener
from segcli.training import recipe as recipes
from segcli.training.partition import holdout, own_photos, split
from segcli.training.partition.holdout import Held
from segcli.training.partition.split import Sides
from segcli.training.planning import doubtful, fingerprint, length, machine, rules, start, tried
from segcli.training.planning.fingerprint import Fingerprint
from segcli.training.planning.length import Wanted
from segcli.training.planning.machine import Machine
from segcli.training.planning.rules import Facts, Reason
from segcli.training.recipe import FOLD_LIMIT, IMAGENET, RANDOM, Data, Recipe

if TYPE_CHECKING:
    from segcli.training.planning.foretold import Foretold

MINUTES = 10.0
"""The time of a run where nobody says another."""
MOST_MINUTES = 1_000_000
COMMENT_WIDTH = 100


@dataclass(frozen=True)
class Plan:
    """A training that was planned; `segcli.train(plan, folder)` does it.

    Attributes:
        recipe: Every key; the keys that were decided stand in `reasons`.
        reasons: The decisions, in the order in which people read them.
        data: What the photos and labels are.
        machine: What the plan is for.
        foretold: The time, memory and disk that it will take, all folds together.
        folds: The number of folds; 0 for none.
        sides: The photos as the run will part them, where that is known already.
    """

    recipe: Recipe
    reasons: tuple[Reason, ...]
    data: Fingerprint
    machine: Machine
    foretold: Foretold
    folds: int = 0
    sides: Sides | None = None

    @property
    def title(self) -> str:
        """What it is a plan for, in a line."""
        height, width = self.data.median_size
        classes = len(self.data.shares)
        looked = f", {self.data.looked_at} of which were looked at" if self.data.looked_at < self.data.photos else ""
        photos = f"{self.data.photos} photo{'s' * (self.data.photos != 1)} of {width} x {height}{looked}"
        return f"plan for {photos}, {classes} classes, {self.machine.name}"

    @property
    def comments(self) -> tuple[str, ...]:
        """The title and the reasons as lines for the head of recipe.toml."""
        told = [f"{reason.topic}: {reason}" for reason in self.reasons]
        return tuple(line for text in (self.title, *told) for line in textwrap.wrap(text, COMMENT_WIDTH))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "plan": [reason.to_dict() for reason in self.reasons],
            "recipe": self.recipe.to_dict(),
            "data": self.data.to_dict(),
            "machine": self.machine.name,
            "foretold": asdict(self.foretold),
            "folds": self.folds,
        }


def plan(
    photos: str | Path,
    labels: str | Path | None = None,
    *,
    names: str | Sequence[str] | None = None,
    minutes: float | None = None,
    model: str | Path | None = None,
    reading: Choice | None = None,
    has_up: bool | None = None,
    folds: int = 0,
    device: str = "auto",
    skip_bad: bool = False,
    allow_missing: bool = False,
    changes: Iterable[str] = (),
    output: str | Path = "run",
    listener: Listener = SILENT,
    dry: bool = False,
) -> Plan:
    """Plan the training of a model for one's own photos: every label is looked at, and a few steps are timed.

    Nothing is written, though first weights are downloaded where they are not on this computer yet.

        plan = segcli.plan("photos", "labels", minutes=20)
        for event in segcli.train(plan, "mine"):
            print(event)

    Args:
        photos: The folder of the photos, or one that holds photos and labels.
        labels: The folder of the labels, or one label file, in any form of docs/labels.md; None: they lie in `photos`.
        names: The classes in the order of their ids, a file that names them, or a known set; None: the labels tell.
        minutes: The time of the training, validations included; None: 10, or no limit where `changes` set the steps.
        model: The first weights, by name, or as the path of a checkpoint or of a run's folder; None leaves the choice.
        reading: How the labels are read, where that could be done in two ways.
        has_up: Whether the photos have an up, as scenes have and cells have not; None: it is found out.
        folds: Plan so many folds, to be run by `segcli.training.folds.run`; 0: one run.
        device: "auto", "cpu", "cuda", "cuda:N" or "mps".
        skip_bad: Pass over photos without a label and labels that cannot be used; give it to `train` too.
        allow_missing: Plan although no label holds a pixel of a class that is named; give it to `train` too.
        changes: Keys of the recipe that shall be otherwise, "table.key=value" each; they win over the plan.
        output: The folder that the run will fill, for what its disk has left.
        listener: Hears how the labels are read, what is doubtful about them, and of downloads.
        dry: Download nothing: random weights are timed where the first weights are not on this computer yet.

    Raises:
        UsageError: Something that is asked for is not there or cannot be; or several processes are planning.
        DatasetError: The labels are missing, cannot be read, or teach nothing.
        WeightsError: The first weights cannot be had.
        SegcliError: Memory does not suffice, or the device cannot be used.
    """
    _refuse_processes()
    keys = recipes.keys_of(changes := tuple(changes))
    tables = {"data": _data(photos, labels, names, reading or Choice()), "run": {"device": device}}
    tables["model"] = {"init": start.BETTER if model is None else str(model)}
    _refuse_init(keys.get("model.init"), model)
    asked = Recipe.from_dict(recipes.changed(tables, changes))
    _check(asked, minutes, folds)
    whole, apart = split.choose(replace(asked.data, holdout=0.0, fold=None), listener.counting)
    whole.reading.tell(listener.note, listener.warn)
    whole = doubtful.labelled(whole, skip_bad, listener)
    found = fingerprint.of(whole, has_up, skip_bad, listener.counting)
    doubtful.look(whole, found, allow_missing, listener)
    begin = start.choose(keys.get("model.init", model), listener, dry)
    facts = Facts(found, begin, machine.look(asked.run.device), folds, len(apart), keys)
    facts = replace(facts, held=_held(facts, asked.data, whole, listener))
    doubtful.look_at_parts(facts, listener)
    tables["data"] |= _recorded(asked.data, whole)
    return _planned(facts, _Draft(tables, changes), whole, _limit(minutes, keys), Path(output), listener, dry)


def _refuse_processes() -> None:
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UsageError(
            "a training cannot be planned by several processes",
            "Plan it in one process: segcli train PHOTOS LABELS -o run. Then give run/recipe.toml with --config.",
        )


def _refuse_init(init: Any, model: str | Path | None) -> None:
    if init in (RANDOM, IMAGENET):
        hint = "Name a model of `segcli models` or a checkpoint. To train from scratch, give a recipe with --config."
        raise UsageError(f"a plan starts from weights, not from model.init = {init!r}", hint)
    if init is not None and model is not None:
        hint = f"For another model on the backbone of {init}: --set model.name=NAME instead of --model."
        raise UsageError(f"{model} and model.init = {init!r} are both first weights", hint)


def _data(photos: str | Path, labels: str | Path | None, names: str | Sequence[str] | None, how: Choice) -> dict:
    """The [data] table that says what the user has said."""
    table = {
        "images": str(photos),
        "masks": "" if labels is None else str(labels),
        "labels": names if isinstance(names, str) else list(names or ()),
        "read_as": how.as_ or None,
        "void": None if how.void is None else void_text(how.void),
        **{key: True for key in ("fill_boxes", "skip_empty", "with_predictions") if getattr(how, key)},
    }
    return {key: value for key, value in table.items() if value not in (None, [])}


def _check(asked: Recipe, minutes: float | None, folds: int) -> None:
    """UsageError where what is asked for is nothing to plan."""
    if asked.data.dataset != "folder":
        hint = "For a published dataset there are recipes: segcli recipes."
        raise UsageError(f"data.dataset = {asked.data.dataset!r} cannot be planned", hint)
    if minutes is not None and not 0 < minutes <= MOST_MINUTES:
        raise UsageError(
            f"--minutes {minutes:g} is no time to train in", "Give the minutes of the training, such as 10."
        )
    if folds and not 2 <= folds <= FOLD_LIMIT:
        raise UsageError(f"--folds {folds} is not possible", f"Give 2 to {FOLD_LIMIT}; 5 is common.")
    if folds and asked.data.val_images:
        raise UsageError(
            "--folds and data.val_images cannot be used together", "Each fold holds out photos of its own."
        )


def _recorded(asked: Data, whole: Dataset) -> dict[str, str]:
    """How the labels were read, as keys: so that they are read the same way again."""
    taken = split.recorded(asked, whole)
    return {key: value for key in ("read_as", "void") if (value := getattr(taken, key)) is not None}


def _held(facts: Facts, asked: Data, whole: Dataset, listener: Listener) -> Held | None:
    """The photos that the run will hold out; None where there are none, or not all labels were looked at."""
    by_group = not (facts.folds or facts.apart or asked.fold) and facts.asked.get("data.holdout_by") != "every"
    if not (by_group and facts.wanted) or facts.data.looked_at < len(whole):
        return None
    first = own_photos.of_first_weights(facts.start.init)
    return holdout.of_share(whole, facts.share, listener.counting, first, facts.data.counts)


def _limit(minutes: float | None, keys: Mapping[str, Any]) -> float:
    """The minutes of the whole; 0 where the user has set the steps and no time."""
    return minutes or keys.get("schedule.minutes") or (0.0 if "schedule.iterations" in keys else MINUTES)


@dataclass(frozen=True)
class _Draft:
    """Makes a recipe of decisions; the user's own keys go before them."""

    tables: Mapping[str, Mapping[str, Any]]
    changes: tuple[str, ...]

    def __call__(self, reasons: Iterable[Reason]) -> Recipe:
        tables = {name: dict(table) for name, table in self.tables.items()}
        for key, value in (item for reason in reasons for item in reason.keys.items()):
            table, _, name = key.partition(".")
            tables.setdefault(table, {})[name] = value
        tables = {name: {k: v for k, v in table.items() if v is not None} for name, table in tables.items()}
        return Recipe.from_dict(recipes.changed(tables, self.changes))

    def told(self, reasons: Iterable[Reason]) -> tuple[Reason, ...]:
        """The decisions that stand, and what the user has set instead of others."""
        keys = recipes.keys_of(self.changes)
        kept = tuple(reason for reason in reasons if next(iter(reason.keys), None) not in keys)
        return (*kept, *(Reason("as you say", f"{key} = {value}", "") for key, value in keys.items()))


def _planned(
    facts: Facts, draft: _Draft, whole: Dataset, minutes: float, output: Path, listener: Listener, dry: bool
) -> Plan:
    """The plan of the facts, once a few steps were tried."""
    reasons = rules.decide(facts)
    model = tried.first_model(draft(reasons), whole, facts.machine.device, listener, dry)
    reasons = tried.fitted(facts, reasons, draft, tried.needs_of(facts, model, whole))
    drafted = draft(reasons)
    pace = tried.pace(facts, drafted, model, tried.with_values(drafted, whole))
    steps = facts.asked.get("schedule.iterations", 0)
    wanted = Wanted(minutes, facts.learned, drafted.schedule.batch, facts.thawed, steps, runs=facts.folds + 1)
    reasons = (*reasons, *length.decide(wanted, pace))
    recipe = draft(reasons)
    told = tried.told(facts, recipe, model, whole, pace, output)
    sides = facts.held and split.sides(recipe.data, whole, facts.held)
    return Plan(recipe, draft.told(reasons), facts.data, facts.machine, told, facts.folds, sides)
