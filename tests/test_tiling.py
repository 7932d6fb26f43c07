"""A network without pooling sees nothing beyond its receptive field, so that tiles must not show."""

import pytest
import torch
from torch import nn

from segcli.tiling import fitting, run


@pytest.fixture(params=[True, False], ids=["32n+1", "32n"])
def align_corners(request):
    return request.param


@pytest.fixture
def network(align_corners):
    """Stride 8; each score sees 8 + 2 * 24 pixels around it: far less than the overlap of 65 pixels and more."""
    padding = 4 if align_corners else 0
    kernel = 9 if align_corners else 8
    layers = nn.Sequential(nn.Conv2d(3, 8, kernel, 8, padding), nn.ReLU(), nn.Conv2d(8, 5, 3, padding=1))
    return layers.eval().requires_grad_(False)


@pytest.mark.parametrize("size", [(513, 513), (385, 641), (193, 97), (400, 611)])
def test_tiles_do_not_show(network, align_corners, size):
    view = torch.randn(1, 3, *size)
    scores, padded = run(network, view, fitting(256, align_corners), align_corners)
    whole = network(padded)
    assert scores.shape == whole.shape
    assert torch.equal(padded[..., : size[0], : size[1]], view)
    # A window's own border differs, being padded with zeros, but its weight is next to nothing there.
    assert (scores.argmax(1) == whole.argmax(1)).float().mean() > 0.99
    assert (scores - whole).abs().median() < 1e-5


def test_a_constant_stays_constant(align_corners):
    def ones(window):
        side = [(length - align_corners) // 16 + align_corners for length in window.shape[-2:]]
        return torch.ones(1, 2, *side)

    scores, _ = run(ones, torch.zeros(1, 3, 700, 300), fitting(200, align_corners), align_corners)
    assert torch.allclose(scores, torch.ones(()))


@pytest.mark.parametrize(("tile", "fits"), [(513, (513, 512)), (512, (481, 512)), (600, (577, 576)), (33, (33, 32))])
def test_tiles_fit_the_grid(tile, fits):
    assert (fitting(tile, True), fitting(tile, False)) == fits
