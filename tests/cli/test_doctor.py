import json
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import loopback_hub
import pytest
import torch
from typer.testing import CliRunner

from segcli.cli import doctor
from segcli.cli.app import app


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SEGCLI_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def hub(tmp_path, monkeypatch):
    (tmp_path / "hub").mkdir()
    with loopback_hub.serve(tmp_path / "hub") as server:
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", server.url)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        yield server


def found(name):
    return [check for check in doctor.checks() if check.name == name]


def test_a_sound_installation_is_healthy(hub):
    result = CliRunner().invoke(app, ["doctor", "--json"])
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["healthy"]
    assert {check["name"] for check in report["checks"]} >= {"packages", "torch", "gpu", "disk", "weights", "hub"}
    assert not any(check["cure"] for check in report["checks"])


def test_a_torchvision_built_for_another_torch_is_named_with_the_line_that_mends_it(monkeypatch):
    versions = {"torch": "2.15.0+cpu", "torchvision": "0.29.1"}
    monkeypatch.setattr(metadata, "version", lambda name: versions[name])
    monkeypatch.setattr(metadata, "requires", lambda name: ["numpy", "torch==2.14.1"])
    (check,) = doctor.pair()
    assert not check.ok
    assert "was built for 2.14.1" in check.detail
    assert check.cure.endswith('-m pip install "torch==2.14.1" "torchvision==0.29.1"')


def test_operators_are_really_called(monkeypatch):
    def missing(*_):
        raise RuntimeError("operator torchvision::nms does not exist\nsecond line")

    monkeypatch.setattr("torchvision.ops.nms", missing)
    (check,) = found("torch")
    assert not check.ok
    assert check.detail.endswith("operator torchvision::nms does not exist")
    monkeypatch.setattr("torchvision.ops.nms", lambda *_: torch.tensor([0, 1, 2]))
    (check,) = found("torch")
    assert "nonsense" in check.detail


def test_without_torchvision_the_check_still_answers():
    program = (
        "import sys; sys.modules['torchvision'] = None\n"
        "from segcli.cli.doctor import pair\n"
        "print([check.ok for check in pair()])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[False]"


def test_missing_and_old_packages(monkeypatch):
    monkeypatch.setattr(
        metadata, "requires", lambda _: ["nothing-of-that-name>=1", "numpy>=99", "pytest; extra == 'x'"]
    )
    (check,) = doctor.packages()
    assert not check.ok
    assert check.cure.endswith('install --upgrade "nothing-of-that-name>=1" "numpy>=99"')


@pytest.mark.parametrize(
    ("capability", "built", "runs"),
    [
        ((9, 0), ["sm_80", "sm_90"], True),
        ((8, 9), ["sm_80", "sm_90"], True),  # binaries run on later GPUs of their major version
        ((7, 0), ["sm_75", "sm_80"], False),
        ((12, 0), ["sm_90", "compute_90"], True),  # what is compiled at run time runs on every later GPU
        ((12, 0), ["sm_90a"], False),
        ((10, 3), ["sm_100f"], True),
    ],
)
def test_architectures(capability, built, runs):
    assert doctor.runs_on(capability, built) is runs


def test_a_hub_that_does_not_answer(hub, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    (check,) = doctor.hub()
    assert not check.ok
    assert "127.0.0.1:9" in check.detail
    assert "HF_HUB_OFFLINE" in check.cure
    hub.faults[""] = "down"
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub.url)
    assert next(doctor.hub()).ok  # a refusal is an answer


def test_a_hub_that_sends_a_byte_now_and_then_is_not_waited_for(hub, monkeypatch):
    hub.faults[""] = "mute"
    monkeypatch.setattr(doctor, "TIMEOUT", 0.3)  # longer than the pause between two bytes
    (check,) = doctor.hub()
    assert (check.ok, "does not answer within" in check.detail) == (False, True)


def test_damaged_weights(monkeypatch):
    from segcli.weights import cache

    record = cache.Record("source", "0" * 64)
    ours = cache.Cached("v3plus-mobilenetv2@street", Path("street.safetensors"), record, built_in=True)
    here = cache.Cached("v3-mobilenetv2@voc2012", Path("weights.safetensors"), record)
    monkeypatch.setattr(cache, "verify", lambda: iter([(ours, "is missing"), (here, "is damaged")]))
    first, second = doctor.weights()
    assert "install --force-reinstall --no-deps ." in first.cure
    assert second.cure == "segcli weights pull v3-mobilenetv2@voc2012"


def test_a_full_disk(monkeypatch, hub):
    import shutil

    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 9, 1))
    assert [check.ok for check in doctor.disk()] == [False, False]
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 1
    assert "mend it   export SEGCLI_CACHE_DIR=" in result.stdout


def no_home():
    raise RuntimeError("Could not determine home directory.")


def test_a_user_without_a_home_or_a_temporary_folder_is_told_which_variables_to_set(monkeypatch):
    def no_temporary():
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")

    monkeypatch.delenv("SEGCLI_CACHE_DIR")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", no_home)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", "~no-such-user/hub")
    monkeypatch.setattr(doctor.tempfile, "gettempdir", no_temporary)
    cures = {check.name: check.cure for check in (*doctor.temporary(), *list(doctor.disk())[:1])}
    assert cures == {
        name: f"export {variable}=/path/on/another/disk"
        for name, variable in (("temporary", "TMPDIR"), ("disk", "SEGCLI_CACHE_DIR"))
    }
    (second,) = list(doctor.disk())[1:]
    assert second.cure == "export HF_HOME=/path/on/another/disk"
    (weights,) = doctor.weights()
    assert weights.ok  # the built-in ones need no cache


def test_weights_that_take_a_cache_say_so_without_a_home(monkeypatch):
    monkeypatch.delenv("SEGCLI_CACHE_DIR")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", no_home)
    listed = CliRunner().invoke(app, ["weights", "list"])
    assert (listed.exit_code, "street" in listed.stdout) == (0, True)
    pulled = CliRunner().invoke(app, ["weights", "pull", "v3-mobilenetv2"])
    assert pulled.exit_code == 1
    assert "Set SEGCLI_CACHE_DIR to a folder of yours." in pulled.stderr


@pytest.mark.parametrize(
    ("error", "variable"),
    [
        (FileNotFoundError(2, "No usable temporary directory found in ['/tmp']"), "TMPDIR"),
        (RuntimeError("Could not determine home directory."), "HOME"),
    ],
)
def test_an_unforeseen_lack_of_a_folder_names_its_variable(error, variable):
    from segcli.cli.app import _unforeseen

    assert f"Set {variable} to" in _unforeseen(error).hint
