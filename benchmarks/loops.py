"""Loops that train a network on crops of photos: segcli's own, and the one that one would write around a network.

Each runs in a process of its own, as it would for its user, and takes steps when it is asked to (benchmarks/train.py).
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

CROP, BATCH, SIZE = 257, 4, 500
"""Of the recipe `finetune`; photos are 500 pixels long, so that neither side enlarges or shrinks them but by chance."""
PEERS = {"v3-mobilenetv2": "DeepLabV3", "v3plus-mobilenetv2": "DeepLabV3Plus"}
"""The nearest networks of segmentation_models.pytorch, with its encoder mobilenet_v2."""
KINDS = ("segcli", "plain", "smp")


@dataclass(frozen=True)
class Task:
    """What is trained on what.

    Attributes:
        variant: A model of segcli.
        images: The folder of the photos.
        masks: The folder of the masks: ids 0..20, and 255 for void.
        workers: Processes that read and augment photos.
    """

    variant: str
    images: Path
    masks: Path
    workers: int


def draw_masks(photos: list[Path], folder: Path, seed: int = 0) -> None:
    """Write a mask of random regions of 21 classes, with a void border, for each photo."""
    random = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    for path in photos:
        with Image.open(path) as picture:
            coarse = Image.fromarray(random.integers(0, 21, (6, 8), np.uint8))
            mask = np.array(coarse.resize(picture.size, Image.Resampling.NEAREST))
        mask[:8] = mask[:, :8] = 255
        Image.fromarray(mask).save(folder / f"{path.stem}.png")


def steps(kind: str, task: Task) -> tuple[Iterator[float], int]:
    """A loop that never ends, of one of KINDS: the loss of each step, and the multiply-adds of one crop forward."""
    return {"segcli": _segcli, "plain": _plain, "smp": _smp}[kind](task)


def _segcli(task: Task) -> tuple[Iterator[float], int]:
    """What `segcli train` does, but for files: no validation, no checkpoint."""
    from segcli.cli import allocator

    allocator.keep_freed_memory()  # as the command does before it imports torch
    import torch

    from segcli.labels import VOC
    from segcli.training import recipe
    from segcli.training.loop import Training
    from segcli.training.partition import split
    from segcli.weights.model_io import LoadedModel

    tables = {
        "model": {"name": task.variant, "init": "random", "freeze_bn": True},
        "data": {"images": str(task.images), "masks": str(task.masks), "labels": list(VOC.names), "size": SIZE},
        "schedule": {"iterations": 1_000_000, "batch": BATCH, "rate": 1e-4},
        "optimizer": {"clip": 1},
        "augment": {"crop": CROP, "scale": [0.5, 1.5], "colour": 0.2},
        "run": {"device": "cpu", "workers": task.workers, "save_every": 1_000_000, "validate_every": 1_000_000},
    }
    settings = recipe.Recipe.from_dict(tables)
    train, val = split.choose(settings.data)
    network, model = _network(task)
    made = LoadedModel(**model, labels=VOC, network=network, provenance={}, trained=False)
    run = Training(settings, made, train, val, Path(), torch.device("cpu"))
    return (event.loss for event in run.run()), _multiply_adds(network)


def _network(task: Task) -> tuple:
    """Segcli's network, calibrated on the photos, and what else a LoadedModel wants to know."""
    from contenders import calibrated

    from segcli.models import variants
    from segcli.models.networks import deeplab
    from segcli.models.preprocessing import Preprocessing

    spec = variants.get(task.variant)
    network = calibrated(deeplab.build(spec, 21, spec.output_stride), _examples(task))
    return network, {"spec": spec, "preprocessing": Preprocessing(size=SIZE), "output_stride": spec.output_stride}


def _plain(task: Task) -> tuple[Iterator[float], int]:
    """The same network, of torch's own layers only, in the loop of the tutorials."""
    from torch import nn

    from segcli.models.networks import folding
    from segcli.models.networks.depthwise import DilatedDepthwise

    network, _ = _network(task)
    folding._is_constant = lambda norm: False
    for module in network.modules():
        if isinstance(module, DilatedDepthwise):
            module.__class__ = nn.Conv2d
    return plain_loop(network, task, CROP), _multiply_adds(network)


def _smp(task: Task) -> tuple[Iterator[float], int]:
    """The nearest network of segmentation_models.pytorch in the same loop; its sides are multiples of 16."""
    import segmentation_models_pytorch as smp
    from contenders import calibrated

    network = getattr(smp, PEERS[task.variant])("mobilenet_v2", encoder_weights=None, classes=21)
    crop = CROP // 16 * 16
    return plain_loop(calibrated(network, _examples(task)[..., :crop, :crop]), task, crop), _multiply_adds(network)


def plain_loop(network, task: Task, crop: int) -> Iterator[float]:
    """Train as tutorials do: batch normalisation frozen, SGD, clipped gradients; yields each loss."""
    import torch
    from torch.nn import functional as F
    from torch.utils.data import DataLoader

    photos = Photos(task, augmentation(crop))
    loader = DataLoader(photos, BATCH, shuffle=True, num_workers=task.workers, drop_last=True, persistent_workers=True)
    network.train()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eval().requires_grad_(False)
    learning = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(learning, lr=1e-4, momentum=0.9, weight_decay=4e-5)
    while True:
        for images, labels in loader:
            optimizer.zero_grad()
            logits = network(images)
            if logits.shape[-2:] != labels.shape[-2:]:
                logits = F.interpolate(logits, labels.shape[-2:], mode="bilinear", align_corners=False)
            loss = F.cross_entropy(logits, labels.long(), ignore_index=255)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(learning, 1.0)
            optimizer.step()
            yield loss.item()


def augmentation(crop: int) -> Callable:
    """Torchvision's transforms that do what the recipe asks for: scale, crop, mirror, colours, normalise."""
    import torch
    from torchvision import tv_tensors
    from torchvision.transforms import v2

    fill = {tv_tensors.Image: 127, tv_tensors.Mask: 255}
    return v2.Compose(
        [
            v2.ScaleJitter((SIZE, SIZE), (0.5, 1.5), antialias=True),
            v2.RandomCrop(crop, pad_if_needed=True, fill=fill),
            v2.RandomHorizontalFlip(),
            v2.ColorJitter(0.2, 0.2, 0.2),
            v2.ToDtype({tv_tensors.Image: torch.float32, "others": None}, scale=True),
            v2.Normalize([0.5] * 3, [0.5] * 3),
        ]
    )


class Photos:
    """Photos and masks of two folders, as a Dataset of torch's tutorials reads them."""

    def __init__(self, task: Task, transform: Callable):
        self.images = sorted(task.images.iterdir())
        self.masks = task.masks
        self.transform = transform

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple:
        """Photo and mask, augmented."""
        from torchvision import tv_tensors
        from torchvision.transforms.v2 import functional as transforms

        path = self.images[index]
        with Image.open(path) as picture, Image.open(self.masks / f"{path.stem}.png") as mask:
            image = tv_tensors.Image(transforms.pil_to_tensor(picture.convert("RGB")))
            return self.transform(image, tv_tensors.Mask(np.array(mask)))


def _examples(task: Task):
    """Two photos as an input (2, 3, CROP, CROP)."""
    import torch

    examples = []
    for path in sorted(task.images.iterdir())[:2]:
        with Image.open(path) as picture:
            part = np.array(picture.convert("RGB").resize((CROP, CROP)))
        examples.append(torch.from_numpy(part).permute(2, 0, 1).float() / 127.5 - 1)
    return torch.stack(examples)


def _multiply_adds(network) -> int:
    import copy

    from segcli.models.cost import multiply_adds

    return multiply_adds(copy.deepcopy(network).to("meta"), CROP // 16 * 16, CROP // 16 * 16)[0]


def serve(kind: str, task: Task) -> None:
    """Take as many steps as each line of standard input says, then print seconds, processor seconds and the loss.

    The processor's time is that of all processes of the loop, half a second after its last step, so that the photos
    that are read ahead for the next block count.
    """
    taken, cost = steps(kind, task)
    print(cost, flush=True)
    while line := input():
        start, cores = time.perf_counter(), processor_seconds()
        losses = [next(taken) for _ in range(int(line))]
        wall = time.perf_counter() - start
        time.sleep(0.5)
        if not all(map(math.isfinite, losses)):
            raise SystemExit(f"a loss of {kind} is no number: {losses}")
        print(wall, processor_seconds() - cores, losses[-1], flush=True)


def processor_seconds() -> float:
    """The processor time of this process and of those that it has started; on Linux, elsewhere of this one alone."""
    try:
        children = Path("/proc/self/task").glob("*/children")
        found = ["self", *(child for path in children for child in path.read_text().split())]
        stats = [Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split() for process in found]
    except OSError:
        return time.process_time()
    import os

    return sum(int(stat[11]) + int(stat[12]) for stat in stats) / os.sysconf("SC_CLK_TCK")
