"""A dataclass in a command's signature must be to Typer what its fields would be."""

from dataclasses import dataclass
from inspect import signature
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from segcli.cli.options.groups import grouped


@dataclass(frozen=True)
class Paint:
    colour: Annotated[str, typer.Option("--colour", help="Of the wall.")] = "white"
    coats: Annotated[int, typer.Option("--coats", min=1)] = 2

    def __post_init__(self):
        if self.colour == "plaid":
            raise typer.BadParameter("no colour")


@pytest.fixture
def app():
    app = typer.Typer()

    @app.command()
    @grouped
    def paint(room: Annotated[str, typer.Argument()], *, paint: Paint, dry: bool = False) -> None:
        """Paint a room."""
        typer.echo(f"{room} {paint} {dry}")

    return app


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [
        (["hall"], "hall Paint(colour='white', coats=2) False"),
        (["hall", "--dry", "--coats", "3", "--colour", "red"], "hall Paint(colour='red', coats=3) True"),
    ],
)
def test_the_command_gets_its_group_whole(app, arguments, printed):
    assert CliRunner().invoke(app, arguments).stdout.strip() == printed


def test_typer_sees_the_fields(app):
    command = app.registered_commands[0].callback
    assert list(signature(command).parameters) == ["room", "colour", "coats", "dry"]
    text = CliRunner().invoke(app, ["--help"]).stdout
    assert "Paint a room." in text
    assert "Of the wall." in text
    assert "default: white" in text
    assert CliRunner().invoke(app, ["hall", "--coats", "0"]).exit_code == 2


def test_a_group_refuses_what_cannot_be(app):
    assert CliRunner().invoke(app, ["hall", "--colour", "plaid"]).exit_code == 2
