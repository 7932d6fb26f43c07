"""The first weights of a plan: those that are named, the best that can be had, or the built-in ones."""

import pytest
import workspace
from heard import Heard

from segcli import labels
from segcli.errors import UsageError
from segcli.training.planning import start


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SEGCLI_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "cache"


def test_the_better_weights_are_taken_where_they_are(cache):
    workspace.fill_cache(cache, ["v3-mobilenetv2@voc2012"])
    heard = Heard()
    found = start.choose(listener=heard)
    assert found.init == "v3-mobilenetv2@voc2012"
    assert found.knows(labels.VOC)
    assert not found.knows(labels.get("camvid"))
    assert heard.warnings == []


def test_the_built_in_ones_are_taken_where_the_others_cannot_be_had_and_it_is_said(cache):
    heard = Heard()
    found = start.choose(listener=heard)
    assert found.init == "v3plus-mobilenetv2@street"
    (said,) = heard.warnings
    assert "segcli weights pull v3-mobilenetv2" in said


def test_weights_that_are_named_must_be_had(cache, tmp_path):
    workspace.checkpoint(tmp_path / "mine" / "best.safetensors", workspace.CAT)
    assert start.choose(tmp_path / "mine" / "best.safetensors").knows(workspace.CAT)
    assert start.choose(tmp_path / "mine").init == str(tmp_path / "mine" / "best.safetensors")
    with pytest.raises(UsageError, match="no model is called"):
        start.choose("strete")


def test_what_cannot_learn_is_refused(cache, tmp_path):
    (tmp_path / "model.onnx").touch()
    with pytest.raises(UsageError, match="is an exported model and cannot be trained"):
        start.choose(tmp_path / "model.onnx")


def test_a_dry_run_takes_what_the_manifest_tells_of_weights_that_are_not_here(cache):
    heard = Heard()
    found = start.choose(listener=heard, dry=True)
    assert (found.init, found.output_stride, heard.warnings) == ("v3-mobilenetv2@voc2012", 8, [])
    assert found.knows(labels.VOC)
    assert not cache.exists()
