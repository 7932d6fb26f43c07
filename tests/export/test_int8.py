"""8-bit forms: which layers, how nearly the weights, and that the labels stay; the oracle is the network in floats."""

from copy import deepcopy
from dataclasses import replace
from functools import cache

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import numpy_helper
from small_int8 import FIRST, INNER, LAST, PHOTO, model
from small_runs import smooth
from tiny import tiny_model
from torch import nn
from torch.nn import functional

from segcli.errors import SegcliError, WeightsError
from segcli.export import export, int8
from segcli.inference.transform import to_input
from segcli.weights import onnx_file
from segcli.weights.facts import Int8

FORM = Int8(2, "a" * 64)


def inputs(*seeds):
    return [to_input(smooth(seed, 65, 65), model().preprocessing)[0].numpy() for seed in seeds]


@cache
def files():
    """The bytes of the network's file in floats, and of its 8-bit form."""
    floats = export.to_onnx(export.prepare(model(), int8=FORM))
    return floats, int8.to_int8(floats, inputs(1, 2))


def convolutions(graph):
    return {node.name.split("/")[1]: node for node in graph.node if node.op_type == "Conv"}


def test_the_first_the_last_and_the_pooled_layers_stay_float():
    graph = onnx.load_model_from_string(files()[1]).graph
    made_by = {name: node.op_type for node in graph.node for name in node.output}
    in_8_bits = {name for name, conv in convolutions(graph).items() if made_by.get(conv.input[1]) == "DequantizeLinear"}
    assert convolutions(graph).keys() == {*FIRST, *INNER, *LAST}
    assert in_8_bits == set(INNER)
    kinds = [node.op_type for node in graph.node]
    assert kinds.count("Clip") == 2  # those of the first layers; the others' limits are those of 8 bits
    assert kinds.count("Relu") == 2  # of pooling, and before the classifier


def test_weights_have_seven_bits_and_lie_within_half_a_step():
    floats, form = (onnx.load_model_from_string(data).graph for data in files())
    known = {entry.name: numpy_helper.to_array(entry) for entry in form.initializer}
    exact = {entry.name: numpy_helper.to_array(entry) for entry in floats.initializer}
    undo = {node.output[0]: node.input for node in form.node if node.op_type == "DequantizeLinear"}
    for name in INNER:
        whole, step, zero = (known[part] for part in undo[convolutions(form)[name].input[1]])
        weights = exact[convolutions(floats)[name].input[1]]
        assert whole.dtype == np.int8
        assert 63 <= abs(whole.astype(int)).max() <= 64
        assert not zero.any()
        assert len(step) == len(weights)  # one for each channel of the output
        error = abs(whole * step[:, None, None, None] - weights)
        assert (error <= step[:, None, None, None] * 0.5001).all()


class TwoScales(nn.Module):
    """Logits at two scales, from layers of equal weights."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network, self.twin = network, deepcopy(network)

    def forward(self, x):
        half = functional.avg_pool2d(x, 2)
        whole = self.network(x)
        return torch.maximum(whole, functional.interpolate(self.twin(half), size=whole.shape[2:]))


def test_equal_weights_stand_in_the_file_once(monkeypatch):
    both = replace(model(), network=TwoScales(model().network).eval())
    floats = export.to_onnx(export.prepare(both, int8=FORM))
    forms = {}
    for least in (32, 1 << 20):
        monkeypatch.setattr(int8, "_WORTH_SHARING", least)
        forms[least] = int8.to_int8(floats, inputs(1, 2))
    constants = [entry.raw_data for entry in onnx.load_model_from_string(forms[32]).graph.initializer]
    large = [data for data in constants if len(data) >= 32]
    assert len(large) == len(set(large))
    assert len(forms[32]) < 0.9 * len(forms[1 << 20])
    sessions = [onnxruntime.InferenceSession(data) for data in forms.values()]
    shared, apart = (session.run(None, {session.get_inputs()[0].name: inputs(PHOTO)[0]})[0] for session in sessions)
    assert np.array_equal(shared, apart)


def test_logits_stay_near_on_a_photo_that_it_was_not_calibrated_on():
    (x,) = inputs(PHOTO)
    ours, theirs = (onnxruntime.InferenceSession(data).run(None, {"image": x})[0] for data in files())
    assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.99
    assert 0 < abs(ours - theirs).mean() < 0.1 * ours.std()


def test_no_sum_of_whole_numbers_is_cut_off_on_this_processor():
    """The oracle is onnxruntime with its 8-bit layers off: it multiplies the same steps in floats then."""
    (x,) = inputs(PHOTO)
    exact = onnxruntime.SessionOptions()
    exact.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    expected = onnxruntime.InferenceSession(files()[1], exact).run(None, {"image": x})[0]
    given = onnxruntime.InferenceSession(files()[1]).run(None, {"image": x})[0]
    assert abs(given - expected).mean() < 0.002 * expected.std(), abs(given - expected).mean() / expected.std()


def test_the_file_says_what_it_is_and_any_size_goes():
    form = onnx.load_model_from_string(files()[1])
    onnx.checker.check_model(form, full_check=True)
    facts = {entry.key: entry.value for entry in form.metadata_props}
    assert '"int8": {"photos": 2, "calibration": "aaaa' in facts["segcli.export"]
    assert '"weight_bits": 7' in facts["segcli.export"]
    session = onnxruntime.InferenceSession(files()[1])
    assert session.run(None, {"image": np.zeros((2, 3, 40, 60), np.float32)})[0].shape == (2, 21, 10, 15)


def test_it_is_read_back_as_what_it_is(tmp_path):
    (tmp_path / "m.onnx").write_bytes(files()[1])
    assert onnx_file.read(tmp_path / "m.onnx").making.int8 == FORM
    (tmp_path / "f.onnx").write_bytes(export.to_onnx(export.prepare(model())))
    assert onnx_file.read(tmp_path / "f.onnx").making.int8 is None
    assert b'"int8"' not in (tmp_path / "f.onnx").read_bytes()


def _eighth_bit(form):
    entry = next(
        entry for entry in form.graph.initializer if entry.data_type == onnx.TensorProto.INT8 and len(entry.dims) == 4
    )
    weights = numpy_helper.to_array(entry).copy()
    weights[0, 0, 0, 0] = 65
    entry.CopyFrom(numpy_helper.from_array(weights, entry.name))


def _silent(form):
    facts = {entry.key: entry.value.replace('"int8"', '"note"') for entry in form.metadata_props}
    onnx.helper.set_model_props(form, facts)


def _boasting(form):
    facts = {entry.key: entry.value.replace('"weight_bits": 7', '"weight_bits": 8') for entry in form.metadata_props}
    onnx.helper.set_model_props(form, facts)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_eighth_bit, "weights of more than 7 bits"),
        (_silent, "computes in 8 bits and does not say so"),
        (_boasting, "damaged metadata"),
    ],
)
def test_a_file_that_says_what_is_not_so_is_refused(change, message, tmp_path):
    form = onnx.load_model_from_string(files()[1])
    change(form)
    onnx.save(form, tmp_path / "m.onnx")
    with pytest.raises(WeightsError, match=message):
        onnx_file.read(tmp_path / "m.onnx")


def test_what_has_no_inner_layer_or_fails_is_one_line(monkeypatch):
    with pytest.raises(SegcliError, match="no layer of this network"):
        int8.to_int8(export.to_onnx(export.prepare(tiny_model())), inputs(1))
    monkeypatch.setattr(int8, "_quantised", lambda *_: 1 / 0)
    with pytest.raises(SegcliError, match=r"cannot make .* 8-bit form \(ZeroDivisionError") as caught:
        int8.to_int8(files()[0], inputs(1))
    assert "\n" not in caught.value.message


def test_with_preprocessing_inside_pixels_go_in():
    plan = export.prepare(model(), with_preprocessing=True, int8=FORM)
    photos = [smooth(seed, 65, 65)[None] for seed in (1, 2)]
    form = int8.to_int8(export.to_onnx(plan), photos)
    labels, logits = onnxruntime.InferenceSession(form).run(None, {"photo": smooth(PHOTO, 65, 65)[None]})
    assert labels.dtype == np.uint8
    expected = onnxruntime.InferenceSession(files()[1]).run(None, {"image": inputs(PHOTO)[0]})[0]
    assert abs(logits - expected).max() < 0.05 * abs(expected).max()
    nodes = onnx.load_model_from_string(form).graph.node
    assert {node.name.split("/")[2] for node in nodes if node.op_type == "Conv"} >= set(INNER)
