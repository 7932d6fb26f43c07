"""`segcli models`: what it promises programs, what people read, and the papers' figures."""

import json
import re
import shutil
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from segcli.cli.app import app
from segcli.labels import CAMVID
from segcli.models import variants
from segcli.weights import manifest


def run(*arguments):
    return CliRunner().invoke(app, ["models", *map(str, arguments)])


def facts(*arguments):
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_one_model_for_programs():
    model = facts("v3plus-xception")
    assert {"name", "parameters", "multiply_adds", "output_stride", "size", "weights"} <= model.keys()
    assert (model["name"], model["output_stride"], model["size"]) == ("v3plus-xception", 16, 513)
    assert model["multiply_adds_as_paper"] == pytest.approx(54.17e9, rel=0.005)
    for weights in model["weights"]:
        assert weights["source"].startswith("https://")
        assert weights["reported_by"]


def test_a_short_name_is_told_and_taken(monkeypatch):
    named = {"v3plus-xception@cityscapes": "town"}
    entries = tuple(replace(entry, alias=named.get(entry.name, "")) for entry in manifest.entries())
    monkeypatch.setattr(manifest, "entries", lambda: entries)
    assert "@cityscapes = town" in run().stdout
    assert "v3plus-xception@cityscapes, town for short" in run("town").stdout
    assert [weights["alias"] for weights in facts("town")["weights"]] == ["town"]


@pytest.mark.parametrize(
    ("arguments", "billions"),
    [
        (["--output-stride", "8"], 177.10),
        (["--output-stride", "16", "--ms", "--flip"], 928.81),
    ],
    ids=["OS 8", "MS and flip"],
)
def test_the_v3plus_papers_counts(arguments, billions):
    """Table 5, Xception with separable ASPP and decoder."""
    model = facts("v3plus-xception", *arguments)
    assert model["multiply_adds_as_paper"] == pytest.approx(billions * 1e9, rel=0.005)


def test_the_protocol_is_told():
    model = facts("v3-mobilenetv2", "--ms", "--flip", "--size", "257")
    assert (model["scales"], model["flip"], model["size"]) == ([0.5, 0.75, 1, 1.25, 1.5, 1.75], True, 257)
    text = " ".join(run("v3-mobilenetv2", "--ms", "--flip").stdout.split())
    assert "at scales 0.5, 0.75, 1, 1.25, 1.5, 1.75, flipped too" in text


def test_the_list_has_every_model_with_weights():
    listed = {model["name"]: model for model in facts("--size", "65")["models"]}
    assert set(listed) == {entry.variant for entry in manifest.entries() if entry.role == "segmentation"}
    assert {w["name"] for w in listed["v3plus-xception"]["weights"]} >= {
        *("v3plus-xception@voc2012", "v3plus-xception@cityscapes", "v3plus-xception@ade20k")
    }


def test_the_table_fits_people():
    result = run("--size", "65")
    heading, *rows = result.stdout.splitlines()
    for word in ("model", "backbone", "parameters", "multiply-adds", "weights", "licence", "reported mIOU"):
        assert word in heading
    assert any(row.startswith("v3-mobilenetv2 ") for row in rows)
    assert "@cityscapes-segmentron " in result.stdout, "nothing is cut short in a pipe"
    assert "segcli models --all" in result.stderr


@pytest.mark.parametrize(("width", "has_backbones"), [(80, False), (160, True)])
def test_the_table_fits_the_terminal(width, has_backbones):
    terminal = {"FORCE_COLOR": "1", "TERM": "xterm", "COLUMNS": str(width)}
    text = CliRunner().invoke(app, ["models", "--size", "65"], env=terminal).stdout
    lines = re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines()
    assert max(map(len, lines)) <= width
    assert ("backbone" in lines[0]) == has_backbones
    words = " ".join(lines).split()
    for entry in manifest.entries():
        if entry.role == "segmentation":
            assert {entry.variant, "@" + entry.name.partition("@")[2], *entry.licence.split()} <= set(words)


def test_what_is_recommended_is_listed_with_its_measured_score_and_protocol():
    lines = run("--size", "65").stdout.splitlines()
    listed = lines[lines.index("recommended:") :]
    assert max(map(len, listed)) <= 80
    chosen = [line.partition("--model ")[2].partition(",")[0] for line in listed if "--model" in line]
    assert set(chosen) == {"v3-mobilenetv2", "v3plus-xception", "v3plus-xception@cityscapes", "street"}
    assert all(manifest.resolve(name).recommended for name in chosen)
    text = " ".join(" ".join(listed).split())
    assert "measured: v3-mobilenetv2: mIOU 60.31 on 11 photos of VOC 2012 val" in text
    assert "stand-in weights" in text


def test_models_of_a_family_stand_together_the_smallest_first():
    models = facts("--size", "65")["models"]
    order = [(model["family"], model["parameters"]) for model in models]
    assert order == sorted(order)


def test_all_lists_the_ablations_too(monkeypatch):
    few = {name: variants.VARIANTS[name] for name in ("v3-mobilenetv2", "v1-vgg16", "v3plus-mobilenetv2")}
    monkeypatch.setattr(variants, "VARIANTS", few)
    listed = {model["name"]: model["weights"] for model in facts("--all", "--size", "65")["models"]}
    assert set(listed) == set(few)
    assert listed["v1-vgg16"] == []


def test_only_models_that_have_the_output_stride_are_listed():
    models = facts("--output-stride", "32", "--size", "65")["models"]
    assert models
    assert all(32 in model["output_strides"] and model["output_stride"] == 32 for model in models)
    assert "v2-resnet101" not in {model["name"] for model in models}


def test_a_choice_shows_its_weights_alone_and_counts_its_classes():
    model = facts("v3plus-xception@cityscapes", "--size", "65")
    assert [weights["name"] for weights in model["weights"]] == ["v3plus-xception@cityscapes"]
    assert model["classes"] == 19


def test_weights_tell_whose_their_licence_is_and_the_terms_of_what_they_learned_from():
    printed = run("v3plus-xception@voc2012-trainval", "--size", "65").stdout
    assert max(len(line) for line in printed.splitlines() if "://" not in line) <= 80
    text = " ".join(printed.split())
    assert "Apache-2.0 (of the repository; none of the weights' own)" in text
    assert "learned from imagenet; its terms: non-commercial research and education only" in text
    assert "learned from sbd; its terms: not found" in text
    assert "and from the photos of val: scores on them mean nothing" in text
    weights = facts("v3plus-resnet101@loveda", "--size", "65")["weights"][0]
    assert (weights["licence_of"], weights["trained_on_val"]) == ("weights", False)
    assert weights["learned_from"]["loveda"] == "CC BY-NC-SA 4.0"


def test_the_classes_are_named_once_for_all_weights_that_share_them():
    text = run("v3plus-resnet101", "--size", "65").stdout
    assert text.count("aeroplane") == 1
    assert "21 classes: background, aeroplane, " in text
    assert "150 classes: segcli models v3plus-resnet101@ade20k-150" in text
    assert "wall, building, sky" in run("v3plus-resnet101@ade20k-150", "--size", "65").stdout


def test_a_model_without_weights_says_so():
    text = run("v1-vgg16", "--size", "65").stdout
    assert "20.5 M" in text
    assert "none are published" in text


def test_a_variant_with_differences_is_shown_and_counted():
    """The v3+ paper's Table 3: 101.28 B without multi-grid."""
    name = "v3plus-resnet101-beta+mg=1,1,1"
    model = facts(name, "--output-stride", "16")
    assert model["name"] == "v3plus-resnet101-beta+multi_grid=1,1,1"
    assert model["differences"] == {"backbone.multi_grid": [1, 1, 1]}
    assert model["multiply_adds_as_paper"] == pytest.approx(101.28e9, rel=0.005)
    text = run(name, "--size", "65").stdout
    assert "multi_grid     1,1,1, in v3plus-resnet101-beta 1,2,4" in text
    assert "none are published" in text
    assert facts("v3plus-resnet101-beta+decoder=none", "--size", "65")["name"] == "v3plus-resnet101-beta-nodecoder"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["v3plus-xceptoin"], "Did you mean v3plus-xception"),
        (["v3plus-xception@cityscpaes"], "Did you mean"),
        (["v3-resnet101+multigrid=1,2,3"], "Did you mean multi_grid?"),
        (["v3-mobilenetv2", "--output-stride", "4"], "v3-mobilenetv2 has no output stride 4"),
        (["--output-stride", "4"], "no model has the output stride 4"),
        (["v3-mobilenetv2", "--size", "20"], "greater than or equal to 33"),
    ],
)
def test_wrong_usage_says_what_there_is(arguments, message):
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stdout == ""


def test_a_file_and_a_run_tell_of_themselves(tmp_path, monkeypatch):
    """`street` stays the model of that name, whatever lies here."""
    from segcli.weights import cache

    monkeypatch.chdir(tmp_path)
    file = cache.obtain(manifest.resolve("street"), None).path
    for folder in ("mine", "street"):
        (tmp_path / folder).mkdir()
        shutil.copy(file, tmp_path / folder / "best.safetensors")
    told = facts("mine")
    assert (told["path"], told["labels"]) == ("mine/best.safetensors", list(CAMVID.names))
    assert facts("mine/best.safetensors") == told
    assert "classes        11: sky, building" in run("mine").stdout
    assert "weights" in facts("street")
    for wrong, said in (("none.safetensors", "no such file"), (".", "holds no run"), ("nothing", "no model is called")):
        result = run(wrong)
        assert result.exit_code == 2
        assert said in result.stderr
