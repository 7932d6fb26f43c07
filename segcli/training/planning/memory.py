"""The memory that a training run needs, counted on tensors without values: nothing is taken, nothing is computed.

The network, its loss and their backward pass run on torch's meta device, and every tensor that lives at a time is
added up: activations, gradients, the logits at the labels' size. What the libraries take besides is an allowance.

Measured on two cores against the peak of a process (VmHWM) after three steps: v3-mobilenetv2, v3plus-xception and
v2-vgg16, 1 to 4 crops of 129 to 257 pixels, with frozen batch normalisation, backbone, or neither, whole or in parts:
the sum was 2 % too small to 15 % too large.
"""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from segcli.devices import HALF_TYPES
from segcli.files import headroom
from segcli.models.networks.deeplab import build
from segcli.models.spec import ModelSpec
from segcli.training.optimization import auxiliary, losses
from segcli.training.optimization.freezing import PartlyFrozen
from segcli.training.optimization.losses import Criterion
from segcli.training.recipe import Augment, Loss, Recipe, Run, Schedule

META = torch.device("meta")
CPU = torch.device("cpu")
BYTES_A_PIXEL = 13
"""Of a crop: three float32 colours and a label."""
WORKER = 100 << 20
"""What a process that reads photos has for itself."""
SLACK = 0.15
"""Memory is taken in pieces that do not fit without gaps: so much more, as a share of what moves."""
KERNELS = 130 << 20
"""What the libraries keep that compute convolutions: code made for each shape, and room to work in."""


@dataclass(frozen=True)
class Footprint:
    """The memory of a run on one process, in bytes.

    Attributes:
        weights: The network's parameters and buffers.
        optimizer: What the optimizer keeps of each parameter, such as its momentum.
        average: The averaged weights.
        step: The most that lives at a time within a step: activations and gradients.
        validation: The most that lives at a time while one photo is scored.
        crops: The crops of a batch, and those that are read ahead.
        workers: The processes that read photos.
        libraries: What convolutions keep: code for each shape, kernels as they rearrange them, room to work in.
        base: What the process has before, Python and torch, without the weights.
    """

    weights: int
    optimizer: int
    average: int
    step: int
    validation: int
    crops: int
    workers: int
    libraries: int
    base: int

    @property
    def total(self) -> int:
        """The most that the run has at a time."""
        moving = int((1 + SLACK) * max(self.step, self.validation))
        kept = self.weights + self.optimizer + self.average
        return self.base + kept + moving + self.crops + self.workers + self.libraries


def step_bytes(recipe: Recipe, spec: ModelSpec, classes: int) -> int:
    """The bytes of memory that training by a recipe needs on the CPU, Python and torch included.

    Args:
        recipe: With the batch, its parts, the crop and what learns.
        spec: The model.
        classes: How many it learns.
    """
    return footprint(recipe, spec, classes).total


def footprint(
    recipe: Recipe,
    spec: ModelSpec,
    classes: int,
    *,
    device: torch.device = CPU,
    processes: int = 1,
    photo: tuple[int, int] | None = None,
    loaded: bool = False,
) -> Footprint:
    """The memory of one process of a run.

    Args:
        recipe: With the batch, its parts, the crop and what learns.
        spec: The model.
        classes: How many it learns.
        device: Where the network is; of a GPU only its own memory counts.
        processes: How many share each batch.
        photo: (height, width) of the network's input for the largest photo to validate on; None: not counted.
        loaded: Whether the network is in this process's memory already.
    """
    schedule, (height, width), on_cpu = recipe.schedule, recipe.augment.crop_size, device.type == "cpu"
    crops = schedule.batch // schedule.accumulate // processes
    counted = _counted(_what_matters(recipe), spec, classes, crops, photo, on_cpu)
    ahead = 2 * recipe.run.workers * crops
    return Footprint(
        weights=counted.weights,
        optimizer=counted.learned * (2 if recipe.optimizer.kind == "adamw" else 1),
        average=counted.weights * bool(recipe.optimizer.ema),
        step=counted.step,
        validation=counted.validation,
        crops=(schedule.batch // processes + ahead * on_cpu) * height * width * BYTES_A_PIXEL,
        workers=recipe.run.workers * WORKER * on_cpu,
        libraries=KERNELS + counted.learned,
        base=(headroom.own_bytes() - counted.weights * loaded) * on_cpu,
    )


def available(device: torch.device) -> int | None:
    """The bytes of memory that this process can have on a device, what it has already included; None: unknown.

    Limits of containers and of batch systems (cgroups) count as the machine's own.
    """
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0] + torch.cuda.memory_reserved(device)
    room = headroom.of_host()
    return None if room is None else room.free + headroom.own_bytes()


def _what_matters(recipe: Recipe) -> Recipe:
    """The recipe with its defaults where nothing is counted by it, so that equal counts are made once."""
    schedule, augment, loss, run = recipe.schedule, recipe.augment, recipe.loss, recipe.run
    return Recipe(
        model=recipe.model,
        schedule=Schedule(iterations=schedule.iterations, batch=schedule.batch, accumulate=schedule.accumulate),
        augment=Augment(crop=augment.crop),
        loss=Loss(shrink_labels=loss.shrink_labels, auxiliary=loss.auxiliary),  # the others look at values
        run=Run(seed=run.seed, amp=run.amp),
    )


class _Counted(NamedTuple):
    """Bytes of a network: its values, those of them that learn, and the most at a time in a step and a validation."""

    weights: int
    learned: int
    step: int
    validation: int


@lru_cache(maxsize=64)
def _counted(
    recipe: Recipe, spec: ModelSpec, classes: int, crops: int, photo: tuple[int, int] | None, on_cpu: bool
) -> _Counted:
    network = _blank(recipe, spec, classes, on_cpu, recipe.model.output_stride)
    network.freeze_backbone(recipe.model.freeze_backbone >= recipe.schedule.iterations)
    weights = sum(tensor.nbytes for tensor in network.state_dict().values())
    learned = sum(parameter.nbytes for parameter in network.parameters() if parameter.requires_grad)
    step = _step(network, recipe, spec, (crops, 3, *recipe.augment.crop_size))
    if stride := recipe.model.eval_output_stride:
        network = _blank(recipe, spec, classes, on_cpu, stride)
    return _Counted(weights, learned, step, _validation(network, photo) if photo else 0)


def _blank(recipe: Recipe, spec: ModelSpec, classes: int, on_cpu: bool, stride: int) -> PartlyFrozen:
    """The network of a recipe at an output stride, 0 being the spec's own, without values."""
    with META:
        network = build(spec, classes, stride or spec.output_stride)
        head = auxiliary.build(spec, network, classes, recipe)
    whole = PartlyFrozen(network, recipe.model.freeze_bn, head)
    for module in whole.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.forward = partial(_normalised, module, on_cpu and recipe.run.amp == "off")
    return whole


def _normalised(norm: nn.BatchNorm2d, folds: bool, x: Tensor) -> Tensor:
    """What takes the memory of batch normalisation, which itself takes long on the meta device.

    Its input is kept for the backward pass and its output is new, as leaky ReLU has it. Where it is frozen in training
    on a CPU it is a part of the convolution (`models.networks.folding`) and takes nothing.
    """
    folded = folds and torch.is_grad_enabled() and not (norm.training or norm.weight.requires_grad)
    return x if folded else F.leaky_relu(x)


def _step(network: PartlyFrozen, recipe: Recipe, spec: ModelSpec, shape: tuple[int, int, int, int]) -> int:
    """The most bytes of a micro-batch of that shape."""
    network.train()
    half = HALF_TYPES.get(recipe.run.amp)
    computed = network if half is None else network.to(half)
    criterion = Criterion.of(recipe.loss, spec, META)
    images = torch.empty(shape, device=META, dtype=half)
    labels = torch.empty(shape[0], *shape[2:], device=META, dtype=torch.uint8)
    with Living() as living:
        for _ in range(min(2, recipe.schedule.accumulate)):  # the second one finds the gradients of the first
            terms = criterion.terms(computed(images), labels)
            losses.mean(terms, terms.detach()[:, 1]).backward()
            del terms
    return living.most


def _validation(network: PartlyFrozen, size: tuple[int, int]) -> int:
    """The most bytes of one photo's pass through the network, whose input it is at that (height, width)."""
    network.eval()
    with torch.no_grad(), Living() as living:
        network.network(torch.empty(1, 3, *size, device=META, dtype=next(network.parameters()).dtype))
    return living.most


class Living(TorchDispatchMode):
    """Within this context, adds up the tensors that are made and live at a time.

    Attributes:
        now: Their bytes.
        most: The most bytes so far.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = self.most = 0
        self.known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation of torch, and take in what it makes."""
        made = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, Tensor):
                self._add(tensor)
        return made

    def _add(self, tensor: Tensor) -> None:
        """Count a tensor's storage once, until its last user is gone."""
        storage = tensor.untyped_storage()
        if (key := id(storage)) not in self.known:
            self.known.add(key)
            self.now += storage.nbytes()
            self.most = max(self.most, self.now)
            weakref.finalize(storage, self._drop, key, storage.nbytes()).atexit = False

    def _drop(self, key: int, size: int) -> None:
        self.known.discard(key)
        self.now -= size
