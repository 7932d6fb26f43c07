"""Rates by the papers' formulas."""

import pytest

from segcli.training.recipe import Loss, Schedule
from segcli.training.timing.schedule import ohem_share, position, rate, total


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


def test_cosine_is_half_a_wave():
    schedule = Schedule(iterations=100, rate=2.0, policy="cosine")
    assert [rate(i, schedule) for i in (0, 25, 50, 75)] == pytest.approx([2.0, 1 + 2**-0.5, 1.0, 1 - 2**-0.5])


def test_rates_end_at_the_end_rate():
    """Of 0.9 above 0.1 a half is left in the middle, and warming up begins at 0 all the same."""
    linear = Schedule(iterations=100, rate=1.0, end_rate=0.1, power=1.0)
    assert [rate(i, linear) for i in (0, 50, 100)] == pytest.approx([1.0, 0.55, 0.1])
    wave = Schedule(iterations=100, rate=1.0, end_rate=0.1, policy="cosine", warmup=10)
    assert [rate(i, wave) for i in (0, 50, 100)] == pytest.approx([0.1, 0.55, 0.1])


def test_a_changed_length_goes_on_smoothly_to_the_same_end():
    """At 40 of 100 the run changes to 70: 60 places in 30 steps; at 60, place 80, to 100: 20 places in 40 steps."""
    schedule, pace = Schedule(iterations=100), [(40, 70), (60, 100)]
    assert [position(i, schedule, pace[:1]) for i in (39, 40, 41, 70)] == pytest.approx([39, 40, 42, 100])
    assert [position(i, schedule, pace) for i in (10, 50, 60, 61, 100)] == pytest.approx([10, 60, 80, 80.5, 100])
    assert total(schedule, pace[:1]) == 70


def test_without_a_change_every_rate_keeps_its_bits():
    schedule = Schedule(iterations=30_000)
    assert position(12_345, schedule) == 12_345
    assert isinstance(position(12_345, schedule), int)
    assert rate(12_345, schedule) == 0.007 * (1 - 12_345 / 30_000) ** 0.9
    assert total(schedule) == 30_000
