"""Networks small enough to run hundreds of times: stride 8, two layers, without image pooling and with it."""

from dataclasses import replace

import torch
from torch import nn

from segcli.labels import VOC, LabelSet
from segcli.models import variants
from segcli.models.networks.deeplab import DeepLab
from segcli.models.networks.heads import ASPP
from segcli.models.preprocessing import Preprocessing
from segcli.models.spec import ASPPSpec
from segcli.weights.model_io import LoadedModel

SMALL = Preprocessing(size=65)
"""TensorFlow's preparation at a working size of 65 pixels."""


class TinyNetwork(nn.Module):
    """Logits at stride 8 that vary with the picture."""

    def __init__(self, classes: int):
        super().__init__()
        self.features = nn.Conv2d(3, 16, 9, stride=8, padding=4)
        self.classifier = nn.Conv2d(16, classes, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.features(x).relu()) * 5


def tiny_model(labels: LabelSet = VOC, preprocessing: Preprocessing = SMALL, align_corners: bool = True) -> LoadedModel:
    """A LoadedModel around TinyNetwork; the same weights every time."""
    generator = torch.random.get_rng_state()
    torch.manual_seed(7)
    network = TinyNetwork(len(labels)).eval()
    torch.random.set_rng_state(generator)
    spec = replace(variants.get("v3-mobilenetv2"), align_corners=align_corners)
    return LoadedModel(
        spec=spec, labels=labels, preprocessing=preprocessing, output_stride=8, network=network, provenance={}
    )


class PooledNetwork(DeepLab):
    """Stride 8 and a small receptive field, but for image pooling."""

    def __init__(self):
        torch.nn.Module.__init__(self)
        self.scales, self.align_corners = (), True
        self.decoder = self.multi_scale = None
        self.backbone = lambda x: (tiny_model().network.features(x).relu(),)
        self.aspp = ASPP(ASPPSpec(rates=(), channels=16), 16, 8)
        self.classifier = torch.nn.Conv2d(16, 21, 1)
        torch.nn.init.normal_(self.aspp.pooling.conv.weight)
