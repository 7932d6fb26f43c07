import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from segcli import labels
from segcli.errors import UsageError, WeightsError
from segcli.models import variants
from segcli.models.preprocessing import Preprocessing
from segcli.weights import manifest
from segcli.weights.manifest import HubFile, WebFile

PRESET = """
[preprocessing.p]
resize = "long"
size = 513
pad = "square"
pad_value = 127.5
mean = [127.5, 127.5, 127.5]
std = [127.5, 127.5, 127.5]
channels = "RGB"
"""
SHARED = """
[spec.wide]
head = { channels = 512 }

[terms]
coco = "CC BY 4.0"
imagenet = ""
"""
ENTRY = """
[[weights]]
name = "v3-mobilenetv2@voc2012"
labels = "voc2012"
url = "https://example.org/weights.pth"
format = "transformers"
licence = "MIT"
preprocessing = "p"
"""


def test_a_plain_variant_means_its_default_weights():
    assert manifest.resolve("v3plus-xception").name == "v3plus-xception@voc2012"
    assert manifest.resolve("v3plus-xception").source == WebFile(
        "https://download.tensorflow.org/models/deeplabv3_pascal_train_aug_2018_01_04.tar.gz"
    )
    assert manifest.resolve("v3-mobilenetv2").source == HubFile(
        "google/deeplabv3_mobilenet_v2_1.0_513", "main", "pytorch_model.bin"
    )


@pytest.mark.parametrize("name", ["v3plus-xception@cityscapes", "v3plus-xception65@cityscapes"])
def test_a_choice_and_an_alias_are_understood(name):
    entry = manifest.resolve(name)
    assert (entry.name, entry.labels, entry.preprocessing.size) == ("v3plus-xception@cityscapes", "cityscapes", 2049)


def test_a_variant_without_weights_says_so_and_which_have_some():
    with pytest.raises(WeightsError, match="no trained weights of v3plus-xception71") as caught:
        manifest.resolve("v3plus-xception71")
    assert " v3plus-xception;" in caught.value.hint
    assert "v2-resnet101" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("v3plus-xception@citiscapes", "Did you mean v3plus-xception@cityscapes or "),
        ("v3-mobilenetv2@moon", "v3-mobilenetv2@voc2012"),
        ("v3-mobilnetv2", "v3-mobilenetv2"),
        ("stret", "Did you mean street?"),
    ],
)
def test_a_wrong_name_gets_the_nearest(name, hint):
    with pytest.raises(UsageError) as caught:
        manifest.resolve(name)
    assert hint in caught.value.hint


@pytest.mark.parametrize("variant", ["v2-resnet101", "v3-resnet50", "v3-resnet101", "v3plus-resnet101-beta"])
def test_imagenets_resnets_stride_where_they_were_trained_to(variant):
    """Timm's tv_in1k weights are torchvision's, with the stride in the 3x3; v2's own spec is Caffe's."""
    spec = variants.get(variant)
    assert manifest.adapted(spec, manifest.backbone(spec).spec).backbone.stride_in == "3x3"


def test_every_entry_fits_its_variant_and_is_reached_over_https():
    for entry in manifest.entries():
        if entry.role == "segmentation":
            assert entry.output_stride in entry.model_spec().output_strides
            assert labels.get(entry.labels)
        else:
            spec = next(spec for spec in variants.VARIANTS.values() if spec.backbone.kind == entry.variant)
            assert manifest.backbone(replace(spec, backbone=replace(spec.backbone, **entry.fits))) is entry
        if isinstance(entry.source, WebFile):
            assert urlsplit(entry.source.url).scheme == "https"


def test_every_reported_score_says_how_and_by_whom():
    for entry in manifest.entries():
        assert (entry.reported_miou is not None) == bool(entry.reported_setting) == bool(entry.reported_by)
        assert (entry.measured_miou is not None) == bool(entry.measured_setting)


def test_each_variant_with_weights_has_at_most_one_default():
    defaults = [entry.variant for entry in manifest.entries() if entry.default]
    assert len(defaults) == len(set(defaults))


def test_torchvisions_hash_prefixes_are_those_of_its_file_names():
    for name in ("v3-resnet50", "v3-resnet101", "v3-mobilenetv3"):
        entry = manifest.resolve(name)
        assert entry.source.url.endswith(f"-{entry.sha256}.pth")


def test_torchvision_itself_names_the_same_files_sizes_and_scores():
    from torchvision.models import segmentation

    for name, theirs in (
        ("v3-resnet50", segmentation.DeepLabV3_ResNet50_Weights.DEFAULT),
        ("v3-resnet101", segmentation.DeepLabV3_ResNet101_Weights.DEFAULT),
        ("v3-mobilenetv3", segmentation.DeepLabV3_MobileNet_V3_Large_Weights.DEFAULT),
    ):
        entry = manifest.resolve(name)
        assert entry.source.url == theirs.url
        assert entry.size == pytest.approx(theirs.meta["_file_size"] * 2**20, rel=1e-3)
        assert entry.reported_miou == theirs.meta["_metrics"]["COCO-val2017-VOC-labels"]["miou"]
        assert labels.get(entry.labels).names[1] == theirs.meta["categories"][1] == "aeroplane"


def test_timm_normalises_the_backbones_as_the_manifest_says():
    import timm

    for entry in manifest.entries():
        if entry.role == "backbone":
            theirs = timm.get_pretrained_cfg(entry.source.repo.removeprefix("timm/"))
            assert [round(value * 255, 3) for value in theirs.mean] == list(entry.preprocessing.mean)
            assert [round(value * 255, 3) for value in theirs.std] == list(entry.preprocessing.std)
            assert theirs.license == entry.licence.lower()


def test_what_a_source_does_differently_changes_only_that():
    spec = manifest.adapted(variants.get("v3plus-resnet101"), {"backbone": {"bn_eps": 2e-5}})
    expected = variants.get("v3plus-resnet101")
    assert spec == replace(expected, backbone=replace(expected.backbone, bn_eps=2e-5))
    with pytest.raises(WeightsError, match=r"unknown model.backbone.bn_epz"):
        manifest.adapted(expected, {"backbone": {"bn_epz": 1}})


@pytest.mark.parametrize(
    ("change", "message", "hint"),
    [
        (("licence =", "license ="), "unknown key 'license'", "Did you mean licence?"),
        (("[preprocessing.p]", "[preproccessing.p]"), "unknown key 'preproccessing'", "Did you mean preprocessing?"),
        (('format = "transformers"', 'format = "transformer"'), "format cannot be 'transformer'", "'transformers'"),
        (('labels = "voc2012"', 'labels = "voc"'), "labels is 'voc'", "voc2012"),
        (('preprocessing = "p"', 'preprocessing = "q"'), "preprocessing is 'q'", "Known: p"),
        (('licence = "MIT"\n', ""), "licence is missing", ""),
        (('licence = "MIT"', "licence = 3"), "licence cannot be 3", ""),
        (("labels =", 'spec = "other"\nlabels ='), "spec is 'other'", "Known: wide"),
        (("labels =", 'learned_from = ["cococo"]\nlabels ='), "learned_from is 'cococo'", "Did you mean coco?"),
        (("labels =", 'named_sha256 = "xyz"\nlabels ='), "named_sha256 cannot be 'xyz'", ""),
        (("url =", 'hub = { repo = "a/b" }\nurl ='), "exactly one of hub, url and packaged", ""),
        (('url = "https://example.org/weights.pth"', 'hub = { repo = "a/b" }'), "source.revision is missing", ""),
        (('url = "https://example.org/weights.pth"', 'packaged = "own.safetensors"'), "has the format", ""),
        (('pad = "square"', 'pad = "round"'), "preprocessing.pad cannot be 'round'", ""),
        (("size = 513", "size = 0"), "preprocessing.size cannot be 0", ""),
        (("channels", "channel"), "unknown key 'channel'", "Did you mean channels?"),
        (("[[weights]]", "[[weights]"), "not TOML", ""),
    ],
    ids=lambda value: value[1] if isinstance(value, tuple) else "",
)
def test_a_wrong_manifest_is_refused(change, message, hint):
    text = (PRESET + SHARED + ENTRY).replace(*change)
    assert text != PRESET + SHARED + ENTRY
    with pytest.raises(UsageError, match=message) as caught:
        manifest.parse(text)
    assert hint in caught.value.hint


def test_the_same_name_twice_is_refused():
    with pytest.raises(UsageError, match="v3-mobilenetv2@voc2012 twice"):
        manifest.parse(PRESET + ENTRY + ENTRY)
    with pytest.raises(UsageError, match="has short twice"):
        manifest.parse(PRESET + "".join(ENTRY.replace("@voc2012", f"@{i}") + 'alias = "short"\n' for i in (1, 2)))


def test_an_empty_or_a_minimal_manifest_is_fine():
    assert manifest.parse("") == ()
    (entry,) = manifest.parse(PRESET + ENTRY)
    assert (entry.sha256, entry.size, entry.default, entry.reported_miou) == ("", 0, False, None)


def test_what_entries_share_is_written_once():
    text = ENTRY + 'spec = "wide"\nlearned_from = ["imagenet", "coco"]\n'
    (entry,) = manifest.parse(PRESET + SHARED + text)
    assert entry.model_spec().head.channels == 512
    assert entry.terms == {"imagenet": "", "coco": "CC BY 4.0"}
    assert (entry.licence_of, entry.trained_on_val) == ("repository", False)


def test_every_entry_names_what_it_learned_from_and_what_learned_from_val_says_so():
    for entry in manifest.entries():
        assert entry.terms
        assert entry.trained_on_val == ("trainval" in entry.name)
        if entry.trained_on_val:
            assert " test, " in entry.reported_setting
    assert "non-commercial" in manifest.resolve("v3plus-xception@cityscapes").terms["cityscapes"]


def test_preprocessing_survives_json():
    for entry in manifest.entries():
        assert Preprocessing.from_dict(entry.preprocessing.to_dict()) == entry.preprocessing


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"std": [float("nan")] * 3},
            r"std cannot be \[nan, nan, nan\]. It must be a list of 3 numbers above 0 and up to 255",
        ),
        ({"std": [1.0, 0.0, 1.0]}, r"std cannot be \[1.0, 0.0, 1.0\]"),
        ({"mean": [10**400, 0, 0]}, "mean cannot be .* It must be a list of 3 numbers in 0..255"),
        ({"pad_value": "grey"}, "pad_value cannot be 'grey'. It must be a number in 0..255"),
        ({"size": 10**7}, "size cannot be 10000000. It must be a whole number in 0..16384"),
        ({"size": -1, "resize": "none"}, "size cannot be -1"),
        ({"size": 0}, "size cannot be 0. It must be a whole number in 1..16384, or 0 with"),
    ],
)
def test_foreign_values_that_are_no_preprocessing_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        Preprocessing.from_dict(Preprocessing().to_dict() | change)


def test_the_manifest_is_found_beside_an_installed_package_too(tmp_path):
    root = Path(manifest.__file__).parents[2]
    package = tmp_path / "site" / "segcli"
    shutil.copytree(root / "segcli", package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(root / "weights_manifest.toml", package)
    code = "from segcli.weights import manifest; print(manifest.path(), len(manifest.entries()))"
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=package.parent, capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == [str(package / "weights_manifest.toml"), str(len(manifest.entries()))]
