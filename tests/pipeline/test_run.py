"""Folder runs lose nothing and say what is wrong: full disks, lost inputs, kills; and what they would take."""

import errno
import json
import os
import random
import subprocess
import sys
import time
import tomllib

import kill_predict
import pytest
import torch
from PIL import Image
from small_runs import records, smooth, tree

from segcli.files.lock import locked
from segcli.images import masks
from segcli.pipeline.ledger import Ledger
from segcli.pipeline.records import OLD_RESULTS


def failing(monkeypatch, code, after):
    """Lets masks be written `after` times, then fail with that error."""
    left = iter(range(after))
    write = masks.write_label_map

    def write_or_fail(*arguments):
        if next(left, None) is None:
            raise OSError(code, os.strerror(code), "masks")
        write(*arguments)

    monkeypatch.setattr(masks, "write_label_map", write_or_fail)


@pytest.mark.parametrize(
    ("code", "next_step"), [(errno.ENOSPC, "Free some space"), (errno.EROFS, "Name another folder with --output")]
)
def test_an_output_that_cannot_be_written_ends_the_run_and_keeps_what_is_done(
    segcli, photos, tmp_path, monkeypatch, code, next_step
):
    with monkeypatch.context() as patch:
        failing(patch, code, after=2)
        result = segcli(photos, "-o", "out")
    assert result.exit_code == 1
    assert f"cannot write to masks: {os.strerror(code)}" in result.stderr
    assert next_step in result.stderr
    assert "Traceback" not in result.stderr
    assert len(records(tmp_path / "out")) == 2
    assert not list((tmp_path / "out").rglob(".*"))
    assert "3 segmented, 2 done before" in segcli(photos, "-o", "out").stdout


def test_a_manifest_that_cannot_be_written_costs_that_record_only(segcli, photos, tmp_path, monkeypatch):
    append = Ledger.append

    def append_or_fail(ledger, record):
        if len(ledger.records) == 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        append(ledger, record)

    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "append", append_or_fail)
        assert segcli(photos, "-o", "out").exit_code == 1
    assert "2 segmented, 3 done before" in segcli(photos, "-o", "out").stdout


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing is locked on Windows")
def test_a_folder_that_another_process_writes_to_is_left_to_it(segcli, photos, tmp_path):
    import fcntl

    (tmp_path / "out").mkdir()
    other = os.open(tmp_path / "out", os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX)
    result = segcli(photos, "-o", "out")
    assert (result.exit_code, list((tmp_path / "out").iterdir())) == (2, [])
    assert "another process is writing to out" in result.stderr
    assert "does what is left" in result.stderr
    os.close(other)
    assert segcli(photos, "-o", "out").exit_code == 0
    with locked(tmp_path / "out") as free:  # a run that has ended keeps nobody out
        assert free


def test_what_another_process_did_between_the_plan_and_the_lock_is_not_done_again(
    segcli, photos, tmp_path, monkeypatch
):
    from segcli.pipeline import run

    def meanwhile(folder, opened=run.open_folder):
        (tmp_path / "done").rename(tmp_path / "out")
        return opened(folder)

    assert segcli(photos, "-o", "out").exit_code == 0
    (tmp_path / "out").rename(tmp_path / "done")
    before = (tmp_path / "done/manifest.jsonl").read_bytes()
    monkeypatch.setattr(run, "open_folder", meanwhile)
    assert "0 segmented" in segcli(photos, "-o", "out").stdout
    assert (tmp_path / "out/manifest.jsonl").read_bytes() == before


def test_an_output_folder_on_a_full_disk_is_one_line(segcli, photos, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("segcli.pipeline.run.write_whole", full)
    result = segcli(photos, "-o", "out")
    assert result.exit_code == 1
    assert "cannot write to out: No space left on device" in result.stderr


@pytest.mark.parametrize("loss", [FileNotFoundError, PermissionError, OSError(errno.EIO, os.strerror(errno.EIO))])
def test_an_input_that_is_lost_on_the_way_is_a_failed_record(segcli, photos, tmp_path, monkeypatch, loss):
    from segcli.pipeline import stages

    hashed = stages.sha256

    def lost(path):
        if path.name == "b.png":
            raise loss
        return hashed(path)

    monkeypatch.setattr(stages, "sha256", lost)
    result = segcli(photos, "-o", "out")
    assert result.exit_code == 3
    done = records(tmp_path / "out")
    assert {name for name, record in done.items() if record["status"] == "failed"} == {"b"}
    assert segcli(photos, "-o", "out").exit_code == 3
    assert len((tmp_path / "out/manifest.jsonl").read_text().splitlines()) == 5  # it failed again, in its one line


def test_what_killed_runs_left_half_written_goes_when_it_is_old(segcli, photos, tmp_path):
    masks = tmp_path / "out/masks"
    masks.mkdir(parents=True)
    for name, age in (("old", 7200), ("new", 60)):
        path = masks / f".segcli-{name}.part"
        path.touch()
        os.utime(path, (time.time() - age,) * 2)
    segcli(photos, "-o", "out")
    assert [path.name for path in masks.glob(".*")] == [".segcli-new.part"]


def test_ctrl_c_says_that_what_is_done_is_kept(segcli, photos, tmp_path, monkeypatch):
    from segcli.inference.segmenter import Segmenter

    predict, calls = Segmenter.predict_inputs, iter(range(3))

    def predict_or_stop(segmenter, inputs):
        if next(calls, None) is None:
            raise KeyboardInterrupt
        return predict(segmenter, inputs)

    monkeypatch.setattr(Segmenter, "predict_inputs", predict_or_stop)
    result = segcli(photos, "-o", "out", "--engine", "torch")
    assert result.exit_code == 130
    assert "what is done is kept" in result.stderr
    assert len(records(tmp_path / "out")) == 3


def test_a_dry_run_writes_nothing_and_foretells_what_a_run_takes(segcli, photos, tmp_path):
    (photos / "broken.jpg").write_bytes((photos / "a.jpg").read_bytes()[:20])
    result = segcli(photos, "-o", "out", "--dry-run", "--json")
    assert result.exit_code == 0
    assert not (tmp_path / "out").exists()
    facts = json.loads(result.stdout)
    assert (facts["photos"], facts["unreadable"], facts["skipped"]) == (5, 1, 0)
    sizes = [80 * (60 + 20 * index) for index in range(5)]
    assert facts["pixels"] == sum(sizes)
    assert facts["size"] == [80, 100]
    assert facts["working_size"] == [97, 97]
    assert facts["seconds"] > 0
    assert facts["memory"] > 50e6
    segcli(photos, "-o", "out")
    written = sum(path.stat().st_size for path in (tmp_path / "out").rglob("*") if path.parent.name != "out")
    assert 1 / 3 < facts["disk"] / written < 3
    again = segcli(photos, "-o", "out", "--dry-run")
    assert "0 photos" in again.stdout
    assert "5 done before" in again.stdout


def test_a_dry_run_without_its_weights_names_them_and_fetches_nothing(segcli, photos, tmp_path, monkeypatch):
    monkeypatch.setenv("SEGCLI_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("segcli.weights.cache.obtain", None)  # whoever would load, fails
    (photos / "broken.jpg").write_bytes((photos / "a.jpg").read_bytes()[:20])
    told = segcli(photos, "--dry-run", model=("--model", "v3-mobilenetv2"))
    assert told.exit_code == 0, told.output
    assert "to do         5 photos, " in told.stdout
    assert "; 1 cannot be opened" in told.stdout
    assert "weights       would download v3-mobilenetv2@voc2012, 10.4 MB from https://" in told.stdout
    assert not {path.name for path in tmp_path.iterdir()} - {"photos"}


def test_a_run_is_replayed_from_its_run_toml(segcli, photos, tmp_path, checkpoint):
    segcli(photos / "b.png", "-o", "first", "--flip", "--size", "65", "--crf", "--crf-set", "iterations=2")
    result = segcli("--from", "first/run.toml", "-o", "second", model=())
    assert result.exit_code == 0, result.output
    mask = "masks/b.png"
    assert (tmp_path / "first" / mask).read_bytes() == (tmp_path / "second" / mask).read_bytes()
    first, second = (tomllib.loads((tmp_path / name / "run.toml").read_text()) for name in ("first", "second"))
    assert first["options"]["weights"] == str(checkpoint)
    for key in ("model", "protocol", "preprocessing", "crf", "outputs"):
        assert first[key] == second[key]
    assert "0 segmented, 1 done before" in segcli("--from", "first/run.toml", model=()).stdout
    assert segcli("--from", "first/run.toml", "-o", "third", "--size", "97", model=()).exit_code == 0
    assert tomllib.loads((tmp_path / "third/run.toml").read_text())["options"]["size"] == "97"


@pytest.mark.parametrize(
    "text", ["", "options = 3", "inputs = []\n[options]\nsmell = 1", "inputs = ['x']\n[options]\nbatch = 'many'", "\0"]
)
def test_a_run_toml_that_is_none_is_wrong_usage(segcli, tmp_path, text):
    (tmp_path / "run.toml").write_text(text)
    result = segcli("--from", "run.toml", model=())
    assert result.exit_code == 2
    assert "Traceback" not in result.stderr


def test_results_of_other_settings_are_told_of_once(segcli, photos):
    segcli(photos, "-o", "out")
    other = (photos, "-o", "out", "--save", "mask", "--classes", "cat")
    assert "out: 5 photos were done with other settings before" in segcli(*other).stderr
    assert "other settings" not in segcli(*other).stderr


def test_a_photo_that_fails_now_says_that_its_old_mask_stays(segcli, tmp_path):
    Image.fromarray(smooth(1, 40, 30)).save(tmp_path / "a.jpg")
    segcli("a.jpg", "-o", "out")
    (tmp_path / "a.jpg").write_bytes((tmp_path / "a.jpg").read_bytes()[:300])
    (tmp_path / "b.jpg").write_bytes(b"nothing")
    result = segcli("a.jpg", "b.jpg", "-o", "out")
    assert result.exit_code == 1
    assert f"a.jpg: {OLD_RESULTS}" in result.stderr
    assert "b.jpg: The mask" not in result.stderr
    assert (tmp_path / "out/masks/a.png").exists()


def test_killed_runs_come_to_the_same_result(segcli, checkpoint, tmp_path, monkeypatch):
    monkeypatch.setenv("SEGCLI_CACHE_DIR", str(tmp_path / "cache"))  # other tests shall find no conversion
    kill_predict.make_photos(tmp_path / "photos", 12)
    segcli(tmp_path / "photos", "-o", "alone", "--engine", "onnx")
    trial = kill_predict.Trial(tmp_path / "photos", checkpoint, seconds=0.1)  # 12 photos take 0.2 s and more
    moment = random.Random(0)
    killed = [trial.kill(tmp_path / "killed", moment) for _ in range(3)]
    assert any(killed)
    segcli(tmp_path / "photos", "-o", "killed", "--engine", "onnx")
    kill_predict.compare(tmp_path / "alone", tmp_path / "killed")


def test_two_photos_of_a_run_may_differ_in_everything(segcli, tmp_path):
    Image.fromarray(smooth(1, 33, 200)).save(tmp_path / "tall.png")
    Image.new("L", (1, 1)).save(tmp_path / "dot.png")
    assert "2 segmented" in segcli("tall.png", "dot.png", "-o", "out").stdout
    assert {"masks/tall.png", "masks/dot.png"} <= tree(tmp_path / "out")


def test_processes_share_the_photos_and_their_manifests_become_one(segcli, photos, checkpoint, tmp_path):
    arguments = ["predict", str(photos), "-w", str(checkpoint), "-o", "shared", "--json", "--save", "mask,polygons"]
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "segcli"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *launcher, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["segmented"] == 5
    torch.set_num_threads(1)  # sums depend on it in their last digits
    segcli(photos, "-o", "alone", "--save", "mask,polygons")
    alone, shared = (
        {name: {**record, "seconds": 0} for name, record in records(tmp_path / folder).items()}
        for folder in ("alone", "shared")
    )
    assert alone == shared
    assert tree(tmp_path / "alone") == tree(tmp_path / "shared")
    for path in tree(tmp_path / "alone/masks"):
        assert (tmp_path / "alone/masks" / path).read_bytes() == (tmp_path / "shared/masks" / path).read_bytes()


def test_what_a_killed_team_left_is_not_done_again(segcli, photos, tmp_path):
    segcli(photos, "-o", "out")
    lines = (tmp_path / "out/manifest.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "out/manifest.jsonl").write_text(lines[0][:-5])  # torn
    (tmp_path / "out/manifest.0.jsonl").write_text("".join(lines[1:3]))
    (tmp_path / "out/manifest.1.jsonl").write_text("".join(lines[3:]) + lines[0][:30])
    assert "4 done before" in segcli(photos, "-o", "out", "--dry-run").stdout
    assert "1 segmented, 4 done before" in segcli(photos, "-o", "out").stdout
    assert len(Ledger(tmp_path / "out").records) == 5
    assert not list((tmp_path / "out").glob("manifest.*.jsonl"))


@pytest.mark.shared
def test_every_odd_file_has_its_line(segcli, shared_data, tmp_path):
    """Named one by one, so that none is passed over: no crash, no hang, and the good ones are done."""
    files = sorted(path for path in (shared_data / "bad").iterdir() if path.is_file())
    result = segcli("-", "-o", "out", "--save", "mask", input="".join(f"{path}\n" for path in files))
    assert result.exit_code == 3
    found = records(tmp_path / "out")
    assert {record["input"] for record in found.values()} == {str(path) for path in files}
    for record in found.values():
        if record["status"] == "done":
            assert (tmp_path / "out" / record["outputs"]["mask"]["path"]).exists()
        else:
            assert record["error"]
