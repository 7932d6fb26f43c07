"""Runs on a Dask cluster of this process give what a run without one gives, byte for byte."""

import json

import dask_cluster
import pytest
from extras import extra
from small_runs import records, tree

from segcli import __version__
from segcli.pipeline.cluster import errand
from segcli.pipeline.cluster.worker import TOO_LARGE

extra("distributed")


@pytest.fixture(scope="module")
def cluster():
    with dask_cluster.in_threads() as found:
        yield found.scheduler_address


def without_seconds(output):
    return {name: {**record, "seconds": 0} for name, record in records(output).items()}


def test_the_same_bytes_as_in_one_process(segcli, cluster, photos, tmp_path):
    (photos / "bad.jpg").write_bytes((photos / "a.jpg").read_bytes()[:600])
    options = ("--save", "mask,overlay,polygons,labelme,gallery", "--crf", "--batch", 2)
    here = segcli("photos", "-o", "here", *options)
    there = segcli("photos", "-o", "there", "--cluster", cluster, *options)
    assert (here.exit_code, there.exit_code) == (3, 3), there.stderr
    assert there.stdout.replace("there", "here") == here.stdout
    assert "2 workers on 1 computer" in there.stderr
    assert "warning" not in there.stderr
    assert tree(tmp_path / "here") == tree(tmp_path / "there")
    for name in tree(tmp_path / "here") - {"manifest.jsonl", "run.toml"}:
        assert (tmp_path / "here" / name).read_bytes() == (tmp_path / "there" / name).read_bytes(), name
    assert without_seconds(tmp_path / "here") == without_seconds(tmp_path / "there")
    assert len((tmp_path / "there/manifest.jsonl").read_text().splitlines()) == 6
    again = segcli("--from", "there/run.toml", "-o", "there")  # without a cluster, which is not asked for again
    assert "0 segmented, 5 done before, 1 failed" in again.stdout


def test_a_run_with_nothing_to_do_asks_no_cluster(segcli, photos, tmp_path):
    segcli(photos, "-o", "out")
    result = segcli(photos, "-o", "out", "--cluster", "tcp://127.0.0.1:9")
    assert "0 segmented, 5 done before" in result.stdout, result.stderr


def test_json_and_python(segcli, cluster, photos, checkpoint, tmp_path):
    from segcli import predict_folder

    told = json.loads(segcli(photos, "-o", "out", "--cluster", cluster, "--json", "--quiet").stdout)
    assert (told["segmented"], len(told["images"]), told["exit_code"]) == (5, 5, 0)
    (tmp_path / "out/masks/b.png").unlink()
    run = predict_folder(photos, tmp_path / "out", model=checkpoint, cluster=cluster)
    assert [record.name for record in run] == ["b"]
    assert run.finish().skipped == 4


def test_a_worker_of_another_version_is_refused_before_any_work(segcli, cluster, photos, tmp_path, monkeypatch):
    monkeypatch.setattr("segcli.pipeline.cluster.driver.station", lambda: {**errand.station(), "segcli": "9.9"})
    result = segcli(photos, "-o", "out", "--cluster", cluster)
    assert result.exit_code == 1
    assert "error: worker tcp://127.0.0.1:" in result.stderr
    assert f"has segcli {__version__}, and this run segcli 9.9" in result.stderr
    assert errand.SAME in result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("change", "engine", "said"),
    [
        ({}, "torch", ""),
        ({"onnxruntime": "1.0"}, "torch", ""),
        ({"onnxruntime": "1.0"}, "onnx", "has onnxruntime 1.0, and this run onnxruntime"),
        ({"torch": "2.0.0"}, "torch", "has torch 2.0.0, and this run torch"),
        ({"torch": ""}, "torch", "has no torch, which this run takes"),
        ({"revision": "7"}, None, "has revision 7, and this run revision"),
    ],
)
def test_what_would_make_other_masks_is_a_difference(change, engine, said):
    own = errand.station()
    found = errand.difference({**own, **change}, own, engine)
    assert found.startswith(said)
    assert bool(found) == bool(said)


def test_a_worker_that_sees_other_files_is_refused(photos, tmp_path, checkpoint):
    from segcli.inference.options import ModelOptions
    from segcli.pipeline.cluster.errand import Errand
    from segcli.pipeline.job import Job, PredictJob
    from segcli.weights.reference import resolve

    asked = PredictJob(resolve(checkpoint), ModelOptions(engine="torch"), folder=tmp_path)
    (tmp_path / "run.toml").write_text("started")
    job = Job.of(asked, asked.foreseen())
    source = asked.reading.find([photos], None).files[0]
    whole = Errand.of(job, source)
    assert whole.refusal() == ""
    (tmp_path / "run.toml").write_text("another run's")
    assert whole.refusal().startswith(f"does not see the output folder {tmp_path}\n")
    (tmp_path / "run.toml").write_text("started")
    source.path.write_bytes(b"")
    assert whole.refusal().startswith(f"does not see {source.path}\n")
    other = Errand.of(Job(asked, job.plan, "torch", "0" * 64), source)
    assert other.refusal().startswith(f"has no {checkpoint}, or another one\n")


def test_an_error_that_nobody_foresaw_ends_the_run(segcli, cluster, photos, tmp_path, monkeypatch):
    class DeepError(Exception):
        def __reduce__(self):
            return int, ("nothing that can be read",)

    def fail(*_):
        raise DeepError("in the depth")

    monkeypatch.setattr("segcli.pipeline.cluster.worker._stages", fail)
    result = segcli(photos, "-o", "out", "--cluster", cluster)
    assert result.exit_code == 1
    assert "error: " in result.stderr


def test_a_picture_in_parts_fails_alone(segcli, cluster, photos, tmp_path):
    from PIL import Image

    Image.new("RGB", (300, 300)).save(photos / "large.png")
    result = segcli(photos, "-o", "out", "--cluster", cluster, "--max-pixels", 80_000)
    assert result.exit_code == 3, result.stderr
    assert records(tmp_path / "out")["large"]["error"] == TOO_LARGE
    alone = segcli(photos / "large.png", "-o", "other", "--cluster", cluster, "--max-pixels", 80_000)
    assert (alone.exit_code, "a cluster cannot do pictures in parts" in alone.stderr) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--cluster", "http://host:1"], "no address of a Dask scheduler"),
        (["--cluster", "none.json"], "no such file"),
        (["--cluster", "tcp://127.0.0.1:9", "--dry-run"], "--dry-run and --cluster cannot be used together"),
        (["--cluster", "tcp://127.0.0.1:9", "-o", "s3://bucket/out"], "not stores"),
        (["--cluster", "tcp://127.0.0.1:9", "--precision", "int8"], "int8 is not done on a cluster"),
        (["--cluster", "tls://127.0.0.1:9", "-o", "out"], "takes certificates that are not there"),
    ],
)
def test_what_cannot_be_is_a_usage_error(segcli, photos, arguments, said):
    result = segcli(photos, *arguments)
    assert result.exit_code == 2
    assert said in result.stderr


def test_torchrun_and_a_cluster_exclude_each_other(segcli, photos, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    result = segcli(photos, "--cluster", "tcp://127.0.0.1:9")
    assert (result.exit_code, "torchrun and --cluster cannot be used together" in result.stderr) == (2, True)


def test_a_scheduler_that_does_not_answer_is_one_line(segcli, photos, tmp_path, monkeypatch):
    monkeypatch.setattr("segcli.pipeline.cluster.scheduler.SECONDS_TO_CONNECT", 0.5)
    result = segcli(photos, "-o", "out", "--cluster", "tcp://127.0.0.1:9")
    assert result.exit_code == 1
    assert "no Dask scheduler answers at tcp://127.0.0.1:9" in result.stderr
    assert not (tmp_path / "out").exists()
