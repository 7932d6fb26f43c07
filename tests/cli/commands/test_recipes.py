"""`segcli recipes`: the list, and one recipe as a file of one's own."""

import json
import tomllib

from typer.testing import CliRunner

from segcli.cli.app import app
from segcli.training import packaged, recipe


def run(*arguments):
    return CliRunner().invoke(app, ["recipes", *arguments])


def test_the_list_has_every_recipe_with_its_model_dataset_and_purpose():
    result = run()
    assert result.exit_code == 0, result.output
    lines = {line.split()[0]: line for line in result.stdout.splitlines()}
    assert lines.keys() == {"name", *packaged.all_recipes()}
    assert lines["finetune"].split()[1:3] == ["v3-mobilenetv2", "folder"]
    assert lines["camvid"].rstrip().endswith(packaged.get("camvid").description)


def test_one_recipe_is_printed_as_it_stands(tmp_path):
    result = run("v3-resnet101")
    assert result.stdout == packaged.get("v3-resnet101").text
    (tmp_path / "mine.toml").write_text(result.stdout)
    assert recipe.read(tmp_path / "mine.toml") == packaged.get("v3-resnet101").read()


def test_json_has_the_same():
    listed = json.loads(run("--json").stdout)["recipes"]
    assert [entry["name"] for entry in listed] == list(packaged.all_recipes())
    assert listed[0].keys() == {"name", "model", "dataset", "description"}
    one = json.loads(run("small", "--json").stdout)
    assert one["model"] == tomllib.loads(one["toml"])["model"]["name"] == "v3plus-mobilenetv2"


def test_an_unknown_name_is_a_usage_error_with_the_nearest_one():
    result = run("finetun")
    assert result.exit_code == 2
    assert "Did you mean finetune?" in result.stderr
