"""Foreign ONNX files: what is read back, and what is refused; every refusal is one line."""

import json
from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from exports import model
from onnx import TensorProto, helper

from segcli.errors import SegcliError, UsageError, WeightsError
from segcli.export import export
from segcli.inference.transform import to_input
from segcli.weights import graph, model_io, onnx_file


@pytest.fixture(scope="module")
def original():
    return model("v3-mobilenetv2-dm05")


@pytest.fixture(scope="module")
def exported_bytes(original):
    return export.to_onnx(export.prepare(original))


@pytest.fixture
def path(exported_bytes, tmp_path):
    (tmp_path / "model.onnx").write_bytes(exported_bytes)
    return tmp_path / "model.onnx"


def edited(path, change):
    """The same file after `change(model)`."""
    graph = onnx.load(path)
    change(graph)
    onnx.save(graph, path)
    return path


def edit_facts(key, **values):
    def change(graph):
        facts = {entry.key: entry.value for entry in graph.metadata_props}
        onnx.helper.set_model_props(graph, facts | {key: json.dumps(json.loads(facts[key]) | values)})

    return change


def test_an_exported_file_is_a_model_like_its_origin(path, original):
    loaded = model_io.load(path)
    assert (loaded.spec, loaded.labels, loaded.preprocessing) == (
        original.spec,
        original.labels,
        original.preprocessing,
    )
    assert (loaded.output_stride, loaded.engine) == (8, "onnx")
    assert loaded.provenance["licence"] == "CC0"
    assert loaded.provenance["weights"] == str(path)
    x = torch.randn(2, 3, 71, 54)
    with torch.inference_mode():
        assert torch.allclose(loaded.network(x), original.network(x), atol=1e-3)


def test_one_with_preprocessing_serves_predict_too(original, tmp_path):
    """Its graph wants pixels, so that the normalisation is undone before; grey 127.5 becomes 128."""
    bgr = replace(original, preprocessing=replace(original.preprocessing, channels="BGR"))
    path = tmp_path / "whole.onnx"
    export.write(path, "onnx", export.prepare(bgr, with_preprocessing=True))
    loaded = model_io.load(path)
    photo = np.random.default_rng(0).integers(0, 256, (97, 97, 3), dtype=np.uint8)
    x, _ = to_input(photo, bgr.preprocessing)
    with torch.inference_mode():
        assert torch.allclose(loaded.network(x), original.network(x), atol=1e-3)


def test_another_output_stride_is_refused(path):
    assert model_io.load(path, 8).output_stride == 8
    with pytest.raises(UsageError, match="exported at output stride 8"):
        model_io.load(path, 16)


def _keep_elsewhere(graph):
    tensor = graph.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../etc/passwd")


def _add_loop(graph):
    body = helper.make_graph([], "body", [], [])
    graph.graph.node.append(helper.make_node("If", ["image"], ["x"], then_branch=body, else_branch=body))


def _rename_input(graph):
    graph.graph.input[0].name = "picture"
    for node in graph.graph.node:
        node.input[:] = ["picture" if name == "image" else name for name in node.input]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_keep_elsewhere, "keeps tensors in other files"),
        (_add_loop, "graphs within its graph"),
        (_rename_input, "unlike those of `segcli export`"),
        (lambda graph: graph.ClearField("metadata_props"), "does not say which model"),
        (edit_facts("segcli", version=99), "written by a newer segcli"),
        (edit_facts("segcli", spec={"name": 3}), "another version of segcli, or damaged"),
        (edit_facts("segcli.export", output_stride=7), "damaged metadata"),
        (edit_facts("segcli.export", output_stride="8"), "damaged metadata"),
        (edit_facts("segcli.export", with_preprocessing=True), "unlike those of `segcli export`"),
        (lambda graph: graph.graph.node[-1].input.__setitem__(0, "nothing"), "onnxruntime cannot run the network"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_hostile_files_are_refused(path, change, message):
    with pytest.raises(WeightsError, match=message):
        onnx_file.read(edited(path, change))


def test_fewer_channels_than_classes_are_noticed(path):
    labels = onnx_file.read(path).facts.labels
    more = replace(labels, names=(*labels.names, "more"), palette=(*labels.palette, (1, 2, 3)))
    network = onnx_file.read(edited(path, edit_facts("segcli", labels=more.to_dict()))).network
    with pytest.raises(WeightsError, match="no 22 classes"):
        network(torch.zeros(1, 3, 65, 65))


def test_an_input_that_the_graph_cannot_take_is_one_line(path):
    with pytest.raises(WeightsError, match="cannot take"):
        onnx_file.read(path).network(torch.zeros(1, 4, 65, 65))


def test_lack_of_memory_is_told_as_such(path, monkeypatch):
    network = onnx_file.read(path).network

    class Full:
        def run(self, *_):
            raise RuntimeError("Failed to allocate memory for requested buffer of size 9")

    network.graph._session = Full()
    with pytest.raises(MemoryError):
        network(torch.zeros(1, 3, 65, 65))


def test_too_large_missing_and_other_files(path, tmp_path, monkeypatch):
    (tmp_path / "text.onnx").write_text("no graph")
    with pytest.raises(WeightsError, match="is no ONNX file"):
        model_io.load(tmp_path / "text.onnx")
    with pytest.raises(WeightsError, match="cannot be read"):
        model_io.load(tmp_path / "missing.onnx")
    with pytest.raises(WeightsError, match="can run code"):
        model_io.load(tmp_path / "model.pt2")
    monkeypatch.setattr(onnx_file, "MAX_FILE_BYTES", 1000)
    with pytest.raises(WeightsError, match="too large"):
        model_io.load(path)


def test_damage_anywhere_is_an_error_or_a_network(exported_bytes, tmp_path):
    """Sixty files with a torn end or eight wrong bytes in the graph's description, where they hurt the most."""
    random = np.random.default_rng(0)
    path = tmp_path / "damaged.onnx"
    refusals = []
    for trial in range(60):
        data = bytearray(exported_bytes)
        if trial % 3:
            for place in random.integers(0, 60_000, 8):
                data[place if trial % 2 else -place - 1] = random.integers(256)
        else:
            del data[random.integers(len(data)) :]
        path.write_bytes(data)
        try:
            onnx_file.read(path)
        except SegcliError as error:
            refusals.append(error.message)
    assert len(refusals) >= 20  # every torn one, at least
    assert not any("\n" in message for message in refusals)


def test_what_onnxruntime_cannot_read_is_raised_and_not_printed(capfd):
    node = helper.make_node("Relu", ["image"], ["logits"], name="first")
    image, logits = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("image", "logits"))
    data = helper.make_model(helper.make_graph([node], "g", [image], [logits])).SerializeToString()
    with pytest.raises(WeightsError, match="onnxruntime cannot run the network"):
        graph.Graph(data.replace(b"Relu", b"R\xf4lu"), 2)
    assert capfd.readouterr() == ("", "")


def test_without_the_package_the_line_that_installs_it(path, monkeypatch):
    monkeypatch.setattr(graph.importlib, "import_module", lambda name: (_ for _ in ()).throw(ImportError(name)))
    with pytest.raises(SegcliError, match="this needs onnx") as caught:
        onnx_file.read(path)
    assert caught.value.hint == "pip install onnx"


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_named(path, number):
    def change(graph):
        part = next(part for part in graph.graph.initializer if len(part.dims) == 4)
        values = onnx.numpy_helper.to_array(part).copy()
        values.flat[5] = number
        part.CopyFrom(onnx.numpy_helper.from_array(values, "stem.weight"))

    with pytest.raises(WeightsError, match=r"model\.onnx hold NaN or infinite values in stem\.weight"):
        model_io.load(edited(path, change))


def test_weights_whose_bytes_do_not_fit_their_shape_are_one_line(path):
    with pytest.raises(WeightsError, match="has weights that cannot be read"):
        model_io.load(edited(path, lambda graph: graph.graph.initializer[0].dims.append(7)))
