"""Ranges of activations: hand-worked percentiles, and a graph whose values are known."""

import numpy as np
import pytest
from onnx import TensorProto, helper

from segcli.errors import SegcliError
from segcli.export import ranges
from segcli.export.ranges import Extremes, measure


@pytest.mark.parametrize(("count", "beyond"), [(1000, 0), (99_999, 0), (100_000, 1), (300_000, 3)])
def test_of_each_hundred_thousand_values_one_lies_beyond_at_either_end(count, beyond):
    values = np.random.default_rng(0).permutation(count).astype(np.float32)
    extremes = Extremes()
    for part in np.array_split(values, 7):
        extremes.add(part)
    assert extremes.range == (beyond, count - 1 - beyond)


def test_few_values_are_kept_however_many_are_seen(monkeypatch):
    monkeypatch.setattr(ranges, "KEPT", 5)
    extremes = Extremes()
    for start in range(0, 1_000_000, 100_000):
        extremes.add(np.arange(start, start + 100_000, dtype=np.float32))
    assert (extremes.seen, extremes.lowest.size, extremes.highest.size) == (1_000_000, 5, 5)
    assert extremes.range == (4, 999_995)  # not 10 at either end, but the last that is known


def graph():
    """doubled = image + image; positive = relu(doubled)."""
    nodes = [helper.make_node("Add", ["image", "image"], ["doubled"])]
    nodes.append(helper.make_node("Relu", ["doubled"], ["positive"]))
    sides = ["n", 3, "h", "w"]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, sides) for name in ("image", "positive")]
    model = helper.make_model(
        helper.make_graph(nodes, "g", ends[:1], ends[1:]), opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    )
    return model.SerializeToString()


def test_the_ranges_of_a_graph_over_all_inputs():
    low, high = (np.full((1, 3, 20, 30), value, np.float32) for value in (-1, 3))
    assert measure(graph(), ["doubled", "positive"], [low, high]) == {"doubled": (-2, 6), "positive": (0, 6)}


def test_one_value_in_thirteen_is_seen():
    image = np.arange(3 * 26 * 10, dtype=np.float32).reshape(1, 3, 26, 10)
    assert measure(graph(), ["doubled"], [image]) == {"doubled": (0, 2 * (780 - 13))}


def test_what_cannot_be_measured_is_one_line():
    with pytest.raises(SegcliError, match="no photo to calibrate on"):
        measure(graph(), ["doubled"], [])
    with pytest.raises(SegcliError, match="gives NaN or infinite values for a photo"):
        measure(graph(), ["doubled"], [np.full((1, 3, 20, 30), np.nan, np.float32)])
