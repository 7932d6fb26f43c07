"""`export --precision int8`, and `predict` and `eval` with it, as a user meets them."""

import json
import shutil
import tomllib

import numpy as np
import pytest
from PIL import Image
from small_runs import smooth
from typer.testing import CliRunner

from segcli.cli.app import app
from segcli.export import int8, kept_labels
from segcli.weights import conversion


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """A cache that the tests share: an 8-bit form takes two seconds to make."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def home(tmp_path, cache, monkeypatch):
    monkeypatch.setenv("SEGCLI_CACHE_DIR", str(cache))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def some(tmp_path):
    """Photos to calibrate on."""
    (tmp_path / "some").mkdir()
    for seed in (5, 6):
        Image.fromarray(smooth(seed, 97, 97)).save(tmp_path / f"some/{seed}.png")


@pytest.fixture(autouse=True)
def lenient(monkeypatch):
    """The small network is a random one, whose logits hardly vary over a photo: rounding changes most of its labels.

    tests/export/test_int8.py shows how near 8 bits come; real weights are looked at below.
    """
    monkeypatch.setattr(kept_labels, "ENOUGH", 0)


def run(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)))


def test_export_calibrates_compares_and_refuses(checkpoint, some, tmp_path, monkeypatch):
    (tmp_path / "labels").mkdir()
    for seed in (5, 6):
        Image.fromarray(np.full((97, 97), 200 * (seed - 5), np.uint8)).save(tmp_path / f"labels/{seed}.png")
    export = ["export", "--weights", checkpoint, "-o", "m.onnx", "--precision", "int8", "--calibrate", "some"]
    export += ["--check", "some"]
    monkeypatch.setattr(kept_labels, "ENOUGH", 1.01)
    made = []
    exported = int8.exported
    monkeypatch.setattr(int8, "exported", lambda *given: made.append(exported(*given)) or made[0])
    refused = run(*export)
    monkeypatch.setattr(int8, "exported", lambda *given: made[0])  # the same again
    assert refused.exit_code == 1
    assert "m.onnx is not written: in 8 bits " in refused.stderr
    assert "--force" in refused.stderr
    assert not (tmp_path / "m.onnx").exists()
    forced = run(*export, "--force", "--labels", "labels", "--void", "200", "--json")
    assert forced.exit_code == 0, forced.output
    facts = json.loads(forced.stdout)
    assert facts["bytes"] == (tmp_path / "m.onnx").stat().st_size
    assert facts["int8"]["photos"] == facts["check"]["photos"] == facts["check"]["scored"] == 2
    assert 0 < facts["check"]["worst"]["share"] <= facts["check"]["share"] < 1
    assert set(facts["check"]["miou"]) == {"float32", "int8"}
    predicted = run("predict", "some", "-o", "theirs", "--weights", "m.onnx")
    assert predicted.exit_code == 0, predicted.output
    assert ", under onnxruntime, in 8 bits" in predicted.stderr
    recipe = tomllib.loads((tmp_path / "theirs/run.toml").read_text())
    assert recipe["protocol"]["precision"] == "int8"
    assert recipe["model"]["int8"] == facts["int8"]
    assert run("predict", "some", "--weights", "m.onnx", "--precision", "int8").exit_code == 2


def test_predict_in_8_bits_is_done_once(checkpoint, some, tmp_path, monkeypatch):
    predict = ["predict", "some", "-o", "out", "--weights", checkpoint, "--precision", "int8", "--calibrate", "some"]
    first = run(*predict)
    assert first.exit_code == 0, first.output
    assert "making the 8-bit form of v3-mobilenetv2-dm05, once" in first.stderr
    assert "of labels equal float's on 2 photos" in first.stderr
    assert tomllib.loads((tmp_path / "out/run.toml").read_text())["protocol"]["precision"] == "int8"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("segcli.pipeline.model.load_with", lambda *_, **__: pytest.fail("a network was loaded"))
        assert "0 segmented, 2 done before" in run(*predict).stdout


def test_labels_that_do_not_stay_are_made_in_floats(checkpoint, some, tmp_path, monkeypatch):
    monkeypatch.setattr(kept_labels, "ENOUGH", 1.01)
    arguments = ["some", "-o", "out", "--weights", checkpoint, "--precision", "int8", "--calibrate", "some"]
    fallen = run("predict", *arguments)
    assert fallen.exit_code == 0, fallen.output
    assert "warning: the network computes in floats: in 8 bits only " in fallen.stderr
    recipe = tomllib.loads((tmp_path / "out/run.toml").read_text())
    assert (recipe["protocol"]["precision"], "int8" in recipe["model"]) == ("float32", False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "m.pt2", "--precision", "int8"], "--precision int8 makes ONNX files, no pt2"),
        (["-o", "m.onnx", "--calibrate", "some"], "--calibrate goes with --precision int8"),
        (["-o", "m.onnx", "--force"], "--force goes with --precision int8"),
        (["-o", "m.onnx", "--precision", "int8", "--labels", "some"], "--labels needs --check"),
        (["-o", "m.onnx", "--precision", "int8", "--void", "11"], "--void, --as and similar options need --labels"),
        (["-o", "m.onnx", "--precision", "int4"], "--precision int4: not known"),
        (["-o", "m.onnx", "--precision", "int8", "--calibrate", "nowhere"], "nowhere is not there"),
    ],
)
def test_wrong_usage(arguments, message, some):
    result = run("export", "--model", "street", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr


@pytest.mark.shared
def test_nearly_all_labels_of_real_weights_stay(shared_data, tmp_path):
    """A model of VOC's classes, calibrated on the street scenes that come with segcli, on photos of pets and people."""
    source = shared_data / "hub/google/deeplabv3_mobilenet_v2_1.0_513/model.safetensors"
    conversion.convert_file(source, "transformers", "v3-mobilenetv2", tmp_path / "real.safetensors")
    for name in ("cat_720p.jpg", "grace_hopper.bmp"):
        shutil.copy(shared_data / "photos" / name, tmp_path)
    export = ["export", "--weights", "real.safetensors", "--output-stride", "16", "-o", "m.onnx", "--json"]
    result = run(*export, "--precision", "int8", "--check", tmp_path)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["check"]["worst"]["share"] > 0.98
