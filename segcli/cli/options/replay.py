"""`--from run.toml`: the options of an earlier run, written down as they were typed, taken as defaults."""

from pathlib import Path
from typing import Annotated

import typer
import typer.core
from typer import Option

from segcli.cli.options.panels import OUTPUT
from segcli.cli.options.parsing import Parsed
from segcli.errors import UsageError
from segcli.files.paths import shown
from segcli.pipeline.records import read_run
from segcli.storage.address import Address

PASSING = ("from_run", "from_list", "cluster", "dry_run", "as_json", "quiet")
"""Options that say how to run now, not what comes out; of a list the names are kept, as inputs."""


def _defaults(ctx: typer.Context, path: Path | None) -> Path | None:
    """Options that the command line leaves out get the file's values."""
    if path is None:
        return None
    try:
        run = read_run(path)
    except UsageError as error:
        raise UsageError(f"--from {error.message}", error.hint) from error
    given = {"inputs": list(run.inputs), **run.options}
    known = {parameter.name for parameter in ctx.command.params} - set(PASSING)
    if strange := sorted(given.keys() - known):
        raise UsageError(f"--from {shown(path)}: {ctx.command.name} has no {', '.join(strange)}")
    parsed = {one.name for one in ctx.command.params if Parsed.known.intersection(one.opts)}
    values = {name: str(value) if name in parsed else value for name, value in given.items()}
    several = {one.name for one in ctx.command.params if getattr(one, "multiple", False)}
    values |= {name: [value] for name, value in values.items() if name in several and not isinstance(value, list)}
    ctx.default_map = values | {name: ctx.default_map[name] for name in ("inputs",) if name in (ctx.default_map or {})}
    return path


From = Annotated[
    Path | None,
    Option(
        "--from",
        metavar="RUN.TOML",
        help="Take inputs and options from an earlier run, if you do not give others here.",
        callback=_defaults,
        is_eager=True,
        rich_help_panel=OUTPUT,
    ),
]


def stated(ctx: typer.Context) -> dict:
    """The options that were given, here or by `--from`, as they were typed or as TOML-plain values."""
    given = [one for one in ctx.command.params if one.name not in (*PASSING, "inputs") and _is_given(ctx, one.name)]
    return {one.name: _typed(one, ctx.params[one.name]) for one in given if ctx.params[one.name] is not None}


def _is_given(ctx: typer.Context, name: str) -> bool:
    source = ctx.get_parameter_source(name)
    return source is not None and source.name in ("COMMANDLINE", "DEFAULT_MAP", "ENVIRONMENT")


def _typed(parameter: typer.core.TyperOption, value: object) -> object:
    text = next((Parsed.typed[option] for option in parameter.opts if option in Parsed.typed), None)
    return text if text is not None else str(value) if isinstance(value, Path | Address) else value
