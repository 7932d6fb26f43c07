"""What the options of `segcli train` change in a recipe that is named beside them."""

from pathlib import Path

import pytest

from segcli.cli.options.training import Source
from segcli.data.reading import Choice
from segcli.errors import UsageError
from segcli.training import packaged, recipe


def changed(config, source, reading=None):
    return recipe.read(packaged.find(config), source.changes(config, reading or Choice()))


def test_a_packaged_recipe_forgets_the_data_that_it_was_written_for():
    data = changed("small", Source(photos=Path("photos"), labels=Path("labels"))).data
    assert (data.images, data.masks, data.labels, data.val_images) == ("photos", "labels", "", "")


def test_ones_own_recipe_keeps_its_classes(tmp_path):
    (tmp_path / "recipe.toml").write_text(
        '[model]\ninit = "street"\n[data]\nimages = "a"\nmasks = "b"\nlabels = ["leaf", "spot"]\n'
    )
    data = changed(str(tmp_path / "recipe.toml"), Source(photos=Path("photos"))).data
    assert (data.images, data.masks, data.labels) == ("photos", "", ("leaf", "spot"))


def test_every_option_has_its_key(tmp_path):
    (tmp_path / "mine.safetensors").touch()
    source = Source(names="leaf,spot", minutes=2.5, weights=tmp_path / "mine.safetensors", up=False)
    found = changed("v3plus-xception", source, Choice((0, 255), "binary", True, True, True))
    assert (found.data.labels, found.data.void, found.data.read_as) == ("leaf,spot", "0,255", "binary")
    assert (found.data.fill_boxes, found.data.skip_empty, found.data.with_predictions) == (True, True, True)
    assert found.schedule.minutes == 2.5
    assert (found.model.name, found.model.init) == ("", str(tmp_path / "mine.safetensors"))
    assert found.augment.flip_vertical
    assert found.augment.quarter_turns


def test_options_that_are_not_given_change_nothing():
    assert changed("finetune", Source()) == packaged.get("finetune").read()


def test_the_recipe_for_ones_own_masks_names_no_classes():
    """Whoever forgot to name theirs would else train cells as "leaf, fruit"."""
    assert packaged.get("finetune").read().data.labels == ""


def test_weights_are_a_file_and_no_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="--weights street: no such file"):
        changed("finetune", Source(weights=Path("street")))


def test_two_first_weights_are_refused():
    with pytest.raises(UsageError, match="cannot be used together"):
        Source(model="street", weights=Path("a.safetensors"))
