"""A network without pooling sees nothing beyond its receptive field, so that tiles must not show."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from segcli.inference.tiling import run
from segcli.models import variants
from segcli.models.networks import deeplab
from segcli.models.preprocessing import corner as corner_of
from segcli.models.preprocessing import fitting


@pytest.fixture(params=[1, 0], ids=["32n+1", "32n"])
def corner(request):
    return request.param


@pytest.fixture
def network(corner):
    """Stride 8; each score sees 8 + 2 * 24 pixels around it: far less than the overlap of 65 pixels and more."""
    padding = 4 if corner else 0
    kernel = 9 if corner else 8
    layers = nn.Sequential(nn.Conv2d(3, 8, kernel, 8, padding), nn.ReLU(), nn.Conv2d(8, 5, 3, padding=1))
    return layers.eval().requires_grad_(False)


def padded(view, covered):
    """The view with zeros on the right and at the bottom up to the size that its scores cover."""
    return F.pad(view, (0, covered[1] - view.shape[-1], 0, covered[0] - view.shape[-2]))


@pytest.mark.parametrize("size", [(513, 513), (385, 641), (193, 97), (400, 611)])
def test_tiles_do_not_show(network, corner, size):
    view = torch.randn(1, 3, *size)
    scores, covered = run(network, view, fitting(256, corner), corner)
    whole = network(padded(view, covered))
    assert scores.shape == whole.shape
    # A window's own border differs, being padded with zeros, but its weight is next to nothing there.
    assert (scores.argmax(1) == whole.argmax(1)).float().mean() >= 0.999
    assert (scores - whole).abs().max() < 2e-3
    assert (scores - whole).abs().median() < 1e-5


def test_a_constant_stays_constant(corner):
    def ones(window):
        side = [(length - corner) // 16 + corner for length in window.shape[-2:]]
        return torch.ones(1, 2, *side)

    scores, _ = run(ones, torch.zeros(1, 3, 700, 300), fitting(200, corner), corner)
    assert torch.allclose(scores, torch.ones(()))


@pytest.mark.parametrize(("tile", "fits"), [(513, (513, 512)), (512, (481, 512)), (600, (577, 576)), (33, (33, 32))])
def test_tiles_fit_the_grid(tile, fits):
    assert (fitting(tile, 1), fitting(tile, 0)) == fits


@pytest.mark.parametrize("size", [(1, 300), (300, 1), (1, 1), (31, 33)])
def test_thin_pictures_pass(network, corner, size):
    view = torch.randn(1, 3, *size)
    scores, covered = run(network, view, fitting(64, corner), corner)
    assert scores.shape == network(padded(view, covered)).shape
    assert scores.isfinite().all()


@pytest.mark.parametrize(
    "name",
    [
        *("v1-vgg16", "v2-vgg16", "v2-resnet101", "v2-resnet101-largefov", "v3-resnet50", "v3-mobilenetv2"),
        *("v3-mobilenetv3", "v3plus-mobilenetv2", "v3plus-resnet101", "v3plus-xception", "v3-resnet101-cascade"),
    ],
)
def test_every_models_scores_lie_on_one_grid(name):
    """A window's scores must be samples of the whole picture's: as many as its side has strides, and the corner."""
    spec = variants.get(name)
    with torch.device("meta"):
        network = deeplab.build(spec, 3).eval()
        for tile in (fitting(257, edge := corner_of(spec)), fitting(420, edge)):
            side = network(torch.empty(1, 3, tile, tile)).shape[-1]
            stride = (tile - edge) // (side - edge)
            assert side == (tile - edge) // stride + edge
            assert (tile - edge) % stride == 0
