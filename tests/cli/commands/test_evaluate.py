"""`segcli eval`: published figures on real photos, sums over processes, and refusals before hours are lost."""

import json
import os
import shutil
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
import torch
from calibration import calibrate
from huggingface_hub import constants
from PIL import Image
from safetensors.torch import load_file
from typer.testing import CliRunner

from segcli.cli.app import app
from segcli.cli.commands import evaluate as evaluate_command
from segcli.cli.options import network
from segcli.data import layouts, parts
from segcli.distributed import Processes
from segcli.images.masks import write_label_map
from segcli.labels import CAMVID, CITYSCAPES, VOC
from segcli.models import variants
from segcli.models.networks import deeplab
from segcli.models.preprocessing import Preprocessing
from segcli.training.output import run_folder
from segcli.training.recipe import Recipe
from segcli.weights import model_io
from segcli.weights.convert.layouts import convert


@pytest.fixture(scope="module")
def hub_checkpoint(shared_data, tmp_path_factory):
    """The stand-in for the Hub's MobileNetV2 as a checkpoint."""
    spec = variants.get("v3-mobilenetv2")
    network = deeplab.build(spec, 21, 8)
    tensors = load_file(shared_data / "hub/google/deeplabv3_mobilenet_v2_1.0_513/model.safetensors")
    network.load_state_dict(convert(tensors, "transformers", spec))
    path = tmp_path_factory.mktemp("hub") / "mobilenetv2.safetensors"
    model_io.save(path, network, spec, VOC, Preprocessing(pad_value=128))
    return path


@pytest.fixture(scope="module")
def small_checkpoint(tmp_path_factory):
    """CamVid's classes at a working size of 97 pixels."""
    torch.manual_seed(2)
    spec = variants.get("v3-mobilenetv2-dm05")
    path = tmp_path_factory.mktemp("small") / "small.safetensors"
    model_io.save(path, calibrate(deeplab.build(spec, 11, 8), size=97), spec, CAMVID, Preprocessing(size=97))
    return path


@pytest.fixture
def camvid(tmp_path):
    """Six pictures in CamVid's layout; the labels are stripes with a little void."""
    for index in range(6):
        for folder in ("val", "valannot"):
            (tmp_path / "camvid" / folder).mkdir(parents=True, exist_ok=True)
        picture = np.random.default_rng(index).integers(0, 256, (60, 80, 3), dtype=np.uint8)
        Image.fromarray(picture).save(tmp_path / f"camvid/val/{index}.png")
        labels = np.repeat(np.arange(60, dtype=np.uint8)[:, None] // 5, 80, axis=1)  # 11 is void
        write_label_map(tmp_path / f"camvid/valannot/{index}.png", labels, CAMVID)
    return tmp_path / "camvid"


def evaluate(*arguments):
    return CliRunner().invoke(app, ["eval", *map(str, arguments)])


def scores(*arguments) -> dict:
    result = evaluate(*arguments, "--json", "--quiet")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.mark.shared
def test_the_figures_of_transformers_own_model(hub_checkpoint, shared_data):
    """mIOU 0.6031 over 16 classes and pixel accuracy 0.9523, computed by others' code on the same photos."""
    result = scores("-d", "voc2012", "--data-dir", shared_data / "voc-mini", "-w", hub_checkpoint, "--output-stride", 8)
    assert result["miou"] == pytest.approx(0.6031, abs=0.003)
    assert result["pixel_accuracy"] == pytest.approx(0.9523, abs=0.003)
    assert (result["images"], result["classes"]) == (11, 16)
    assert result["multiply_adds"] == pytest.approx(8.826e9, rel=1e-3)


@pytest.mark.shared
def test_the_figures_at_output_stride_16(hub_checkpoint, shared_data):
    result = scores(
        "-d", "voc2012", "--data-dir", shared_data / "voc-mini", "-w", hub_checkpoint, "--output-stride", 16
    )
    assert result["miou"] == pytest.approx(0.5844, abs=0.003)
    assert result["pixel_accuracy"] == pytest.approx(0.9500, abs=0.003)


def test_two_processes_count_what_one_counts(camvid, small_checkpoint, tmp_path):
    """The matrix is in scores.json by way of every class's IOU; threads, engine and dtype are the same."""
    arguments = ["-m", "segcli", "eval", "-d", "camvid", "--data-dir", str(camvid), "-w", str(small_checkpoint)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    results = []
    for launcher in ([], ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]):
        command = [sys.executable, *launcher, *arguments, "--json", "--trimap", "--flip"]
        run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stderr
        results.append(json.loads(run.stdout))
    one, two = results
    assert (one.pop("processes"), two.pop("processes")) == (1, 2)
    for result in results:
        result.pop("seconds")
        result["worst"].sort(key=lambda image: image["name"])
    assert one == two


def test_pictures_and_tables_land_in_the_output_folder(camvid, small_checkpoint, tmp_path):
    result = evaluate(
        *(
            "-d",
            "camvid",
            "--data-dir",
            camvid,
            "-w",
            small_checkpoint,
            "--trimap",
            "--crf",
            "--crf-set",
            "iterations=2",
        ),
        *("-o", tmp_path / "out", "--worst", 2),
    )
    assert result.exit_code == 0, result.output
    assert "without CRF" in result.stdout
    saved = json.loads((tmp_path / "out/scores.json").read_text())
    assert saved["trimap"].keys() == saved["without_crf"]["trimap"].keys()
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        *("confusion.png", "scores.json", "trimap.png", "worst"),
    }
    assert len(list((tmp_path / "out/worst").glob("*.jpg"))) == 2


def test_saved_predictions_are_not_computed_again(camvid, small_checkpoint, tmp_path):
    arguments = ["-d", "camvid", "--data-dir", camvid, "-w", small_checkpoint, "--save-predictions", tmp_path / "saved"]
    first = scores(*arguments)
    (tmp_path / "saved/3.png").unlink()
    second = scores(*arguments)
    assert (first["reused"], second["reused"]) == (0, 5)
    assert first["per_class"] == second["per_class"]
    assert scores(*arguments, "--flip")["reused"] == 0


def test_a_broken_dataset_is_refused_before_anything_is_computed(camvid, small_checkpoint):
    bad = np.zeros((60, 80), np.uint8)
    bad[0, 0] = 21
    write_label_map(camvid / "valannot/0.png", bad, CAMVID)
    (camvid / "valannot/1.png").unlink()
    arguments = ["-d", "camvid", "--data-dir", camvid, "-w", small_checkpoint]
    refused = evaluate(*arguments)
    assert refused.exit_code == 1
    assert "id 21" in refused.stderr
    assert "2 of 6 samples" in refused.stderr
    assert "device" not in refused.stderr
    assert scores(*arguments, "--skip-bad")["images"] == 4


@pytest.mark.parametrize("source", ["model", "checkpoint"])
def test_other_labels_are_refused_with_what_fits(camvid, small_checkpoint, tmp_path, source):
    chosen = ["-m", "v3-mobilenetv2"]
    if source == "checkpoint":
        loaded = model_io.load(small_checkpoint)
        labels = replace(CAMVID, name="mine", names=tuple(reversed(CAMVID.names)))
        model_io.save(tmp_path / "other.safetensors", loaded.network, loaded.spec, labels, loaded.preprocessing)
        chosen = ["-w", tmp_path / "other.safetensors"]
    result = evaluate("-d", "camvid", "--data-dir", camvid, *chosen)
    assert result.exit_code == 2
    assert "labels of" in result.stderr or "classes" in result.stderr


def test_without_a_model_one_with_the_datasets_labels_is_taken(camvid):
    meant = network.reference_for(None, None, CITYSCAPES, "v3plus-xception")
    assert str(meant) == "v3plus-xception@cityscapes"
    result = evaluate("-d", "camvid", "--data-dir", camvid)
    assert result.exit_code == 2
    assert "no default model has the labels of camvid" in result.stderr
    assert "These fit: v3plus-mobilenetv2@street." in result.stderr


def test_the_help_names_the_model_that_is_scored_where_none_is_named():
    text = " ".join(evaluate("--help").stdout.replace("│", " ").split())
    assert f"Without --model and --weights, the model is {evaluate_command.DEFAULT_VARIANT}," in text


def test_cityscapes_names_the_entries_that_fit(tmp_path, monkeypatch):
    for part in ("leftImg8bit/val/town", "gtFine/val/town"):
        (tmp_path / "cityscapes" / part).mkdir(parents=True)
    stem = tmp_path / "cityscapes/{}/val/town/town_000000_000001"
    Image.new("RGB", (64, 32)).save(str(stem).format("leftImg8bit") + "_leftImg8bit.png")
    Image.new("L", (64, 32), 7).save(str(stem).format("gtFine") + "_gtFine_labelIds.png")
    result = evaluate("-d", "cityscapes", "--data-dir", tmp_path, "-m", "v3plus-xception")
    assert result.exit_code == 2
    assert "v3plus-xception@cityscapes" in result.stderr
    monkeypatch.setenv("SEGCLI_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    result = evaluate("-d", "cityscapes", "--data-dir", tmp_path)
    assert "scoring v3plus-xception@cityscapes, since neither --model nor --weights names another" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-d", "voc2102"], "Did you mean voc2012?"),
        (["-d", "voc2012", "--split", "vla"], "has no split 'vla'"),
        (["-d", "folder"], "--dataset folder needs"),
        (["-d", "camvid", "--data-dir", "{camvid}", "--ms", "--scales", "1,2"], "cannot be used together"),
    ],
)
def test_wrong_usage_is_one_line(camvid, small_checkpoint, arguments, message):
    filled = [argument.format(camvid=camvid) for argument in arguments]
    result = evaluate(*filled, "-w", small_checkpoint)
    assert result.exit_code == 2
    assert message in result.stderr


def test_each_process_takes_its_own_gpu(camvid, small_checkpoint, monkeypatch):
    monkeypatch.setattr("segcli.processor.is_alone", lambda: False)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setattr("torch.cuda.set_device", lambda device: None)
    monkeypatch.setattr("segcli.distributed.join", lambda: nullcontext(Processes(rank=0, world_size=1)))
    monkeypatch.setattr("segcli.devices.describe", lambda device: f"called {device}")
    monkeypatch.setattr("segcli.inference.segmenter.Segmenter", lambda model, device, **_: sys.exit(f"chosen {device}"))
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", "1")
    result = evaluate("-d", "camvid", "--data-dir", camvid, "-w", small_checkpoint)
    assert "device called cuda:1" in result.stderr
    assert result.exception.code == "chosen cuda:1"


def test_a_missing_dataset_says_what_to_put_where(tmp_path, small_checkpoint):
    result = evaluate("-d", "voc2012", "--data-dir", tmp_path, "-w", small_checkpoint)
    assert result.exit_code == 1
    assert "VOCtrainval_11-May-2012.tar" in result.stderr
    lines = [line.strip() for line in result.stderr.splitlines()]
    assert "VOCdevkit/VOC2012/SegmentationClass/2007_000032.png ..." in lines


@pytest.fixture
def run(tmp_path, camvid, small_checkpoint):
    """A run's folder: of the six photos it has learned from 0 to 3, held out 4, and never met 5."""
    folder = tmp_path / "run"
    folder.mkdir()
    shutil.copy(small_checkpoint, folder / "best.safetensors")
    data = layouts.load("camvid", camvid, "val")
    sides = (replace(data, samples=data.samples[:4]), replace(data, samples=data.samples[4:5]))
    parts.write(folder, parts.Parts.of(*sides, "by hand"))
    recipe = {"model": {"init": "street"}, "data": {"dataset": "camvid", "data_dir": str(camvid), "train": "val"}}
    run_folder.write_recipe(folder, Recipe.from_dict(recipe))
    return folder


def test_photos_that_a_run_learned_from_are_left_out(camvid, run):
    shutil.move(camvid / "val" / "0.png", camvid / "val" / "renamed.png")
    shutil.move(camvid / "valannot" / "0.png", camvid / "valannot" / "renamed.png")
    result = evaluate("-d", "camvid", "--data-dir", camvid, "-w", run, "--json")
    found = json.loads(result.stdout)
    assert (found["images"], found["part"]) == (2, "unseen")
    assert found["scored"] == {"held_out": 1, "new": 1, "train": 0}
    assert found["left_out"] == {"held_out": 0, "new": 0, "train": 4}
    assert "photos scored: 1 held out, 1 new; left out: 4 learned from" in result.stderr


def test_photos_and_labels_are_named_as_in_training(camvid, run):
    result = evaluate(camvid / "val", camvid / "valannot", "--names", "camvid", "-w", run, "--json")
    by_option = scores("--images", camvid / "val", "--labels", camvid / "valannot", "--names", "camvid", "-w", run)
    assert json.loads(result.stdout)["miou"] == by_option["miou"]
    assert by_option["images"] == 2


def test_a_run_alone_is_scored_on_what_it_held_out(run, tmp_path):
    found = scores("-w", run, "--output", tmp_path / "out")
    assert (found["images"], found["part"], found["split"]) == (1, "held-out", "val")
    assert json.loads((tmp_path / "out" / "scores.json").read_text())["scored"] == found["scored"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-w", "{run}", "--labels", "masks"], "the dataset is missing"),
        (["{camvid}/val", "-d", "camvid", "-w", "{run}"], "cannot be given together with --dataset camvid"),
        (["-w", "{run}", "--as", "binary"], "need PHOTOS"),
        (["-m", "street"], "neither a run nor photos are named"),
        (["-w", "{small}"], "does not lie in the folder of its run"),
        (["-w", "{run}", "--part", "all"], "score one of them"),
        (["-w", "{small}", "-d", "camvid", "--data-dir", "{camvid}", "--part", "new"], "nothing tells which photos"),
    ],
)
def test_parts_that_nothing_tells_are_refused(run, camvid, small_checkpoint, arguments, message):
    result = evaluate(*(argument.format(run=run, camvid=camvid, small=small_checkpoint) for argument in arguments))
    assert result.exit_code == 2
    assert message.lower() in result.stderr.lower()
