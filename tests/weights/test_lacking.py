"""Lacking weights are named with their size and address, and nothing is fetched to know that."""

from dataclasses import replace

import pytest

from segcli.models import variants
from segcli.weights import cache, manifest
from segcli.weights.lacking import address, lacking, lacking_of, of_backbone
from segcli.weights.manifest import HubFile
from segcli.weights.reference import named


@pytest.mark.usefixtures("home")
def test_weights_are_lacking_until_they_are_downloaded_and_converted(server, entry):
    found = lacking(replace(entry, size=10_400_000))
    assert str(found) == f"would download {entry.name}, 10.4 MB from {entry.source.url}"
    assert not server.requests
    cache.obtain(entry)
    assert lacking(entry) is None


@pytest.mark.usefixtures("home")
def test_a_download_that_was_not_converted_yet_needs_no_network(entry):
    path = cache.home(entry) / "weights.pth"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    assert str(lacking(entry)) == f"would convert {entry.name}, which was downloaded before"


def test_built_in_weights_are_never_lacking():
    assert lacking_of(named("street")) is None
    assert lacking_of(None) is None


def test_a_file_of_the_hub_is_told_by_the_mirror_in_use(entry, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "https://mirror.example")
    assert address(replace(entry, source=HubFile("a/b", "main", "c.bin"))) == "https://mirror.example/a/b/c.bin"


@pytest.mark.usefixtures("home")
def test_a_backbone_is_lacking_as_long_as_the_hubs_cache_has_it_not(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    spec = variants.get("v3-resnet50")
    assert of_backbone(spec).name == manifest.backbone(spec).name
