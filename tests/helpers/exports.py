"""Small models to export, one of each family, and the files made of them."""

from dataclasses import replace

import numpy as np
import torch
from calibration import calibrate
from small_runs import smooth
from torch import nn

from segcli.inference.transform import to_input
from segcli.labels import VOC
from segcli.models import variants
from segcli.models.networks import deeplab, mobilenet, resnet, xception
from segcli.models.preprocessing import Preprocessing
from segcli.weights.model_io import LoadedModel

FIRST = 5
"""Seed of the photo that shows several classes."""
SIZES = ((1, 65, 97), (2, 50, 77), (1, 129, 33))
"""Batch, height and width: sides of the trained grid, odd ones and even ones."""


def shallow(monkeypatch):
    """Every kind of unit and nothing twice: the exporters need seconds for each ten layers."""
    monkeypatch.setitem(resnet.UNITS, "resnet50", (1, 2, 1, 3))
    monkeypatch.setitem(xception.FLOWS, "xception41", xception.ENTRY + xception.MIDDLE + xception.EXIT)
    stages = [(t, c, 2 if index == 1 else 1, s) for index, (t, c, _, s) in enumerate(mobilenet.MobileNetV2.STAGES)]
    monkeypatch.setattr(mobilenet.MobileNetV2, "STAGES", stages)


def model(
    name: str,
    *,
    preprocessing: Preprocessing | None = None,
    output_stride: int | None = None,
    size: tuple[int, int] = (97, 97),
) -> LoadedModel:
    """A variant with calibrated weights, which shows several classes in a photo of that (height, width)."""
    spec = variants.get(name)
    torch.manual_seed(3)
    network = deeplab.build(spec, len(VOC), output_stride)
    convs = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    if spec.backbone.kind == "vgg16":  # nothing normalises: fresh weights would fade from layer to layer
        for conv in convs:
            nn.init.kaiming_normal_(conv.weight)
    calibrate(network, size=65)
    preprocessing = preprocessing or Preprocessing(size=97)
    with torch.no_grad():
        logits = network(
            to_input(smooth(FIRST, *size[::-1]), replace(preprocessing, resize="none", size=0, pad="none"))[0]
        )
        next(conv for conv in reversed(convs) if conv.out_channels == len(VOC)).bias -= logits.mean((0, 2, 3))
    return LoadedModel(
        spec=spec,
        labels=VOC,
        preprocessing=preprocessing,
        output_stride=output_stride or spec.output_stride,
        network=network,
        provenance={"weights": name, "sha256": "0123456789abcdef" * 4, "licence": "CC0"},
    )


def pictures(batch: int, height: int, width: int) -> torch.Tensor:
    """Soft blobs as TensorFlow's weights want them, float32 (batch, 3, height, width) in -1..1."""
    photos = np.stack([smooth(FIRST + index, width, height) for index in range(batch)])
    return torch.from_numpy(photos).permute(0, 3, 1, 2) / 127.5 - 1


def plain(resize="none", pad="none", **values) -> Preprocessing:
    """A preprocessing that leaves a photo's size alone."""
    return replace(Preprocessing(), resize=resize, size=0, pad=pad, **values)
