"""Which commands there are, and what `segcli --help` says of each; a command's module is imported when it is meant.

All modules together take longer to import than most of what they do.
"""

import inspect
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from segcli.cli.coercion import Quick, QuickCommand


@dataclass(frozen=True)
class Listed:
    """A command that is not imported yet.

    Args:
        module: Its module in `segcli.cli.commands`.
        function: The command in it, beside the module's EXAMPLES; or the Typer of several commands.
        summary: Its line in the list of commands: the first paragraph of its own help, or the group's whole help.
    """

    module: str
    function: str
    summary: str


COMMANDS = {
    "predict": Listed(
        *("predict", "predict"),
        "Label every pixel of photos and films: a mask, an overlay and the class areas of each.",
    ),
    "eval": Listed(
        *("evaluate", "evaluate_model"),
        "Measure how often a model is right, on photos with labels: mIOU and more, at the size of the labels.",
    ),
    "export": Listed(
        *("export", "export"),
        "Write a model as one file that other programs can open: ONNX, or torch.export's .pt2.",
    ),
    "train": Listed(
        *("train", "train"),
        "Train a model for your own classes: give photos and their labels, and segcli plans the rest and says why.",
    ),
    "init": Listed(
        *("init", "init"),
        "Write a commented recipe for your own photos and labels, to be changed and given to `segcli train`.",
    ),
    "recipes": Listed(
        *("recipes", "recipes"),
        "List the recipes that come with segcli, or print one, to change it and give it to `segcli train`.",
    ),
    "crf": Listed(
        *("crf", "crf"),
        "Make outlines follow the photo: refine saved probabilities or rough labels with the fully connected CRF.",
    ),
    "compare": Listed(
        *("compare", "compare"),
        "Compare two folders of label maps: agreement by class and, with --truth, the difference in IOU.",
    ),
    "models": Listed(
        *("models", "models"),
        "List models: parameters, multiply-adds, weights, licence and scores.",
    ),
    "doctor": Listed(
        *("doctor", "doctor"),
        "Check packages, GPU, disk, weights and the Hub; for each problem, print the line that repairs it.",
    ),
    "data": Listed("data", "app", "Check or convert a dataset before you train on it."),
    "weights": Listed("weights", "app", "Download, verify, list, remove, convert and shrink weights."),
}
"""The commands by name, in the order of the help; `tests/cli/test_listing.py` compares them with their modules."""


class ListedCommands(Quick, TyperGroup):
    """A group whose commands are lines of help until one is named on the command line."""

    def resolve_command(self, ctx: typer.Context, args: list[str]) -> tuple[Any, ...]:
        """Find the named command, its module imported; see click's `Group.resolve_command`."""
        if args and args[0] in COMMANDS:
            self.commands.update(typer.main.get_command(imported(args[0])).commands)
        return super().resolve_command(ctx, args)


def enlist(app: typer.Typer) -> None:
    """Give a Typer of class ListedCommands all commands, as lines of help."""
    for name, listed in COMMANDS.items():
        app.command(name, help=listed.summary)(_unnamed)


def _unnamed() -> None:
    """What stands for a command that nobody has named."""


def imported(name: str) -> typer.Typer:
    """A Typer that holds one command, or group of commands, whole."""
    listed = COMMANDS[name]
    module = import_module(f"segcli.cli.commands.{listed.module}")
    found = getattr(module, listed.function)
    whole = typer.Typer(callback=_unnamed, rich_markup_mode="rich")
    if isinstance(found, typer.Typer):
        whole.add_typer(found, name=name, help=listed.summary)
    else:
        whole.command(name, cls=QuickCommand, epilog=module.EXAMPLES)(found)
    _join_lines(found if isinstance(found, typer.Typer) else whole)
    return whole


def _join_lines(group: typer.Typer) -> None:
    """Make each paragraph of the commands' help one line: Typer would break it where the source does."""
    for command in group.registered_commands:
        paragraphs = inspect.getdoc(command.callback).split("\n\n")
        command.help = "\n\n".join(" ".join(paragraph.split("\n")) for paragraph in paragraphs)
