"""Validation: the scores are those of the whole dataset, and what stops it names the photo and the way out."""

import pytest
import torch
from blobs import begin, blob_recipe, write_blobs

from segcli.distributed import Processes
from segcli.errors import InputError
from segcli.images.read import read_rgb
from segcli.inference import oom
from segcli.inference.segmenter import Segmenter
from segcli.training import validation
from segcli.training.validation import validate

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("blobs")
    return begin(blob_recipe(write_blobs(folder)), folder / "run")


def test_it_scores_every_photo_with_the_model_as_it_is(run):
    """Against the label maps that a Segmenter of its own gives."""
    scores, images, segmenter = validate(run.model, run.val, CPU, Processes())
    assert [image.name for image in images] == [sample.name for sample in run.val.samples]
    right, labelled = 0, 0
    for sample in run.val.samples:
        label = run.val.read_label(sample)
        found = Segmenter(run.model, CPU).labels(read_rgb(sample.image))
        right += int(((found == label) & (label != 255)).sum())
        labelled += int((label != 255).sum())
    assert scores.pixel_accuracy == pytest.approx(right / labelled)
    assert isinstance(segmenter, Segmenter)


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (f"photo.png: {oom.TOO_LARGE}", f"photo.png: {oom.TOO_LARGE} in validation"),
        ("photo.png: damaged", "photo.png: damaged"),
    ],
)
def test_a_photo_that_is_too_large_comes_with_what_to_change(run, monkeypatch, message, said):
    def failing(*_):
        raise InputError(message, "The hint.")

    monkeypatch.setattr(validation, "score", failing)
    with pytest.raises(InputError) as caught:
        validate(run.model, run.val, CPU, Processes())
    assert caught.value.message == said
    assert ("data.size" in caught.value.hint) == said.endswith("in validation")
