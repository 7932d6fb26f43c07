import argparse
import collections
import os
import pickle
import sys
import tarfile
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from tensor_bundle_files import DATA, INDEX, bundle, tar_gz

from segcli.errors import WeightsError
from segcli.weights import foreign

STATE = {"conv.weight": torch.arange(6.0).reshape(2, 3), "bn.num_batches_tracked": torch.tensor(7)}


class Loud:
    """An object whose class speaks when one is made, or gets its contents back."""

    def __reduce__(self):
        return say, ("code ran",), {"more": 1}


def say(text):
    sys.stdout.write(text)
    return Loud()


def prefixed(prefix):
    return {prefix + name: tensor for name, tensor in STATE.items()}


def same(tensors, expected=STATE):
    return tensors.keys() == expected.keys() and all(torch.equal(tensors[name], expected[name]) for name in expected)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_torch_pickles_of_both_kinds_are_read(tmp_path, zipped):
    torch.save(STATE, tmp_path / "w.pth", _use_new_zipfile_serialization=zipped)
    assert same(foreign.read(tmp_path / "w.pth"))


@pytest.mark.parametrize(
    "wrapped",
    [
        {"state_dict": STATE, "epoch": 3},
        {"model_state": STATE, "optimizer_state": {}},
        prefixed("module."),
        {"model": prefixed("module.")},
        collections.OrderedDict(STATE),
        {"model": STATE, "epoch": 3, "args": argparse.Namespace(lr=0.1, device=torch.device("cpu"))},
        {"state_dict": prefixed("model."), "hyper_parameters": {"root": Path("run")}},
        {"n_averaged": torch.tensor(9), **prefixed("module.")},
        prefixed("_orig_mod."),
        {"state_dict": prefixed("model._orig_mod.module."), "best": np.float64(0.5)},
    ],
    ids=(
        *("state_dict", "model_state", "DataParallel", "model with DataParallel", "ordered", "references", "Lightning"),
        *("averaged", "compiled", "compiled in Lightning"),
    ),
)
def test_what_training_scripts_wrap_around_is_taken_off(tmp_path, wrapped):
    torch.save(wrapped, tmp_path / "w.pth")
    assert same(foreign.read(tmp_path / "w.pth"))


def test_safetensors_are_read_whatever_they_are_called(tmp_path):
    save_file(STATE, tmp_path / "model.bin")
    assert same(foreign.read(tmp_path / "model.bin"))


def test_what_is_not_read_runs_no_code(tmp_path, capsys):
    torch.save({"model": STATE, "args": Loud()}, tmp_path / "w.pth")
    assert same(foreign.read(tmp_path / "w.pth"))
    assert capsys.readouterr().out == ""


LOUD = {
    "among others": {"w": Loud()},
    "alone": Loud(),
    "beside a network": {**prefixed("model."), "loss.weight": Loud()},
}


@pytest.mark.parametrize("content", LOUD.values(), ids=LOUD.keys())
def test_what_is_not_read_is_no_tensor_either(tmp_path, content):
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=r"which is no dense tensor|no state dict"):
        foreign.read(tmp_path / "w.pth")


def test_a_prefix_that_only_some_names_have_stays(tmp_path):
    mixed = {**prefixed("model."), "loss.weight": torch.ones(2)}
    for state in (mixed, {"n_averaged": torch.tensor(9), **STATE}):
        torch.save(state, tmp_path / "w.pth")
        assert same(foreign.read(tmp_path / "w.pth"), state)


class Harmful:
    def __reduce__(self):
        return print, ("code ran",)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_a_pickle_that_would_run_code_is_refused_and_runs_none(tmp_path, capsys, zipped):
    torch.save({"w": Harmful()}, tmp_path / "w.pth", _use_new_zipfile_serialization=zipped)
    with pytest.raises(WeightsError, match="could run code") as caught:
        foreign.read(tmp_path / "w.pth")
    assert "If you trust its author" in caught.value.hint
    assert capsys.readouterr().out == ""


def write(path, content):
    path.write_bytes(content)
    return path


def expanded():
    return torch.zeros(1).expand(1 << 40)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: p, "cannot be read"),
        (lambda p: write(p, b""), "damaged or cut short"),
        (lambda p: write(p, b"hello, I am a text file"), "is no checkpoint"),
        (lambda p: write(p, pickle.dumps([1, 2])), "no torch checkpoint|damaged|no state dict"),
        (lambda p: torch.save([1, 2], p) or p, "no state dict"),
        (lambda p: torch.save({}, p) or p, "no state dict"),
        (lambda p: torch.save({"w": 1.0}, p) or p, "'w', which is no dense tensor"),
        (lambda p: torch.save({"w": torch.eye(2).to_sparse()}, p) or p, "'w', which is no dense tensor"),
        (lambda p: torch.save({"w": expanded()}, p) or p, "w that is not stored whole"),
        (lambda p: torch.save(STATE, p) or write(p, p.read_bytes()[:-200]), "damaged or cut short"),
        (lambda p: save_file(STATE, p) or write(p, p.read_bytes()[:-1]), "damaged or cut short"),
        (lambda p: write(p, (1 << 60).to_bytes(8, "little") + b"{"), "damaged or cut short"),
        (lambda p: write(p, b"\x1f\x8b\x08" + bytes(30)), "cannot be read"),
        (lambda p: tar_gz(p, {"readme.txt": b"hello"}), "exactly one TensorFlow checkpoint"),
        (lambda p: tar_gz(p, {f"a/{INDEX}": b"", f"b/{INDEX}": b""}), "exactly one TensorFlow checkpoint"),
        (lambda p: tar_gz(p, {INDEX: b"no table", DATA: b""}), "TensorFlow checkpoint is damaged"),
    ],
    ids=(
        *("missing", "empty", "text", "plain pickle", "list", "no tensors", "number", "sparse", "tensor bomb"),
        *("pickle cut", "safetensors cut", "huge header", "gzip damaged", "other archive", "two checkpoints"),
        "not a table",
    ),
)
def test_damaged_and_hostile_files_are_one_clear_line(tmp_path, make, message):
    with pytest.raises(WeightsError, match=message) as caught:
        foreign.read(make(tmp_path / "weights"))
    assert "\n" not in caught.value.message


@pytest.fixture
def checkpoint():
    tensors = {"aspp0/weights": np.arange(8, dtype=np.float32).reshape(1, 1, 2, 4), "global_step": np.array(3)}
    return tensors, bundle(tensors)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["index first", "data first"])
def test_an_archive_is_read_in_either_order_and_nothing_is_unpacked(tmp_path, checkpoint, order):
    tensors, contents = checkpoint
    members = [(f"deeplab/{INDEX}", contents[0]), (f"deeplab/{DATA}", contents[1])]
    archive = tar_gz(
        tmp_path / "w.tar.gz", {"deeplab/frozen_inference_graph.pb": bytes(10), **dict(members[i] for i in order)}
    )
    assert same(foreign.read(archive), {name: torch.from_numpy(array) for name, array in tensors.items()})
    assert [path.name for path in tmp_path.iterdir()] == ["w.tar.gz"]


def test_loose_checkpoint_files_are_read_by_their_index(tmp_path, checkpoint):
    tensors, (index, data) = checkpoint
    (tmp_path / INDEX).write_bytes(index)
    (tmp_path / DATA).write_bytes(data)
    assert foreign.read(tmp_path / INDEX).keys() == tensors.keys()
    (tmp_path / DATA).unlink()
    with pytest.raises(WeightsError, match="cannot be read"):
        foreign.read(tmp_path / INDEX)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
@pytest.mark.parametrize(("given", "pipe"), [("weights.pth", "weights.pth"), (INDEX, DATA)])
def test_a_pipe_is_refused_before_it_is_read(tmp_path, given, pipe):
    (tmp_path / INDEX).write_bytes(b"")
    os.mkfifo(tmp_path / pipe)
    with pytest.raises(WeightsError, match=f"{pipe} is a folder, a pipe"):
        foreign.read(tmp_path / given)


def test_links_and_paths_that_lead_outside_are_never_followed(tmp_path, checkpoint):
    _, (index, data) = checkpoint
    (tmp_path / "secret").write_bytes(data)
    with tarfile.open(tmp_path / "w.tar.gz", "w:gz") as tar:
        link = tarfile.TarInfo(f"../../{DATA}")
        link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path / "secret")
        tar.addfile(link)
    with tarfile.open(tmp_path / "v.tar.gz", "w:gz") as tar:
        tar.add(write(tmp_path / "i", index), f"../../{INDEX}")
        tar.add(write(tmp_path / "d", data), f"../../{DATA}")
    with pytest.raises(WeightsError, match="exactly one"):
        foreign.read(tmp_path / "w.tar.gz")
    assert len(foreign.read(tmp_path / "v.tar.gz")) == 2  # the name is no path here, the content is streamed
    assert sorted(p.name for p in tmp_path.iterdir()) == ["d", "i", "secret", "v.tar.gz", "w.tar.gz"]


def test_an_archive_bomb_is_refused_by_its_headers(tmp_path, monkeypatch):
    monkeypatch.setattr(foreign, "MAX_ARCHIVE_BYTES", 1000)
    for contents in ({DATA: bytes(1001)}, {"a": bytes(501), "b": bytes(500)}):
        with pytest.raises(WeightsError, match="too large"):
            foreign.read(tar_gz(tmp_path / "w.tar.gz", contents))
    monkeypatch.setattr(foreign, "MAX_ARCHIVE_MEMBERS", 2)
    with pytest.raises(WeightsError, match="too large"):
        foreign.read(tar_gz(tmp_path / "w.tar.gz", {str(i): b"" for i in range(3)}))


def test_a_pickle_that_was_compressed_to_look_small_is_refused(tmp_path):
    torch.save({"w": torch.zeros(1_000_000)}, tmp_path / "w.pth")
    with ZipFile(tmp_path / "w.pth") as sound, ZipFile(tmp_path / "bomb.pth", "w", ZIP_DEFLATED) as bomb:
        for name in sound.namelist():
            bomb.writestr(name, sound.read(name))
    with pytest.raises(WeightsError, match="unpacks to 4 MB, more than the file takes"):
        foreign.read(tmp_path / "bomb.pth")
    assert foreign.read(tmp_path / "w.pth").keys() == {"w"}
