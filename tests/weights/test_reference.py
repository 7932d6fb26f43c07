"""Model references: what a name or a path means, and what is known of it before anything is read."""

import subprocess
import sys
from pathlib import Path

import pytest

from segcli.errors import UsageError, WeightsError
from segcli.labels import VOC
from segcli.weights import manifest
from segcli.weights.reference import ModelReference, checkpoint_at, named, resolve


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "best.safetensors").touch()
    return tmp_path / "best.safetensors"


@pytest.mark.parametrize("name", ["v3-mobilenetv2", "v3-mobilenetv2@voc2012", "street", "v3plus-xception65@cityscapes"])
def test_a_name_means_an_entry_of_the_manifest(name):
    found = resolve(name)
    assert found.entry is manifest.resolve(name)
    assert (found, str(found), found.path) == (named(name), found.entry.name, None)
    assert not found.is_exported


def test_a_variant_alone_that_means_street_weights_says_so():
    assert named("v3plus-mobilenetv2").note == (
        "v3plus-mobilenetv2 means v3plus-mobilenetv2@street: weights that learned from rendered pictures of streets, "
        "and know the 11 classes of camvid; for everyday photos take v3-mobilenetv2"
    )
    assert "v3plus-resnet101@voc2012" in named("v3plus-resnet101").note
    assert not any(
        named(name).note for name in ("street", "v3plus-mobilenetv2@street", "v3-mobilenetv2", "v3-resnet50")
    )


def test_a_default_that_knows_no_everyday_photos_says_what_its_photos_show():
    defaults = [entry for entry in manifest.entries() if entry.default and entry.role == "segmentation"]
    assert all(bool(entry.scenes) == (entry.labels != "voc2012") for entry in defaults)


def test_an_entry_is_known_without_reading_anything():
    found = resolve("v3-mobilenetv2")
    assert found.labels == VOC
    assert found.spec.backbone.kind == "mobilenetv2"
    found.check_output_stride(16)
    found.check_output_stride(None)
    with pytest.raises(UsageError, match="v3-mobilenetv2 cannot have output stride 7"):
        found.check_output_stride(7)


def test_a_file_tells_nothing_before_it_is_read(file):
    found = resolve("best.safetensors")
    assert (found.entry, found.path, str(found)) == (None, Path("best.safetensors"), "best.safetensors")
    assert (found.labels, found.spec) == (None, None)
    found.check_output_stride(7)
    assert found == resolve(Path("best.safetensors")) == checkpoint_at(Path("best.safetensors"))


def test_the_manifest_is_asked_before_the_file_system(file):
    (file.parent / "street").touch()
    (file.parent / "mine").touch()
    assert resolve("street").entry.alias == "street"
    assert resolve(Path("street")).path == Path("street")
    assert resolve("mine").path == Path("mine")


@pytest.mark.parametrize(("name", "exported"), [("a.onnx", True), ("a.pt2", False), ("a.safetensors", False)])
def test_exported_files_are_known_by_their_suffix(tmp_path, name, exported):
    (tmp_path / name).touch()
    assert resolve(tmp_path / name).is_exported == exported


@pytest.mark.parametrize(
    "text", ["gone.safetensors", "runs/gone", "runs\\gone", "v3plus-xception71@x/best.safetensors"]
)
def test_a_path_without_a_file_is_refused_unless_reading_will(text):
    with pytest.raises(UsageError, match="no such file") as caught:
        resolve(text)
    assert not caught.value.message.startswith("--")
    assert resolve(text, must_exist=False).path == Path(text)
    with pytest.raises(UsageError, match=r"--weights .*: no such file"):
        checkpoint_at(Path(text))


def test_a_wrong_name_gets_the_nearest():
    with pytest.raises(UsageError, match="no model is called") as caught:
        resolve("v3-mobilnetv2")
    assert "v3-mobilenetv2" in caught.value.hint
    with pytest.raises(WeightsError, match="no trained weights of v3plus-xception71"):
        resolve("v3plus-xception71")


@pytest.mark.parametrize(
    ("text", "kind", "message", "hint"),
    [
        ("v3-resnet101+mg=1,2,3", WeightsError, "no trained weights of v3-resnet101+multi_grid=1,2,3", "Train it"),
        ("v3-resnet101+mg=1,2,3@voc2012", WeightsError, "no trained weights of v3-resnet101+multi_grid", "--weights"),
        ("v3-resnet101+aspp.seperable=true", UsageError, "has no key aspp.seperable", "aspp.separable"),
        ("v3-resnet101+dropout=0.3/mine", UsageError, "dropout cannot be", "a number"),
        ("v3-resnet101@voc2012+mg=1,2,3", UsageError, "cannot be given differences", "v3-resnet101+mg=1,2,3."),
        ("street@voc2012", UsageError, "v3plus-mobilenetv2 has no weights 'voc2012'", "v3plus-mobilenetv2@street"),
        ("street+mg=1,2,3", UsageError, "cannot be given differences", "v3plus-mobilenetv2+mg=1,2,3."),
        ("v3-resnet11+mg=1,2,3", UsageError, "no model is called 'v3-resnet11'", "v3-resnet101"),
    ],
)
def test_a_network_with_differences_has_no_published_weights(text, kind, message, hint):
    with pytest.raises(kind) as caught:
        resolve(text, must_exist=False)
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_differences_that_make_a_published_network_mean_its_weights(file):
    assert resolve("v3-resnet101+mg=1,1,1@voc2012") == resolve("v3-resnet101@voc2012")
    assert resolve("v3-resnet50+kind=resnet101") == resolve("v3-resnet101")
    (file.parent / "v3-resnet101+mg=1,2,3").write_bytes(b"")
    assert resolve("v3-resnet101+mg=1,2,3").path == Path("v3-resnet101+mg=1,2,3")
    assert resolve("other+one.safetensors", must_exist=False).path == Path("other+one.safetensors")


def test_a_reference_is_one_thing(file):
    for parts in ({}, {"entry": manifest.resolve("street"), "path": file}):
        with pytest.raises(ValueError, match="either"):
            ModelReference(**parts)


def test_resolving_parses_the_manifest_once_and_takes_no_torch():
    code = (
        "import sys, tomllib\n"
        "parse, seen = tomllib.loads, []\n"
        "tomllib.loads = lambda text: seen.append(1) or parse(text)\n"
        "from segcli.weights import reference\n"
        "for name in ('street', 'v3-mobilenetv2', 'street'): reference.resolve(name).spec\n"
        "sys.exit(len(seen) != 1 or 'torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").mkdir()
    for name in ("best.safetensors", "last.safetensors", "recipe.toml"):
        (tmp_path / "run" / name).touch()
    return Path("run")


def test_a_run_means_its_best_checkpoint(run):
    assert checkpoint_at(run) == resolve("run") == resolve("run/") == ModelReference(path=run / "best.safetensors")
    assert resolve(run, must_exist=False) == resolve(run)


def test_a_run_without_a_best_checkpoint_means_its_newest_and_says_so(run):
    (run / "best.safetensors").unlink()
    found = resolve("run")
    assert found.path == run / "last.safetensors"
    assert found.note == "run has no best.safetensors, so last.safetensors is taken"


def test_a_folder_without_a_checkpoint_is_refused(run):
    for name in ("best.safetensors", "last.safetensors"):
        (run / name).unlink()
    with pytest.raises(UsageError, match=r"^--weights run: its run has saved no checkpoint yet\."):
        checkpoint_at(run)
    (run / "recipe.toml").unlink()
    with pytest.raises(UsageError, match=r"^run: a folder that holds no run of segcli train\.") as caught:
        resolve("run")
    assert "best.safetensors" in caught.value.hint
