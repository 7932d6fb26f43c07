"""The built-in model: what the manifest and its card say of it, and that it needs nothing but the package."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from segcli.data.folder import open_folder
from segcli.data.names import parse
from segcli.distributed import Processes
from segcli.inference.segmenter import Segmenter
from segcli.labels import CAMVID
from segcli.pipeline.tally import Tally, score
from segcli.training import packaged, recipe
from segcli.weights import checkpoint, manifest, model_io

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
LARGEST = 8_000_000


@pytest.fixture(scope="module")
def entry():
    return manifest.resolve("street")


def test_its_short_name_and_its_variant_mean_the_same_weights(entry):
    assert manifest.resolve("v3plus-mobilenetv2") is manifest.find("v3plus-mobilenetv2@street") is entry
    assert entry.licence == "Apache-2.0"


def test_the_file_is_small_and_says_what_the_manifest_says(entry):
    path = entry.source.path
    assert path.stat().st_size == entry.size <= LARGEST
    saved = checkpoint.read(path)
    assert saved.spec == entry.model_spec()
    assert saved.labels == CAMVID
    assert saved.preprocessing == entry.preprocessing


def test_it_was_trained_by_the_recipe_that_is_shipped(entry):
    shipped = packaged.get("street").read()
    assert recipe.Recipe.from_dict(checkpoint.read(entry.source.path).recipe) == shipped


def test_it_knows_scenes_that_it_has_not_seen():
    """The showcase, large and well exposed, against the renderer's own masks."""
    scenes = open_folder(EXAMPLES / "photos", EXAMPLES / "labels", parse(CAMVID))
    tally = Tally.empty(len(CAMVID), trimap=False, refined=False)
    for _ in score(scenes, Segmenter(model_io.load("street")), tally, Processes()):
        pass
    scores = tally.matrix.scores(CAMVID)
    assert scores.pixel_accuracy > 0.96
    assert scores.miou > 0.75


def test_it_predicts_with_no_network_and_no_cache(tmp_path):
    hidden = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hf"), "SEGCLI_CACHE_DIR": str(tmp_path / "cache")}
    command = [sys.executable, "-m", "segcli", "predict", str(EXAMPLES / "photos" / "avenue.jpg"), "--model", "street"]
    done = subprocess.run(
        [*command, "-o", "out"], cwd=tmp_path, env=os.environ | hidden, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "masks" / "avenue.png").is_file()
