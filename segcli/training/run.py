"""Training a model by a recipe: everything that `segcli train` leaves in its folder, for Python users too."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from segcli import distributed
from segcli.data import parts as split_file
from segcli.data.census import Census
from segcli.data.dataset import Dataset
from segcli.data.parts import Parts
from segcli.distributed import Processes
from segcli.errors import UsageError
from segcli.images.reading import RGB_8_BIT
from segcli.labels import LabelSet
from segcli.pipeline.listener import SILENT, Listener
from segcli.pipeline.usable import usable
from segcli.training import coverage, packaged, photos
from segcli.training import recipe as recipes
from segcli.training.events import Event
from segcli.training.output import record, run_folder
from segcli.training.output.history import History
from segcli.training.partition import own_photos, split
from segcli.training.planning.plan import Plan
from segcli.training.recipe import Recipe

if TYPE_CHECKING:
    import torch

    from segcli.training.loop import Training
    from segcli.training.planning.foretold import Foretold
    from segcli.training.timing.clock import Costs
    from segcli.weights.model_io import LoadedModel


class TrainingListener(Listener):
    """Hears beside its remarks what is foretold of a run and when it starts; only the former it passes on."""

    def foretold(self, told: Foretold) -> None:
        """What a new run will take; before it starts."""
        self.note(f"foretold: {told}")

    def started(self, history: History) -> None:
        """The first step or validation comes next; `history` goes on changing with the run."""


def train(
    recipe: Recipe | Plan | str | Path,
    folder: str | Path,
    *,
    resume: bool = False,
    device: str | None = None,
    skip_bad: bool = False,
    allow_missing: bool = False,
    processes: Processes | None = None,
    listener: Listener = SILENT,
) -> Iterator[Event]:
    """Train a model by a recipe, and leave the whole run in a folder.

    What can be refused at once is refused by the call; the training happens while its events are taken. The folder then
    holds recipe.toml, split.toml (which photos were held out), best.safetensors (the highest mIOU on those),
    last.safetensors, state.pt (to resume from), metrics.csv, curve.png, validation.html (photos beside truth and
    prediction), overlays/ and, where its package is installed, TensorBoard's file. They are written before the event
    that they belong to is yielded.

        for event in train("finetune", "mine"):
            print(event.iteration)

    Args:
        recipe: The name of a recipe that comes with segcli, the path of a TOML file, a Recipe, or what `segcli.plan`
            has planned, whose reasons are written into recipe.toml.
        folder: Of the run; made where it is missing.
        resume: Go on with the run in the folder, exactly.
        device: "auto", "cpu", "cuda", "cuda:N" or "mps"; None: the recipe's.
        skip_bad: Leave out photos with problems instead of refusing the dataset. Every photo is read before a new run.
        allow_missing: Train although labels of one's own hold no pixel of a class that is named.
        processes: Who shares the work; None: those that torchrun's environment describes, one without it.
        listener: Hears remarks, warnings, downloads and the reading of the datasets; in the main process only.

    Yields:
        A `Step` for each step of the optimizer, and a `Validation` for each validation.

    Raises:
        UsageError: The recipe is wrong, or the folder holds another run.
        DatasetError: The dataset is missing, its files have problems, or its labels do not show every class.
        WeightsError: The first weights cannot be had, or a checkpoint cannot be read or written.
        SegcliError: The device or the folder cannot be used, memory runs out, or the loss is no number any more.
    """
    wanted = _recipe_of(recipe)
    if device is not None:
        wanted = replace(wanted, run=replace(wanted.run, device=device))
    early = listener if (processes.is_main if processes else distributed.is_main()) else SILENT
    resume = resume or run_folder.restarted(Path(folder))
    begun = split_file.read(Path(folder)) if resume else None
    planned = recipe if isinstance(recipe, Plan) else None
    train_set, val_set, how = _parted(wanted, planned, begun, early)
    wanted = replace(wanted, data=split.recorded(wanted.data, train_set))
    run_folder.check(Path(folder), resume)
    _check_classes(wanted, train_set.labels)
    wanted, (train_set, val_set) = _with_photos(wanted, (train_set, val_set), Path(folder) if resume else None, early)
    job = _Job(wanted, train_set, val_set, how, begun, Path(folder), resume, skip_bad, allow_missing, planned)
    return job.events(nullcontext(processes) if processes else distributed.join(), listener)


def _recipe_of(recipe: Recipe | Plan | str | Path) -> Recipe:
    if isinstance(recipe, Plan):
        return recipe.recipe
    return recipe if isinstance(recipe, Recipe) else recipes.read(packaged.find(recipe))


def _parted(
    recipe: Recipe, planned: Plan | None, begun: Parts | None, listener: Listener
) -> tuple[Dataset, Dataset, str]:
    """The photos to learn from, those to validate on, and how they were parted; a plan may have parted them already."""
    known = planned and planned.sides
    if known and begun is None and known.data == recipe.data:
        return known.train, known.val, known.how
    how: list[str] = []
    first = None if begun else own_photos.of_first_weights(recipe.model.init)
    train, val = split.choose(recipe.data, listener.counting, how.append, begun, first)
    if train.reading is not None and planned is None:
        train.reading.tell(listener.note, listener.warn)
    if split.is_told(recipe.data):
        listener.note(how[0])
    if begun is not None:
        count = len(train) + len(val)
        train, val = split.known(begun, train, val)
        if left := count - len(train) - len(val):
            listener.note(f"{left} photos that this run did not begin with are left out")
    return train, val, how[0]


def _with_photos(
    recipe: Recipe, parts: tuple[Dataset, Dataset], resumed: Path | None, listener: Listener
) -> tuple[Recipe, tuple[Dataset, ...]]:
    """The recipe with the range and bands of the photos, and both datasets read by them."""
    data = photos.as_begun(recipe.data, resumed) if resumed else recipe.data
    first = RGB_8_BIT if resumed else photos.first_values(recipe.model.init)
    reading = photos.resolved(data, *parts, first, listener)
    recipe = replace(recipe, data=photos.recorded(data, reading))
    return recipe, tuple(replace(part, photos=reading) for part in parts)


def _check_classes(recipe: Recipe, classes: LabelSet) -> None:
    """UsageError where the recipe names a class that the dataset lacks, or weighs another number of classes."""
    split.rare_ids(recipe.data.repeat, classes)
    weights = len(recipe.loss.class_weights)
    if weights not in (0, len(classes)):
        raise UsageError(
            f"loss.class_weights has {weights} numbers, there are {len(classes)} classes",
            f"Give one for each of {', '.join(classes.names)}.",
        )


@dataclass(frozen=True)
class _Job:
    """A call of `train`, once everything that needs no torch is known to be right."""

    recipe: Recipe
    train: Dataset
    val: Dataset
    how: str
    begun: Parts | None
    folder: Path
    resume: bool
    skip_bad: bool
    allow_missing: bool
    planned: Plan | None = None

    def events(self, joined: AbstractContextManager[Processes], listener: Listener) -> Iterator[Event]:
        """Prepare the run, follow it to its end, and write what it leaves."""
        from segcli.training.output.artifacts import Artifacts

        with joined as processes, run_folder.alone(self.folder, self.resume) if processes.is_main else nullcontext():
            listener = listener if processes.is_main else SILENT
            run = self._prepared(processes, listener)
            if isinstance(listener, TrainingListener):
                listener.started(run.history)
            if not processes.is_main:
                yield from run.run()
                return
            with closing(Artifacts(self.folder, self.recipe.run, run.val, run.history)) as artifacts:
                for event in run.run():
                    artifacts.add(event)
                    yield event

    def _prepared(self, processes: Processes, listener: Listener) -> Training:
        """A new run, or the one in the folder, where it was saved last."""
        from segcli.training import loop

        start = time.perf_counter()
        device = self._device(processes, listener)
        model = None if self.resume else self._first_model(listener)
        train, val = self._datasets(processes, listener)
        how = {"processes": processes, "listener": listener}
        if model is None:
            run = loop.resume(self.recipe, train, val, self.folder, device, **how)
        else:
            run = loop.Training(self.recipe, model, train, val, self.folder, device, **how)
        run.clock.start = start
        self._foretell(run)
        if processes.is_main and not self.resume:
            run_folder.write_recipe(self.folder, self.recipe, self.planned.comments if self.planned else ())
        self._keep_split(train, val, processes, listener)
        validated = f"{len(val)} to validate on" if len(val) else "not validated"
        listener.note(
            f"model {run.model.spec.name}, {len(train.labels)} classes, {len(train)} photos to learn from, {validated}"
        )
        if run.is_over:
            listener.note(f"this run has ended, after iteration {run.history.iteration}")
        elif run.history.iteration:
            listener.note(f"going on after iteration {run.history.iteration}")
        return run

    def _foretell(self, run: Training) -> None:
        """Say what a new run will take; UsageError where memory or disk do not suffice, for a resumed one too."""
        from segcli.training.planning import foretold

        if run.is_over:
            return
        parts, place = (run.train, run.val), (self.folder, run.device, run.processes)
        timing = {"timing": not self.resume, "known": self._known(run.processes)}
        told = foretold.foretell(self.recipe, run.model, *parts, *place, **timing)
        run.clock.foretold = told.costs
        if not self.resume and isinstance(run.listener, TrainingListener):
            run.listener.foretold(told)
        elif not self.resume:
            run.listener.note(f"foretold: {told}")

    def _known(self, processes: Processes) -> Costs | None:
        """What the plan has measured of this run already; None where there is none, or it runs elsewhere."""
        plan = self.planned
        here = plan and processes.world_size == 1 and plan.recipe.run.device == self.recipe.run.device
        return plan.foretold.costs if here else None

    def _keep_split(self, train: Dataset, val: Dataset, processes: Processes, listener: Listener) -> None:
        """Write split.toml where the run has none yet; where it has one, the photos must be those."""
        if self.begun is not None:
            record.check(self.begun, train, val, processes, listener)
        elif processes.is_main:
            record.write(self.folder, self.recipe, train, val, self.how, listener)

    def _device(self, processes: Processes, listener: Listener) -> torch.device:
        """This process's device; UsageError where a batch cannot be shared out."""
        from segcli import devices

        crops, count = self.recipe.schedule.batch // self.recipe.schedule.accumulate, processes.world_size
        if crops % count:
            raise UsageError(
                f"{crops} photos at once cannot be shared out to {count} processes",
                "Make schedule.batch / schedule.accumulate a multiple of the number of processes.",
            )
        chosen = devices.of_process(self.recipe.run.device)
        listener.note(f"device {devices.describe(chosen)}" + (f", {count} processes" if count > 1 else ""))
        return chosen

    def _first_model(self, listener: Listener) -> LoadedModel:
        from segcli.training import init

        with listener.downloading() as progress:
            model = init.start(self.recipe, self.train.labels, progress)
        for note in model.notes:
            listener.note(note)
        return model

    def _datasets(self, processes: Processes, listener: Listener) -> tuple[Dataset, Dataset]:
        """The photos to learn from, repeats included, and those to validate on; a new run reads all of them first."""
        train, val = self.train, self.val
        if self.skip_bad or not self.resume:
            learned, held = Census(len(train.labels)), Census(len(val.labels))
            train = usable(train, self.skip_bad, processes, listener, learned)
            val = usable(val, self.skip_bad, processes, listener, held)
            if not self.resume:
                coverage.check(train, learned, held, self.allow_missing, listener)
        return split.repeated(train, self.recipe.data.repeat, self.recipe.data.repeat_times), val
