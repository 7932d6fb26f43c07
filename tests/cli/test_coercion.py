"""Values of options as Typer itself makes them, and made without pydantic where they are plain."""

from pathlib import Path
from typing import Annotated, Literal

import pytest
import typer
from typer.testing import CliRunner

from segcli.cli.app import app as segcli
from segcli.cli.coercion import QuickCommand
from segcli.cli.options.parsing import Parsed, choice, scale_list

app, quick_app = typer.Typer(), typer.Typer()


@quick_app.command(cls=QuickCommand)
@app.command()
def paint(
    inputs: Annotated[list[str], typer.Argument()],
    output: Annotated[Path, typer.Option("-o")] = Path("out"),
    there: Annotated[Path | None, typer.Option(exists=True)] = None,
    coats: Annotated[int, typer.Option(min=1, max=9)] = 1,
    area: Annotated[int | None, typer.Option()] = None,
    share: Annotated[float, typer.Option()] = 0.5,
    tool: Annotated[str, typer.Option(parser=choice("--tool", ("brush", "roller")))] = "brush",
    scales: Annotated[tuple | None, typer.Option(parser=Parsed(scale_list, "--scales"))] = None,
    kind: Annotated[Literal["oil", "acryl"], typer.Option()] = "oil",
    colour: Annotated[str, typer.Option()] = "white",
    changes: Annotated[list[str] | None, typer.Option("--set")] = None,
    dry: Annotated[bool, typer.Option("--dry")] = False,
) -> None:
    print([inputs, output, there, coats, area, share, tool, scales, kind, colour, changes, dry])  # noqa: T201


LINES = [
    ["a"],
    ["a", "b", "-o", "x/../y", "--coats", "9", "--area", "007", "--dry"],
    ["", "-o", ""],
    ["a", "--share", "1e-3", "--tool", "roller", "--scales", "0.5,1", "--kind", "acryl", "--colour", "#ff0000"],
    ["a", "--set", "b=1", "--set", "c=2"],
    ["a", "--there", "here.txt"],
    ["a", "--there", "nowhere.txt"],
    ["a", "--coats", "0"],
    ["a", "--coats", "1_0"],
    ["a", "--area", "-5"],
    ["a", "--area", "٣"],
    ["a", "--area", "123456789012345678901234567890"],
    ["a", "--kind", "water"],
    [],
]


def told(command, arguments, monkeypatch):
    """What a command prints of its values or of what is wrong with them, and its exit code."""
    monkeypatch.setattr(typer.testing, "_get_command", lambda _: command)
    result = CliRunner().invoke(app, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.output, result.exit_code


@pytest.mark.parametrize("arguments", LINES, ids=" ".join)
def test_values_and_errors_are_typers(arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here.txt").touch()
    quick, typers = (typer.main.get_command(one) for one in (quick_app, app))
    assert told(quick, arguments, monkeypatch) == told(typers, arguments, monkeypatch)


def test_defaults_of_a_file_are_looked_at_as_well(monkeypatch):
    """`--from run.toml` gives them: no parser of the command line has seen them."""
    command = typer.main.get_command(quick_app)
    command.context_settings = {"default_map": {"coats": 99}}
    assert told(command, ["a"], monkeypatch)[1] == 2


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (["predict", "photos", "--save", "mask", "--save", "overlay"], "--save"),
        (["predict", "photos", "--classes", "cat", "--crf-set", "w1=3", "--classes", "dog"], "--classes"),
        (["predict", "photos", "--crf-set", "w1=3", "--crf-set=w2=3"], "--crf-set"),
        (["predict", "photos", "--bands", "3", "--bands", "2", "--bands", "1"], "--bands"),
        (["train", "photos", "labels", "--names", "a", "--names", "b"], "--names"),
        (["crf", "photos", "--save", "mask", "--save", "mask"], "--save"),
    ],
)
def test_the_first_of_two_lists_is_not_dropped_without_a_word(arguments, option):
    result = CliRunner().invoke(segcli, arguments)
    assert result.exit_code == 2
    assert f"{option} is given {sum(one.startswith(option) for one in arguments)} times" in result.stderr
    assert f"with commas: {option} " in result.stderr


def test_of_another_option_the_last_counts():
    """So that a script can hand on options after its own."""
    result = CliRunner().invoke(segcli, ["predict", "not-there", "--device", "cuda", "--device", "cpu"])
    assert "not-there is not there" in result.stderr
