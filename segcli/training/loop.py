"""Training: a run from where it stands to its end, as steps and validations."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch

from segcli.data.dataset import Dataset
from segcli.distributed import Processes
from segcli.labels import LabelSet
from segcli.models.preprocessing import Preprocessing
from segcli.models.spec import ModelSpec
from segcli.pipeline import photo_values
from segcli.pipeline.listener import SILENT, Listener
from segcli.training import failures, init
from segcli.training.crops import loader
from segcli.training.crops.loader import Crops, MicroBatch, Positions
from segcli.training.events import Event, Step, Validation
from segcli.training.optimization.trainer import Trainer, place
from segcli.training.output import run_folder
from segcli.training.output import state as training_state
from segcli.training.output.checkpoints import Checkpoints
from segcli.training.output.history import History
from segcli.training.output.state import State
from segcli.training.recipe import Recipe
from segcli.training.timing import schedule, stopping
from segcli.training.timing.clock import Clock
from segcli.training.timing.pacing import Pacer
from segcli.training.validation import validate
from segcli.weights.model_io import LoadedModel


@dataclass
class Training:
    """A run of a recipe: made new from a model, or by `resume`, and followed by `run`.

    Attributes:
        recipe: What to do.
        model: The network and what it is; trained in place.
        train: Photos to learn from, repeats included.
        val: Photos to validate on.
        folder: Where checkpoints go.
        device: Where the network is.
        processes: Who shares the work.
        history: What has happened so far.
        trainer: Takes the steps.
        checkpoints: Writes the checkpoints and the state.
        scored: The model as it is scored and saved: where the recipe averages weights, with the averages, and at
            `model.eval_output_stride`.
        listener: Hears remarks on the run's time and memory; in the main process only.
        clock: Of the run.
        pacer: Changes the run's length where its minutes ask for it.
    """

    recipe: Recipe
    model: LoadedModel
    train: Dataset
    val: Dataset
    folder: Path
    device: torch.device
    processes: Processes = field(default_factory=Processes)
    history: History = field(default_factory=History)
    listener: Listener = SILENT
    trainer: Trainer = field(init=False)
    checkpoints: Checkpoints = field(init=False)
    scored: LoadedModel = field(init=False)
    clock: Clock = field(init=False)
    pacer: Pacer = field(init=False)

    def __post_init__(self) -> None:
        learned = replace(self.model, photos=photo_values.trained_on(self.train.photos))
        self.model = place(learned, self.recipe.run, self.device, self.processes)
        self.trainer = Trainer(self.model, self.recipe, self.device, self.processes)
        average = self.trainer.ema
        newest = replace(self.model, network=average.network) if average else self.model
        self.scored = init.scored(newest, self.recipe.model.eval_output_stride)
        self.checkpoints = Checkpoints(self.folder, self.recipe, self.scored, self.train, self.val)
        self.clock = Clock(self.recipe)
        self.pacer = Pacer(self.recipe, self.history, self.clock, self.processes, self.listener)

    def run(self) -> Iterator[Event]:
        """Train from where it stands to the end; yields each step and each validation.

        Weights that tell the classes already are scored before the first step, so that the best checkpoint is never
        worse than they are. Checkpoints are written before the next event: a run that is killed goes on from the last
        one.

        Raises:
            SegcliError: The loss or the weights are no numbers any more, memory runs out, or a file cannot be read or
                written.
        """
        batches = self.micro_batches()
        self.pacer.begin()
        if self._validation_due():
            yield from self._validated()
        while not self.is_over:
            yield self._step(batches)
            self._stop_if_short()
            self.pacer.look()
            self._keep()
            due = self._validation_due()
            if due or self.is_over or self.history.iteration % self.recipe.run.save_every == 0:
                self._save()  # at the end also where nothing is validated
            if due:
                yield from self._validated()

    @property
    def total(self) -> int:
        """How many steps the run takes in all, as things stand."""
        return self.pacer.total

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to do: all steps are taken, or validation after validation brought no gain."""
        if self._validation_due():
            return False
        if self.history.iteration >= self.total:
            return True
        return self.history.is_validated and stopping.due(self.history, self.recipe)

    def micro_batches(self) -> Iterator[MicroBatch]:
        """This process's shards of the micro-batches of this and all later iterations."""
        recipe = self.recipe
        crops = Crops(self.train, recipe.augment, self.model.preprocessing, recipe.run.seed)
        positions = Positions(recipe.schedule, self.processes, self.history.iteration)
        return loader.micro_batches(crops, positions, recipe.run.workers, pinned=self.device.type == "cuda")

    def _step(self, batches: Iterator[MicroBatch]) -> Step:
        start = time.perf_counter()
        batch = [next(batches) for _ in range(self.recipe.schedule.accumulate)]
        whole = not self.trainer.split_batches
        place = schedule.position(self.history.iteration, self.recipe.schedule, self.history.pace)
        loss, rate = self.trainer.step(self.history.iteration, batch, place)
        seconds = time.perf_counter() - start
        self.clock.add_step(seconds, self.trainer.network.frozen_backbone)
        if whole and self.trainer.split_batches:
            self.listener.note(failures.SPLIT)
        self.history.add_step(loss)
        done = self.history.iteration
        if done % self.recipe.run.log_every == 0 or done == self.total:
            self.history.add_loss(rate)
        return Step(done, loss, rate, seconds)

    def _stop_if_short(self) -> None:
        """Save the run and end it while there is memory to do so; SegcliError where there is hardly any left."""
        short = np.array([self.trainer.short], np.int64)
        if self.processes.all_reduce_sum(short).any():
            self._save()
            raise failures.memory_nearly_full(self.history.iteration)

    def _validation_due(self) -> bool:
        """Whether the weights as they are now want scoring: also those of a run that was stopped before it could."""
        done = self.history.iteration
        if self.history.is_validated or not self.val.samples:
            return False
        if done == 0:
            return self.model.trained
        return done % self.recipe.run.validate_every == 0 or done == self.total

    def _validated(self) -> Iterator[Validation]:
        """A validation; its time is with what is made of it, such as pictures."""
        start = time.perf_counter()
        yield self._validate()
        self.clock.add_validation(time.perf_counter() - start)
        self.pacer.look(validated=True)

    def _validate(self) -> Validation:
        """Score the model; what was trained is saved before already, since scoring takes long and may fail."""
        start = time.perf_counter()
        scores, images, segmenter = validate(self.scored, self.val, self.device, self.processes)
        done, best = self.history.iteration, self.history.add_validation(scores, images)
        if best and self.processes.is_main:
            self.checkpoints.write_best(done, scores)
        seconds = time.perf_counter() - start
        self._save()
        return Validation(done, scores, best, seconds, segmenter, images)

    def _keep(self) -> None:
        """Write a numbered checkpoint where one is due: before the state, so that a kill leaves out none."""
        done, every = self.history.iteration, self.recipe.run.keep_every
        if every and done % every == 0:
            failures.require_finite(self.model.network, self.trainer.optimizer, done)
            if self.processes.is_main:
                self.checkpoints.write_numbered(done)

    def _save(self) -> None:
        """Write the state and the last checkpoint, if the weights are numbers; the main process does."""
        start = time.perf_counter()
        failures.require_finite(self.model.network, self.trainer.optimizer, self.history.iteration)
        if self.recipe.schedule.minutes:
            self.history.seconds = self.clock.spent
        if self.processes.is_main:
            self.checkpoints.save(self.trainer, self.history)
        self.clock.add_saving(time.perf_counter() - start)

    def restore(self, state: State) -> None:
        """Go back to where a state was saved."""
        self.trainer.restore(state)
        rows = [dict(row) for row in state.history]
        pace = state.more.get("pace", {"changes": [], "seconds": 0.0})
        changes = [tuple(change) for change in pace["changes"]]
        self.history = History(state.iteration, state.best, rows, list(state.recent), changes, pace["seconds"])
        self.pacer.history, self.clock.before = self.history, self.history.seconds


def resume(
    recipe: Recipe,
    train: Dataset,
    val: Dataset,
    folder: Path,
    device: torch.device,
    processes: Processes | None = None,
    listener: Listener = SILENT,
) -> Training:
    """The run in a folder, as it was when it was saved last; what a kill left half written is cleared away or made up.

    Raises:
        WeightsError: There is nothing to resume, or it is damaged.
        UsageError: The recipe or the photos have changed.
    """
    state = training_state.read(folder)
    training_state.check(state, recipe, train, val)
    model = init.rebuild(
        ModelSpec.from_dict(state.model["spec"]),
        LabelSet.from_dict(state.model["labels"]),
        Preprocessing.from_dict(state.model["preprocessing"]),
        recipe.model,
    )
    facts = {"processes": processes or Processes(), "listener": listener}
    run = Training(recipe, model, train, val, folder, device, **facts)
    run.restore(state)
    if run.processes.is_main:
        run_folder.remove_unfinished(folder)
        run.checkpoints.write_last(state.iteration)  # a kill may have come between the state and its checkpoint
    return run
