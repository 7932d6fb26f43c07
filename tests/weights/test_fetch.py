"""What the Hub states of its files, at a first download that the manifest has no sha256 for."""

import hashlib
from dataclasses import replace
from pathlib import Path

import loopback_hub
import pytest
from huggingface_hub import constants
from safetensors.torch import save
from torch import ones

from segcli.errors import WeightsError
from segcli.models.preprocessing import Preprocessing
from segcli.weights import cache, hub
from segcli.weights.manifest import HubFile, WeightsEntry

REPO, FILE = "timm/tiny", "model.safetensors"
NAME = "vgg16@imagenet"
CONTENT = save({"weight": ones(3)})
SHA256 = hashlib.sha256(CONTENT).hexdigest()
GIT_SHA1, MD5 = "a" * 40, "0" * 32
PINNED = "b" * 40

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A Hub with one repository of one file, and a cache of its own for it."""
    (tmp_path / "server" / REPO).mkdir(parents=True)
    (tmp_path / "server" / REPO / FILE).write_bytes(CONTENT)
    with loopback_hub.serve(tmp_path / "server") as running:
        monkeypatch.setattr(constants, "ENDPOINT", running.url)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", running.url + "/{repo_id}/resolve/{revision}/{filename}"
        )
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
        yield running


@pytest.fixture
def entry(server, use):
    source = HubFile(REPO, "main", FILE)
    return use(WeightsEntry(NAME, source, "timm", "MIT", Preprocessing(), role="backbone", default=True))


@pytest.fixture
def without_links(monkeypatch):
    """The Hub's cache as on Windows: files, whose names say nothing of their content."""
    fetch = hub.fetch

    def fetched(source, progress=None):
        file = fetch(source, progress)
        if file.path.is_symlink():
            file.path.resolve().replace(file.path)
        return file

    monkeypatch.setattr(hub, "fetch", fetched)


def content_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and path.stat().st_size == len(CONTENT)]


def test_the_sha256_that_the_hub_states_is_told_and_remembered(server, entry):
    here = cache.obtain(entry)
    assert here.note() == (
        f"first download of {NAME}: it has the sha256 that {server.url} states; later downloads must be "
        f"the same file ({SHA256[:12]}...)"
    )
    assert (here.record.sha256, here.record.commit) == (SHA256, loopback_hub.COMMIT)
    assert cache.obtain(entry).notes() == ()


@pytest.mark.usefixtures("without_links")
def test_where_the_cache_has_no_links_the_hub_is_asked_again(server, entry):
    assert f"the sha256 that {server.url} states" in cache.obtain(entry).known
    assert [method for method, path, *_ in server.requests if "/resolve/" in path].count("GET") == 1


def refused(server, entry, tmp_path):
    with pytest.raises(
        WeightsError, match=rf"not {SHA256[:12]}\.\.\. as {server.url} states, and was deleted"
    ) as caught:
        cache.obtain(entry)
    assert "try another network" in caught.value.hint
    assert content_in(tmp_path) == [tmp_path / "server" / REPO / FILE]
    assert cache.cached() == []


def test_a_body_that_is_not_what_the_hub_states_is_refused_and_removed(server, entry, tmp_path):
    server.faults[REPO] = "flip"
    refused(server, entry, tmp_path)
    server.heal(REPO)
    assert cache.obtain(entry).record.sha256 == SHA256


@pytest.mark.usefixtures("without_links")
def test_it_is_refused_where_the_cache_has_no_links_too(server, entry, tmp_path):
    server.faults[REPO] = "flip"
    refused(server, entry, tmp_path)


@pytest.mark.parametrize("etag", [f'"{GIT_SHA1}"', f'"{MD5}"', f'"{SHA256}-gzip"', f'"{SHA256[:-1]}"', "nonsense"])
def test_an_etag_that_is_no_sha256_is_taken_for_none(server, entry, etag):
    server.etags[REPO] = etag
    here = cache.obtain(entry)
    assert here.record.sha256 == SHA256
    assert "no checksum of it is known" in here.note()


def test_the_word_of_the_manifest_comes_before_that_of_the_hub(server, entry):
    server.etags[REPO] = f'"{"0" * 64}"'
    assert cache.obtain(replace(entry, sha256=SHA256)).notes() == ()
    with pytest.raises(WeightsError, match=r"not 0badc0de\.\.\. as published"):
        cache.obtain(replace(entry, sha256="0badc0de"))


def test_what_was_recorded_at_main_counts_for_the_commit_that_main_meant(server, entry):
    cache.obtain(entry)
    asked = len(server.requests)
    pinned = replace(entry, source=replace(entry.source, revision=loopback_hub.COMMIT))
    assert cache.obtain(pinned).notes() == ()
    assert len(server.requests) == asked
    assert cache.obtain(replace(entry, source=replace(entry.source, revision=PINNED))).newly_recorded
