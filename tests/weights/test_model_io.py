import json
import os
import subprocess
import sys
from contextlib import contextmanager

import loopback_hub
import pytest
import torch
from foreign_files import hub_repository, network

from segcli.errors import UsageError, WeightsError
from segcli.files import atomic
from segcli.images.reading import RGB_8_BIT, PhotoValues
from segcli.labels import CAMVID
from segcli.models import variants
from segcli.models.preprocessing import Preprocessing
from segcli.pipeline.foresight import photos_of
from segcli.weights import checkpoint, conversion, model_io
from segcli.weights.reference import resolve

SPEC = variants.get("v3-mobilenetv2-dm05")
REPO = "google/deeplabv3_mobilenet_v2_1.0_513"
# A process of its own, since huggingface_hub reads its environment when it is imported; one line in, one line out.
LOAD = """
import json, sys
import torch
from segcli.weights import cache, model_io
from segcli.errors import SegcliError
for line in sys.stdin:
    try:
        model = model_io.load(line.strip())
        with torch.no_grad():
            logits = model.network(torch.linspace(-1, 1, 3 * 33 * 33).reshape(1, 3, 33, 33))
        here = cache.cached()[0]
        said = {"logits": logits.flatten()[:50].tolist(), "provenance": model.provenance, "notes": model.notes}
        said |= {"labels": model.labels.name, "output_stride": model.output_stride, "path": str(here.path)}
    except SegcliError as error:
        said = {"error": type(error).__name__, "message": error.message, "hint": error.hint}
    print(json.dumps(said), flush=True)
"""


@contextmanager
def loader(home, endpoint, **environment):
    """A function from a model's name to what a process says about loading it."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    places = {
        "OMP_NUM_THREADS": "1",
        "HF_ENDPOINT": endpoint,
        "HF_HOME": str(home / "hf"),
        "SEGCLI_CACHE_DIR": str(home / "segcli"),
    }
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", LOAD], env=clean | places | environment, **pipes) as process:

        def load(name):
            process.stdin.write(name + "\n")
            process.stdin.flush()
            return json.loads(process.stdout.readline())

        yield load
        process.stdin.close()


def expected_logits(spec):
    with torch.no_grad():
        logits = network(spec)(torch.linspace(-1, 1, 3 * 33 * 33).reshape(1, 3, 33, 33))
    return pytest.approx(logits.flatten()[:50].tolist(), rel=1e-4, abs=1e-4)


def test_from_the_hub_to_logits_and_what_goes_wrong_on_the_way(tmp_path):
    spec = variants.get("v3-mobilenetv2")
    file = hub_repository(tmp_path / "server", spec, REPO)
    blobs = tmp_path / "hf" / "hub" / f"models--{REPO.replace('/', '--')}"

    def forget_all_but_the_record(path):
        for cached in [*blobs.glob("snapshots/*/*"), *blobs.glob("blobs/*"), path]:
            os.unlink(cached)  # noqa: PTH108 - of a dangling link too

    with loopback_hub.serve(tmp_path / "server") as server, loader(tmp_path, server.url) as load:
        first = load("v3-mobilenetv2")
        assert first["logits"] == expected_logits(spec)
        assert (first["labels"], first["output_stride"]) == ("voc2012", 8)
        sha256 = atomic.sha256(file)
        assert first["provenance"] == {
            "weights": "v3-mobilenetv2@voc2012",
            "source": f"{REPO}/pytorch_model.bin at main",
            "commit": loopback_hub.COMMIT,
            "sha256": sha256,
            "licence": "other",
        }
        assert first["notes"][0].startswith("first download of v3-mobilenetv2@voc2012: ")
        server.requests.clear()
        assert load("v3-mobilenetv2@voc2012") == first | {"notes": []}
        assert server.requests == []  # neither the Hub nor its cache is asked again

        forget_all_but_the_record(first["path"])
        server.faults["pytorch_model.bin"] = "flip"
        said = load("v3-mobilenetv2")
        assert said["error"] == "WeightsError"
        assert f"not {sha256[:12]}... as at its first use, and was deleted" in said["message"]
        assert "segcli weights remove v3-mobilenetv2@voc2012" in said["hint"]
        server.faults["pytorch_model.bin"] = "gated"
        assert load("v3-mobilenetv2")["message"].endswith(f"cannot be had: {REPO} is gated")
        server.heal("pytorch_model.bin")
        again = load("v3-mobilenetv2")
        assert (again["logits"], again["notes"]) == (first["logits"], [])
        assert load("v3plus-xception71")["error"] == "WeightsError"
        assert load("v3plus-xcepton")["error"] == "UsageError"

    with loader(tmp_path, server.url, HF_HUB_OFFLINE="1") as load:
        assert load("v3-mobilenetv2")["logits"] == first["logits"]
        forget_all_but_the_record(first["path"])
        assert "HF_HUB_OFFLINE forbids" in load("v3-mobilenetv2")["message"]


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "run" / "best.safetensors"
    model_io.save(path, network(SPEC, 11), SPEC, CAMVID, Preprocessing(size=65), {"epochs": 2}, {"miou": 0.25})
    return path


def test_the_values_of_the_photos_are_kept(saved, tmp_path):
    known = PhotoValues((-40.0, 85.5), "float32", ("3",))
    assert (model_io.load(saved).photos, photos_of(resolve(saved))) == (RGB_8_BIT, RGB_8_BIT)
    model_io.save(saved, network(SPEC, 11), SPEC, CAMVID, Preprocessing(), photos=known)
    assert (model_io.load(saved).photos, photos_of(resolve(saved))) == (known, known)
    conversion.halve(saved, tmp_path / "half.safetensors")
    assert model_io.load(tmp_path / "half.safetensors").photos == known


def test_what_is_saved_is_loaded_ready_to_run(saved):
    model = model_io.load(saved)
    assert (model.spec, model.labels, model.preprocessing) == (SPEC, CAMVID, Preprocessing(size=65))
    assert (model.output_stride, model.notes) == (8, ())
    assert model.provenance == {"weights": str(saved), "sha256": atomic.sha256(saved)}
    assert not model.network.training
    x = torch.randn(2, 3, 65, 65)
    with torch.no_grad():
        assert torch.equal(model.network(x), network(SPEC, 11)(x))
    assert checkpoint.read(saved).scores == {"miou": 0.25}


def test_a_path_may_be_text(saved, monkeypatch):
    monkeypatch.chdir(saved.parent)
    assert model_io.load("best.safetensors").labels == model_io.load(str(saved)).labels == CAMVID


def test_the_output_stride_is_chosen_when_loading(saved):
    wide = model_io.load(saved, 16)
    assert wide.output_stride == 16
    with torch.no_grad():
        assert wide.network(torch.zeros(1, 3, 65, 65)).shape == (1, 11, 5, 5)
    for stride in (7, 0):
        with pytest.raises(UsageError, match=f"cannot have output stride {stride}"):
            model_io.load(saved, stride)


def test_a_network_of_other_classes_cannot_pass_for_the_labels(tmp_path):
    model_io.save(tmp_path / "w.safetensors", network(SPEC, 21), SPEC, CAMVID, Preprocessing())
    with pytest.raises(WeightsError, match="have 21 classes, the label set 11"):
        model_io.load(tmp_path / "w.safetensors")
