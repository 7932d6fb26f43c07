"""Recipes: what may stand in them, what is refused with which advice, and that the page tells the truth."""

import re
import tomllib
from dataclasses import asdict
from pathlib import Path

import pytest
import tomli_w

from segcli.errors import UsageError
from segcli.images.reading import PhotoReading
from segcli.training import packaged, recipe
from segcli.training.recipe import Recipe

ROOT = Path(__file__).parents[2]
NAMED = '[model]\nname = "v3-mobilenetv2"\n'


def written(tmp_path, text):
    path = tmp_path / "recipe.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_what_a_recipe_leaves_out_has_its_default(tmp_path):
    found = recipe.read(written(tmp_path, NAMED + "[schedule]\nbatch = 4\n"))
    assert (found.schedule.batch, found.schedule.iterations, found.augment.scale) == (4, 30_000, (0.5, 2.0))


def test_the_page_states_every_key_with_its_default():
    page = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    stated = tomllib.loads(page.split("```toml")[1].split("```")[0])
    assert {f"{table}.{key}" for table in stated for key in stated[table]} == {
        f"{table}.{key}" for table, keys in Recipe().to_dict().items() for key in keys
    }
    assert stated["model"].pop("name") == Recipe().model.name
    assert recipe.Recipe.from_dict(
        {**stated, "model": {**stated["model"], "name": "v3-mobilenetv2"}}
    ) == recipe.Recipe.from_dict({"model": {"name": "v3-mobilenetv2"}})
    for key in ("model.dropout", "data.size"):  # without a value TOML cannot state them
        assert f"# {key.partition('.')[2]} =" in page


def test_a_model_with_differences_is_named_or_tabled_and_comes_through_a_run_s_recipe(tmp_path):
    tabled = recipe.read(
        written(
            tmp_path, '[model]\nname = "v3-resnet101"\nspec = { multi_grid = [1, 2, 3], aspp = { rates = [6, 12] } }\n'
        )
    )
    set_ = recipe.read(written(tmp_path, NAMED), ["model.name=v3-resnet101+mg=1,2,3+rates=6,12"])
    assert tabled.model.asked() == set_.model.asked()
    assert tabled.model.asked().name == "v3-resnet101+multi_grid=1,2,3+rates=6,12"
    assert Recipe.from_dict(tomllib.loads(tomli_w.dumps(tabled.to_dict()))) == tabled
    assert hash(tabled) == hash(Recipe.from_dict(tabled.to_dict()))
    assert "spec" not in set_.to_dict()["model"]


@pytest.mark.parametrize("grid", ["[1, 2, 3]", "1,2,3"])
def test_set_reaches_the_keys_of_a_table_of_a_table(tmp_path, grid):
    """`--set model.spec.aspp.image_pooling=false`; lists as TOML has them, or as a model's name has them."""
    path = written(tmp_path, '[model]\nname = "v3-resnet101"\nspec = { stem = "3x3x3", mg = [1, 2, 1] }\n')
    before = path.read_text()
    changes = [f"model.spec.mg={grid}", "model.spec.aspp.image_pooling=false", "model.spec.aspp.rates=6,12"]
    asked = recipe.read(path, changes).model.asked()
    assert asked.name == "v3-resnet101+stem=3x3x3+multi_grid=1,2,3+rates=6,12+image_pooling=false"
    assert path.read_text() == before
    tables = {"model": {"name": "v3-resnet101", "spec": {"mg": [1, 2, 1]}}}
    recipe.changed(tables, ["model.spec.mg=[2, 2, 2]"])
    assert tables["model"]["spec"] == {"mg": [1, 2, 1]}, "the caller's own tables stay"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("model.spec.multi_grad=[1, 2, 3]", "no key multi_grad"),
        ("model.spec.aspp.rates.x=3", "rates cannot be"),
        ("model.spec..mg=3", "not table.key=value"),
        ("model.name.x=3", "model.name is no table"),
        ("schedule.batch.x=3", "schedule.batch cannot be"),
        ("augment.spec.x=3", "no key augment.spec"),
    ],
)
def test_what_set_cannot_reach_is_refused(tmp_path, change, said):
    with pytest.raises(UsageError, match=re.escape(said)):
        recipe.read(written(tmp_path, NAMED), [change])


@pytest.mark.parametrize(
    ("text", "said", "advice"),
    [
        ("[schedule]\niteration = 5\n", "no key schedule.iteration", "Did you mean schedule.iterations?"),
        ('[model]\nname = "v3-resnet101"\nspec = { multi_grad = [1, 2, 3] }\n', "no key multi_grad", "multi_grid?"),
        ('[model]\nname = "v3-resnet101"\nspec = { multi_grid = [1, 2] }\n', "cannot be [1, 2]", "a list of 3"),
        ('[model]\nname = "v3-mobilenetv2"\nspec = { mg = [1, 2, 3] }\n', "mobilenetv2 has no multi_grid", "resnet"),
        ('[model]\ninit = "street"\nspec = { multi_grid = [1, 2, 3] }\n', "no model to differ from", "model.name"),
        ('[model]\nname = "v3-resnet101"\nspec = 3\n', "model.spec cannot be 3", "a table"),
        ("[schedule]\ncrop = 5\n", "no key schedule.crop", "Did you mean augment.crop?"),
        ("[schedul]\nbatch = 4\n", "no table schedul", "Did you mean schedule?"),
        ("batch = 4\n", "no table batch", "Did you mean schedule.batch?"),
        ("schedule = 4\n", "schedule is no table", "[schedule]"),
        ("[schedule]\nbatch = 4.5\n", "schedule.batch cannot be 4.5", "a whole number"),
        ("[schedule]\nbatch = true\n", "schedule.batch cannot be True", "a whole number"),
        ("[schedule]\nbatch = 0\n", "schedule.batch cannot be 0", "in 1.."),
        ("[schedule]\nrate = nan\n", "schedule.rate cannot be nan", "a finite number"),
        ('[schedule]\npolicy = "linear"\n', "'linear'", "'cosine' or 'poly' or 'step'"),
        ("[augment]\ncrop = [65, 65, 3]\n", "augment.crop cannot be", "or a list of 2 whole numbers in 33..16384"),
        ("[augment]\ncrop = [65, 6]\n", "augment.crop cannot be", "in 33..16384"),
        ("[augment]\ncrop = 6\n", "augment.crop cannot be", "in 33..16384"),
        ("[data]\nfold = [6, 5]\n" + NAMED, "data.fold = [6, 5] is no fold", "the last one is 5"),
        ("[data]\nmean = [0.4, 0.4, 300]\n" + NAMED, "data.mean cannot be", "a list of 3 numbers in 0..255"),
        ("[data]\nstd = [0.229, 0.224, 0.225]\n" + NAMED, "for colours of 0..1", "by 255: [58.4, 57.12, 57.38]"),
        ("[data]\nmean = [0.5, 0.5, 0.5]\n" + NAMED, "for colours of 0..1", "[127.5, 127.5, 127.5]"),
        ("[data]\nmean = [104, 117, 123]\n" + NAMED, "blue first", "data.mean = [123, 117, 104]"),
        ("[schedule]\nbatch = 10\naccumulate = 4\n", "10", "multiple"),
        ("[augment]\nscale = [2, 1]\n", "no range", "smaller"),
        ("[augment]\nscale = [1]\n", "augment.scale", "list of 2 numbers"),
        ('[data]\nlabels = ["a", 1]\n', "data.labels", "text in quotes or a list of names"),
        ('[model]\ninit = "random"\n', "model.name is missing", "segcli models"),
        ("", "model.name is missing", "segcli models"),
        ('[model]\nname = "v3-mobilnetv2"\n', "'v3-mobilnetv2'", "Did you mean v3-mobilenetv2"),
        ('[model]\nname = "v2-vgg16"\noutput_stride = 16\n', "v2-vgg16 cannot have", "It can have 8."),
        (
            '[data]\nrange = "0-9"\n' + NAMED,
            "data.range cannot be '0-9'",
            '[low, high], the lower one first, or "auto"',
        ),
        ("[data]\nrange = [9, 9]\n" + NAMED, "data.range cannot be [9.0, 9.0]", "the lower one first"),
        ("[data]\nrange = [0, inf]\n" + NAMED, "data.range cannot be inf", "a finite number"),
        ("[data]\nrange = 9\n" + NAMED, "data.range cannot be 9", "text in quotes or a list of 2 numbers"),
        ("[data]\nbands = [1, 2]\n" + NAMED, "data.bands cannot be [1, 2]", "three (red, green, blue)"),
        ("[data]\nbands = [1.5]\n" + NAMED, "data.bands cannot be [1.5]", "a whole number"),
        ('[data]\nalpha = "white"\n' + NAMED, "data.alpha cannot be 'white'", "'ignore' or 'mask' or 'over-white'"),
        ("[run\n", "no valid TOML", ""),
    ],
)
def test_a_wrong_recipe_is_refused_with_what_is_meant(tmp_path, text, said, advice):
    with pytest.raises(UsageError) as caught:
        recipe.read(written(tmp_path, text))
    assert said in caught.value.message
    assert advice in caught.value.hint


def test_a_missing_file_is_a_wrong_command_line(tmp_path):
    with pytest.raises(UsageError, match="cannot read"):
        recipe.read(tmp_path / "none.toml")


def test_changes_win_over_the_file_and_take_toml_or_text(tmp_path):
    changes = ("schedule.batch=6", "schedule.batch=8", "augment.scale=[1, 1.5]", "data.images=my photos", "run.seed=3")
    found = recipe.read(written(tmp_path, NAMED + "[schedule]\nbatch = 4\n"), changes)
    assert (found.schedule.batch, found.augment.scale, found.data.images) == (8, (1.0, 1.5), "my photos")
    assert found.run.seed == 3


@pytest.mark.parametrize(
    ("changes", "reading"),
    [
        (["data.range=auto", "data.bands=nir, red ,green"], PhotoReading("auto", ("nir", "red", "green"))),
        (["data.range=0:4095", "data.bands=8", "data.alpha=mask"], PhotoReading((0, 4095), ("8",), "mask")),
        (["data.range=[-9, 4.5]", "data.bands=[8, 4, 'nir']"], PhotoReading((-9, 4.5), ("8", "4", "nir"))),
        ([], PhotoReading()),
    ],
)
def test_photos_are_read_as_the_recipe_says(tmp_path, changes, reading):
    found = recipe.read(written(tmp_path, NAMED), changes)
    assert found.data.photos() == reading
    assert recipe.Recipe.from_dict(found.to_dict()) == found
    assert ("range" in found.to_dict()["data"]) == bool(changes)


@pytest.mark.parametrize(
    ("change", "advice"),
    [("batch=4", "schedule.batch=4"), ("schedule.batch", "schedule.batch="), ("schedule.btach=4", "schedule.batch")],
)
def test_a_wrong_change_is_refused(tmp_path, change, advice):
    with pytest.raises(UsageError) as caught:
        recipe.read(written(tmp_path, ""), [change])
    assert advice in caught.value.hint


def test_a_momentum_that_no_optimizer_takes_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"optimizer.momentum"):
        recipe.read(written(tmp_path, NAMED + '[optimizer]\nkind = "adamw"\nmomentum = 1.0\n'))


def test_plain_values_lead_back():
    one = recipe.Recipe.from_dict(
        {
            "model": {"name": "v3-mobilenetv2"},
            "data": {"labels": ["a", "b"], "size": 0},
            "loss": {"class_weights": [1, 2.5]},
        }
    )
    assert recipe.Recipe.from_dict(one.to_dict()) == one
    assert "dropout" not in one.to_dict()["model"]
    assert list(map(repr, asdict(one)["loss"]["class_weights"])) == ["1.0", "2.5"]


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        # base rate, power, batch, iterations, crop, largest scale, decay, factor of the classifier, shrunk labels
        ("v1-vgg16", (0.001, 0.9, 20, 6000, 321, 1.0, 5e-4, 10.0, True)),
        ("v2-vgg16", (0.001, 0.9, 10, 20_000, 321, 1.0, 5e-4, 10.0, True)),
        ("v2-vgg16-step", (0.001, 0.9, 30, 6000, 321, 1.0, 5e-4, 10.0, True)),
        ("v2-resnet101", (2.5e-4, 0.9, 10, 20_000, 321, 1.5, 5e-4, 10.0, True)),
        ("v2-resnet101-cityscapes", (2.5e-4, 0.9, 10, 20_000, 321, 1.5, 5e-4, 10.0, True)),
        ("v3-resnet101", (0.007, 0.9, 16, 30_000, 513, 2.0, 1e-4, 1.0, False)),
        ("v3-resnet101-os8", (0.001, 0.9, 16, 30_000, 513, 2.0, 1e-4, 1.0, False)),
        ("v3-resnet101-cityscapes", (0.007, 0.9, 16, 90_000, 769, 2.0, 1e-4, 1.0, False)),
        ("v3plus-xception", (0.007, 0.9, 16, 30_000, 513, 2.0, 4e-5, 1.0, False)),
        ("v3plus-xception-os8", (0.001, 0.9, 16, 30_000, 513, 2.0, 4e-5, 1.0, False)),
    ],
)
def test_the_papers_protocols(name, facts):
    found = packaged.get(name).read()
    schedule, optimizer, augment = found.schedule, found.optimizer, found.augment
    assert facts == (
        *(schedule.rate, schedule.power, schedule.batch, schedule.iterations, augment.crop, augment.scale[1]),
        *(optimizer.weight_decay, optimizer.classifier_rate, found.loss.shrink_labels),
    )
    assert found.optimizer.momentum == 0.9
    assert found.optimizer.bias_rate == (2.0 if name.startswith(("v1", "v2")) else 1.0)
    stepwise = name in ("v1-vgg16", "v2-vgg16-step")
    assert found.schedule.policy == ("step" if stepwise else "poly")
    assert not stepwise or (schedule.step, schedule.gamma) == (2000, 0.1)
    trained = name in ("v3-resnet101", "v3-resnet101-cityscapes", "v3plus-xception")
    assert found.model.bn_decay == (0.9997 if trained else 0.9)
    assert found.model.freeze_bn == (
        name in ("v2-resnet101", "v2-resnet101-cityscapes", "v3-resnet101-os8", "v3plus-xception-os8")
    )
