import hashlib
import json
import os
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
import torch
from foreign_files import network
from huggingface_hub.utils import WeakFileLock
from peers import DeepLabV3Plus, tensorflow_checkpoint
from tensor_bundle_files import DATA, INDEX, bundle, tar_gz

from segcli.errors import UsageError, WeightsError
from segcli.files import atomic
from segcli.models import variants
from segcli.models.preprocessing import Preprocessing
from segcli.weights import cache, conversion, fetch, hub, model_io, tensorflow_bundle
from segcli.weights.convert.layouts import convert
from segcli.weights.manifest import OWN, HubFile, PackagedFile, WebFile, WeightsEntry

SPEC = variants.get("v3-mobilenetv2-dm05")
NAME = "v3-mobilenetv2-dm05@voc2012"

pytestmark = pytest.mark.usefixtures("home")


def names(folder):
    return sorted(path.name for path in folder.iterdir() if path.name != "lock")


def test_weights_are_downloaded_converted_and_remembered_once(server, entry, home):
    first = cache.obtain(entry)
    assert len(server.requests) == 1
    assert names(home) == [first.path.name, "record.json"]  # the download is gone
    assert first.newly_recorded
    assert first.record.sha256 == atomic.sha256(server.root / "weights.pth")
    again = cache.obtain(entry)
    assert (again.path, again.record, again.newly_recorded) == (first.path, first.record, False)
    assert len(server.requests) == 1


def test_the_note_about_an_unpublished_hash_is_said_once(entry):
    first, second = model_io.load(NAME), model_io.load(NAME)
    (note,) = first.notes
    assert note == (
        f"first download of {NAME}: no checksum of it is known; later downloads must be the same file "
        f"({first.provenance['sha256'][:12]}...)"
    )
    assert second.notes == ()
    sha256 = first.provenance["sha256"]
    assert second.provenance == {"weights": NAME, "source": entry.source.url, "sha256": sha256, "licence": "MIT"}


def test_a_hash_in_a_files_name_is_compared_and_told_but_not_enforced(server, entry, home):
    sha256 = atomic.sha256(server.root / "weights.pth")
    assert "it has the sha256 that its name says;" in cache.obtain(replace(entry, named_sha256=sha256[:8])).note()
    cache.remove(NAME)
    other = cache.obtain(replace(entry, named_sha256="0badc0de"))
    assert "its name says sha256 0badc0de, which it has not, but " in other.note()
    assert other.path.is_file()


def test_the_converted_network_is_the_original_one(entry):
    x = torch.randn(1, 3, 65, 65)
    with torch.no_grad():
        assert torch.equal(model_io.load("v3-mobilenetv2-dm05").network(x), network(SPEC)(x))


def test_what_is_here_needs_no_network_and_what_is_not_says_so(server, entry, monkeypatch):
    cache.obtain(entry)
    monkeypatch.setattr(hub.constants, "HF_HUB_OFFLINE", True)
    assert cache.obtain(entry).path.is_file()
    cache.remove(NAME)
    with pytest.raises(WeightsError, match="HF_HUB_OFFLINE forbids") as caught:
        cache.obtain(entry)
    assert f"segcli weights pull {NAME}" in caught.value.hint
    assert "--model street" in caught.value.hint
    assert caught.value.message.startswith(f"{NAME}, of a size that its source does not say, from {entry.source.url}, ")


def test_the_built_in_weights_are_offered_only_where_they_can_do_some_of_the_same(entry, monkeypatch):
    monkeypatch.setattr(hub.constants, "HF_HUB_OFFLINE", True)
    for labels, terms, offered in (("ade20k", {}, False), ("cityscapes", {"cityscapes": ""}, True)):
        with pytest.raises(WeightsError) as caught:
            fetch.fetch(replace(entry, labels=labels, terms=terms), cache.home(entry))
        assert ("--model street" in caught.value.hint) == offered


def test_a_published_hash_or_its_prefix_is_enforced(server, entry, home):
    sha256 = atomic.sha256(server.root / "weights.pth")
    assert not cache.obtain(replace(entry, sha256=sha256[:8])).newly_recorded
    cache.remove(NAME)
    with pytest.raises(WeightsError, match=rf"has sha256 {sha256[:12]}..., not 0badc0de... as published") as caught:
        cache.obtain(replace(entry, sha256="0badc0de"))
    assert "Run the command again" in caught.value.hint
    assert names(home) == []


def test_wrong_bytes_of_the_right_size_are_noticed_at_the_second_download(server, entry, home):
    first = cache.obtain(entry)
    first.path.unlink()
    server.faults["weights.pth"] = "flip"
    with pytest.raises(WeightsError, match="as at its first use, and was deleted"):
        cache.obtain(entry)
    assert names(home) == ["record.json"]
    server.heal("weights.pth")
    assert cache.obtain(entry).path == first.path


def test_a_damaged_converted_file_is_noticed_and_made_again(server, entry):
    path = cache.obtain(entry).path
    sound = path.read_bytes()
    path.write_bytes(sound[:-1] + bytes([sound[-1] ^ 1]))
    assert [problem for _, problem in cache.verify()] == ["is damaged"]
    assert cache.obtain(entry).path.read_bytes() == sound
    assert len(server.requests) == 2
    assert [problem for _, problem in cache.verify()] == [""]


def test_a_damaged_record_counts_as_first_use(entry, home):
    cache.obtain(entry)
    source = json.dumps(entry.source.url)
    for damage in (
        "",
        "[]",
        f'{{"source": {source}, "sha256": 1}}',
        '{"sha256": 1}',
        '{"source": "a", "sha256": "b", "more": 1}',
    ):
        (home / "record.json").write_text(damage)
        assert cache.obtain(entry).newly_recorded


def test_another_source_in_the_manifest_voids_the_record(server, entry):
    cache.obtain(entry)
    (server.root / "moved.pth").write_bytes((server.root / "weights.pth").read_bytes())
    moved = cache.obtain(replace(entry, source=WebFile(f"{server.url}/moved.pth")))
    assert moved.newly_recorded
    assert moved.record.source.endswith("moved.pth")


def test_what_the_conversion_depends_on_gives_another_file_and_drops_the_old(entry, home):
    first = cache.obtain(entry)
    second = cache.obtain(replace(entry, preprocessing=Preprocessing(size=257)))
    assert first.path != second.path
    assert names(home) == [second.path.name, "record.json"]
    assert not second.newly_recorded


def test_weights_of_other_classes_are_refused_and_not_kept(entry, home):
    with pytest.raises(WeightsError, match=r"have 21 classes, the label set 11 .classifier"):
        cache.obtain(replace(entry, labels="camvid"))
    assert list(home.glob("*.safetensors")) == []


def test_an_interrupted_conversion_does_not_download_again(server, entry, monkeypatch):
    with monkeypatch.context() as broken:
        broken.setattr(conversion, "convert", lambda *arguments: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            cache.obtain(entry)
    assert cache.obtain(entry).path.is_file()
    assert len(server.requests) == 1


LOGIN_PAGE = b"<!DOCTYPE html><title>Welcome to the hotel</title>"


def test_a_wrong_file_that_nobody_states_a_checksum_of_is_downloaded_again(server, entry, home):
    sound = (server.root / "weights.pth").read_bytes()
    (server.root / "weights.pth").write_bytes(LOGIN_PAGE)
    with pytest.raises(WeightsError, match="is no checkpoint"):
        cache.obtain(entry)
    assert names(home) == []
    (server.root / "weights.pth").write_bytes(sound)
    assert cache.obtain(entry).newly_recorded
    assert len(server.requests) == 2


def test_the_published_file_is_kept_though_it_does_not_fit(server, entry, home):
    sha256 = atomic.sha256(server.root / "weights.pth")
    for _ in range(2):
        with pytest.raises(WeightsError, match="have 21 classes"):
            cache.obtain(replace(entry, labels="camvid", sha256=sha256))
    assert len(server.requests) == 1


def test_two_that_start_at_once_download_once(server, entry):
    with ThreadPoolExecutor() as pool:
        here = list(pool.map(cache.obtain, [entry, entry]))
    assert here[0].path == here[1].path
    assert len(server.requests) == 1


def test_a_cache_that_may_only_be_read_is_enough_for_what_is_in_it(entry, home):
    path = cache.obtain(entry).path
    (home / "lock").unlink()
    (home / "lock").mkdir()  # root may write anywhere, but not lock a folder
    assert cache.obtain(entry).path == path


def test_listing_and_removing(entry, home):
    assert cache.cached() == []
    assert cache.remove(NAME) == 0
    size = cache.obtain(entry).path.stat().st_size
    (here,) = cache.cached()
    assert (here.name, here.bytes) == (NAME, size)
    assert size < cache.remove("v3-mobilenetv2-dm05") < size + 2000  # the record is small
    assert not home.exists()
    assert cache.cached() == []
    with pytest.raises(UsageError, match="no model is called"):
        cache.remove("../../etc")


def test_removing_clears_what_downloads_have_left_half_done_once_nobody_is_at_it(use, tmp_path, monkeypatch):
    monkeypatch.setattr(hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    source = HubFile("a/b", "main", "w.bin")
    use(WeightsEntry(NAME, source, OWN, "MIT", Preprocessing(), labels="voc2012", default=True))
    blobs = tmp_path / "hub" / "models--a--b" / "blobs"
    blobs.mkdir(parents=True)
    old, young = blobs / "aa.incomplete", blobs / "bb.0123abcd.incomplete"
    for path in (old, young):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    assert cache.remove(NAME) == 4
    assert list(blobs.iterdir()) == [young]


def test_an_archive_that_the_user_linked_into_the_cache_stays(server, entry, home, tmp_path):
    mine = tmp_path / "mine.pth"
    mine.write_bytes((server.root / "weights.pth").read_bytes())
    for spoil in (lambda: cache.remove(NAME), lambda: cache.obtain(replace(entry, sha256="0badc0de"))):
        home.mkdir(parents=True, exist_ok=True)
        (home / "weights.pth").symlink_to(mine)
        with suppress(WeightsError):
            spoil()
        assert names(home) == [] if home.exists() else True
        assert mine.is_file()
    assert server.requests == []


def test_removing_leaves_folders_alone(entry, home):
    cache.obtain(entry)
    (home / "mine").mkdir()
    (home / "mine" / "notes.txt").write_text("mine")
    cache.remove(NAME)
    assert names(home) == ["mine"]
    assert (home / "mine" / "notes.txt").is_file()


def test_removing_waits_for_who_is_at_work(entry, home):
    cache.obtain(entry)
    with ThreadPoolExecutor() as pool:
        with WeakFileLock(home / "lock"):
            removal = pool.submit(cache.remove, NAME)
            assert not wait([removal], timeout=0.3).done
            assert len(names(home)) == 2
        assert removal.result(timeout=10) > 0
    assert not home.exists()


def test_what_is_installed_with_segcli_is_verified_and_never_copied_or_removed(use, home, tmp_path, monkeypatch):
    file = tmp_path / "own.safetensors"
    file.write_bytes(b"tensors")
    monkeypatch.setattr(PackagedFile, "path", file)
    digest = hashlib.sha256(b"tensors").hexdigest()
    own = use(WeightsEntry(NAME, PackagedFile(file.name), OWN, "MIT", Preprocessing(), labels="voc2012", sha256=digest))
    assert cache.obtain(own).path == file
    assert [(here.name, here.bytes, here.problem()) for here in cache.cached()] == [(NAME, 7, "")]
    assert not home.exists()
    with pytest.raises(UsageError, match="part of segcli"):
        cache.remove(NAME)
    file.write_bytes(b"tensor?")
    with pytest.raises(WeightsError, match="is damaged"):
        cache.obtain(own)


def test_a_file_that_vanished_is_reported(entry):
    cache.obtain(entry).path.unlink()
    assert [(here.name, here.bytes, problem) for here, problem in cache.verify()] == [(NAME, 0, "is missing")]


def test_a_cache_that_cannot_be_made_says_where_to_put_it(entry, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("SEGCLI_CACHE_DIR", str(tmp_path / "file"))
    with pytest.raises(WeightsError, match="cannot be used") as caught:
        cache.obtain(entry)
    assert "SEGCLI_CACHE_DIR" in caught.value.hint


@pytest.mark.parametrize(
    ("platform", "environment", "expected"),
    [
        ("linux", {"SEGCLI_CACHE_DIR": "~/w"}, "HOME/w"),
        ("linux", {"XDG_CACHE_HOME": "/xdg"}, "/xdg/segcli"),
        ("linux", {}, "HOME/.cache/segcli"),
        ("darwin", {}, "HOME/Library/Caches/segcli"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/segcli/cache"),
    ],
)
def test_the_cache_is_where_the_platform_has_it(monkeypatch, tmp_path, platform, environment, expected):
    for name in ("SEGCLI_CACHE_DIR", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in (environment | {"HOME": str(tmp_path)}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(cache.sys, "platform", platform)
    assert cache.folder().as_posix() == expected.replace("HOME", tmp_path.as_posix())


def test_a_tensorflow_archive_becomes_a_network_bit_for_bit(server, use):
    theirs = tensorflow_checkpoint(DeepLabV3Plus("xception41"))
    tensors = {
        name: np.ascontiguousarray(tensor.numpy())
        for name, tensor in theirs.items()
        if not name.endswith("/Momentum") or "logits" in name  # the others only cost time here
    }
    index, data = bundle(tensors, crc=tensorflow_bundle.crc32c)
    tar_gz(server.root / "x41.tar.gz", {f"deeplab/{DATA}": data, f"deeplab/{INDEX}": index})
    name = "v3plus-xception41@voc2012"
    source = WebFile(f"{server.url}/x41.tar.gz")
    use(WeightsEntry(name, source, "tensorflow", "Apache-2.0", Preprocessing(), labels="voc2012", default=True))
    state = model_io.load(name).network.state_dict()
    expected = convert(theirs, "tensorflow", variants.get("v3plus-xception41"))
    assert {key for key in state if not key.endswith("num_batches_tracked")} == expected.keys()
    assert all(torch.equal(state[key], expected[key]) for key in expected)
    assert len(names(cache.folder() / name)) == 2  # the record and what was made, not the archive nor what is in it
    assert json.loads((cache.folder() / name / "record.json").read_text())["source"] == source.url


@pytest.mark.parametrize(
    "change",
    [{"sha256": "../../elsewhere"}, {"sha256": "0" * 63}, {"commit": "../main"}, {"converted_sha256": "0"}],
    ids=str,
)
def test_a_record_that_names_other_files_counts_as_none(entry, home, change):
    first = cache.obtain(entry)
    known = json.loads((home / "record.json").read_text())
    (home / "record.json").write_text(json.dumps(known | change))
    assert cache.cached() == []
    assert cache.obtain(entry).record == first.record
