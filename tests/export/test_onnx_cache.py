"""The CPU's engine: converted once, compared with torch, kept within bounds, given up where it differs."""

import os
from dataclasses import replace

import numpy as np
import pytest
import torch
from exports import FIRST, model
from small_runs import smooth

from segcli.errors import SegcliError
from segcli.export import export, onnx_cache
from segcli.export.conversions import kept
from segcli.inference.segmenter import Segmenter


@pytest.fixture(scope="module")
def original():
    return model("v3-mobilenetv2-dm05")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("SEGCLI_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache" / "onnx"


@pytest.fixture(scope="module")
def graph(original):
    return export.to_onnx(export.prepare(original))


@pytest.fixture(autouse=True)
def conversions(graph, monkeypatch):
    """As many items as there were conversions; they cost nothing here."""
    made = []
    monkeypatch.setattr(onnx_cache, "to_onnx", lambda plan: made.append(plan) or graph)
    return made


@pytest.mark.parametrize("protocol", [{}, {"scales": (0.75, 1.25), "flip": True}, {"size": 0}], ids=str)
def test_the_segmenter_gives_the_same_labels(original, protocol):
    onnx_cache.convert(original)
    photo, fast = smooth(FIRST, 150, 101), onnx_cache.accelerated(original)
    ours, theirs = (Segmenter(each, **protocol).labels(photo) for each in (original, fast))
    assert len(np.unique(ours)) > 1
    assert (ours == theirs).mean() >= 0.999


def test_a_network_is_converted_once_and_used_from_then_on(original, home, conversions):
    assert kept(original) is None
    assert onnx_cache.accelerated(original) is None
    onnx_cache.convert(original)
    onnx_cache.convert(original)
    assert len(conversions) == 1
    assert kept(original).parent == home
    fast = onnx_cache.accelerated(original)
    assert fast.engine == "onnx"
    assert replace(fast, network=original.network, engine="torch") == original


@pytest.mark.parametrize(
    "change",
    [{"output_stride": 16}, {"provenance": {"sha256": "f" * 64}}],
    ids=["output stride", "weights"],
)
def test_another_network_has_a_conversion_of_its_own(original, change):
    onnx_cache.convert(original)
    assert kept(replace(original, **change)) is None


def test_weights_of_no_known_content_are_not_converted(original):
    with pytest.raises(SegcliError, match="cannot be told apart"):
        kept(replace(original, provenance={}))


def test_a_damaged_file_is_dropped_and_made_again(original, home):
    onnx_cache.convert(original)
    path = kept(original)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert onnx_cache.accelerated(original) is None
    onnx_cache.convert(original)
    assert onnx_cache.accelerated(original).engine == "onnx"


def test_a_network_that_differs_is_refused_and_never_tried_again(original, home, conversions, monkeypatch):
    monkeypatch.setattr(onnx_cache.OnnxNetwork, "forward", lambda _, x: original.network(x).roll(1, 1))
    for _ in range(2):
        with pytest.raises(SegcliError, match="% of torch's labels"):
            onnx_cache.convert(original)
    assert len(conversions) == 1
    assert kept(original) is None
    assert [path.suffix for path in home.iterdir() if path.name != "lock"] == [".refused"]


def test_what_the_exporter_raises_is_one_line(original, monkeypatch):
    def broken(*_, **__):
        raise TypeError("export() got an unexpected keyword argument 'dynamo'\nand more")

    monkeypatch.setattr(torch.onnx, "export", broken)
    monkeypatch.setattr(onnx_cache, "to_onnx", export.to_onnx)
    with pytest.raises(SegcliError, match="cannot export") as caught:
        onnx_cache.convert(original)
    assert "\n" not in caught.value.message


def test_the_oldest_conversions_make_room(original, home, monkeypatch):
    home.mkdir(parents=True)
    for age, name in enumerate(("new", "old")):
        (home / f"{name}.onnx").write_bytes(bytes(1_000_000))
        os.utime(home / f"{name}.onnx", (1_000_000 - age, 1_000_000 - age))
    monkeypatch.setattr(onnx_cache, "ROOM", 4_000_000)
    onnx_cache.convert(original)
    assert {path.name for path in home.glob("*.onnx")} == {"new.onnx", kept(original).name}


def test_conversions_of_some_weights_can_be_forgotten(original):
    onnx_cache.convert(original)
    assert onnx_cache.forget("f" * 64) == 0
    size = kept(original).stat().st_size
    assert onnx_cache.forget(original.provenance["sha256"]) == size
    assert kept(original) is None


def test_a_cache_that_cannot_be_written_is_one_line(original, home):
    home.parent.mkdir()
    home.write_text("a file where the folder should be")
    with pytest.raises(SegcliError, match="cannot be used"):
        onnx_cache.convert(original)
