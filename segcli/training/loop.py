"""Training: the loop over iterations, its checkpoints and its validations, on one process or several."""

import math
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from segcli.data.dataset import Dataset
from segcli.distributed import Processes
from segcli.errors import InputError, SegcliError
from segcli.evaluation.metrics import Scores
from segcli.files.atomic import PARTIAL
from segcli.inference import oom
from segcli.inference.segmenter import Segmenter
from segcli.labels import LabelSet
from segcli.models.preprocessing import Preprocessing
from segcli.models.spec import ModelSpec
from segcli.pipeline import evaluate
from segcli.pipeline.evaluate import Tally
from segcli.training import init, loader, losses, optimizer, schedule
from segcli.training import state as training_state
from segcli.training.events import Event, Step, Validation
from segcli.training.init import Trainee
from segcli.training.loader import Crops, Part, Positions
from segcli.training.losses import Criterion
from segcli.training.recipe import BEST, LAST, Recipe
from segcli.training.state import State
from segcli.weights import model_io
from segcli.weights.model_io import LoadedModel

AMP = {"bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass
class Training:
    """A run: build it with `begin` or `resume`, then follow `run`.

    Attributes:
        recipe: What to do.
        model: The network and what it is; trained in place.
        train: Photos to learn from, repeats included.
        val: Photos to choose by.
        folder: Where checkpoints go.
        device: Where the network is.
        processes: Who shares the work.
        iteration: How many are done.
        best: The best mIOU so far.
        history: Rows of metrics.csv: iteration, loss, rate and, where it was validated, miou.
        recent: Losses since the last such row.
    """

    recipe: Recipe
    model: LoadedModel
    train: Dataset
    val: Dataset
    folder: Path
    device: torch.device
    processes: Processes = field(default_factory=Processes)
    iteration: int = 0
    best: float | None = None
    history: list[dict[str, Any]] = field(default_factory=list)
    recent: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.shown = self.recipe.to_dict()
        network = self.model.network.to(self.device)
        if self.recipe.run.channels_last:
            network.to(memory_format=torch.channels_last)
        if self.processes.world_size > 1 and self.device.type == "cuda":
            network = nn.SyncBatchNorm.convert_sync_batchnorm(network)
            self.model = replace(self.model, network=network)
        self.trainee = Trainee(network, self.recipe.model.freeze_bn)
        self.optimizer = optimizer.build(network, self.recipe.optimizer)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.recipe.run.amp == "fp16")
        classes = self.recipe.loss.class_weights
        self.criterion = Criterion(
            self.model.spec.align_corners,
            self.recipe.loss.shrink_labels,
            torch.tensor(classes, device=self.device) if classes else None,
            self.recipe.loss.lovasz,
        )

    def run(self) -> Iterator[Event]:
        """Train from where it stands to the end; yields each step and each validation.

        Weights that tell the classes already are scored before the first step, so that the best checkpoint is never
        worse than they are.

        Checkpoints are written before the next event: a run that is killed goes on from the last one.

        Raises:
            SegcliError: The loss is no number any more, memory runs out, or a file cannot be read or written.
        """
        end, every = self.recipe.schedule.iterations, self.recipe.run
        parts = self._parts()
        if self._validation_due():
            yield from self._validated()
        while self.iteration < end:
            step = self._step(parts)
            self.recent.append(step.loss)
            if self.iteration % every.log_every == 0 or self.iteration == end:
                self._note(loss=float(np.mean(self.recent)), rate=step.rate)
                self.recent = []
            yield step
            due = self._validation_due()
            if due or self.iteration % every.save_every == 0:
                self.save()
            if due:
                yield from self._validated()

    def _validation_due(self) -> bool:
        """Whether the weights as they are now want scoring: also those of a run that was stopped before it could."""
        if self.history and self.history[-1]["iteration"] == self.iteration and "miou" in self.history[-1]:
            return False
        if self.iteration == 0:
            return self.model.trained
        return self.iteration % self.recipe.run.validate_every == 0 or self.iteration == self.recipe.schedule.iterations

    def _validated(self) -> Iterator[Validation]:
        """Score; what was trained is saved before already, since scoring takes long and may fail."""
        validation = self._validate()
        if self.iteration:
            self.save()
        yield validation

    def _parts(self) -> Iterator[Part]:
        """The crops of this and all later iterations."""
        recipe = self.recipe
        row = Crops(self.train, recipe.augment, self.model.preprocessing, recipe.run.seed)
        positions = Positions(recipe.schedule, self.processes, self.iteration)
        return loader.parts(row, positions, recipe.run.workers, pinned=self.device.type == "cuda")

    def _step(self, parts: Iterator[Part]) -> Step:
        start = time.perf_counter()
        iteration, settings = self.iteration, self.recipe.schedule
        rate = schedule.rate(iteration, settings)
        wrapped = self._prepared(iteration)
        batch = [next(parts) for _ in range(settings.accumulate)]
        # Dropout follows from the iteration alone, so that a resumed run draws the same.
        torch.manual_seed(_mixed(self.recipe.run.seed, iteration, self.processes.rank))
        optimizer.set_rate(self.optimizer, rate)
        try:
            loss = self._update(wrapped, batch)
        except (RuntimeError, MemoryError) as error:
            if oom.is_shortage(error):
                raise _out_of_memory(self.recipe, self.processes.world_size) from error
            raise
        self.iteration += 1
        return Step(self.iteration, loss, rate, time.perf_counter() - start)

    def _prepared(self, iteration: int) -> nn.Module:
        """The network in training mode, its backbone frozen or thawed, wrapped for several processes."""
        frozen = iteration < self.recipe.model.freeze_backbone
        if not hasattr(self, "wrapped") or frozen != self.trainee.frozen_backbone:
            self.trainee.freeze_backbone(frozen)
            alone = self.processes.world_size == 1
            self.wrapped = self.trainee if alone else DistributedDataParallel(self.trainee)
        self.trainee.train()
        return self.wrapped

    def _update(self, wrapped: nn.Module, batch: list[Part]) -> float:
        """One step of the optimizer; returns the loss.

        Every part's loss is divided by the labelled pixels of all processes, and counts by its share of the labelled
        pixels of all parts, each pixel by its class's weight: two processes, or two parts, do as one with the whole
        batch would. With shrunk labels or only the hardest pixels it is near, not exact; Lovász-Softmax is the mean of
        the parts' own, which is another loss.
        """
        weighed = [float(self.criterion.weight(labels.to(self.device))) for _, labels, _ in batch]
        weight = self._total(torch.tensor(weighed, dtype=torch.double))
        shares = (weight / weight.sum().clamp(min=torch.finfo(torch.double).tiny)).tolist()
        self.optimizer.zero_grad()
        total = 0.0
        for index, (images, labels, _) in enumerate(batch):
            last = index == len(batch) - 1
            with nullcontext() if last or self.processes.world_size == 1 else wrapped.no_sync():
                loss, shown = self._loss(wrapped, images, labels)
                # DDP averages the processes' gradients, which are parts of a sum.
                self.scaler.scale(loss * (shares[index] * self.processes.world_size)).backward()
            total += shares[index] * shown
        if not math.isfinite(total):
            self._stop(total, [name for _, _, names in batch for name in names])
        self.scaler.unscale_(self.optimizer)
        norm = nn.utils.clip_grad_norm_(wrapped.parameters(), self.recipe.optimizer.clip or math.inf)
        if not self.scaler.is_enabled() and not math.isfinite(norm):  # a scaler leaves out such a step by itself
            self._stop(float(norm), [name for _, _, names in batch for name in names], "gradient")
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return total

    def _loss(self, wrapped: nn.Module, images: Tensor, labels: Tensor) -> tuple[Tensor, float]:
        """This process's part of the loss of one part of the batch, and that of all processes."""
        images, labels = (tensor.to(self.device, non_blocking=True) for tensor in (images, labels))
        if self.recipe.run.channels_last:
            images = images.to(memory_format=torch.channels_last)
        amp = AMP.get(self.recipe.run.amp)
        with torch.autocast(self.device.type, amp) if amp else nullcontext():
            outputs = wrapped(images)
        share = schedule.hardest_share(self.iteration, self.recipe.loss)
        terms = self.criterion.terms(outputs, labels, share)
        whole = self._total(terms.detach())
        return losses.mean(terms, whole[:, 1]), float(losses.mean(whole, whole[:, 1]))

    def _total(self, values: Tensor) -> Tensor:
        if self.processes.world_size > 1:
            values = values.clone()
            distributed.all_reduce(values)
        return values

    def _stop(self, value: float, names: list[str], what: str = "loss") -> None:
        everyone = sorted({name for share in self.processes.all_gather(names) for name in share})
        first = ", ".join(everyone[:8]) + (f" and {len(everyone) - 8} more" if len(everyone) > 8 else "")
        raise SegcliError(
            f"the {what} of iteration {self.iteration + 1} is {value}; its photos: {first}",
            'Lower schedule.rate, set schedule.warmup, optimizer.clip = 1 or run.amp = "off", and start a new run; '
            "model.init = RUN/last.safetensors goes on from this one's last checkpoint, if it has one.",
        )

    def _validate(self) -> Validation:
        start = time.perf_counter()
        tally = Tally.empty(len(self.val.labels), trimap=False, refined=False)
        segmenter = Segmenter(self.model, self.device)
        try:
            for _ in evaluate.score(self.val, segmenter, tally, self.processes):
                pass
        except InputError as error:
            if oom.TOO_LARGE not in error.message:
                raise
            where = error.message.partition(": ")[0]
            raise InputError(
                f"{where}: {oom.TOO_LARGE} in validation", "Start a new run with a lower data.size."
            ) from error
        tally.all_reduce(self.processes)
        scores = tally.matrix.scores(self.val.labels)
        best = scores.miou is not None and (self.best is None or scores.miou > self.best)
        if best:
            self.best = scores.miou
        self._note(miou=scores.miou)
        if best and self.processes.is_main:
            self._write(BEST, scores)
        return Validation(self.iteration, scores, best, time.perf_counter() - start, segmenter)

    def _note(self, **values: float | None) -> None:
        """Add to the history's row of this iteration."""
        if not self.history or self.history[-1]["iteration"] != self.iteration:
            self.history.append({"iteration": self.iteration})
        self.history[-1].update(values)

    def save(self) -> None:
        """Write the state to resume from and the last checkpoint; the main process does."""
        if not self.processes.is_main:
            return
        state = State(
            iteration=self.iteration,
            recipe=self.shown,
            samples=training_state.fingerprint(self.train, self.val),
            model=training_state.facts(self.model),
            network=self.model.network.state_dict(),
            optimizer=self.optimizer.state_dict(),
            scaler=self.scaler.state_dict(),
            best=self.best,
            history=self.history,
            recent=self.recent,
        )
        training_state.write(self.folder, state)
        self._write(LAST, None)

    def _write(self, name: str, scores: Scores | None) -> None:
        model = self.model
        facts = {"iteration": self.iteration, **(scores.to_dict() if scores else {})}
        spec = replace(model.spec, output_stride=model.output_stride)
        model_io.save(
            self.folder / name, model.network, spec, model.labels, model.preprocessing, recipe=self.shown, scores=facts
        )

    def restore(self, state: State) -> None:
        """Go back to where a state was saved."""
        self.model.network.load_state_dict(state.network)
        self.optimizer.load_state_dict(state.optimizer)
        if state.scaler:
            self.scaler.load_state_dict(state.scaler)
        self.iteration, self.best = state.iteration, state.best
        self.history, self.recent = [dict(row) for row in state.history], list(state.recent)


def resume(
    recipe: Recipe, train: Dataset, val: Dataset, folder: Path, device: torch.device, processes: Processes | None = None
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
    run = Training(recipe, model, train, val, folder, device, processes or Processes())
    run.restore(state)
    if run.processes.is_main:
        for path in folder.glob(PARTIAL.format("*")):
            path.unlink(missing_ok=True)
        run._write(LAST, None)  # a kill may have come between the state and its checkpoint
    return run


def _mixed(seed: int, iteration: int, rank: int) -> int:
    """A seed of 63 bits that follows from all three."""
    return int(np.random.SeedSequence((seed, iteration, rank)).generate_state(1, np.uint64)[0] >> 1)


def _out_of_memory(recipe: Recipe, processes: int) -> SegcliError:
    settings = recipe.schedule
    crops_at_once = settings.batch // settings.accumulate // processes
    hint = "Lower augment.crop or schedule.batch; in a new run, with model.init = RUN/last.safetensors if there is one."
    if crops_at_once > 1:
        hint = f"Raise schedule.accumulate above {settings.accumulate}, which takes less memory. Or: {hint}"
    return SegcliError(
        f"out of memory with {crops_at_once} crop{'s' * (crops_at_once > 1)} of {recipe.augment.crop} pixels at once",
        hint,
    )
