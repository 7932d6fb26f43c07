"""`segcli predict` as a user meets it: a real network with calibrated weights, small photos, every promise."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import tomllib

import loopback_hub
import numpy as np
import pytest
import torch
from PIL import Image
from small_runs import records, tree

from segcli.images.read import read_rgb
from segcli.inference.segmenter import Segmenter
from segcli.labels import VOC
from segcli.weights import model_io

SEGCLI = [sys.executable, "-m", "segcli"]


def test_a_folder_becomes_masks_overlays_areas_manifest_and_run(segcli, photos, checkpoint, tmp_path):
    result = segcli(photos, "-o", "out")
    assert result.exit_code == 0, result.output
    names = {"a", "b", "trip/a", "trip/c", "trip/day 2/ü"}
    assert tree(tmp_path / "out") == {
        *(f"masks/{name}.png" for name in names),
        *(f"overlays/{name}.jpg" for name in names),
        *("areas.csv", "manifest.jsonl", "review.csv", "run.toml"),
    }
    assert "5 segmented" in result.stdout
    segmenter = Segmenter(model_io.load(checkpoint))
    mask = Image.open(tmp_path / "out/masks/trip/c.png")
    expected = segmenter.labels(read_rgb(photos / "trip/c.webp"))
    assert len(np.unique(expected)) > 1
    assert np.array_equal(np.asarray(mask), expected)
    assert mask.mode == "P"
    assert mask.getpalette()[15 * 3 : 15 * 3 + 3] == [192, 128, 128]
    assert json.loads(mask.text["segcli:labels"])["names"][15] == "person"
    assert mask.text["segcli:model"] == "v3-mobilenetv2-dm05"
    record = records(tmp_path / "out")["trip/c"]
    areas = {
        VOC.names[label]: int(count) for label, count in zip(*np.unique(expected, return_counts=True), strict=True)
    }
    assert record["areas"] == areas
    assert (record["width"], record["height"], record["status"]) == (120, 80, "done")
    run = tomllib.loads((tmp_path / "out/run.toml").read_text())
    assert run["model"]["name"] == "v3-mobilenetv2-dm05"
    assert run["preprocessing"]["size"] == 97


def test_a_second_run_does_nothing_and_says_so(segcli, photos, tmp_path):
    segcli(photos, "-o", "out")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out/masks").rglob("*.png")}
    result = segcli(photos, "-o", "out")
    assert "0 segmented, 5 done before" in result.stdout
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_results_of_photos_that_are_not_in_the_run_are_told_of(segcli, photos):
    assert "also has" not in segcli(photos, "-o", "out").stderr
    told = "out also has the results of 4 photos that are not in this run; areas.csv lists them too"
    assert told in segcli(photos / "a.jpg", "-o", "out").stderr
    left = segcli(photos, "-o", "out", "--exclude", "trip", "--json")
    assert json.loads(left.stdout)["others"] == 3
    assert "others" not in json.loads(segcli(photos, "-o", "out", "--json").stdout)


def test_only_what_has_changed_is_done_again(segcli, photos, tmp_path):
    segcli(photos, "-o", "out")
    Image.new("RGB", (50, 50), "red").save(photos / "a.jpg")
    Image.new("RGB", (50, 50), "blue").save(photos / "new.jpg")
    (tmp_path / "out/overlays/b.jpg").unlink()
    assert "3 segmented, 3 done before" in segcli(photos, "-o", "out").stdout
    assert "6 segmented" in segcli(photos, "-o", "out", "--flip").stdout
    assert "6 segmented" in segcli(photos, "-o", "out", "--flip", "--save", "mask").stdout


def test_one_bad_file_does_not_stop_the_rest(segcli, photos, tmp_path):
    (photos / "broken.jpg").write_bytes((photos / "a.jpg").read_bytes()[:300])
    (photos / "notes.txt").write_text("no photo")
    result = segcli(photos, "-o", "out")
    assert result.exit_code == 3
    assert "5 segmented, 1 failed" in result.stdout
    assert "1 other files ignored" in result.stdout
    assert records(tmp_path / "out")["broken"]["status"] == "failed"
    assert "broken.jpg" in result.stderr


def test_photos_that_take_another_package_are_counted_and_named(segcli, photos, monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    for name in ("1.heic", "2.heic", "trip/3.jpg"):
        (photos / name).write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    (photos / "ticket.pdf").write_bytes(b"%PDF-1.7")
    estimate = segcli(photos, "-o", "out", "--dry-run")
    assert "not read      3 HEIC (pip install pillow-heif), 1 PDF" in estimate.stdout
    result = segcli(photos, "-o", "out", "--json")
    data = json.loads(result.stdout)
    assert (result.exit_code, data["segmented"], data["failed"]) == (3, 5, 0)
    assert (data["unread"], data["ignored"]) == ({"HEIC": 3, "PDF": 1}, 0)
    again = segcli(photos, "-o", "out")
    assert "5 done before: out; not read: 3 HEIC (pip install pillow-heif), 1 PDF" in again.stdout
    none = segcli(photos / "*.[hp][ed]*", "-o", "other")
    assert none.exit_code == 1
    assert "(2 HEIC, 1 PDF not read)" in none.stderr
    assert "Install what reads them: pip install pillow-heif" in none.stderr


def test_all_bad_is_a_failure(segcli, tmp_path):
    (tmp_path / "notes.txt").write_text("no photo")
    result = segcli("notes.txt", "-o", "out")
    assert result.exit_code == 1
    assert records(tmp_path / "out")["notes"]["error"]


def test_the_batch_changes_no_mask(segcli, photos, tmp_path):
    segcli(photos, "-o", "one", "--batch", 1)
    segcli(photos, "-o", "eight", "--batch", 8)
    for path in (tmp_path / "one/masks").rglob("*.png"):
        assert path.read_bytes() == (tmp_path / "eight/masks" / path.relative_to(tmp_path / "one/masks")).read_bytes()


def test_json_is_one_object_and_nothing_else(segcli, photos):
    result = segcli(photos, "-o", "out", "--json", "--quiet")
    data = json.loads(result.stdout)
    assert (data["segmented"], data["skipped"], data["failed"], data["exit_code"]) == (5, 0, 0, 0)
    assert data["images"][0]["outputs"]["mask"]["path"] == "masks/a.png"
    assert result.stderr == ""


def test_errors_are_json_too(segcli):
    result = segcli("nowhere", "--json")
    assert result.exit_code == 2
    assert json.loads(result.stdout)["exit_code"] == 2
    assert "nowhere is not there" in result.stderr


@pytest.mark.parametrize("arguments", [["--nosuch"], ["--batch", "0"]])
def test_what_the_parser_refuses_is_json_too(segcli, photos, arguments):
    result = segcli(photos, *arguments, "--json")
    assert result.exit_code == 2
    assert json.loads(result.stdout)["exit_code"] == 2


def test_nothing_to_save_is_refused(segcli, photos):
    result = segcli(photos, "--save", "")
    assert result.exit_code == 2
    assert "--save names nothing" in result.stderr


def test_half_precision_is_told_and_makes_older_masks_stale(segcli, photos, tmp_path):
    for expected in ("float32", "bf16"):
        result = segcli(photos / "b.png", "-o", "out", "--precision", expected)
        assert "1 segmented" in result.stdout
        assert tomllib.loads((tmp_path / "out/run.toml").read_text())["protocol"]["precision"] == expected


def test_a_precision_that_the_device_has_not_is_one_line(segcli, photos, monkeypatch):
    monkeypatch.setattr("segcli.devices._computes", lambda device, dtype: False)
    result = segcli(photos, "-o", "out", "--precision", "fp16")
    assert result.exit_code == 1
    assert "--precision fp16: cpu cannot compute in it" in result.stderr
    assert segcli(photos, "--precision", "half").exit_code == 2


def test_settings_of_the_crf_ask_for_it(segcli, photos, tmp_path):
    segcli(photos / "b.png", "-o", "out", "--crf-set", "iterations=1")
    assert tomllib.loads((tmp_path / "out/run.toml").read_text())["crf"]["iterations"] == 1


def test_a_photo_under_a_new_name_is_counted_once(segcli, photos, tmp_path):
    segcli(photos, "-o", "out")
    segcli(photos / "trip/c.webp", "-o", "out")
    rows = (tmp_path / "out/areas.csv").read_text().splitlines()
    assert len(rows) == len(set(rows))


def test_a_picture_on_stdin_is_no_list(segcli, photos):
    result = segcli("-", input=(photos / "a.jpg").read_bytes())
    assert result.exit_code == 2
    assert "stdin holds a picture" in result.stderr


def test_a_list_comes_from_stdin(segcli, photos):
    names = "".join(f"{path}\n" for path in (photos / "a.jpg", photos / "trip/a.jpg"))
    assert "2 segmented" in segcli("-", "-o", "out", input=names).stdout


def test_progress_in_a_pipe_is_lines(segcli, photos):
    result = segcli(photos, "-o", "out")
    assert "device cpu" in result.stderr.splitlines()[0]
    assert "segmenting 5/5" in result.stderr
    assert "\r" not in result.stderr
    assert "\x1b" not in result.stderr


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA GPU")
def test_a_device_that_is_not_there_is_an_error(segcli, photos, tmp_path):
    result = segcli(photos, "-o", "out", "--device", "cuda")
    assert result.exit_code == 1
    assert "--device cuda" in result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--size", "20"], "--size 20"),
        (["--range", "9:3"], "--range 9:3"),
        (["--save", "mask,smell"], "--save smell"),
        (["--output-stride", "7"], "output stride"),
        (["--device", "gpu"], "no device is called 'gpu'"),
        (["--crf-set", "w9=1"], "w9"),
        (["--crf", "--crf-size", "none"], "--crf-size none"),
        (["--engine", "onnx", "--precision", "bf16"], "--precision bf16 needs torch"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(segcli, photos, arguments, message):
    result = segcli(photos, "-o", "out", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_a_model_without_weights_says_what_has_some(segcli, photos):
    result = segcli(photos, model=("--model", "v3plus-xception41"))
    assert result.exit_code == 1
    assert "no trained weights of v3plus-xception41" in result.stderr
    assert "v3plus-xception" in result.stderr.split("They exist for")[1]


def test_results_of_other_photos_are_not_replaced(segcli, photos, tmp_path):
    shutil.copytree(photos, tmp_path / "other")
    Image.new("RGB", (50, 50)).save(tmp_path / "other/a.jpg")
    segcli(photos, "-o", "out")
    result = segcli("other", "-o", "out")
    assert result.exit_code == 2
    assert "holds results of" in result.stderr


def test_twelve_bits_in_a_16_bit_file_are_noticed(segcli, tmp_path):
    values = np.linspace(0, 4095, 64 * 64, dtype=np.uint16).reshape(64, 64)
    Image.fromarray(values).save(tmp_path / "microscope.png")
    assert "taken for 12 bits" in segcli("microscope.png", "-o", "told").stderr
    assert "12 bits" not in segcli("microscope.png", "-o", "good", "--range", "0:4095").stderr


def test_saved_probabilities_are_the_networks(segcli, photos, checkpoint, tmp_path):
    segcli(photos / "b.png", "-o", "out", "--save", "probs")
    data = np.load(tmp_path / "out/probs/b.npz")
    expected = Segmenter(model_io.load(checkpoint)).probabilities(read_rgb(photos / "b.png"))
    assert data["probabilities"].dtype == np.float16
    assert np.abs(data["probabilities"] - expected.numpy()).max() < 1e-3
    assert list(data["names"]) == list(VOC.names)


def test_the_crf_keeps_to_the_photo(segcli, photos, tmp_path):
    segcli(photos / "b.png", "-o", "plain")
    segcli(photos / "b.png", "-o", "refined", "--crf", "--crf-set", "iterations=3")
    plain, refined = (np.asarray(Image.open(tmp_path / name / "masks/b.png")) for name in ("plain", "refined"))
    assert plain.shape == refined.shape
    assert 0 < (plain != refined).mean() < 0.5
    assert tomllib.loads((tmp_path / "refined/run.toml").read_text())["crf"]["iterations"] == 3


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for other processes")
def test_ctrl_c_keeps_what_is_done(photos, checkpoint, tmp_path):
    for index in range(400):
        shutil.copy(photos / "a.jpg", photos / f"copy{index}.jpg")
    hearing = (  # a shell's background jobs, and their children, ignore Ctrl-C
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from segcli.__main__ import main; main()"
    )
    command = [sys.executable, "-c", hearing, "predict", photos, "-o", tmp_path / "out", "--weights", checkpoint]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    manifest = tmp_path / "out/manifest.jsonl"
    deadline = time.monotonic() + 60
    while not (manifest.exists() and manifest.stat().st_size > 2000) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    done = records(tmp_path / "out")
    assert 0 < len(done) < 405
    assert all((tmp_path / "out" / record["outputs"]["mask"]["path"]).exists() for record in done.values())
    assert not list((tmp_path / "out").rglob(".*.part"))


@pytest.mark.shared
def test_photos_are_segmented_with_weights_from_a_hub(shared_data, tmp_path):
    """The main job as a new user runs it, against a stand-in for the Hub; then again without any network."""
    photos = shared_data / "photos"
    command = [*SEGCLI, "predict", str(photos), "-o", str(tmp_path / "out"), "--json"]
    with loopback_hub.serve(shared_data / "hub") as hub:
        paths = {"HF_HOME": str(tmp_path / "hf"), "SEGCLI_CACHE_DIR": str(tmp_path / "cache")}
        environment = {**os.environ, **paths, "HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0"}
        first = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert first.returncode == 0, first.stderr
    assert "downloading" in first.stderr
    assert json.loads(first.stdout)["segmented"] == 8
    inputs = {path.relative_to(photos).with_suffix("").as_posix() for path in photos.rglob("*") if path.is_file()}
    assert tree(tmp_path / "out/masks") == {f"{name}.png" for name in inputs}
    assert tree(tmp_path / "out/overlays") == {f"{name}.jpg" for name in inputs}
    areas = json.loads(first.stdout)["images"][0]["areas"]
    assert areas["cat"] > 50_000
    offline = {**environment, "HF_HUB_OFFLINE": "1"}
    second = subprocess.run(command, env=offline, capture_output=True, text=True, check=True)
    assert json.loads(second.stdout)["skipped"] == 8
