"""`segcli weights` from a foreign file to a photo's mask, and with a damaged cache."""

import json
from pathlib import Path

import loopback_hub
import numpy as np
import pytest
import torch
from foreign_files import foreign_state, network, spoil
from PIL import Image
from typer.testing import CliRunner

from segcli.cli.app import app
from segcli.labels import CAMVID
from segcli.models import variants
from segcli.models.preprocessing import Preprocessing
from segcli.weights import cache, conversion, manifest, model_io
from segcli.weights.checkpoint import Checkpoint
from segcli.weights.manifest import WebFile, WeightsEntry

SPEC = variants.get("v3-mobilenetv2-dm05")
NAME = f"{SPEC.name}@voc2012"


def run(*arguments):
    return CliRunner().invoke(app, ["weights", *map(str, arguments)])


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("SEGCLI_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "cache"


@pytest.fixture
def published(tmp_path, monkeypatch):
    """A small model that the manifest knows, on a server of our own."""
    root = tmp_path / "server"
    root.mkdir()
    torch.save(foreign_state(network(SPEC), SPEC, "transformers"), root / "weights.pth")
    with loopback_hub.serve(root) as server:
        source = WebFile(f"{server.url}/weights.pth")
        entry = WeightsEntry(NAME, source, "transformers", "MIT", Preprocessing(), labels="voc2012", default=True)
        monkeypatch.setattr(manifest, "entries", lambda: (entry,))
        yield entry


def problems():
    result = run("verify", "--json")
    return result.exit_code, [item["problem"] for item in json.loads(result.stdout)["weights"]]


def test_what_mends_damaged_weights(monkeypatch):
    record = cache.Record("source", "0" * 64)
    ours = cache.Cached("ours", Path("missing"), record, built_in=True)
    fetched = cache.Cached("fetched", Path("missing"), record)
    for damaged, pull, reinstall in (([ours], False, True), ([fetched], True, False), ([ours, fetched], True, True)):
        monkeypatch.setattr(cache, "verify", lambda names, damaged=damaged: [(it, "is missing") for it in damaged])
        result = run("verify")
        assert result.exit_code == 1
        assert ("weights pull" in result.stderr, "Install segcli anew" in result.stderr) == (pull, reinstall)


def test_pull_list_verify_remove(published, home):
    absent = run("verify", SPEC.name)
    assert (absent.exit_code, absent.stdout) == (1, f"{NAME}  is not here\n")
    first = run("pull", SPEC.name)
    assert first.exit_code == 0, first.output
    assert "downloading weights.pth" in first.stderr
    assert "no checksum of it is known" in first.stderr
    (pulled,) = json.loads(run("pull", SPEC.name, "--json", "--quiet").stdout)["weights"]
    (listed,) = json.loads(run("list", "--json").stdout)["weights"]
    assert pulled == listed
    assert pulled["name"] == NAME
    assert pulled["bytes"] > 1_000_000
    assert NAME in run("list").stdout
    assert f"{NAME}  is intact" in run("verify").stdout
    assert problems() == (0, [None])
    assert f"{NAME}  is intact" in run("verify", SPEC.name).stdout
    assert json.loads(run("remove", SPEC.name, "--json").stdout)["freed"] == {
        NAME: pytest.approx(pulled["bytes"], 1e-2)
    }
    assert "was not here" in run("remove", SPEC.name).stdout
    assert json.loads(run("list", "--json").stdout)["weights"] == []
    for command in ("list", "verify"):
        result = run(command)
        assert (result.exit_code, result.stdout) == (0, "")
        assert "no weights in" in result.stderr


def test_damage_is_found_and_mended(published):
    (pulled,) = json.loads(run("pull", SPEC.name, "--json").stdout)["weights"]
    with Path(pulled["path"]).open("r+b") as file:
        file.seek(100_000)
        file.write(b"damage")
    result = run("verify")
    assert result.exit_code == 1
    assert f"{NAME}  is damaged" in result.stdout
    assert "weights pull" in result.stderr
    assert problems() == (1, ["is damaged"])
    run("pull", SPEC.name)
    assert problems() == (0, [None])


@pytest.fixture
def foreign(tmp_path):
    path = tmp_path / "theirs.bin"
    torch.save(foreign_state(network(SPEC, 11), SPEC, "transformers"), path)
    return path


def convert(path, *arguments, output="ours.safetensors"):
    return run("convert", path, "--from", "transformers", "--model", SPEC.name, "-o", output, *arguments)


def test_a_converted_checkpoint_predicts(foreign, tmp_path):
    result = convert(foreign, "--labels", "camvid")
    assert result.exit_code == 0, result.output
    assert "11 classes" in result.stdout
    assert "--weights ours.safetensors" in result.stderr
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (65, 65, 3), dtype=np.uint8)).save("photo.png")
    arguments = ["predict", "photo.png", "--weights", "ours.safetensors", "--size", "full", "-o", "out"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    found = np.asarray(Image.open("out/masks/photo.png"))
    assert found.shape == (65, 65)
    assert found.max() < 11
    assert model_io.load(tmp_path / "ours.safetensors").labels == CAMVID


def test_classes_may_be_named(foreign):
    data = json.loads(convert(foreign, "--labels", ",".join("abcdefghijk"), "--json").stdout)
    assert data == {"output": "ours.safetensors", "model": SPEC.name, "labels": list("abcdefghijk")}


def test_a_backbone_is_no_model_to_predict_with(tmp_path, monkeypatch):
    spec = variants.get("v3-mobilenetv2")
    monkeypatch.setattr(conversion, "convert_file", lambda *_: Checkpoint(spec, conversion.BACKBONE_LABELS, None))
    (tmp_path / "backbone.bin").write_bytes(b"")
    result = run("convert", "backbone.bin", "--from", "timm", "--model", spec.name, "-o", "b.safetensors")
    assert "the backbone of v3-mobilenetv2, to train from" in result.stdout
    assert "segcli predict" not in result.stderr


@pytest.mark.parametrize("change", ["missing", "unknown"])
def test_a_tensor_that_is_missing_or_unknown_is_named(foreign, tmp_path, change):
    tensor = spoil(foreign, change)
    result = convert(foreign, "--labels", "camvid")
    assert result.exit_code == 1
    assert tensor in result.stderr
    assert not (tmp_path / "ours.safetensors").exists()


def layout(name, model=SPEC.name):
    return ["--from", name, "--model", model, "-o"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["convert", "theirs.bin", *layout("keras"), "a.safetensors"], 2, "--from keras"),
        (["convert", "none", *layout("timm"), "a.safetensors"], 2, "no such file"),
        (["convert", "theirs.bin", *layout("timm"), "a.pth"], 2, "must end with"),
        (["convert", "bad.safetensors", *layout("timm"), "bad.safetensors"], 2, "is the file that is read"),
        (["convert", "theirs.bin", *layout("transformers", "v3-mobilnetv2"), "a.safetensors"], 2, "no model is called"),
        (["convert", "theirs.bin", *layout("transformers"), "a.safetensors"], 2, "--labels"),
        (["convert", "bad.safetensors", *layout("torchvision", "v3-resnet50"), "a.safetensors"], 1, "bad.safetensors"),
        (["pull", "v3-mobilnetv2"], 2, "no model is called"),
        (["pull", "v3plus-xception41"], 1, "no trained weights of v3plus-xception41"),
        (["remove", "v3-mobilnetv2"], 2, "no model is called"),
        (["pull"], 2, "Missing argument"),
    ],
)
def test_what_cannot_be_is_one_line(foreign, tmp_path, arguments, code, message):
    (tmp_path / "bad.safetensors").write_bytes(b"no checkpoint")
    result = run(*arguments)
    assert result.exit_code == code
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
