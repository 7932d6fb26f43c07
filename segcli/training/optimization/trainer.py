"""Trainer: one step of the optimizer, its batch in micro-batches, on one process or several, in mixed precision."""

import math
import operator
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from segcli.distributed import Processes, gone, is_gone
from segcli.files import headroom
from segcli.inference import oom
from segcli.training import failures
from segcli.training.crops.loader import MicroBatch
from segcli.training.optimization import auxiliary, losses, optimizer
from segcli.training.optimization.ema import Ema
from segcli.training.optimization.freezing import PartlyFrozen
from segcli.training.optimization.losses import Criterion
from segcli.training.optimization.precision import MixedPrecision
from segcli.training.output.state import State
from segcli.training.recipe import Recipe, Run
from segcli.training.timing import schedule
from segcli.weights.model_io import LoadedModel


def place(model: LoadedModel, settings: Run, device: torch.device, processes: Processes) -> LoadedModel:
    """The model with its network on the device, ready to be trained there.

    Several GPUs share their batch statistics (SyncBatchNorm), which torch cannot do on the CPU.
    """
    return replace(model, network=placed(model.network, settings, device, processes))


def placed(network: nn.Module, settings: Run, device: torch.device, processes: Processes) -> nn.Module:
    """A network, or a head beside one, as `place` has it."""
    network = network.to(device)
    if settings.channels_last:
        network.to(memory_format=torch.channels_last)
    if processes.world_size > 1 and device.type == "cuda":
        network = nn.SyncBatchNorm.convert_sync_batchnorm(network)
    return network


def step_seed(seed: int, iteration: int, rank: int) -> int:
    """The seed (63 bits) of what a step draws for dropout: it follows from the run's seed, iteration and rank alone."""
    return int(np.random.SeedSequence((seed, iteration, rank)).generate_state(1, np.uint64)[0] >> 1)


class Trainer:
    """The optimizer of a network and all that a step needs.

    Args:
        model: From `place`; its network is trained in place.
        recipe: Of the run.
        device: Where the network is.
        processes: Who shares each batch; all of them take the same steps.

    Attributes:
        split_batches: Whether every micro-batch is cut in two, since a GPU's memory did not suffice once.
        short: Whether the processor's memory was nearly full in some step.
    """

    def __init__(self, model: LoadedModel, recipe: Recipe, device: torch.device, processes: Processes):
        self.recipe = recipe
        self.device = device
        self.processes = processes
        head = auxiliary.build(model.spec, model.network, len(model.labels), recipe)
        self.auxiliary = head and placed(head, recipe.run, device, processes)
        self.ema = Ema(model.network, recipe.optimizer.ema) if recipe.optimizer.ema else None
        self.network = PartlyFrozen(model.network, recipe.model.freeze_bn, self.auxiliary)
        self.wrapped: nn.Module | None = None
        self.split_batches = self.short = False
        self.optimizer = optimizer.build(model.network, recipe.optimizer, self.auxiliary)
        self.precision = MixedPrecision(recipe.run.amp, device)
        self.criterion = Criterion.of(recipe.loss, model.spec, device)

    def state_dict(self) -> dict[str, Any]:
        """The fields of a `State` that are the trainer's: network, optimizer, scaler, and what only some runs have."""
        parts = {"ema": self.ema, "auxiliary": self.auxiliary}
        more = {name: part.state_dict() for name, part in parts.items() if part is not None}
        more |= {"split_batches": True} if self.split_batches else {}
        network = self.network.network.state_dict()
        scaler = self.precision.scaler.state_dict()
        return {"network": network, "optimizer": self.optimizer.state_dict(), "scaler": scaler, "more": more}

    def restore(self, state: State) -> None:
        """Go back to where a state was saved."""
        self.network.network.load_state_dict(state.network)
        self.optimizer.load_state_dict(state.optimizer)
        if state.scaler:
            self.precision.scaler.load_state_dict(state.scaler)
        for name, part in {"ema": self.ema, "auxiliary": self.auxiliary}.items():
            if part is not None:
                part.load_state_dict(state.more[name])
        self.split_batches = state.more.get("split_batches", False)

    def step(self, iteration: int, batch: Sequence[MicroBatch], place: float | None = None) -> tuple[float, float]:
        """Take one step.

        Args:
            iteration: The first is 0.
            batch: This process's shard of every micro-batch.
            place: Where it stands in the schedule, `schedule.position`; None: at the iteration.

        Returns:
            The loss over the labelled pixels of all processes, and the learning rate.

        Raises:
            SegcliError: The loss or the gradient is no number, memory runs out, or another process is gone.
        """
        rate = schedule.rate(iteration if place is None else place, self.recipe.schedule)
        optimizer.set_rate(self.optimizer, rate)
        loss = self.gradients(iteration, batch, place)
        with self._failing_clearly():
            self._update(iteration, batch)
        return loss, rate

    def gradients(self, iteration: int, batch: Sequence[MicroBatch], place: float | None = None) -> float:
        """Compute the gradients of a batch, as `step` does; returns its loss.

        Where a GPU's memory does not suffice, each micro-batch is cut in two from then on: `split_batches`.
        """
        place = iteration if place is None else place
        with self._failing_clearly():
            wrapped = self._prepared(place)
            before = [(buffer, buffer.clone()) for buffer in self.network.buffers()]
            try:
                return self._accumulate(wrapped, iteration, place, self._parts(batch))
            except torch.OutOfMemoryError:
                if self.split_batches or self.processes.world_size > 1 or len(batch[0][2]) == 1:
                    raise
            # Not in the block above: there the tensors of the failed attempt live on with its error.
            self._step_down(before)
            return self._accumulate(wrapped, iteration, place, self._parts(batch))

    @contextmanager
    def _failing_clearly(self) -> Iterator[None]:
        """Within the context, torch's errors of memory and of lost processes say what to do."""
        try:
            yield
        except (RuntimeError, MemoryError) as error:
            if oom.is_shortage(error):
                raise failures.out_of_memory(self.recipe, self.processes.world_size, self.split_batches) from error
            if self.processes.world_size > 1 and is_gone(error):
                raise gone() from error
            raise

    def _step_down(self, before: Sequence[tuple[Tensor, Tensor]]) -> None:
        """Cut every micro-batch in two from now on; batch statistics forget the attempt that failed."""
        self.split_batches = True
        for buffer, value in before:
            buffer.copy_(value)
        self.optimizer.zero_grad()
        if torch.cuda.is_initialized():
            torch.cuda.empty_cache()

    def _parts(self, batch: Sequence[MicroBatch]) -> Sequence[MicroBatch]:
        """The micro-batches as they pass the network: whole, or in halves."""
        if not self.split_batches:
            return batch
        return [part for micro_batch in batch for part in _halves(micro_batch)]

    def _prepared(self, place: float) -> nn.Module:
        """The network in training mode, its backbone frozen or not, wrapped for several processes.

        DistributedDataParallel takes note of what learns when it is made, so that it is made anew at every change.
        """
        frozen = place < self.recipe.model.freeze_backbone
        if self.wrapped is None or frozen != self.network.frozen_backbone:
            self.network.freeze_backbone(frozen)
            alone = self.processes.world_size == 1
            self.wrapped = self.network if alone else DistributedDataParallel(self.network)
        self.network.train()
        return self.wrapped

    def _update(self, iteration: int, batch: Sequence[MicroBatch]) -> None:
        """Move the weights along the gradients."""
        scaler = self.precision.scaler
        scaler.unscale_(self.optimizer)
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.optimizer.clip or math.inf)
        if not scaler.is_enabled():  # a scaler leaves out such a step by itself
            self._require_finite("gradient", norm, iteration, batch)
        before = scaler.get_scale() if scaler.is_enabled() and self.ema else None
        scaler.step(self.optimizer)
        scaler.update()
        if self.ema and (before is None or scaler.get_scale() >= before):  # it falls where the step was left out
            self.ema.update(self.network.network)

    def _accumulate(self, wrapped: nn.Module, iteration: int, place: float, batch: Sequence[MicroBatch]) -> float:
        """Add up the micro-batches' gradients; returns the loss of the batch.

        Every micro-batch's loss is divided by the labelled pixels of all processes, and counts by its share of the
        labelled pixels of the batch, each pixel by its class's weight: two processes, or two micro-batches, do as one
        with the whole batch would. With shrunk labels or OHEM it is near, not exact; Lovász-Softmax is the mean of the
        micro-batches' own, which is another loss.
        """
        torch.manual_seed(step_seed(self.recipe.run.seed, iteration, self.processes.rank))
        self.optimizer.zero_grad()
        there = [labels.to(self.device, non_blocking=True) for _, labels, _ in batch]
        shares, losses_of_all = self._shares(there), []
        for index, (share, labels) in enumerate(zip(shares, there, strict=True)):
            with self._gradients_exchanged(wrapped, last=index == len(batch) - 1):
                loss, whole = self._loss(wrapped, place, batch[index][0], labels)
                self._look_at_memory()
                # DDP averages the processes' gradients, which are parts of a sum.
                self.precision.scaler.scale(loss * (share * self.processes.world_size)).backward()
            losses_of_all.append(whole)
        # Looked at once all are under way: every look waits for the device.
        total = sum(map(operator.mul, shares, torch.stack(losses_of_all).tolist()))
        self._require_finite("loss", total, iteration, batch)
        return total

    def _look_at_memory(self) -> None:
        """Note that memory is short, now that it holds most; the step is taken to its end."""
        room = headroom.of_host()
        self.short = self.short or (room is not None and room.is_short)

    def _shares(self, labels: Sequence[Tensor]) -> list[float]:
        """Each micro-batch's share of the batch's weight, of all processes together; the labels are on the device."""
        weights = torch.stack([self.criterion.weight(some) for some in labels]).cpu().double()
        total = self._all_reduce_sum(weights)
        return (total / total.sum().clamp(min=torch.finfo(torch.double).tiny)).tolist()

    def _gradients_exchanged(self, wrapped: nn.Module, last: bool) -> AbstractContextManager:
        """The context of a backward pass: the processes exchange gradients once a batch, after the last micro-batch."""
        return nullcontext() if last or self.processes.world_size == 1 else wrapped.no_sync()

    def _loss(self, wrapped: nn.Module, place: float, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """This process's part of one micro-batch's loss, and the loss over all processes, a scalar without gradient."""
        images = images.to(self.device, non_blocking=True)
        if self.recipe.run.channels_last:
            images = images.to(memory_format=torch.channels_last)
        with self.precision.autocast():
            outputs = wrapped(images)
        terms = self.criterion.terms(outputs, labels, schedule.ohem_share(place, self.recipe.loss))
        whole = self._all_reduce_sum(terms.detach())
        return losses.mean(terms, whole[:, 1]), losses.mean(whole, whole[:, 1])

    def _all_reduce_sum(self, values: Tensor) -> Tensor:
        """The sum of every process's values, in every process."""
        if self.processes.world_size == 1:
            return values
        values = values.clone()
        distributed.all_reduce(values)
        return values

    def _require_finite(self, what: str, value: float | Tensor, iteration: int, batch: Sequence[MicroBatch]) -> None:
        if math.isfinite(value):
            return
        names = self.processes.all_gather([name for _, _, names in batch for name in names])
        raise failures.not_finite(what, iteration + 1, float(value), [name for part in names for name in part])


def _halves(batch: MicroBatch) -> Iterator[MicroBatch]:
    """A micro-batch in two, or as it is where it holds one crop."""
    images, labels, names = batch
    middle = -(-len(names) // 2)
    yield images[:middle], labels[:middle], names[:middle]
    if middle < len(names):
        yield images[middle:], labels[middle:], names[middle:]
