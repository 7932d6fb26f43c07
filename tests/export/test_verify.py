"""Comparing two runtimes: agreement adds up, and what differs is found."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from exports import model, plain
from small_runs import smooth

from segcli.errors import SegcliError
from segcli.export import export, verify
from segcli.export.verify import Agreement


@pytest.fixture(scope="module")
def plan():
    return export.prepare(model("v3-mobilenetv2-dm05"))


def test_agreements_add_up():
    total = Agreement(1, 100, 99, 0.5, 2.0) + Agreement(2, 300, 300, 0.1, 7.0)
    assert total == Agreement(3, 400, 399, 0.5, 7.0)
    assert total.share == pytest.approx(0.9975)
    assert not total.holds
    assert Agreement(1, 1000, 999).holds
    assert not Agreement().holds


def test_a_network_agrees_with_itself_and_not_with_another(plan):
    x = next(verify.noise([(97, 65)]))
    same = verify.compare(plan, plan.run, x)
    assert (same.pixels, same.equal, same.difference) == (97 * 65, 97 * 65, 0.0)
    other = verify.compare(plan, lambda x: {"logits": plan.run(x)["logits"].roll(1, 1)}, x)
    assert other.share < 0.5
    assert other.difference > 0.1
    assert not other.holds


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_networks_that_give_no_numbers_do_not_agree(plan, number):
    """The labels of both would be the first class everywhere, and equal."""

    def spoilt(x):
        return {"logits": plan.run(x)["logits"].fill_(number)}

    x = next(verify.noise([(97, 65)]))
    with pytest.raises(
        SegcliError, match=r"the exported network gives NaN or infinite values for an input of shape \(1, 3, 97, 65"
    ):
        verify.compare(plan, spoilt, x)
    without = replace(plan, module=lambda x: plan.module(x) * number)
    with pytest.raises(SegcliError, match="torch's network gives NaN or infinite values"):
        verify.compare(without, plan.run, x)


def test_photos_are_compared_as_predicted_and_at_a_size_of_their_own():
    made = model("v3-mobilenetv2-dm05")
    sizes = [tuple(x.shape) for x in verify.inputs(smooth(0, 200, 150), made.preprocessing, export.prepare(made))]
    assert sizes == [(1, 3, 97, 97), (1, 3, 54, 72)]


def test_with_preprocessing_they_are_the_photos_own_pixels():
    made = model("v3-mobilenetv2-dm05", preprocessing=plain(channels="BGR"))
    photo = smooth(0, 70, 50)
    first, second = verify.inputs(photo, made.preprocessing, export.prepare(made, with_preprocessing=True))
    assert first.dtype == second.dtype == torch.uint8
    assert np.array_equal(first[0].numpy(), photo)
    assert tuple(second.shape) == (1, 37, 52, 3)


def test_noise_is_the_same_every_time():
    first, second = (list(verify.noise([(40, 30), (33, 35)], seed=4)) for _ in range(2))
    assert [tuple(x.shape) for x in first] == [(1, 3, 40, 30), (1, 3, 33, 35)]
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
