"""ImageNet backbones: kept as they are in the Hub's cache, and fitted to a model."""

from dataclasses import replace

import pytest
import torch
from foreign_files import foreign_state, network
from safetensors.torch import save_file

from segcli.errors import WeightsError
from segcli.models import variants
from segcli.models.preprocessing import Preprocessing
from segcli.weights import cache, hub, manifest, model_io
from segcli.weights.manifest import HubFile, WeightsEntry

pytestmark = pytest.mark.usefixtures("home")


def kept_files(folder):
    return sorted(path.name for path in folder.iterdir() if path.name != "lock")


@pytest.fixture
def backbone(use, tmp_path, monkeypatch):
    """An entry for a backbone, and the file that the Hub's cache has of it."""
    source = HubFile("timm/mobilenetv2_100.ra_in1k", "main", "model.safetensors")
    changes = {"backbone": {"padding": "symmetric", "bn_eps": 1e-5}}
    spec = manifest.adapted(variants.get("v3plus-mobilenetv2"), changes)
    path = tmp_path / "model.safetensors"
    save_file(foreign_state(network(spec), spec, "timm"), path)
    monkeypatch.setattr(hub, "fetch", lambda source, progress: hub.CachedFile(path, "c" * 40))
    options = {"role": "backbone", "default": True, "spec": changes}
    return use(WeightsEntry("mobilenetv2@imagenet", source, "timm", "Apache-2.0", Preprocessing(), **options)), path


def test_a_backbone_stays_in_the_hubs_cache_and_fits_the_model(backbone):
    entry, path = backbone
    found = model_io.pretrained(variants.get("v3plus-mobilenetv2"))
    assert (found.spec.backbone.padding, found.spec.backbone.bn_eps) == ("symmetric", 1e-5)
    state = network(found.spec).state_dict()
    assert found.tensors.keys() == {
        key for key in state if key.startswith("backbone.") and not key.endswith("num_batches_tracked")
    }
    assert all(torch.equal(found.tensors[key], state[key]) for key in found.tensors)
    assert found.provenance["commit"] == "c" * 40
    assert len(found.notes) == 1
    assert model_io.pretrained(variants.get("v3-mobilenetv2")).notes == ()
    assert kept_files(cache.folder() / entry.name) == ["record.json"]
    assert path.is_file()


def test_a_backbone_that_is_not_the_published_file_is_refused_and_deleted(backbone, use):
    entry, path = backbone
    use(replace(entry, sha256="0badc0de"))
    with pytest.raises(WeightsError, match="as published, and was deleted"):
        model_io.pretrained(variants.get("v3plus-mobilenetv2"))
    assert not path.exists()


def test_where_a_backbone_cannot_be_had_no_model_is_offered_instead(backbone, monkeypatch):
    def unreachable(source, progress):
        raise WeightsError("cannot reach the Hub", "Check the network.")

    monkeypatch.setattr(hub, "fetch", unreachable)
    with pytest.raises(WeightsError) as caught:
        model_io.pretrained(variants.get("v3plus-mobilenetv2"))
    assert caught.value.hint == "Check the network."


def test_a_backbone_that_nobody_states_a_checksum_of_must_be_a_checkpoint(backbone):
    entry, path = backbone
    blob = path.with_name("blob")  # as the Hub's cache has it: a link to the content
    blob.write_bytes(b"<!DOCTYPE html><title>Welcome to the hotel</title>")
    path.unlink()
    path.symlink_to(blob)
    with pytest.raises(WeightsError, match="is no checkpoint"):
        cache.obtain(entry)
    assert not blob.exists()
    assert not path.is_symlink()
    assert kept_files(cache.folder() / entry.name) == []


def test_a_kind_of_backbone_without_weights_says_so(backbone):
    with pytest.raises(WeightsError, match="no ImageNet weights of a vgg16") as caught:
        model_io.pretrained(variants.get("v1-vgg16"))
    assert "They exist for mobilenetv2." in caught.value.hint
