"""The range that values have, and the statistics that it is taken from."""

import numpy as np
import pytest

from segcli.images.ranges import SAMPLE, Statistics, likely


@pytest.mark.parametrize(
    ("values", "bounds", "said"),
    [
        (np.uint16([0, 255]), (0, 255), "taken for 8 bits"),
        (np.uint16([3, 256]), (0, 1023), "taken for 10 bits"),
        (np.int32([0, 4095]), (0, 4095), "taken for 12 bits"),
        (np.uint16([0, 4096]), (0, 65535), "use 6.3 % of the range"),
        (np.uint16([0, 16383]), (0, 65535), "--range 0:16383"),
        (np.uint16([0, 16384]), (0, 65535), ""),
        (np.float32([0, 1]), (0, 1), ""),
        (np.float32([0, 0.05]), (0, 1), "use 5 % of the range up to 1"),
        (np.float32([0, 255]), (0, 255), "taken for 8 bits"),
        (np.float32([0.5, 3]), (0.5, 3), "no usual white"),
        (np.float64([250, 310]), (250.06, 309.94), "no usual white"),
        (np.int16([-200, 3000]), (-196.8, 2996.8), "no usual white"),
        (np.uint32([0, 70000]), (70, 69930), "no usual white"),
        (np.float32([np.nan, np.inf]), (0, 1), ""),
    ],
)
def test_values_tell_their_range(values, bounds, said):
    found, sentence = likely(Statistics.of(values))
    assert found == pytest.approx(bounds, abs=0.01)
    assert said in sentence
    assert bool(sentence) == bool(said)


def test_several_pictures_count_alike():
    """The second picture is ten times as large, and weighs no more than the first."""
    parts = [Statistics.of(np.full(SAMPLE, value, np.uint16), 2) for value in (100, 200)]
    together = Statistics.together(parts)
    assert (together.low, together.high, np.median(together.sample)) == (100, 200, 150)


def test_a_picture_without_a_number_changes_nothing():
    parts = [Statistics.of(np.float32([np.nan])), Statistics.of(np.float32([300, 400]))]
    assert Statistics.together(parts).low == 300
