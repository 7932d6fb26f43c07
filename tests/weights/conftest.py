"""A cache of their own for the tests of weights, a server on loopback, and an entry that it serves."""

import loopback_hub
import pytest
import torch
from foreign_files import foreign_state, network

from segcli.files import download
from segcli.models import variants
from segcli.models.preprocessing import Preprocessing
from segcli.weights import manifest
from segcli.weights.manifest import WebFile, WeightsEntry

SPEC = variants.get("v3-mobilenetv2-dm05")
NAME = "v3-mobilenetv2-dm05@voc2012"


@pytest.fixture(scope="module")
def state():
    return foreign_state(network(SPEC), SPEC, "transformers")


@pytest.fixture
def server(tmp_path, state):
    root = tmp_path / "server"
    root.mkdir()
    torch.save(state, root / "weights.pth")
    with loopback_hub.serve(root) as running:
        yield running


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("SEGCLI_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(download, "PAUSE", 0.0)
    return tmp_path / "cache" / NAME


@pytest.fixture
def use(monkeypatch):
    """Makes an entry the only one in the manifest."""

    def put(entry):
        monkeypatch.setattr(manifest, "entries", lambda: (entry,))
        return entry

    return put


@pytest.fixture
def entry(server, use):
    source = WebFile(f"{server.url}/weights.pth")
    return use(WeightsEntry(NAME, source, "transformers", "MIT", Preprocessing(), labels="voc2012", default=True))
