"""Trainer: one step of the optimizer, its batch in micro-batches, on one process or several, in mixed precision."""

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from segcli.distributed import Processes, gone, is_gone
from segcli.inference import oom
from segcli.training import failures, losses, optimizer, schedule
from segcli.training.freezing import PartlyFrozen
from segcli.training.loader import MicroBatch
from segcli.training.losses import Criterion
from segcli.training.precision import MixedPrecision
from segcli.training.recipe import Recipe, Run
from segcli.weights.model_io import LoadedModel


def place(model: LoadedModel, settings: Run, device: torch.device, processes: Processes) -> LoadedModel:
    """The model with its network on the device, ready to be trained there.

    Several GPUs share their batch statistics (SyncBatchNorm), which torch cannot do on the CPU.
    """
    network = model.network.to(device)
    if settings.channels_last:
        network.to(memory_format=torch.channels_last)
    if processes.world_size > 1 and device.type == "cuda":
        network = nn.SyncBatchNorm.convert_sync_batchnorm(network)
    return replace(model, network=network)


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
    """

    def __init__(self, model: LoadedModel, recipe: Recipe, device: torch.device, processes: Processes):
        self.recipe = recipe
        self.device = device
        self.processes = processes
        self.network = PartlyFrozen(model.network, recipe.model.freeze_bn)
        self.wrapped: nn.Module | None = None
        self.optimizer = optimizer.build(model.network, recipe.optimizer)
        self.precision = MixedPrecision(recipe.run.amp, device)
        self.criterion = Criterion.of(recipe.loss, model.spec.align_corners, device)

    def step(self, iteration: int, batch: Sequence[MicroBatch]) -> tuple[float, float]:
        """Take one step.

        Args:
            iteration: The first is 0.
            batch: This process's shard of every micro-batch.

        Returns:
            The loss over the labelled pixels of all processes, and the learning rate.

        Raises:
            SegcliError: The loss or the gradient is no number, memory runs out, or another process is gone.
        """
        rate = schedule.rate(iteration, self.recipe.schedule)
        wrapped = self._prepared(iteration)
        torch.manual_seed(step_seed(self.recipe.run.seed, iteration, self.processes.rank))
        optimizer.set_rate(self.optimizer, rate)
        try:
            return self._update(wrapped, iteration, batch), rate
        except (RuntimeError, MemoryError) as error:
            if oom.is_shortage(error):
                raise failures.out_of_memory(self.recipe, self.processes.world_size) from error
            if self.processes.world_size > 1 and is_gone(error):
                raise gone() from error
            raise

    def _prepared(self, iteration: int) -> nn.Module:
        """The network in training mode, its backbone frozen or not, wrapped for several processes.

        DistributedDataParallel takes note of what learns when it is made, so that it is made anew at every change.
        """
        frozen = iteration < self.recipe.model.freeze_backbone
        if self.wrapped is None or frozen != self.network.frozen_backbone:
            self.network.freeze_backbone(frozen)
            alone = self.processes.world_size == 1
            self.wrapped = self.network if alone else DistributedDataParallel(self.network)
        self.network.train()
        return self.wrapped

    def _update(self, wrapped: nn.Module, iteration: int, batch: Sequence[MicroBatch]) -> float:
        """Gradients of the whole batch, and the optimizer's step; returns the loss."""
        self.optimizer.zero_grad()
        loss = self._accumulate(wrapped, iteration, batch)
        self._require_finite("loss", loss, iteration, batch)
        scaler = self.precision.scaler
        scaler.unscale_(self.optimizer)
        norm = nn.utils.clip_grad_norm_(wrapped.parameters(), self.recipe.optimizer.clip or math.inf)
        if not scaler.is_enabled():  # a scaler leaves out such a step by itself
            self._require_finite("gradient", norm, iteration, batch)
        scaler.step(self.optimizer)
        scaler.update()
        return loss

    def _accumulate(self, wrapped: nn.Module, iteration: int, batch: Sequence[MicroBatch]) -> float:
        """Add up the micro-batches' gradients; returns the loss of the batch.

        Every micro-batch's loss is divided by the labelled pixels of all processes, and counts by its share of the
        labelled pixels of the batch, each pixel by its class's weight: two processes, or two micro-batches, do as one
        with the whole batch would. With shrunk labels or OHEM it is near, not exact; Lovász-Softmax is the mean of the
        micro-batches' own, which is another loss.
        """
        total = 0.0
        for index, share in enumerate(self._shares(batch)):
            images, labels, _ = batch[index]
            with self._gradients_exchanged(wrapped, last=index == len(batch) - 1):
                loss, whole = self._loss(wrapped, iteration, images, labels)
                # DDP averages the processes' gradients, which are parts of a sum.
                self.precision.scaler.scale(loss * (share * self.processes.world_size)).backward()
            total += share * whole
        return total

    def _shares(self, batch: Sequence[MicroBatch]) -> list[float]:
        """Each micro-batch's share of the batch's weight, of all processes together."""
        weights = [float(self.criterion.weight(labels.to(self.device))) for _, labels, _ in batch]
        total = self._all_reduce_sum(torch.tensor(weights, dtype=torch.double))
        return (total / total.sum().clamp(min=torch.finfo(torch.double).tiny)).tolist()

    def _gradients_exchanged(self, wrapped: nn.Module, last: bool) -> AbstractContextManager:
        """The context of a backward pass: the processes exchange gradients once a batch, after the last micro-batch."""
        return nullcontext() if last or self.processes.world_size == 1 else wrapped.no_sync()

    def _loss(self, wrapped: nn.Module, iteration: int, images: Tensor, labels: Tensor) -> tuple[Tensor, float]:
        """This process's part of one micro-batch's loss, and the loss over all processes."""
        images, labels = (tensor.to(self.device, non_blocking=True) for tensor in (images, labels))
        if self.recipe.run.channels_last:
            images = images.to(memory_format=torch.channels_last)
        with self.precision.autocast():
            outputs = wrapped(images)
        terms = self.criterion.terms(outputs, labels, schedule.ohem_share(iteration, self.recipe.loss))
        whole = self._all_reduce_sum(terms.detach())
        return losses.mean(terms, whole[:, 1]), float(losses.mean(whole, whole[:, 1]))

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
