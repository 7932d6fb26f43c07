"""Writes `docs/commands.md`: every command with its arguments and options, as `--help` tells them.

Run `python docs/commands_md.py` after a change to a command; a test compares the file with what this writes.
"""

import inspect
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

import typer
from typer.models import ArgumentInfo
from typer.utils import get_params_from_function

from segcli.cli.listing import COMMANDS, imported

TARGET = Path(__file__).with_name("commands.md")
HEAD = """\
# All commands and options

Written by `python docs/commands_md.py` from the program itself; do not edit. `segcli COMMAND --help` prints the same.
The [README](../README.md#what-you-can-do) lists what you may want to do, and the command for it.

`-h` and `--help` work after every command; `segcli --version` prints the version.
How a command ends, and which files it leaves: [reference_files.md](reference_files.md).

"""


def render() -> str:
    """The whole page."""
    found = list(commands())
    links = (f"- [`{title}`](#{title.replace(' ', '-')}) - {summary(info)}\n" for title, info in found)
    return "".join((HEAD, *links, *(section(title, info) for title, info in found)))


def commands() -> Iterator[tuple[str, Any]]:
    """Every command, called as it is typed, with what Typer knows of it."""
    for name in COMMANDS:
        yield from _within(imported(name), "segcli")


def _within(app: typer.Typer, prefix: str) -> Iterator[tuple[str, Any]]:
    for info in app.registered_commands:
        yield f"{prefix} {info.name or info.callback.__name__}", info
    for group in app.registered_groups:
        yield from _within(group.typer_instance, f"{prefix} {group.name}")


def summary(info: Any) -> str:
    """The first sentence of a command's help."""
    return info.help.split("\n\n")[0]


def section(title: str, info: Any) -> str:
    """A command: how it is called, its help, its arguments, and a table for each group of its options."""
    parameters = [one for one in get_params_from_function(info.callback).values() if hasattr(one.default, "help")]
    arguments = [one for one in parameters if isinstance(one.default, ArgumentInfo)]
    call = " ".join((title, *map(placed, arguments), "[OPTIONS]"))
    groups: dict[str, list[Any]] = {}
    for one in parameters:
        if one not in arguments and not one.default.hidden:
            groups.setdefault(one.default.rich_help_panel or "Options", []).append(one)
    tables = (f"\n**{name}**\n\n{options_table(group)}" for name, group in groups.items())
    named = "".join(f"- `{metavar(one)}`: {one.default.help}\n" for one in arguments)
    return "".join(
        (f"\n## {title}\n\n```text\n{call}\n```\n\n{info.help}\n", examples(info), named and f"\n{named}", *tables)
    )


def examples(info: Any) -> str:
    """The examples that stand below a command's help."""
    lines = [line.removesuffix("\\n") for line in (info.epilog or "").splitlines() if line and not line.startswith("[")]
    return f"\n```\n{chr(10).join(lines)}\n```\n" if lines else ""


def placed(argument: Any) -> str:
    """An argument in the line: in brackets where it may be left out, with dots where there may be several."""
    name = metavar(argument)
    if name.startswith("["):
        return name
    dots = "..." if "list" in str(argument.annotation) else ""
    needed = argument.default.default is ... or argument.default.default is inspect.Parameter.empty
    return f"{name}{dots}" if needed else f"[{name}{dots}]"


def metavar(parameter: Any) -> str:
    """What stands for a parameter's value: a word in capitals, or the words to choose from; empty for a switch."""
    annotation = parameter.annotation
    kind = next((one for one in get_args(annotation) if one is not type(None)), annotation)
    if parameter.default.metavar:
        return parameter.default.metavar
    if kind is bool:
        return ""
    return parameter.name.upper() if isinstance(parameter.default, ArgumentInfo) else _of_kind(annotation, kind)


def _of_kind(annotation: Any, kind: Any) -> str:
    origin = get_origin(annotation)
    if origin is not None and "Literal" in str(origin):
        return "|".join(map(str, get_args(annotation)))
    return {int: "N", float: "NUMBER", Path: "PATH"}.get(kind, "TEXT")


def options_table(options: Iterable[Any]) -> str:
    """The options of a group: how each is written, what it does, and what stands where it is not given."""
    rows = ["| option | what it does | if you leave it out |\n", "|---|---|---|\n"]
    for one in options:
        names = ", ".join(f"`{' '.join(filter(None, (name, metavar(one))))}`" for name in spelt(one))
        cells = (names, limited(one), usual(one))
        rows.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n")
    return "".join(rows)


def spelt(option: Any) -> list[str]:
    """The ways to write an option, the long one first."""
    written = [part for text in option.default.param_decls or () for part in text.split("/") if part.startswith("-")]
    if not written:
        written = [f"--{option.name.replace('_', '-')}"]
    return sorted(written, key=lambda text: not text.startswith("--"))


def limited(option: Any) -> str:
    """What an option does, and the smallest and largest value that it takes."""
    least, most = option.default.min, option.default.max
    if least is None:
        return option.default.help or ""
    limits = f"At least {least}." if most is None else f"{least} to {most}."
    told = option.default.help or ""
    return told if limits in told else f"{told} {limits}"


def usual(option: Any) -> str:
    """What stands where an option is not given; empty where nothing does, or its help tells."""
    value = option.default.default
    if value is inspect.Parameter.empty or value is ...:
        return "must be given"
    shown = option.default.show_default
    if isinstance(shown, str):
        return shown
    if value is None or value is False or not shown:
        return ""
    return "on" if value is True else f"`{value}`"


if __name__ == "__main__":
    TARGET.write_text(render(), encoding="utf-8", newline="\n")
