"""The commands as they are listed before they are imported, compared with their modules."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from segcli.cli.app import app
from segcli.cli.listing import COMMANDS, imported

FOLDER = Path(__file__).parents[2] / "segcli" / "cli" / "commands"
PART_OF_DATA = "convert"


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_listed_with_its_own_words(name):
    whole = imported(name)
    if whole.registered_groups:
        assert [group.name for group in whole.registered_groups] == [name]
        assert whole.registered_groups[0].typer_instance.registered_commands
    else:
        (command,) = whole.registered_commands
        assert command.name == name
        assert command.help.split("\n\n")[0] == COMMANDS[name].summary
        assert "segcli " in command.epilog


def test_every_module_of_a_command_is_listed():
    modules = {path.stem for path in FOLDER.glob("*.py")} - {"__init__", PART_OF_DATA}
    assert {listed.module for listed in COMMANDS.values()} == modules


def test_what_is_listed_can_be_called():
    assert "Usage: root predict" in CliRunner().invoke(app, ["predict", "--help"], prog_name="root").stdout
    assert "halve" in CliRunner().invoke(app, ["weights", "--help"]).stdout
    assert CliRunner().invoke(app, ["weights", "halv"]).exit_code == 2


def modules_after(*arguments, folder):
    """The modules that a run of the program has imported at its end."""
    program = (
        "import sys\nfrom segcli.cli.app import app\n"
        f"try: app({arguments!r}, prog_name='segcli')\n"
        "except SystemExit as stop: assert not stop.code\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=folder)
    return set(result.stderr.split())


def test_the_list_of_commands_imports_none(tmp_path):
    modules = modules_after("--help", folder=tmp_path)
    assert not [module for module in modules if module.startswith("segcli.cli.commands.")]
