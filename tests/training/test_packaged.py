"""The recipes that come with segcli: each is one, and says in a line what it is for; names and paths."""

from itertools import pairwise

import pytest

from segcli.errors import UsageError
from segcli.training import packaged

NAMES = list(packaged.all_recipes())


def test_those_that_pages_name_are_there():
    assert {"finetune", "small", "camvid", "street", "v3plus-xception"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_each_is_a_recipe_and_says_what_it_is_for(name):
    found = packaged.get(name)
    assert found.read().run.seed == 0
    assert found.text.startswith(f"# {found.description}\n")
    assert found.description.endswith(".")
    assert "segcli train" not in found.description


@pytest.mark.parametrize("name", NAMES)
def test_the_commands_in_its_comments_name_recipes(name):
    words = packaged.get(name).text.split()
    named = [after for before, after in pairwise(words) if before == "--config"]
    assert set(named) <= set(NAMES)


def test_a_name_comes_before_a_file_and_a_path_is_a_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("finetune", "finetune.toml", "mine"):
        (tmp_path / name).touch()
    shipped = packaged.FOLDER / "finetune.toml"
    assert packaged.find("finetune") == shipped
    assert packaged.find("./finetune").resolve() == tmp_path / "finetune"
    assert packaged.find("finetune.toml").resolve() == tmp_path / "finetune.toml"
    assert packaged.find(tmp_path / "finetune") == tmp_path / "finetune"
    assert packaged.find("mine").resolve() == tmp_path / "mine"
    assert packaged.find(shipped) == shipped


@pytest.mark.parametrize(
    ("reference", "said", "advice"),
    [
        ("finetun", "no recipe is called 'finetun'", "Did you mean finetune?"),
        ("qqq", "no recipe is called 'qqq'", "`segcli recipes`"),
        ("examples/finetune.toml", "cannot read the recipe examples/finetune.toml", "--config finetune"),
        ("examples/recipes/camvd.toml", "cannot read the recipe", "Did you mean camvid?"),
        ("qqq.toml", "cannot read the recipe qqq.toml", "`segcli recipes`"),
    ],
)
def test_what_is_not_there_comes_with_what_is(reference, said, advice, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as caught:
        packaged.find(reference)
    assert said in caught.value.message
    assert advice in caught.value.hint
