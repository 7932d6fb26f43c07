"""Contenders: segcli's networks under its engines, and what a user would write with three other libraries.

Every network has random weights, batch normalisation measured on photos (without it numbers fade into denormals, which
take the processor many times as long) and a classifier whose classes all occur. All work at 513x513; the networks of
segmentation_models.pytorch, which take multiples of 16 only, at 512x512.
"""

import copy
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module, metadata, util
from pathlib import Path, PurePosixPath

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from segcli.export import calibration, conversions, int8_cache, onnx_cache
from segcli.files.sources import Source
from segcli.images.read import read_photo
from segcli.images.reading import PLAIN
from segcli.inference.segmenter import Segmenter
from segcli.inference.transform import to_input
from segcli.labels import VOC
from segcli.models import variants
from segcli.models.cost import measure, multiply_adds
from segcli.models.networks import deeplab
from segcli.models.preprocessing import Preprocessing
from segcli.pipeline import stages as folder
from segcli.pipeline.ledger import Ledger, open_folder
from segcli.pipeline.outputs import Outputs
from segcli.weights import model_io

CLASSES = len(VOC)
SIZE = 513
KINDS = frozenset({"mask", "overlay"})
"""The outputs that `segcli predict` writes unless told otherwise."""
PATIENCE = 10
"""The seconds after which a peer's loop over a folder ends: it works photo by photo, so that its rate is known."""


@dataclass(frozen=True)
class Contender:
    """One way to segment photos.

    Attributes:
        name: Its name in the table.
        network: Gives the logits of an input (1, 3, H, W).
        example: An input made from a photo, (1, 3, H, W).
        segment: Segments photos into an output folder and returns what came of each; a peer stops early.
        multiply_adds: The multiply-adds that the example takes.
        is_ours: Whether it is segcli.
    """

    name: str
    network: Callable[[Tensor], Tensor]
    example: Tensor
    segment: Callable[[Sequence[Path], Path], list]
    multiply_adds: int
    is_ours: bool = False


@dataclass(frozen=True)
class Peer:
    """A network of another library.

    Attributes:
        library: Its package on PyPI.
        name: Its name in the table.
        make: Builds the network with random weights and CLASSES classes.
        size: The side of its input in pixels.
    """

    library: str
    name: str
    make: Callable[[], nn.Module]
    size: int = SIZE

    def version(self) -> str | None:
        """The library's version; None where it is not installed."""
        module = self.library.replace("-", "_")
        return metadata.version(self.library) if util.find_spec(module) else None


def _smp(encoder: str) -> Callable[[], nn.Module]:
    def make() -> nn.Module:
        smp = import_module("segmentation_models_pytorch")
        return smp.DeepLabV3Plus(encoder, encoder_weights=None, classes=CLASSES)

    return make


def _torchvision(name: str) -> Callable[[], nn.Module]:
    def make() -> nn.Module:
        network = import_module("torchvision.models.segmentation").__dict__[name]
        return Outcome(network(weights=None, weights_backbone=None, num_classes=CLASSES), "out")

    return make


def _transformers() -> nn.Module:
    hub = import_module("transformers")
    config = hub.MobileNetV2Config(output_stride=8, num_labels=CLASSES)
    return Outcome(hub.MobileNetV2ForSemanticSegmentation(config), "logits")


class Outcome(nn.Module):
    """A network that gives several things, of which one is the logits."""

    def __init__(self, network: nn.Module, key: str):
        super().__init__()
        self.network = network
        self.key = key

    def forward(self, x: Tensor) -> Tensor:
        """The logits of an input (N, 3, H, W)."""
        return self.network(x)[self.key]


SMP = "segmentation-models-pytorch"
PEERS: dict[str, tuple[Peer, ...]] = {
    "v3plus-mobilenetv2": (
        Peer(SMP, "smp DeepLabV3Plus mobilenet_v2", _smp("mobilenet_v2"), 512),
        Peer("torchvision", "torchvision deeplabv3_mobilenet_v3_large", _torchvision("deeplabv3_mobilenet_v3_large")),
        Peer("transformers", "transformers MobileNetV2 DeepLabv3", _transformers),
    ),
    "v3plus-resnet101": (
        Peer(SMP, "smp DeepLabV3Plus resnet101", _smp("resnet101"), 512),
        Peer("torchvision", "torchvision deeplabv3_resnet101", _torchvision("deeplabv3_resnet101")),
    ),
    "v3plus-xception": (Peer(SMP, "smp DeepLabV3Plus tu-xception65", _smp("tu-xception65"), 512),),
}
"""The peers of each variant: the same network first, then the nearest that the other libraries have."""


def checkpoint(variant: str, photos: Sequence[Path], path: Path) -> Path:
    """Write a calibrated network of ours, for every engine and process to load."""
    spec = variants.get(variant)
    preprocessing = Preprocessing(size=SIZE)
    inputs = torch.cat([to_input(read_photo(photo).rgb, preprocessing)[0] for photo in photos[:2]])
    network = calibrated(deeplab.build(spec, CLASSES, 16), inputs)
    model_io.save(path, network, spec, VOC, preprocessing)
    return path


def usable(engine: str) -> bool:
    """Whether this machine has an engine of segcli, "torch", "onnx" or "int8"."""
    return engine == "torch" or conversions.available()


def segmenter(path: Path, engine: str) -> Segmenter:
    """A checkpoint's Segmenter under an engine, "torch", "onnx" or "int8", which is onnxruntime with 8 bits."""
    model = model_io.load(path)
    if engine == "onnx":
        onnx_cache.convert(model)
        model = onnx_cache.accelerated(model)
    if engine == "int8":
        model = int8_cache.obtain(model, calibration.of(None), PLAIN)
    return Segmenter(model)


def ours(path: Path, engine: str, photos: Sequence[Path]) -> Contender:
    """A checkpoint under an engine of `segmenter`, in the pipeline of `segcli predict` with its usual outputs."""
    used = segmenter(path, engine)
    example, _ = to_input(read_photo(photos[0]).rgb, used.preprocessing)
    cost = measure(used.model.spec, SIZE, classes=CLASSES, output_stride=16).multiply_adds

    def segment(photos: Sequence[Path], output: Path) -> list:
        open_folder(output)
        sources = [Source(photo, PurePosixPath(photo.stem)) for photo in photos]
        stages = folder.Stages(lambda source: read_photo(source.path), folder.network(used), prepare=folder.early(used))
        outputs = Outputs(output, VOC, KINDS, {"model": used.model.spec.name})
        return list(folder.segment(sources, stages, outputs, Ledger(output), "benchmark"))

    return Contender(f"segcli, {engine}", used.network, example, segment, cost, is_ours=True)


def theirs(peer: Peer, photos: Sequence[Path]) -> Contender:
    """A peer's network in the loop that one would write around it."""
    examples = torch.cat([normal(read_photo(photo).rgb, peer.size) for photo in photos[:2]])
    network = calibrated(peer.make(), examples)

    def segment(photos: Sequence[Path], output: Path) -> list:
        return list(peer_loop(network, peer.size, photos, output))

    cost = multiply_adds(copy.deepcopy(network).to("meta"), peer.size, peer.size)[0]
    return Contender(peer.name, network, examples[:1], segment, cost)


def peer_loop(network: nn.Module, size: int, photos: Sequence[Path], output: Path) -> Iterator[Path]:
    """Segment photos one after another as tutorials do, and write palette PNGs, until PATIENCE is at an end."""
    output.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    for path in photos:
        with Image.open(path) as picture:
            rgb = np.array(picture.convert("RGB"))
        with torch.inference_mode():
            logits = network(normal(rgb, size))
            logits = F.interpolate(logits, rgb.shape[:2], mode="bilinear", align_corners=False)
            labels = logits.argmax(1)[0].to(torch.uint8).numpy()
        mask = Image.fromarray(labels)
        mask.putpalette(VOC.colours().tobytes())
        mask.save(output / f"{path.stem}.png")
        yield path
        if time.perf_counter() - start > PATIENCE:
            return


def normal(rgb: np.ndarray, size: int) -> Tensor:
    """The photo warped to a square and normalised."""
    picture = Image.fromarray(rgb).resize((size, size), Image.Resampling.BILINEAR)
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float() / 127.5 - 1


@torch.no_grad()
def calibrated(network: nn.Module, inputs: Tensor) -> nn.Module:
    """Measure batch normalisation's statistics and centre the classes, in place; returns it in eval mode."""
    norms = [module for module in network.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain average
    small = F.interpolate(inputs, (257, 257), mode="bilinear") if inputs.shape[-1] % 16 else inputs[..., ::2, ::2]
    network.train()(small)
    network.eval()
    logits = network(small).transpose(0, 1).flatten(1)
    classifier = [m for m in network.modules() if isinstance(m, nn.Conv2d) and m.out_channels == CLASSES][-1]
    classifier.bias -= logits.mean(1)
    classifier.bias[0] += 1.5 * logits.std()  # background is the largest class, as in photos
    return network
