"""Readers of weights, for tests/fuzz.py: checkpoints, foreign ones, exported graphs, a run's state, the caches."""

import hashlib
import io
import json
import random
from collections.abc import Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from unittest import mock

import numpy as np
import small_int8
import tensor_bundle_files
import torch
from fuzz_engine import Reader, Seed, each
from fuzz_records import rezipped
from fuzz_settings import OLD_WORK, json_absurd, nested
from safetensors.torch import save as to_safetensors

from segcli import labels
from segcli.export import export, onnx_cache
from segcli.files import atomic
from segcli.models.preprocessing import Preprocessing
from segcli.models.variants import VARIANTS
from segcli.training.output import state
from segcli.weights import cache as weights_cache
from segcli.weights import checkpoint, foreign, manifest, metadata, onnx_file

_TWO = labels.from_names(["background", "cat"])


def _checkpoint() -> checkpoint.Checkpoint:
    tensors = {"classifier.weight": torch.ones(2, 4, 1, 1), "classifier.bias": torch.zeros(2)}
    return checkpoint.Checkpoint(VARIANTS["v3-mobilenetv2"], _TWO, Preprocessing(size=65), tensors=tensors)


def _checkpoints(folder: Path) -> Sequence[Seed]:
    checkpoint.write(folder / "a.safetensors", _checkpoint())
    bare = to_safetensors({"a": torch.ones(2, 3), "b": torch.zeros(4, dtype=torch.float16)})
    return [Seed("a.safetensors", (folder / "a.safetensors").read_bytes(), form="sealed"), Seed("a.safetensors", bare)]


def _read_checkpoint(folder: Path, seed: Seed) -> None:
    path = folder / seed.path
    each(lambda: checkpoint.read(path), lambda: metadata.read(path), lambda: foreign.read(path))


def _read_sealed(folder: Path, seed: Seed) -> None:
    """A checkpoint with a checksum is read as it was written, or not at all."""
    found = checkpoint.read(folder / seed.path)
    if not (found.tensors["classifier.weight"] == 1).all() or found.tensors["classifier.bias"].any():
        raise AssertionError("other weights than were written")


def header_absurd(data: bytes, chance: random.Random) -> bytes:
    """A safetensors file whose header, which is JSON, is damaged and has the length that stands before it."""
    length = int.from_bytes(data[:8], "little")
    if not 0 < length <= len(data) - 8:
        return data[::-1]
    header = json_absurd(data[8 : 8 + length], chance)[:100_000]
    return len(header).to_bytes(8, "little") + header + data[8 + length :]


def _pickles(folder: Path) -> Sequence[Seed]:
    tensors = {"a.weight": torch.ones(2, 3), "b.bias": torch.zeros(4)}
    contents = []
    for content, old in ((tensors, False), ({"state_dict": tensors, "epoch": 3}, False), (tensors, True)):
        buffer = io.BytesIO()
        torch.save(content, buffer, _use_new_zipfile_serialization=not old)
        contents.append(buffer.getvalue())
    return [Seed("a.pth", content) for content in contents]


def _bundles(folder: Path) -> Sequence[Seed]:
    arrays = {"a/weights": np.ones((2, 3), np.float32), "b/bias": np.arange(4, dtype=np.float32)}
    index, data = tensor_bundle_files.bundle(arrays)
    members = {"x/model.ckpt.index": index, "x/model.ckpt.data-00000-of-00001": data}
    archive = tensor_bundle_files.tar_gz(folder / "a.tar.gz", members).read_bytes()
    beside = {"a.index": index, "a.data-00000-of-00001": data}
    return [*(Seed(name, content, beside) for name, content in beside.items()), Seed("a.tar.gz", archive)]


def _read_foreign(folder: Path, seed: Seed) -> None:
    foreign.read(folder / ("a.index" if seed.beside else seed.path))


@cache
def _graph() -> bytes:
    """A small network as `segcli export` writes it."""
    return export.to_onnx(export.prepare(small_int8.model()))


def _graphs(folder: Path) -> Sequence[Seed]:
    return [Seed("a.onnx", _graph())]


def _read_graph(folder: Path, seed: Seed) -> None:
    """Read an exported file, and run it once."""
    path = folder / seed.path
    each(lambda: onnx_file.facts(path), lambda: onnx_file.read(path).network(torch.zeros(1, 3, 33, 33)))


def _states(folder: Path) -> Sequence[Seed]:
    network = {"a.weight": torch.ones(2, 3), "b.bias": torch.zeros(4)}
    made = state.State(3, {"model": {}}, "0" * 64, {}, network, {"state": {}, "param_groups": []}, {}, 0.5, [{}], [1.0])
    state.write(folder, made)
    return [
        Seed("state.pt", (folder / "state.pt").read_bytes()),
        Seed("state.pt", (OLD_WORK / "run/state.pt").read_bytes()),
    ]


def _read_state(folder: Path, seed: Seed) -> None:
    """Whatever is read is what was written: the file has a checksum."""
    found = state.read(folder)
    if found.iteration != 3 or (found.network["a.weight"] != 1).any() or found.network["b.bias"].any():
        raise AssertionError("another state than was written")


def resealed(data: bytes, chance: random.Random) -> bytes:
    """A state that is damaged, with a checksum that fits."""
    content = data[: -len(state.SEAL) - 64]
    changed = rezipped(content, chance) if chance.random() < 0.7 else content[: chance.randrange(len(content) + 1)]
    return changed + state.SEAL + hashlib.sha256(changed).hexdigest().encode()


def _caches(folder: Path) -> Sequence[Seed]:
    """The record of a download, and a network converted for onnxruntime."""
    entry = manifest.find("v3-mobilenetv2@voc2012")
    record = weights_cache.Record(str(entry.source), (entry.sha256 + "0" * 64)[:64], "5282e0e", "0" * 64)
    with mock.patch.dict("os.environ", SEGCLI_CACHE_DIR=str(folder)):
        onnx_cache.folder().mkdir(parents=True)
        onnx_cache.store(small_int8.model(), _graph())
        (converted,) = onnx_cache.folder().glob("*.onnx")
        home = weights_cache.converted_path(entry, record).parent.relative_to(folder).as_posix()
    place = converted.relative_to(folder).as_posix()
    return [
        Seed(f"{home}/{weights_cache.RECORD_FILE}", json.dumps(asdict(record), indent=1).encode(), form="record"),
        Seed(place, converted.read_bytes(), form="conversion"),
    ]


def _read_cache(folder: Path, seed: Seed) -> None:
    with mock.patch.dict("os.environ", SEGCLI_CACHE_DIR=str(folder)):
        if seed.form == "record":
            list(weights_cache.cached())
            list(weights_cache.verify())
            return
        model = onnx_cache.accelerated(small_int8.model())
        if model is not None and atomic.sha256(folder / seed.path) != hashlib.sha256(_graph()).hexdigest():
            raise AssertionError("a damaged conversion is used")


_JSON = (json_absurd, nested)
WEIGHTS = (
    Reader("safetensors", _checkpoints, _read_checkpoint, (header_absurd, header_absurd), 2),
    Reader("sealed checkpoint", lambda folder: _checkpoints(folder)[:1], _read_sealed),
    Reader("torch's pickles", _pickles, _read_foreign, (rezipped, rezipped)),
    Reader("TensorFlow's bundles", _bundles, _read_foreign),
    Reader("ONNX", _graphs, _read_graph, share=0.5),
    Reader("state.pt", _states, lambda folder, seed: state.read(folder), (resealed, resealed)),
    Reader("sealed state.pt", lambda folder: _states(folder)[:1], _read_state),
    Reader("caches", _caches, _read_cache, _JSON, 0.5, keeps=False),
)
"""The readers of weights."""
