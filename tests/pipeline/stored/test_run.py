"""Runs with photos in a store, or outputs in one, give what a run on this computer gives, byte for byte."""

import json
import tempfile

import fsspec
import pytest
from small_runs import records, tree

from segcli.pipeline import summing
from segcli.storage.address import parse
from segcli.storage.lease import Lease
from segcli.storage.store import Store


@pytest.fixture
def store(photos, tmp_path, monkeypatch):
    """fsspec's memory with the photos of the fixture below b/in, a text among them."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    (photos / "notes.txt").write_text("a text")
    files = fsspec.filesystem("memory")
    files.store.clear()
    for path in photos.rglob("*"):
        if path.is_file():
            files.pipe_file(f"b/in/{path.relative_to(photos).as_posix()}", path.read_bytes())
    yield files
    assert list((tmp_path / "tmp").iterdir()) == []  # nothing stays on this computer
    files.store.clear()


def pictures(folder):
    return {name: (folder / name).read_bytes() for name in tree(folder) if name.endswith((".png", ".jpg"))}


def stored(files, folder):
    found = {name.removeprefix(f"/{folder}/"): name for name in files.find(folder)}
    return {name: files.cat_file(path) for name, path in found.items() if name.endswith((".png", ".jpg"))}


def lines(files, folder):
    return [json.loads(line) for line in files.cat_file(f"{folder}/manifest.jsonl").splitlines()]


def test_photos_and_outputs_in_a_store(segcli, store, photos, tmp_path):
    here = segcli(photos, "-o", "here")
    there = segcli("memory://b/in", "-o", "memory://b/out")
    assert (here.exit_code, there.exit_code) == (0, 0), there.stderr
    assert there.stdout.replace("memory://b/out", "here") == here.stdout
    assert stored(store, "b/out") == pictures(tmp_path / "here")
    kept = records(tmp_path / "here")
    for record in lines(store, "b/out"):
        own = kept[record["name"]]
        assert record["input"] == f"memory://b/in/{own['input'].removeprefix(f'{photos}/')}"
        for key in ("settings", "sha256", "bytes", "outputs", "areas", "width", "uncertainty"):
            assert record[key] == own[key]
        assert record["etag"]
    names = {name.removeprefix("/b/out/").partition("/")[0] for name in store.find("b/out")}
    assert names == {"masks", "overlays", "areas.csv", "review.csv", "manifest.jsonl", "run.toml"}
    again = segcli("memory://b/in", "-o", "memory://b/out")
    assert "0 segmented, 5 done before, 1 other files ignored: memory://b/out" in again.stdout


def test_json_tells_of_all_photos_also_of_many(segcli, store, monkeypatch):
    monkeypatch.setattr(summing, "IN_MEMORY", 2)
    result = segcli("memory://b/in", "-o", "memory://b/out", "--json")
    told = json.loads(result.stdout)
    assert (told["output"], told["segmented"], len(told["images"])) == ("memory://b/out", 5, 5)


def test_what_has_changed_or_is_gone_is_done_again(segcli, store, photos, tmp_path):
    segcli("memory://b/in", "-o", "memory://b/out")
    store.rm_file("b/out/masks/b.png")
    store.pipe_file("b/in/a.jpg", (photos / "b.png").read_bytes())  # another content
    store.pipe_file("b/in/trip/c.webp", store.cat_file("b/in/trip/c.webp"))  # the same, written anew
    store.pipe_file("b/in/bad.jpg", b"no picture at all")
    result = segcli("memory://b/in", "-o", "memory://b/out")
    assert "2 segmented, 3 done before, 2 other files ignored" in result.stdout, result.stderr
    assert "0 segmented, 5 done before" in segcli("memory://b/in", "-o", "memory://b/out").stdout


def test_photos_of_a_store_into_a_folder_and_back(segcli, store, photos, tmp_path):
    there = segcli("memory://b/in", "-o", "from-store", "--save", "mask,polygons,gallery")
    here = segcli(photos, "-o", "memory://b/out", "--save", "mask,polygons,gallery")
    assert (there.exit_code, here.exit_code) == (0, 0), here.stderr
    assert stored(store, "b/out") == pictures(tmp_path / "from-store")
    coco = json.loads(store.cat_file("b/out/polygons.json"))
    assert len(coco["images"]) == 5
    assert {
        one["file_name"] for one in json.loads((tmp_path / "from-store" / "polygons.json").read_text())["images"]
    } == {f"memory://b/in/{name}" for name in ("a.jpg", "b.png", "trip/a.jpg", "trip/c.webp", "trip/day 2/ü.bmp")}
    assert "5 done before" in segcli("memory://b/in", "-o", "from-store", "--save", "mask,polygons,gallery").stdout


def test_a_bad_photo_fails_alone_under_its_address(segcli, store, photos, tmp_path):
    store.pipe_file("b/in/half.jpg", (photos / "a.jpg").read_bytes()[:600])
    result = segcli("memory://b/in", "-o", "out")
    assert result.exit_code == 3
    assert "failed: memory://b/in/half.jpg" in result.stderr
    assert "segcli-store" not in result.stderr + (tmp_path / "out" / "manifest.jsonl").read_text()


def test_what_was_named_and_is_no_photo_is_a_failure(segcli, store, tmp_path):
    result = segcli("memory://b/in/a.jpg", "memory://b/in/notes.txt", "-o", "out")
    assert result.exit_code == 3
    assert "failed: memory://b/in/notes.txt" in result.stderr
    assert "1 segmented, 1 failed" in result.stdout


def test_a_photo_that_vanished_fails_alone(segcli, store, tmp_path, monkeypatch):
    fetch = Store.fetch

    def gone(self, entry, path):
        if entry.address.name == "b.png":
            store.rm_file("b/in/b.png")
        return fetch(self, entry, path)

    monkeypatch.setattr(Store, "fetch", gone)
    result = segcli("memory://b/in", "-o", "memory://b/out")
    assert result.exit_code == 3
    assert "memory://b/in/b.png is not there any more" in result.stderr
    assert {record["name"]: record["status"] for record in lines(store, "b/out")}["b"] == "failed"


def test_a_deep_photo_without_a_stated_range_is_refused(segcli, store, photos):
    import numpy as np
    from PIL import Image

    Image.fromarray((np.arange(4800, dtype=np.uint16) * 13).reshape(60, 80)).save(photos / "deep.png")
    store.pipe_file("b/deep/deep.png", (photos / "deep.png").read_bytes())
    result = segcli("memory://b/deep", "-o", "out")
    assert result.exit_code == 1
    assert "nothing says which values of uint16 become black and white. Give --range LO:HI" in result.stderr
    assert segcli("memory://b/deep", "-o", "out", "--range", "0:62400").exit_code == 0


def test_a_run_that_another_keeps_is_refused(segcli, store):
    other = Lease(Store(parse("memory://b/out")), parse("memory://b/out"))
    other.take()
    result = segcli("memory://b/in", "-o", "memory://b/out")
    other.release()
    assert result.exit_code == 2
    assert "another process is writing to memory://b/out; nothing was done here" in result.stderr
    assert not [name for name in store.find("b/out") if "lease" not in name]


def test_a_run_that_was_stopped_goes_on(segcli, store, monkeypatch):
    from segcli.pipeline.stored.destination import Destination
    from segcli.storage.trouble import StoreError

    publish = Destination.publish
    left = iter(range(2))

    def stopped(self, record, before):
        if next(left, None) is None:
            raise StoreError("s3://b is too busy", "Later.")
        return publish(self, record, before)

    with monkeypatch.context() as patch:
        patch.setattr(Destination, "publish", stopped)
        result = segcli("memory://b/in", "-o", "memory://b/out")
    assert (result.exit_code, "is too busy" in result.stderr) == (1, True)
    assert store.find("b/out/manifest")
    assert not store.find("b/out/.segcli-lease")
    result = segcli("memory://b/in", "-o", "memory://b/out")
    assert result.exit_code == 0
    names = [record["name"] for record in lines(store, "b/out")]
    assert (len(names), len(set(names))) == (5, 5)
    assert not store.find("b/out/manifest")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["memory://b/in", "-o", "memory://b/out", "--save", "labelme"], "not possible in a store"),
        (["memory://b/in", "--pages"], "--pages opens every file"),
        (["memory://b/in", "photos"], "photos lies on this computer"),
        (["photos", "-o", "https://host/out"], "segcli does not write to https://"),
        (["s3://AKIA:secret@b/in"], "holds credentials"),
        (["memory://b/none"], "memory://b/none is not there"),
    ],
)
def test_what_cannot_be_is_refused_first(segcli, store, photos, arguments, said):
    result = segcli(*arguments)
    assert result.exit_code == 2
    assert said in result.stderr
    assert "secret" not in result.stderr


def test_run_toml_repeats_the_run_and_holds_no_signature(segcli, store, tmp_path):
    segcli("memory://b/in", "-o", "memory://b/out")
    (tmp_path / "run.toml").write_bytes(store.cat_file("b/out/run.toml"))
    assert "5 done before" in segcli("--from", "run.toml").stdout


def test_a_dry_run_writes_nothing(segcli, store):
    result = segcli("memory://b/in", "-o", "memory://b/out", "--dry-run")
    assert result.exit_code == 0, result.stderr
    assert "to do         5 photos" in result.stdout
    assert store.find("b/out") == []
