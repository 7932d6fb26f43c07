import math

import numpy as np
import pytest
import torch

from segcli.crf.mean_field import mean_field
from segcli.crf.permutohedral import corners, large, simplex
from segcli.crf.permutohedral.lattice import Lattice, Workspace
from segcli.errors import InputError


def filtered(kernel, values):
    return torch.cat([part.clone() for _, part in kernel.filter(values, Workspace())])


@pytest.mark.parametrize("dimensions", [1, 2, 3, 5, 6])
def test_filters_as_densecrf_in_any_dimension(dimensions):
    densecrf = pytest.importorskip("pydensecrf.densecrf")
    features = torch.randn(dimensions, 500) * 2
    probabilities = torch.rand(3, 500).softmax(0)
    crf = densecrf.DenseCRF(500, 3)
    crf.setUnaryEnergy(-probabilities.log().numpy())
    crf.addPairwiseEnergy(features.numpy(), compat=2)
    expected = np.array(crf.inference(4))
    ours = mean_field(probabilities.view(3, 1, 500), [(2.0, Lattice(features))], 4, eps=0).view(3, 500)
    assert np.abs(ours.numpy() - expected).max() < 1e-5


def test_points_on_the_borders_of_simplices_fall_as_densecrf_lets_them():
    densecrf = pytest.importorskip("pydensecrf.densecrf")
    # Whole and half lattice steps: every remainder ties with another one.
    features = torch.cartesian_prod(torch.arange(-4, 5) / 2, torch.arange(-4, 5) / 2).t().contiguous()
    features = torch.cat([features, torch.zeros(3, features.shape[1])])
    probabilities = torch.rand(2, features.shape[1]).softmax(0)
    crf = densecrf.DenseCRF(features.shape[1], 2)
    crf.setUnaryEnergy(-probabilities.log().numpy())
    crf.addPairwiseEnergy(features.numpy(), compat=1)
    ours = mean_field(probabilities[:, None], [(1.0, Lattice(features))], 3, eps=0)[:, 0]
    assert np.abs(ours.numpy() - np.array(crf.inference(3))).max() < 1e-5


def test_is_close_to_the_gaussian_itself():
    points = torch.rand(2, 400) * 6
    weights = torch.exp(-(torch.cdist(points.t(), points.t()) ** 2) / 2)
    norm = weights.sum(1).rsqrt()
    values = torch.rand(400, 2)
    expected = norm[:, None] * (weights @ (norm[:, None] * values))
    ours = filtered(Lattice(points), values)
    assert (ours - expected).abs().mean() < 0.02 * expected.mean()
    assert (ours - expected).abs().max() < 0.15 * expected.mean()


def test_blocks_and_pieces_change_nothing_but_the_order_of_sums(monkeypatch):
    features, values = torch.randn(5, 2000) * 3, torch.rand(2000, 3)
    whole = filtered(Lattice(features), values)
    monkeypatch.setattr(corners, "PIECE", 100)
    assert torch.equal(filtered(Lattice(features), values), whole)
    monkeypatch.setattr(corners, "BLOCK", 1000)
    monkeypatch.setattr(large, "PART", 300)
    blocks = Lattice(features)
    assert [part.start for part, _ in blocks.filter(values, Workspace())][:4] == [0, 100, 200, 300]
    assert (filtered(blocks, values) - whole).abs().max() < 1e-6


def test_repeats_bit_for_bit_whatever_the_threads():
    features, values = torch.randn(5, 3000), torch.rand(3000, 4)
    torch.set_num_threads(2)
    once = filtered(Lattice(features), values)
    torch.set_num_threads(1)
    assert torch.equal(filtered(Lattice(features), values), once)


def test_one_point_keeps_its_value():
    assert filtered(Lattice(torch.ones(5, 1)), torch.tensor([[0.25]])).item() == pytest.approx(0.25)


def test_the_barycentric_weights_give_the_point_back():
    features = torch.randn(5, 1000) * 4
    cells, ranks, weights = simplex.embed(features)
    assert torch.allclose(weights.sum(1), torch.ones(1000))
    assert weights.min() > -1e-5
    assert torch.equal(cells.sum(0), torch.zeros(1000))
    corner, point = cells * 6, torch.zeros(6, 1000)
    for number in range(6):
        point += weights[:, number] * corner
        axis = torch.where(ranks == 5 - number, 6.0, 0.0)
        corner = corner - (axis - 1)
    assert torch.allclose(point, simplex.elevate(features), atol=1e-3)


@pytest.mark.parametrize("spread", [1e7, 1e5])
def test_points_too_far_apart_are_refused(spread):
    with pytest.raises(InputError, match="too small"):
        Lattice(torch.tensor([[0.0, spread]] * 5))


def test_a_workspace_hands_the_same_memory_out_again():
    workspace, like = Workspace(), torch.zeros(1)
    first = workspace.take(0, like, 10, 3)
    assert first.shape == (10, 3)
    assert workspace.take(0, like, 5, 4).data_ptr() == first.data_ptr()
    assert workspace.take(1, like, 5, 4).data_ptr() != first.data_ptr()
    assert workspace.take(0, like, 7, 7).numel() == math.prod((7, 7))


def test_keys_of_32_and_of_64_bits_give_the_same():
    near, values = torch.randn(5, 2000), torch.rand(2004, 3)
    far = torch.cat([near, torch.full((5, 4), 300.0)], 1)
    assert (simplex.packing(near)[2], simplex.packing(far)[2]) == (torch.int32, torch.int64)
    assert torch.equal(filtered(Lattice(far), values)[:2000], filtered(Lattice(near), values[:2000].contiguous()))
