"""Folds: k runs that each hold out another part of the photos, and one on all of them: for sets too small to split.

Every photo is scored once, by a network that did not learn from it. The mean of the folds foretells how good the last
run is, which learns from all photos and holds out none.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from segcli import decoding, distributed
from segcli.distributed import Processes
from segcli.errors import UsageError, WeightsError
from segcli.files.atomic import write_whole, writing
from segcli.files.encoding import to_json
from segcli.files.paths import shown
from segcli.pipeline.listener import SILENT, Listener
from segcli.training import recipe as recipes
from segcli.training.events import Event
from segcli.training.output import run_folder
from segcli.training.output.run_folder import BEST, RECIPE, STATE
from segcli.training.planning.plan import Plan
from segcli.training.recipe import FOLD_LIMIT, Recipe
from segcli.training.run import train
from segcli.weights import metadata

FOLD = "fold-{}"
"""The folder of a fold's run, in that of the whole; the first is 1."""
SCORES = "folds.json"
"""The file with the scores of all folds."""


@dataclass(frozen=True)
class FoldEvent:
    """A step or a validation of one of the runs.

    Attributes:
        fold: 1..k; k + 1 for the run on all photos.
        folds: The number of folds, k.
        event: What has happened.
    """

    fold: int
    folds: int
    event: Event

    @property
    def is_whole(self) -> bool:
        """Whether it is of the run on all photos, which is not validated."""
        return self.fold > self.folds


@dataclass(frozen=True)
class FoldScore:
    """What the best checkpoint of a fold reached on the photos that the fold held out.

    Attributes:
        fold: 1..k.
        iteration: After how many steps.
        miou: 0..1; None where the held-out photos have no labelled pixel.
        per_class: Intersection over union by class name, 0..1; None where a class occurs in neither.
    """

    fold: int
    iteration: int = 0
    miou: float | None = None
    per_class: Mapping[str, float | None] = ()


@dataclass(frozen=True)
class Across:
    """One score over the folds.

    Attributes:
        mean: Over the folds that have the score, 0..1; None where none has.
        spread: The largest less the smallest, 0..1.
        folds: How many folds have the score.
    """

    mean: float | None
    spread: float | None
    folds: int

    @classmethod
    def of(cls, values: Iterable[float | None]) -> Across:
        """The mean and the spread of scores, those that are None left out."""
        known = [value for value in values if value is not None]
        return cls(fmean(known), max(known) - min(known), len(known)) if known else cls(None, None, 0)


@dataclass(frozen=True)
class FoldScores:
    """The scores of the folds that are done."""

    folds: tuple[FoldScore, ...]

    @property
    def miou(self) -> Across:
        """The mIOU over the folds."""
        return Across.of(score.miou for score in self.folds)

    @property
    def per_class(self) -> dict[str, Across]:
        """The intersection over union of each class over the folds."""
        names = dict.fromkeys(name for score in self.folds for name in dict(score.per_class))
        return {name: Across.of(dict(score.per_class).get(name) for score in self.folds) for name in names}

    def to_dict(self) -> dict[str, Any]:
        """The values of folds.json."""
        per_class = {name: asdict(across) for name, across in self.per_class.items()}
        return {"miou": asdict(self.miou), "per_class": per_class, "folds": [asdict(score) for score in self.folds]}


def run(
    recipe: Recipe | Plan,
    folder: str | Path,
    k: int,
    *,
    resume: bool = False,
    device: str | None = None,
    skip_bad: bool = False,
    allow_missing: bool = False,
    processes: Processes | None = None,
    listener: Listener = SILENT,
) -> Iterator[FoldEvent]:
    """Train k runs in folder/fold-1 ... fold-k, each of which holds out another k-th of the photos, then one on all.

    The run on all photos lies in the folder itself and holds out none: last.safetensors is its model. folds.json is
    written there after each fold: mIOU and IOU by class of each, their mean and their spread. `schedule.minutes` is
    shared out evenly among the k + 1 runs. What can be refused without the photos is refused by the call.

    Args:
        recipe: Of every run, but for what is held out; its data are a folder without photos to validate on. A plan
            leaves its reasons in each run's recipe.toml.
        folder: Of the whole; made where it is missing.
        k: The number of folds, 2..100, at most one for each group of photos.
        resume: Go on where it was stopped; runs that are done are passed over.
        device: As for `train`, like the rest.
        skip_bad: Leave out photos with problems instead of refusing the dataset.
        allow_missing: Train although labels of one's own hold no pixel of a class that is named.
        processes: Who shares the work.
        listener: Hears of every run; a `TrainingListener` hears of the start of each.

    Yields:
        Each run's events with the number of its fold.

    Raises:
        UsageError: The recipe cannot be split into folds, or the folder holds another run.
        SegcliError: As for `train`.
    """
    _check(recipe.recipe if isinstance(recipe, Plan) else recipe, k)
    folder = Path(folder)
    if not resume:
        check(folder, k)
    places = [(number, folder / FOLD.format(number)) for number in range(1, k + 1)] + [(k + 1, folder)]
    is_begun = any((place / STATE).exists() for _, place in places)
    for _, place in places:
        run_folder.check(place, resume)
    flags = {"device": device, "skip_bad": skip_bad, "allow_missing": allow_missing, "listener": listener}
    nothing = not is_begun and not (places[0][1] / RECIPE).is_file()
    return _events(recipe, places, resume and nothing, processes, flags)


def check(folder: Path, k: int) -> None:
    """UsageError where a folder holds folds already, and a new run shall start in it; `k` is its number of folds or 0.

    Folds that were stopped before the first checkpoint of all may be begun anew.
    """
    if begun(folder) and (not k or (folder / FOLD.format(1) / STATE).exists()):
        hint = "Go on with --resume, or name another folder with --output."
        raise UsageError(f"{shown(folder)} holds runs of folds already", hint)


def read(folder: str | Path, k: int) -> FoldScores:
    """The scores of those of k folds below a folder that have a best checkpoint; WeightsError where one is damaged."""
    places = {number: Path(folder) / FOLD.format(number) / BEST for number in range(1, k + 1)}
    return FoldScores(tuple(_score(number, path) for number, path in places.items() if path.is_file()))


def begun(folder: str | Path) -> tuple[Recipe, int] | None:
    """The recipe and the number of the folds that were begun in a folder, to go on with; None where there are none.

    Raises:
        UsageError: The recipe of the first fold is damaged.
    """
    path = Path(folder) / FOLD.format(1) / RECIPE
    first = recipes.read(path) if path.is_file() else None
    if first is None or first.data.fold is None:
        return None
    k = first.data.fold[1]
    schedule = replace(first.schedule, minutes=first.schedule.minutes * (k + 1))
    return replace(first, schedule=schedule, data=replace(first.data, fold=None)), k


def of_fold(recipe: Recipe | Plan, number: int, k: int) -> Recipe | Plan:
    """The recipe or plan of one of the runs; number k + 1 is the one that holds out no photo."""
    if isinstance(recipe, Plan):
        return replace(recipe, recipe=of_fold(recipe.recipe, number, k))
    schedule = replace(recipe.schedule, minutes=recipe.schedule.minutes / (k + 1))
    held = {"fold": (number, k)} if number <= k else {"fold": None, "holdout": 0.0}
    return replace(recipe, schedule=schedule, data=replace(recipe.data, holdout_by="group", **held))


def _check(recipe: Recipe, k: int) -> None:
    """UsageError where a recipe cannot be run in k folds."""
    if not 2 <= k <= FOLD_LIMIT:
        raise UsageError(f"{k} folds cannot be made", f"Their number is 2 to {FOLD_LIMIT}; 5 is common.")
    data = recipe.data
    if data.dataset != "folder":
        raise UsageError(f"{data.dataset} has its own photos to validate on", "Folds are for photos of your own.")
    for key in ("val_images", "val_masks", "fold"):
        if getattr(data, key):
            raise UsageError(
                f"data.{key} and folds cannot be used together", "Each fold holds out photos of data.images."
            )


def _events(
    recipe: Recipe | Plan,
    places: list[tuple[int, Path]],
    resume_first: bool,
    processes: Processes | None,
    flags: Mapping[str, Any],
) -> Iterator[FoldEvent]:
    """The events of the runs, one after the other."""
    k = len(places) - 1
    with nullcontext(processes) if processes else distributed.join() as joined:
        listener = flags["listener"] if joined.is_main else SILENT
        for number, place in places:
            listener.note(f"fold {number} of {k}" if number <= k else f"all photos, after {k} folds")
            again = resume_first or (place / STATE).exists()
            for event in train(of_fold(recipe, number, k), place, resume=again, processes=joined, **flags):
                yield FoldEvent(number, k, event)
            if joined.is_main and number <= k:
                _write(places[-1][1], k)


def _write(folder: Path, k: int) -> None:
    """Write folds.json anew from the checkpoints of the folds; SegcliError where the folder cannot be written to."""
    with writing(folder), write_whole(folder / SCORES) as file:
        file.write(to_json(read(folder, k).to_dict(), indent=1).encode())


def _score(number: int, path: Path) -> FoldScore:
    """The scores that a fold's best checkpoint states."""
    scores = json.loads(to_json(dict(metadata.read(path).scores)))
    try:
        return decoding.decode(FoldScore, {**scores, "fold": number}, ignore_unknown=True)
    except decoding.DecodingError as error:
        message = f"{shown(path)} has damaged scores: {error.message}"
        raise WeightsError(message, "Train that fold again in another folder.") from error
