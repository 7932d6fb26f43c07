"""A network small enough to calibrate in a test, with every kind of layer that an 8-bit form tells apart."""

from dataclasses import replace
from functools import cache

import torch
from small_runs import smooth
from tiny import SMALL
from torch import Tensor, nn
from torch.nn import functional as F

from segcli.inference.transform import to_input
from segcli.labels import VOC
from segcli.models import variants
from segcli.weights.model_io import LoadedModel

FIRST, INNER = ("stem", "depthwise", "project"), ("wide", "grouped", "narrow", "join")
"""The convolutions that stay float at the picture's end, and those that compute in 8 bits."""
LAST = ("pooled", "classifier")
"""The convolutions that stay float behind them: of a single pixel, and of the classes."""
PHOTO = 5
"""The seed of a photo that shows several classes."""


class Network(nn.Module):
    """Logits at stride 4: a stem, a residual block, image pooling and a classifier."""

    def __init__(self, classes: int):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, 2, 1)
        self.depthwise = nn.Conv2d(8, 8, 3, 2, 1, groups=8)
        self.project = nn.Conv2d(8, 16, 1)
        self.wide = nn.Conv2d(16, 32, 3, padding=1)
        self.grouped = nn.Conv2d(32, 32, 3, padding=2, dilation=2, groups=32)
        self.narrow = nn.Conv2d(32, 16, 1)
        self.pooled = nn.Conv2d(16, 16, 1)
        self.join = nn.Conv2d(32, 32, 1)
        self.classifier = nn.Conv2d(32, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.project(F.relu6(self.depthwise(F.relu6(self.stem(x)))))
        x = x + self.narrow(F.relu6(self.grouped(F.relu(self.wide(x)))))
        mean = F.relu(self.pooled(F.adaptive_avg_pool2d(x, 1))).expand(-1, -1, *x.shape[2:])
        return self.classifier(F.relu(self.join(torch.cat([x, mean], 1))))


@cache
def model() -> LoadedModel:
    """A LoadedModel around Network at a working size of 65 pixels; the same weights every time."""
    state = torch.random.get_rng_state()
    torch.manual_seed(4)
    network = Network(len(VOC)).eval()
    with torch.no_grad():
        for conv in network.children():
            nn.init.kaiming_normal_(conv.weight)
        logits = network(to_input(smooth(PHOTO, 65, 65), SMALL)[0])
        network.classifier.bias -= logits.mean((0, 2, 3))
    torch.random.set_rng_state(state)
    spec = replace(variants.get("v3-mobilenetv2"), name="small")
    origin = {"weights": "small", "sha256": "0123456789abcdef" * 4}
    return LoadedModel(spec=spec, labels=VOC, preprocessing=SMALL, output_stride=8, network=network, provenance=origin)
