"""ImageNet backbones: kept as they are in the Hub's cache, and fitted to a model."""

from dataclasses import replace

import pytest
import torch
from foreign_files import foreign_state, network
from safetensors.torch import save_file

from segcli.errors import UsageError, WeightsError
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
    change = "as mobilenetv2@imagenet was trained: padding is symmetric, not same; bn_eps is 1e-05, not 0.001"
    assert [change in note for note in found.notes] == [False, True]
    assert model_io.pretrained(found.spec).notes == ()
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


def test_a_backbone_without_weights_says_what_to_begin_with(backbone, monkeypatch):
    entry, _ = backbone
    with pytest.raises(WeightsError, match="no ImageNet weights for the backbone of v1-vgg16") as caught:
        model_io.pretrained(variants.get("v1-vgg16"))
    assert caught.value.hint == "Take a model on one of mobilenetv2."
    of_voc = {"labels": "voc2012", "default": True}
    lenders = [
        WeightsEntry(f"{name}@voc2012", entry.source, "tensorflow", "MIT", Preprocessing(), **of_voc)
        for name in ("v3plus-mobilenetv2", "v3-mobilenetv2-dm05", "v3plus-resnet101-beta")
    ]
    monkeypatch.setattr(manifest, "entries", lambda: (replace(entry, fits={"width": 1.0}), *lenders))
    for name, lender in (("v3-mobilenetv2-dm05", "v3-mobilenetv2-dm05"), ("v3plus-resnet101-beta-nodecoder",) * 2):
        with pytest.raises(WeightsError, match=f"for the backbone of {name} are known") as caught:
            manifest.backbone(variants.get(name))
        assert f'model.init = "{lender.removesuffix("-nodecoder")}@voc2012"' in caught.value.hint


def test_every_variant_but_the_narrowest_begins_with_imagenet():
    names = {name: _backbone_of(spec) for name, spec in variants.VARIANTS.items()}
    assert [name for name, entry in names.items() if entry is None] == ["v3-mobilenetv2-dm05"]
    assert names["v3-mobilenetv3"] == "mobilenetv3@imagenet"
    assert {entry for name, entry in names.items() if "-beta" in name} == {"resnet101@imagenet-v1s"}
    assert names["v3plus-resnet101"] == names["v2-resnet101"] == "resnet101@imagenet"


def _backbone_of(spec):
    try:
        return manifest.backbone(spec).name
    except WeightsError:
        return None


def test_a_condition_that_no_backbone_has_is_refused():
    text = manifest.path().read_text(encoding="utf-8").replace("fits = { width", "fits = { widht")
    with pytest.raises(UsageError, match="unknown key 'widht'"):
        manifest.parse(text)
