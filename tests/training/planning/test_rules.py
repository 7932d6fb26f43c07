"""The rules, on facts that are made up: each key of the recipe and the reason for it."""

import numpy as np
import pytest

from segcli import labels
from segcli.data.census import Census
from segcli.labels import from_names
from segcli.models import variants
from segcli.models.preprocessing import Preprocessing
from segcli.training.planning import rules
from segcli.training.planning.fingerprint import Fingerprint
from segcli.training.planning.machine import Machine
from segcli.training.planning.rules import Facts
from segcli.training.planning.start import Start
from segcli.training.planning.upright import Upright
from segcli.training.recipe import Recipe
from segcli.weights.metadata import Metadata

CLASSES = from_names(["field", "leaf", "spot"])


class Device:
    """Stands for torch's, whose type alone is asked for."""

    def __init__(self, kind):
        self.type = kind


def facts(
    *,
    photos=40,
    size=(900, 1200),
    pixels=(8000, 1800, 200),
    spot=200.0,
    has_up=True,
    first=labels.VOC,
    own=None,
    model="v3-mobilenetv2",
    **others,
):
    """Facts of photos whose rarest class has regions of `spot` pixels a side."""
    census = Census(len(CLASSES))
    census.pixels[:3], census.images[:3], census.labels = pixels, photos, photos
    regions = np.array([[0, 0, 900.0], [1, 0, 400.0], [2, 0, spot]])
    found = Fingerprint(CLASSES, photos, census, np.array([size] * photos), Upright(has_up, "because"), regions=regions)
    start = Start("v3-mobilenetv2@voc2012", Metadata(variants.get(model), first, own or Preprocessing()), "small")
    kind = others.pop("kind", "cpu")
    return Facts(found, start, Machine(Device(kind), kind, 4, 8 << 30), **others)


def keys(reasons):
    return {key: value for reason in reasons for key, value in reason.keys.items() if value is not None}


def decided(**what):
    return keys(rules.decide(facts(**what)))


def test_the_decisions_are_a_recipe():
    tables = {}
    for key, value in decided().items():
        table, _, name = key.partition(".")
        tables.setdefault(table, {})[name] = value
    recipe = Recipe.from_dict(tables)
    assert recipe.augment.crop_size == (257, 257)
    assert recipe.model.freeze_bn


@pytest.mark.parametrize(
    ("photos", "held_out"), [(4, 0), (7, 0), (8, 3), (15, 3), (40, 8), (100, 20), (250, 50), (251, 50), (5000, 50)]
)
def test_photos_are_held_out_where_they_can_be_spared(photos, held_out):
    made = facts(photos=photos)
    assert made.held_out == held_out
    found = keys([rules.hold_out(made)])
    assert found["data.holdout"] == pytest.approx(held_out / photos, abs=1e-4)
    assert found.get("data.holdout_by") == ("group" if held_out else None)


def test_what_is_not_validated_is_said():
    assert "not validated" in str(rules.hold_out(facts(photos=5)))
    assert "--folds" in str(rules.hold_out(facts(photos=5)))


def test_folds_hold_out_parts_of_their_own():
    made = facts(photos=20, folds=5)
    assert (made.held_out, made.learned) == (4, 16)
    assert "data.holdout" not in rules.hold_out(made).keys


@pytest.mark.parametrize(
    ("size", "spot", "own", "working", "said"),
    [
        ((900, 1200), 200.0, Preprocessing(), None, "the size of the first weights"),
        ((300, 400), 200.0, Preprocessing(), 417, "no photo has more than 400 pixels"),
        ((900, 1200), 30.0, Preprocessing(), 641, "to see small things"),  # 30 * 513 / 1200 = 12.8, which shall be 16
        ((900, 1200), 2.0, Preprocessing(), 1025, "about 2 pixels wide"),
        ((300, 400), 10.0, Preprocessing(), 417, "about 10 pixels wide"),
        (
            (900, 1200),
            2.0,
            Preprocessing(resize="short", size=520, pad="none"),
            None,
            "the first weights were trained so",
        ),
        ((900, 1200), 2.0, Preprocessing(resize="none", size=0, pad="none"), None, "that of each photo"),
    ],
)
def test_the_working_size_is_the_models_own_but_for_small_photos_and_small_things(size, spot, own, working, said):
    reason = rules.working_size(facts(size=size, spot=spot, own=own))
    assert reason.keys["data.size"] == working
    assert said in str(reason)


@pytest.mark.parametrize(
    ("size", "kind", "crop"),
    [((900, 1200), "cpu", 257), ((900, 1200), "cuda", 513), ((120, 160), "cpu", 161), ((200, 300), "cuda", 321)],
)
def test_crops_are_no_larger_than_the_photos(size, kind, crop):
    found = decided(size=size, kind=kind)["augment.crop"]
    assert found == crop
    assert found % 32 == 1


@pytest.mark.parametrize(
    ("photos", "kind", "batch", "frozen"),
    [(40, "cpu", 4, True), (12, "cpu", 2, True), (4, "cpu", 2, True), (200, "cuda", 16, False), (50, "cuda", 8, True)],
)
def test_a_batch_is_no_more_than_a_fifth_of_the_photos(photos, kind, batch, frozen):
    found = decided(photos=photos, kind=kind)
    assert (found["schedule.batch"], found["model.freeze_bn"]) == (batch, frozen)


def test_classes_that_the_weights_know_are_learned_gently():
    assert decided()["schedule.rate"] == 0.005
    assert decided()["optimizer.classifier_rate"] == 10
    known = decided(first=CLASSES)
    assert known["schedule.rate"] == 0.0007
    assert "optimizer.classifier_rate" not in known
    assert not facts().thawed
    assert facts(first=CLASSES).thawed
    assert facts(asked={"model.freeze_backbone": 0}).thawed


@pytest.mark.parametrize(
    ("pixels", "focus"),
    [((9000, 800, 200), None), ((9000, 950, 50), 0.33), ((9000, 995, 5), 0.5), ((9000, 1000, 0), None)],
)
def test_crops_are_laid_around_rare_classes(pixels, focus):
    assert decided(pixels=pixels).get("augment.focus") == focus


def test_only_pictures_without_an_up_are_turned():
    assert "augment.flip_vertical" not in decided()
    turned = decided(has_up=False)
    assert turned["augment.flip_vertical"]
    assert turned["augment.quarter_turns"]


def test_rules_build_on_what_the_user_has_set():
    assert decided(asked={"data.size": 129})["augment.crop"] == 129
    assert facts(asked={"data.holdout": 0.5}).held_out == 20
    assert not decided(asked={"schedule.batch": 32})["model.freeze_bn"]


def test_it_learns_at_16_and_predicts_at_the_first_weights_own_stride():
    found = decided()
    assert (found["model.output_stride"], found["model.eval_output_stride"]) == (16, 8)
    assert "model.eval_output_stride" not in decided(asked={"model.output_stride": 8})
    assert rules.stride(facts(model="v3plus-mobilenetv2")) is None  # whose own is 16


def test_small_classes_count_where_classes_are_new():
    assert decided()["loss.lovasz"] == 1
    assert "loss.lovasz" not in decided(first=CLASSES)


@pytest.mark.parametrize(("name", "frozen"), [("v3-mobilenetv2", True), ("v3plus-mobilenetv2", False)])
def test_fresh_batch_normalisation_learns(name, frozen):
    assert decided(asked={"model.name": name})["model.freeze_bn"] is frozen


def test_a_fresh_head_knows_no_classes_whatever_lends_the_backbone():
    known = facts(first=CLASSES, asked={"model.name": "v3plus-mobilenetv2"})
    assert not known.knows
    said = (
        "v3-mobilenetv2@voc2012: small; v3plus-mobilenetv2 uses only their backbone, and all its other layers start new"
    )
    assert str(rules.first_weights(known)) == said
    assert decided(first=CLASSES, asked={"model.name": "v3plus-mobilenetv2"})["schedule.rate"] == 0.005
