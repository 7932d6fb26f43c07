"""A kept conversion predicts where torch cannot even be imported, with the labels of the torch path to the last one."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from heard import Heard
from PIL import Image
from small_runs import records, smooth

from segcli import processor
from segcli.errors import InputError
from segcli.export import kept_labels, onnx_cache
from segcli.images.photo import Photo
from segcli.inference.graph_segmenter import GraphSegmenter
from segcli.inference.options import ModelOptions
from segcli.inference.segmenter import Segmenter
from segcli.inference.uncertainty import uncertainty
from segcli.pipeline import converted, int8
from segcli.pipeline.model import load
from segcli.weights import model_io
from segcli.weights.reference import ModelReference

REFUSING = """
import sys

class Refusing:
    def find_spec(self, name, path=None, target=None):
        if any(f"{name}.".startswith(f"{one}.") for one in refused):
            raise ImportError(f"{name} must not be imported here")

sys.meta_path.insert(0, Refusing())
from segcli.cli.app import main
main()
"""


LITTLE = 0.1
"""The share of labels that is enough here: many classes contend in a random network."""
OF_OTHERS = (
    *("pydantic", "http", "ssl", "xml.sax", "numpy.ma", "huggingface_hub"),
    *("segcli.data", "segcli.evaluation", "segcli.training", "segcli.cli.commands.train", "segcli.crf.stage"),
    *("segcli.films.opening", "segcli.images.cutout", "segcli.images.gallery", "segcli.images.geo.geojson"),
    *("segcli.images.decoders.gif", "segcli.images.decoders.jpeg_2000", "segcli.images.decoders.tiff.reader"),
    *("segcli.images.probabilities", "segcli.images.stored", "segcli.images.values", "segcli.pipeline.int8"),
    *("segcli.pipeline.label_files", "segcli.pipeline.mergers", "segcli.pipeline.objects", "segcli.pipeline.result"),
)
"""Modules that plain photos must not wait for: those of other kinds of photos, of files and of work."""
OF_PHOTOS = (
    *("numpy", "PIL", "onnx", "onnxruntime", "importlib.metadata", "xml"),
    *("segcli.export", "segcli.films.frame", "segcli.inference.prediction", "segcli.inference.transform"),
    *("segcli.images.geo.place", "segcli.images.opening", "segcli.images.overlay", "segcli.images.read"),
    *("segcli.pipeline.converted", "segcli.pipeline.film_files", "segcli.pipeline.model"),
    *("segcli.pipeline.place_files", "segcli.pipeline.stages", "segcli.pipeline.writer"),
)
"""Modules that a run with nothing to do must not wait for, beside these."""


@pytest.fixture(scope="module")
def cache(checkpoint, tmp_path_factory):
    """A cache that has the small model's conversion."""
    folder = tmp_path_factory.mktemp("converted")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEGCLI_CACHE_DIR", str(folder))
        onnx_cache.convert(model_io.load(checkpoint))
    return folder


@pytest.fixture(autouse=True)
def home(cache, monkeypatch):
    monkeypatch.setenv("SEGCLI_CACHE_DIR", str(cache))
    monkeypatch.setattr(processor, "is_alone", lambda: True)


@pytest.fixture
def by_torch(checkpoint):
    """The same conversion, run as torch's network."""
    return Segmenter(onnx_cache.accelerated(model_io.load(checkpoint)))


def without_torch(*arguments, folder: Path, nor: tuple[str, ...] = (), first: str = "") -> subprocess.CompletedProcess:
    program = f"{first}\nrefused = {('torch', 'torchvision', *nor)}\n{REFUSING}"
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.run(command, check=False, capture_output=True, text=True, cwd=folder)


def test_predict_imports_no_torch(checkpoint, photos, by_torch, tmp_path):
    Image.fromarray(smooth(7, 300, 230)).save(photos / "large.png")  # shrunk to 97 pixels
    arguments = ("predict", photos, "-o", "out", "--weights", checkpoint, "--device", "cpu")
    done = without_torch(*arguments, folder=tmp_path, nor=OF_OTHERS)
    assert done.returncode == 0, done.stderr
    assert "under onnxruntime" in done.stderr
    made = records(tmp_path / "out")
    assert len(made) == 6
    for record in made.values():
        photo = np.asarray(Image.open(record["input"]).convert("RGB"))
        prediction = by_torch.predict([photo])[0]
        mask = np.asarray(Image.open(tmp_path / "out" / record["outputs"]["mask"]["path"]))
        assert np.array_equal(mask, prediction.labels())
        assert record["uncertainty"] == uncertainty(prediction)
    again = without_torch(*arguments, "--json", folder=tmp_path, nor=(*OF_OTHERS, *OF_PHOTOS))
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["skipped"] == 6


def test_nor_does_predict_in_8_bits_where_both_conversions_are_kept(checkpoint, photos, tmp_path, monkeypatch):
    monkeypatch.setattr(kept_labels, "ENOUGH", LITTLE)
    Image.fromarray(smooth(7, 300, 230)).save(photos / "large.png")
    pictures = {path: np.asarray(Image.open(path).convert("RGB")) for path in photos.rglob("*.*")}
    options, heard = ModelOptions(precision="int8", calibrate=photos), Heard()
    protocol = {"scales": (1.0,), "flip": False, "size": None, "tile": None}
    seen = [int8.Seen(path.name, Photo(picture)) for path, picture in pictures.items()]
    form = int8.preferred(model_io.load(checkpoint), options, protocol, lambda _: seen, heard)  # makes and keeps it
    assert form.int8, heard.warnings
    arguments = ("predict", photos, "-o", "out", "--weights", checkpoint, "--precision", "int8", "--calibrate", photos)
    first = f"from segcli.export import kept_labels; kept_labels.ENOUGH = {LITTLE}"
    done = without_torch(*arguments, folder=tmp_path, first=first)
    assert done.returncode == 0, done.stderr
    assert ", under onnxruntime, in 8 bits" in done.stderr
    made, by_torch = records(tmp_path / "out"), Segmenter(form)
    assert len(made) == 6
    for record in made.values():
        mask = np.asarray(Image.open(tmp_path / "out" / record["outputs"]["mask"]["path"]))
        assert np.array_equal(mask, by_torch.labels(pictures[Path(record["input"])]))


@pytest.mark.parametrize(
    ("options", "torch_needed"),
    [
        ({}, False),
        ({"engine": "onnx"}, False),
        ({"device": "cpu"}, False),
        ({"size": 65}, False),
        ({"engine": "torch"}, True),
        ({"flip": True}, True),
        ({"scales": (0.5, 1.0)}, True),
        ({"tile": 65}, True),
        ({"device": "cuda"}, True),
        ({"precision": "bf16"}, True),
        ({"output_stride": 16}, True),  # of which there is no conversion
    ],
    ids=str,
)
def test_where_torch_has_work_to_do_it_is_asked(checkpoint, options, torch_needed):
    made = converted.segmenter(ModelReference(path=checkpoint), ModelOptions(**options), None)
    assert (made is None) == torch_needed


def test_a_gpu_or_a_folder_that_was_begun_with_torch_wants_torch(checkpoint, monkeypatch):
    reference = ModelReference(path=checkpoint)
    assert converted.segmenter(reference, ModelOptions(), "torch") is None
    assert converted.segmenter(reference, ModelOptions(engine="onnx"), "torch") is not None
    monkeypatch.setattr(processor, "is_alone", lambda: False)
    assert converted.segmenter(reference, ModelOptions(), None) is None
    assert converted.segmenter(reference, ModelOptions(device="cpu"), None) is not None


def test_changed_weights_have_no_conversion_and_damaged_ones_are_torchs_to_tell(checkpoint, tmp_path):
    data = bytearray(checkpoint.read_bytes())
    data[-9] ^= 1
    other = tmp_path / "other.safetensors"
    other.write_bytes(data)
    assert converted.segmenter(ModelReference(path=other), ModelOptions(), None) is None
    assert converted.segmenter(ModelReference(path=tmp_path / "none.safetensors"), ModelOptions(), None) is None


@pytest.mark.parametrize("size", [None, 0, 65])
def test_the_public_interface_gives_the_same_result(checkpoint, by_torch, size):
    model = load(checkpoint, size=size)
    assert isinstance(model.segmenter, GraphSegmenter)
    photo = smooth(3, 150, 101)
    twin = Segmenter(by_torch.model, size=size)
    assert np.array_equal(model.predict(photo).labels, twin.labels(photo))
    assert np.array_equal(model.predict(photo).probabilities(), twin.probabilities(photo).numpy())
    assert model.recipe["model"]["engine"] == "onnx"
    assert model.recipe == model.options.recipe(by_torch.model)


def test_scores_that_are_no_numbers_are_told(checkpoint, monkeypatch):
    model = load(checkpoint)
    monkeypatch.setattr(model.segmenter, "graph", lambda x: np.full((1, 21, 13, 13), np.nan, np.float32))
    with pytest.raises(InputError, match="NaN or infinite values"):
        model.predict(smooth(3, 60, 50))
