"""`segcli export`, `--engine` and exported files in `predict` and `eval`, as a user meets them."""

import json
import shutil
import tomllib

import numpy as np
import pytest
from PIL import Image
from small_runs import records, smooth
from typer.testing import CliRunner

from segcli.cli.app import app
from segcli.export import conversions, engine, onnx_cache, verify
from segcli.export.verify import Agreement
from segcli.weights import conversion, graph, model_io


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("SEGCLI_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def converted(checkpoint, tmp_path_factory):
    """A cache that has the small model's conversion."""
    folder = tmp_path_factory.mktemp("converted")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEGCLI_CACHE_DIR", str(folder))
        onnx_cache.convert(model_io.load(checkpoint))
    return folder


def run(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)))


def masks(folder):
    return {
        path.relative_to(folder): np.asarray(Image.open(path)) for path in sorted((folder / "masks").rglob("*.png"))
    }


def engine_of(folder):
    return tomllib.loads((folder / "run.toml").read_text())["model"]["engine"]


def assert_alike(ours, theirs):
    assert ours.keys() == theirs.keys()
    equal = [(ours[name] == theirs[name]).mean() for name in ours]
    assert min(equal) >= 0.999


def test_an_output_that_cannot_be_written_is_told_before_any_work(checkpoint, tmp_path, monkeypatch):
    (tmp_path / "folder.onnx").mkdir()
    (tmp_path / "file").touch()
    monkeypatch.setattr("segcli.cli.commands.export.load_network", lambda *_: pytest.fail("the model was loaded"))
    for output, line in (("folder.onnx", "folder.onnx is a folder"), ("file/x.onnx", "Not a directory")):
        result = run("export", "--weights", checkpoint, "-o", tmp_path / output)
        assert result.exit_code in (1, 2)
        assert line in result.stderr


def test_export_is_checked_on_photos(checkpoint, photos, tmp_path):
    result = run("export", "--weights", checkpoint, "-o", "model.onnx", "--check", photos, "--json")
    assert result.exit_code == 0, result.output
    facts = json.loads(result.stdout)
    assert (facts["format"], facts["classes"], facts["outputs"]) == ("onnx", 21, ["logits"])
    assert facts["bytes"] == (tmp_path / "model.onnx").stat().st_size
    assert facts["check"]["inputs"] == 2 * 5
    assert facts["check"]["share"] >= 0.999
    assert 0 <= facts["check"]["difference"] < 1e-3 * facts["check"]["largest"]


def test_the_result_in_words(checkpoint, photos):
    result = run("export", "--weights", checkpoint, "-o", "m.onnx", "--with-preprocessing", "--check", photos)
    assert result.exit_code == 0, result.output
    first, second = result.stdout.splitlines()
    assert first.startswith("m.onnx: v3-mobilenetv2-dm05, 21 classes, ONNX opset 17, ")
    assert second.startswith("checked on 5 photos, 10 inputs: ")
    assert "Warning" not in result.stderr


def test_a_file_that_does_not_agree_is_an_error(checkpoint, photos, monkeypatch):
    monkeypatch.setattr(verify, "compare", lambda *_: Agreement(1, 1000, 990, 0.1, 1.0))
    result = run("export", "--weights", checkpoint, "-o", "m.onnx", "--check", photos, "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["error"] == "m.onnx gives 99.00% of torch's labels, below 99.9%"


def test_a_photo_that_cannot_be_read_is_named_and_left_out_of_the_check(checkpoint, photos, tmp_path):
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    whole = next(path for path in sorted(photos.iterdir()) if path.suffix in (".jpg", ".png"))
    (mixed / f"cut{whole.suffix}").write_bytes(whole.read_bytes()[:300])
    arguments = ("export", "--weights", checkpoint, "-o", "m.onnx", "--check", mixed)
    result = run(*arguments)
    assert result.exit_code == 1
    assert "m.onnx is not checked: none of the photos can be read" in result.stderr
    (mixed / f"whole{whole.suffix}").write_bytes(whole.read_bytes())
    result = run(*arguments, "--quiet")
    assert result.exit_code == 0, result.output
    assert "checked on 1 photos, 2 inputs" in result.stdout
    assert f"cut{whole.suffix} is left out: " in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "model"], "needs --format"),
        (["-o", "model.tflite"], "--format tflite: not known"),
        (["-o", "model.onnx", "--format", "coreml"], "--format coreml: not known"),
        (["-o", "m.onnx", "--check", "nowhere"], "nowhere is not there"),
        (["-o", "m.onnx", "--output-stride", "7"], "cannot have output stride 7"),
    ],
)
def test_wrong_usage(arguments, message):
    result = run("export", "--model", "v3-mobilenetv2", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr


def test_predict_runs_an_exported_file(checkpoint, photos, tmp_path):
    assert run("export", "--weights", checkpoint, "-o", "m.onnx").exit_code == 0
    assert run("predict", photos, "-o", "theirs", "--weights", "m.onnx").exit_code == 0
    assert run("predict", photos, "-o", "ours", "--weights", checkpoint).exit_code == 0
    assert_alike(masks(tmp_path / "ours"), masks(tmp_path / "theirs"))
    assert (engine_of(tmp_path / "ours"), engine_of(tmp_path / "theirs")) == ("torch", "onnx")
    for arguments, message in (
        (["--engine", "torch"], "--engine torch cannot run m.onnx"),
        (["--device", "cuda"], "onnxruntime runs on the CPU"),
        (["--output-stride", "16"], "exported at output stride 8"),
    ):
        result = run("predict", photos, "--weights", "m.onnx", *arguments)
        assert result.exit_code == 2
        assert message in result.stderr
    assert run("export", "--weights", "m.onnx", "-o", "n.onnx").exit_code == 2


def test_eval_runs_an_exported_file(checkpoint, tmp_path):
    for index, folder in enumerate(("images", "labels")):
        (tmp_path / folder).mkdir()
        picture = smooth(0, 90, 70) if index == 0 else np.zeros((70, 90), np.uint8)
        Image.fromarray(picture).save(tmp_path / folder / "a.png")
    run("export", "--weights", checkpoint, "-o", "m.onnx")
    data = ["--dataset", "folder", "--images", "images", "--labels", "labels", "--names", "voc2012", "--json"]
    ours, theirs = (json.loads(run("eval", *data, "--weights", file).stdout) for file in (checkpoint, "m.onnx"))
    assert ours["pixel_accuracy"] == pytest.approx(theirs["pixel_accuracy"], abs=1e-3)
    assert theirs["model"]["engine"] == "onnx"


def test_the_engine_that_was_asked_for_runs(segcli, photos, tmp_path):
    first = segcli(photos, "-o", "theirs", "--engine", "onnx")
    assert first.exit_code == 0, first.output
    assert "converting v3-mobilenetv2-dm05 for onnxruntime, once" in first.stderr
    assert "under onnxruntime" in first.stderr
    second = segcli(photos, "-o", "again", "--engine", "onnx")
    assert "converting" not in second.stderr
    segcli(photos, "-o", "ours", "--engine", "torch")
    assert_alike(masks(tmp_path / "ours"), masks(tmp_path / "theirs"))
    assert "5 segmented" in segcli(photos, "-o", "ours", "--engine", "onnx").stdout
    assert segcli(photos, "--engine", "tensorrt").exit_code == 2


def test_few_photos_are_not_worth_a_conversion_and_many_are(segcli, photos, tmp_path, monkeypatch):
    segcli(photos, "-o", "few")
    assert engine_of(tmp_path / "few") == "torch"
    monkeypatch.setattr(engine, "WORTHWHILE", 10)
    segcli(photos, "-o", "twice as many passes", "--flip")
    assert engine_of(tmp_path / "twice as many passes") == "onnx"


def test_what_is_converted_is_used_but_a_folder_keeps_its_engine(segcli, photos, converted, home, tmp_path):
    segcli(photos, "-o", "before")
    shutil.copytree(converted, home)
    segcli(photos, "-o", "after")
    Image.fromarray(smooth(9, 80, 80)).save(photos / "new.png")
    assert "1 segmented, 5 done before" in segcli(photos, "-o", "before").stdout
    assert engine_of(tmp_path / "before") == "torch"
    assert segcli("--from", "before/run.toml", "-o", "replayed", model=()).exit_code == 0
    assert engine_of(tmp_path / "replayed") == "torch"
    assert "1 segmented, 5 done before" in segcli(photos, "-o", "after").stdout
    assert engine_of(tmp_path / "after") == "onnx"
    assert {record["status"] for record in records(tmp_path / "after").values()} == {"done"}


def test_where_it_does_not_work_out_torch_runs_and_one_line_says_so(segcli, photos, tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "WORTHWHILE", 1)
    monkeypatch.setattr(verify, "compare", lambda *_: Agreement(1, 1000, 900))
    result = segcli(photos, "-o", "out")
    assert result.exit_code == 0, result.output
    assert "the network runs under torch: onnxruntime gives 90.00% of torch's labels" in result.stderr
    assert engine_of(tmp_path / "out") == "torch"
    result = segcli(photos, "-o", "out", "--engine", "onnx")
    assert result.exit_code == 1
    assert "onnxruntime gives 90.00% of torch's labels" in result.stderr


def test_without_the_package_auto_says_nothing_and_onnx_names_the_cure(segcli, photos, tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "WORTHWHILE", 1)
    monkeypatch.setattr(conversions.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(graph.importlib, "import_module", lambda name: (_ for _ in ()).throw(ImportError(name)))
    result = segcli(photos, "-o", "out")
    assert result.exit_code == 0, result.output
    assert "onnx" not in result.stderr
    result = segcli(photos, "-o", "out", "--engine", "onnx")
    assert result.exit_code == 1
    assert "pip install onnx" in result.stderr


@pytest.mark.shared
def test_real_weights_are_checked_on_real_photos(shared_data, tmp_path):
    source = shared_data / "hub/google/deeplabv3_mobilenet_v2_1.0_513/model.safetensors"
    conversion.convert_file(source, "transformers", "v3-mobilenetv2", tmp_path / "real.safetensors")
    for name in ("cat_720p.jpg", "grace_hopper.bmp"):
        shutil.copy(shared_data / "photos" / name, tmp_path)
    result = run(
        *("export", "--weights", "real.safetensors", "--output-stride", 16),
        *("-o", "real.onnx", "--check", tmp_path, "--json"),
    )
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["check"]["share"] >= 0.999
