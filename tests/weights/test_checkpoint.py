import json
from dataclasses import replace

import pytest
import torch
from foreign_files import network
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from segcli.errors import WeightsError
from segcli.labels import CAMVID, VOC
from segcli.models import variants
from segcli.models.networks.deeplab import build
from segcli.models.preprocessing import Preprocessing
from segcli.weights import checkpoint
from segcli.weights.checkpoint import Checkpoint

SPEC = variants.get("v3-mobilenetv2-dm05")


@pytest.fixture(scope="module")
def saved():
    recipe = {"epochs": 3, "crop": [65, 65], "note": "naïve"}
    return Checkpoint(SPEC, VOC, Preprocessing(size=257), recipe, {"miou": 0.5}, tensors=network(SPEC).state_dict())


@pytest.fixture
def path(saved, tmp_path):
    checkpoint.write(tmp_path / "a folder" / "best.safetensors", saved)
    return tmp_path / "a folder" / "best.safetensors"


def facts_of(path):
    with safe_open(path, "pt") as file:
        return json.loads(file.metadata()["segcli"])


def rewritten(path, text):
    """The same file with other metadata."""
    save_file(load_file(path), path, {"segcli": text})
    return path


def meta_network(classes=21):
    with torch.device("meta"):
        return build(SPEC, classes)


def without_counters(saved):
    return {name: t for name, t in saved.tensors.items() if not name.endswith("num_batches_tracked")}


def test_everything_comes_back(saved, path):
    back = checkpoint.read(path)
    assert replace(back, tensors={}) == replace(saved, tensors={})
    kept = without_counters(saved)
    assert back.tensors.keys() == kept.keys()
    assert all(torch.equal(back.tensors[name], kept[name]) for name in kept)
    assert [p.name for p in path.parent.iterdir()] == ["best.safetensors"]


def test_the_file_is_plain_safetensors_with_json_that_anybody_reads(path):
    facts = facts_of(path)
    assert facts["version"] == 1
    assert facts["labels"]["names"][15] == "person"
    assert facts["spec"]["backbone"]["kind"] == "mobilenetv2"


def test_equal_checkpoints_are_equal_files(saved, path):
    before = path.read_bytes()
    checkpoint.write(path, saved)
    assert path.read_bytes() == before


def test_a_filled_network_computes_what_the_saved_one_did(saved, path):
    filled = meta_network()
    checkpoint.fill(filled, checkpoint.read(path).tensors, "best")
    x = torch.randn(1, 3, 65, 65)
    with torch.no_grad():
        assert torch.equal(filled.eval()(x), network(SPEC)(x))
    assert {p.device.type for p in [*filled.parameters(), *filled.buffers()]} == {"cpu"}
    assert {p.requires_grad for p in filled.parameters()} == {True}


def test_writing_over_a_checkpoint_that_is_in_use_leaves_both_intact(saved, path):
    back = checkpoint.read(path)
    before = back.tensors["classifier.bias"].clone()
    checkpoint.write(path, replace(saved, tensors={**saved.tensors, "classifier.bias": torch.zeros(21)}))
    assert torch.equal(back.tensors["classifier.bias"], before)
    assert not checkpoint.read(path).tensors["classifier.bias"].any()


def test_half_precision_is_read_as_float32(saved, tmp_path):
    half = {name: t.half() if t.is_floating_point() else t for name, t in saved.tensors.items()}
    checkpoint.write(tmp_path / "half.safetensors", replace(saved, tensors=half))
    filled = meta_network()
    checkpoint.fill(filled, checkpoint.read(tmp_path / "half.safetensors").tensors, "half")
    assert {p.dtype for p in filled.parameters()} == {torch.float32}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": 2}, "written by a newer segcli"),
        ({"version": "1"}, "written by a newer segcli"),
        ({"version": None}, "does not say which model"),
        ({"spec": None}, "damaged metadata .lacks spec"),
        ({"spec": {"name": "x"}}, "lacks model"),
        ({"labels": {"name": "x", "names": ["a"], "palette": [], "ignore": 0}}, "damaged metadata"),
        ({"preprocessing": [1]}, "damaged metadata"),
        ({"recipe": 3}, "damaged metadata"),
    ],
    ids=str,
)
def test_metadata_of_another_kind_are_refused(path, changes, message):
    facts = {key: value for key, value in (facts_of(path) | changes).items() if value is not None}
    with pytest.raises(WeightsError, match=message):
        checkpoint.read(rewritten(path, json.dumps(facts)))


@pytest.mark.parametrize("text", ["", "{", "[1]", "3", "[" * 100_000], ids=lambda text: text[:3])
def test_metadata_that_are_none_are_refused(path, text):
    with pytest.raises(WeightsError, match="does not say which model"):
        checkpoint.read(rewritten(path, text))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: data[:-1], "cut short"),
        (lambda data: data[:100], "cut short"),
        (lambda data: b"", "cut short"),
        (lambda data: data + b"x", "not a safetensors file, or"),
        (lambda data: b"PK\x03\x04" + data, "not a safetensors file"),
        (lambda data: (1 << 62).to_bytes(8, "little") + data[8:], "not a safetensors file"),
    ],
    ids=["a byte missing", "header only", "empty", "a byte too many", "a zip", "huge header"],
)
def test_damaged_files_are_one_clear_line(path, damage, message):
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(WeightsError, match=message) as caught:
        checkpoint.read(path)
    assert "segcli weights convert" in caught.value.hint
    assert "\n" not in caught.value.message


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    for path in (tmp_path / "none.safetensors", tmp_path):
        with pytest.raises(WeightsError, match=r"there is no such file"):
            checkpoint.read(path)


def test_a_file_that_cannot_be_written_is_an_error(saved, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(WeightsError, match="cannot be written"):
        checkpoint.write(tmp_path / "file" / "best.safetensors", saved)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("aspp.project.conv.weight"), r"lack the tensor aspp.project.conv.weight\. They"),
        (lambda t: [t.pop(name) for name in list(t) if name.startswith("aspp.")], r"lack .* and \d+ more"),
        (lambda t: t.update(extra=torch.zeros(1)), r"have an unknown tensor extra\. They"),
        (
            lambda t: t.update({"aspp.project.conv.weight": torch.zeros(3, 4)}),
            r"have aspp.project.conv.weight of shape \(3, 4\), the model needs \(256, 512, 1, 1\)",
        ),
        (
            lambda t: t.update({"classifier.bias": torch.zeros(11)}),
            r"have 11 classes, the label set 21 \(classifier.bias\)",
        ),
    ],
    ids=["missing", "many missing", "unknown", "shape", "classes"],
)
def test_tensors_that_do_not_fit_are_named(saved, change, message):
    tensors = without_counters(saved)
    change(tensors)
    with pytest.raises(WeightsError, match=message):
        checkpoint.fill(meta_network(), tensors, "best")


def test_labels_of_another_dataset_are_refused(saved):
    with pytest.raises(WeightsError, match=r"have 21 classes, the label set 11"):
        checkpoint.fill(meta_network(len(CAMVID)), without_counters(saved), "best")


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_no_numbers_are_neither_written_nor_read(saved, path, tmp_path, number):
    spoilt = saved.tensors["classifier.bias"].clone()
    spoilt[7] = number
    tensors = {**without_counters(saved), "classifier.bias": spoilt}
    before = path.read_bytes()
    with pytest.raises(WeightsError, match=r"hold .* in classifier\.bias"):
        checkpoint.write(path, replace(saved, tensors=tensors))
    assert path.read_bytes() == before
    save_file(tensors, path, {"segcli": json.dumps(facts_of(path))})
    with pytest.raises(WeightsError, match=r"best\.safetensors hold .* in classifier\.bias"):
        checkpoint.read(path)


def test_a_changed_byte_of_the_tensors_or_of_the_metadata_is_noticed(path):
    whole = path.read_bytes()
    for place in (whole.index(b"aeroplane"), len(whole) // 2, len(whole) - 1):
        damaged = bytearray(whole)
        damaged[place] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(WeightsError, match="is damaged: its checksum is"):
            checkpoint.read(path)


def test_a_checkpoint_of_an_earlier_version_has_no_checksum(path, saved):
    text = json.dumps(facts_of(path))
    assert replace(checkpoint.read(rewritten(path, text)), tensors={}) == replace(saved, tensors={})
