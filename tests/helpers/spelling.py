"""Whether a printed command is spelt right: its words are parsed by what would parse them, and nothing is run."""

import argparse
import io
import re
import runpy
import sys
import tomllib
from functools import cache, wraps
from importlib import import_module
from importlib.util import find_spec
from inspect import unwrap
from itertools import chain

import documents
import pytest
import typer
from documents import ROOT

PLACEHOLDERS = {"COMMAND": "predict", "NAME": "finetune"}
PEERS = {"segmentation-models-pytorch"}
"""What the pages install and pyproject.toml does not name: for a comparison only."""
SIGNS = {"&&", "&", "|", ">"}


class WrongError(Exception):
    """What is wrong with a printed command."""


def parts(text):
    """The words of each simple command of a line; what follows a `>` is left out."""
    found = [[]]
    for word in documents.words(text):
        found.append([]) if word in SIGNS else found[-1].append(PLACEHOLDERS.get(word, word))
    redirected = documents.words(text).count(">")
    return [part for part in found[: len(found) - redirected] if part]


def check(command):
    """Parse each part of a line without running it."""
    for words in parts(command.text):
        for word in words:
            if re.match(r"(examples|docs|benchmarks|tests|segcli)/.*\w", word) and not (ROOT / word).exists():
                raise WrongError(f"there is no {word}")
        CHECKS.get(words[0], lambda arguments, whole: None)(words[1:], command.whole)


def check_segcli(arguments, whole):
    """Wrong unless the app takes the arguments; in running text some may be missing."""
    from segcli.training import packaged, recipe

    if arguments == ["--install-completion"]:  # Typer's own, which would change the shell's files
        return
    command, taken = parser()
    taken.clear()
    try:
        command.main([*arguments], "segcli", standalone_mode=False)
        for values in taken:
            if values.get("config"):
                recipe.read(packaged.find(str(values["config"])), values["changes"] or ())
    except Exception as error:
        if not whole and type(error).__name__ in ("MissingParameter", "NoArgsIsHelpError"):
            return
        raise WrongError(getattr(error, "message", error)) from error


@cache
def parser():
    """The command line that only notes what it is called with, and where it notes it."""
    taken = []
    return typer.main.get_command(parse_only(taken)), taken


def parse_only(taken):
    """segcli's app with commands that only note what they are called with."""
    from segcli.cli.listing import COMMANDS, imported

    return emptied([imported(name) for name in COMMANDS], taken)


def emptied(apps, taken):
    from segcli.cli.options.groups import grouped

    copy = typer.Typer()
    copy.callback()(lambda: None)
    for app in apps:
        for info in app.registered_commands:
            copy.command(info.name)(grouped(noting(unwrap(info.callback), taken)))
        for group in app.registered_groups:
            copy.add_typer(emptied([group.typer_instance], taken), name=group.name)
    return copy


def noting(command, taken):
    @wraps(command)
    def note(*given, **values):
        taken.append(values)

    return note


def check_torchrun(arguments, whole):
    from torch.distributed.run import get_args_parser

    options = get_args_parser().parse_args(arguments)
    assert (options.module, options.training_script) == (True, "segcli")
    check_segcli(options.training_script_args, whole)


def check_python(arguments, whole):
    """Wrong unless the script takes the arguments."""
    script, *options = arguments
    if script == "-m":
        return None if options[0] == "venv" else check_segcli(options[1:], whole)
    if "argparse" not in (ROOT / script).read_text():
        if options:
            raise WrongError(f"{script} takes no arguments")
        return None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [script, *options])
        patch.setattr(sys, "path", [str((ROOT / script).parent), *sys.path])
        patch.setattr(sys, "stderr", io.StringIO())
        patch.setattr(argparse.ArgumentParser, "parse_args", parsed_and_no_more(argparse.ArgumentParser.parse_args))
        try:
            runpy.run_path(str(ROOT / script), run_name="__main__")
        except ParsedError:
            return None
        except SystemExit:
            raise WrongError(sys.stderr.getvalue()) from None
    raise WrongError(f"{script} parsed nothing")


class ParsedError(Exception):
    """A script has parsed its arguments and shall do no more."""


def parsed_and_no_more(parse_args):
    def parse(parser, arguments=None, namespace=None):
        parse_args(parser, arguments, namespace)
        raise ParsedError

    return parse


def check_pip(arguments, whole):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    named = {re.match(r"[\w-]+", text)[0] for text in chain(project["dependencies"], *extras.values())}
    assert arguments[0] == "install"
    for word in arguments[1:]:
        asked = re.fullmatch(r"(?:\.|segcli)(?:\[([\w,]+)\])?", word)
        unknown = set((asked[1] or "").split(",")) - {"", *extras} if asked else {word} - named - PEERS - {"-e"}
        if unknown:
            raise WrongError(f"{word}: {unknown} stands in no list of pyproject.toml")


def check_tools(arguments, whole):
    """Wrong unless `uv tool install` or `pipx install` install what pip may."""
    if arguments != ["ensurepath"]:
        check_pip(arguments[arguments[0] == "tool" :], whole)


def check_uvx(arguments, whole):
    assert arguments[:3] == ["--from", ".", "segcli"]
    check_segcli(arguments[3:], whole)


def check_dask(arguments, whole):
    """Wrong unless Dask's own parser takes the arguments, where it is installed."""
    if arguments[0] not in ("scheduler", "worker"):
        raise WrongError(f"there is no dask {arguments[0]}")
    if not find_spec("distributed"):
        return
    own = import_module(f"distributed.cli.dask_{arguments[0]}").main
    try:
        own.make_context(arguments[0], [*arguments[1:]])
    except Exception as error:
        raise WrongError(getattr(error, "message", error)) from error


def check_srun(arguments, whole):
    check_dask(arguments[arguments.index("dask") + 1 :], whole)


CHECKS = {
    "dask": check_dask,
    "srun": check_srun,
    "segcli": check_segcli,
    "torchrun": check_torchrun,
    "python": check_python,
    "pip": check_pip,
    "pipx": check_tools,
    "uv": check_tools,
    "uvx": check_uvx,
}
