"""Result: labels, probabilities, areas, overlay and files of one photo."""

import json

import numpy as np
import pytest
from PIL import Image
from small_runs import smooth, tree
from tiny import tiny_model

from segcli.crf.params import CRFParams
from segcli.crf.settings import CRFSettings
from segcli.errors import UsageError
from segcli.inference.options import ModelOptions
from segcli.inference.segmenter import Segmenter
from segcli.pipeline.model import Model


@pytest.fixture(scope="module")
def result():
    return Model(Segmenter(tiny_model()), ModelOptions()).predict(smooth(3, 80, 60))


def test_areas_count_every_pixel(result):
    areas = result.areas()
    assert sum(areas.values()) == 60 * 80
    for name, pixels in areas.items():
        assert pixels == (result.labels == result.names.index(name)).sum()


def test_probabilities_sum_to_one_and_agree_with_the_labels(result):
    probabilities = result.probabilities()
    assert probabilities.shape == (21, 60, 80)
    assert probabilities.dtype == np.float32
    assert np.abs(probabilities.sum(0) - 1).max() < 1e-5
    assert (probabilities.argmax(0) == result.labels).mean() > 0.999
    assert result.probabilities((30, 40)).shape == (21, 30, 40)


def test_the_overlay_is_an_image_of_at_most_that_size(result):
    assert result.overlay().size == (80, 60)
    assert max(result.overlay(40).size) == 40
    with pytest.raises(UsageError, match="size cannot be 0"):
        result.overlay(0)


def test_files_are_those_of_predict(result, tmp_path):
    files = result.save(tmp_path, ["mask", "overlay", "probs", "polygons"], name="a")
    assert tree(tmp_path) == {"masks/a.png", "overlays/a.jpg", "probs/a.npz", "polygons/a.json"}
    assert np.array_equal(np.array(Image.open(files["mask"])), result.labels)
    weights = json.loads(Image.open(files["mask"]).text["segcli:weights"])
    assert weights == {}


def test_a_photo_from_memory_is_called_photo(result, tmp_path):
    assert set(result.save(tmp_path)) == {"mask", "overlay"}
    assert (tmp_path / "masks/photo.png").is_file()


@pytest.mark.parametrize("name", ["../../escaped", "a/b", "/", "", ".."])
def test_names_do_not_lead_out_of_the_folder(result, tmp_path, name):
    with pytest.raises(UsageError, match="is no name of a file"):
        result.save(tmp_path / "out", ["mask"], name=name)
    assert not list(tmp_path.parent.glob("escaped*"))


def test_kept_classes_and_what_is_not_known(result, tmp_path):
    largest = max(result.areas(), key=result.areas().get)
    files = result.save(tmp_path, ["mask"], classes=[largest])
    assert set(np.unique(np.array(Image.open(files["mask"])))) <= {0, result.names.index(largest)}
    with pytest.raises(UsageError, match="--classes unicorn: not known"):
        result.save(tmp_path, classes=["unicorn"])
    with pytest.raises(UsageError, match="save smell: not known"):
        result.save(tmp_path, ["smell"])


def test_refining_takes_what_predicting_takes(result):
    refined = result.refine()
    assert np.array_equal(refined.labels, result.refine(CRFSettings()).labels)
    assert np.array_equal(result.refine(CRFParams()).labels, refined.labels)
    assert np.array_equal(result.refine(False).labels, result.labels)
    with pytest.raises(UsageError, match="crf cannot be 'yes'"):
        result.refine("yes")
