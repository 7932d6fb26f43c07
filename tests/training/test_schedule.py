"""Rates by the papers' formulas."""

import pytest

from segcli.training.recipe import Loss, Schedule
from segcli.training.schedule import ohem_share, rate


def test_poly_is_the_papers_formula():
    schedule = Schedule(iterations=20_000, rate=0.001)
    for iteration in (0, 1, 10_000, 19_999):
        assert rate(iteration, schedule) == pytest.approx(0.001 * (1 - iteration / 20_000) ** 0.9, rel=1e-12)
    assert rate(10_000, schedule) == pytest.approx(0.001 * 0.5358867, rel=1e-6)  # 0.5 ** 0.9


def test_step_is_a_tenth_every_2000_iterations():
    schedule = Schedule(iterations=6000, rate=0.001, policy="step")
    assert [rate(i, schedule) for i in (0, 1999, 2000, 3999, 4000)] == pytest.approx([1e-3, 1e-3, 1e-4, 1e-4, 1e-5])


def test_warming_up_ends_where_the_policy_would_be():
    plain, warm = Schedule(iterations=100, rate=1.0), Schedule(iterations=100, rate=1.0, warmup=10)
    assert rate(0, warm) == pytest.approx(0.1)
    assert [rate(i, warm) for i in (9, 50)] == [rate(i, plain) for i in (9, 50)]


def test_ohem_keeps_ever_fewer_pixels():
    loss = Loss(hardest=0.25, hardest_after=100)
    assert [ohem_share(i, loss) for i in (0, 50, 100, 500)] == pytest.approx([1.0, 0.625, 0.25, 0.25])
    assert ohem_share(0, Loss(hardest=0.25)) == 0.25
    assert ohem_share(0, Loss()) == 1.0
