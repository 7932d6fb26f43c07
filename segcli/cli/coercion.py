"""From an option's text to its value without pydantic, which takes a tenth of a second and more to import.

Typer asks it for every option, given or not, of which nearly all are plain: the default, a word, a number, a path. What
is not plain, or wrong, is left to Typer, whose errors stay its own.
"""

import os
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import typer
from typer.core import TyperArgument, TyperCommand, TyperOption

from segcli.errors import UsageError


class _NotPlainError(Exception):
    """A value is for Typer to look at."""


class Quick:
    """What a TyperCommand or TyperGroup has before it among its bases, to turn plain texts into values itself."""

    def get_params(self, ctx: typer.Context) -> list[Any]:
        """The command's parameters, `--help` among them; see click's `Command.get_params`."""
        parameters = super().get_params(ctx)
        for parameter in parameters:
            # A Typer whose parameters have no descriptor needs no pydantic.
            if hasattr(parameter, "type_descriptor") and not isinstance(parameter.process_value, partial):
                parameter.process_value = partial(_processed, parameter, parameter.process_value)
        return parameters


class QuickCommand(Quick, TyperCommand):
    """A command that turns plain texts into values itself."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:
        """The parameters of a command line; see click's `Command.parse_args`. UsageError for a list given twice."""
        if args and not ctx.resilient_parsing:
            _refuse_second_lists(self.make_parser(ctx).parse_args([*args])[2])
        return super().parse_args(ctx, args)


def _refuse_second_lists(given: list[Any]) -> None:
    """Of an option that is given twice the last counts, as scripts expect; of a list the first would be lost."""
    for parameter, count in Counter(given).items():
        if count > 1 and not parameter.multiple and "," in (parameter.metavar or ""):
            name = max(parameter.opts, key=len)
            raise UsageError(
                f"{name} is given {count} times", f"Write all in one, with commas: {name} {parameter.metavar}"
            )


def _processed(parameter: TyperOption | TyperArgument, typers_own: Any, ctx: typer.Context, value: Any) -> Any:
    """The value of a parameter as click's `Parameter.process_value` gives it."""
    try:
        value = _plain(parameter, value)
    except _NotPlainError:
        return typers_own(ctx, value)
    return value if parameter.callback is None else parameter.callback(ctx, parameter, value)


def _plain(parameter: TyperOption | TyperArgument, value: Any) -> Any:
    """The value; _NotPlainError where Typer has to look at it."""
    descriptor, several = parameter.type_descriptor, parameter.multiple or parameter.nargs != 1
    if value is None and not parameter.required:
        return () if several else None
    if value in (None, (), []):
        raise _NotPlainError
    if descriptor.parameter_info.parser is not None:
        return _parsed(descriptor.parameter_info.parser, value)
    if not several:
        return _one(value, descriptor.annotation, descriptor.parameter_info, parameter.default)
    if descriptor.annotation != list[str] or not all(isinstance(one, str) for one in value):
        raise _NotPlainError
    return list(value)


def _one(value: Any, annotation: Any, info: Any, default: Any) -> Any:
    """A single value without a parser of its own."""
    if type(value) is annotation and (annotation in (bool, str) or value == default):
        return value
    if get_origin(annotation) is Literal and type(value) is str and value in get_args(annotation):
        return value
    if annotation not in (int, Path):
        raise _NotPlainError
    return _number(value, info) if annotation is int else _path(value, info)


def _parsed(parser: Any, value: Any) -> Any:
    if not parser.__module__.startswith("segcli."):
        raise _NotPlainError
    try:
        return parser(value)
    except (ValueError, AssertionError):  # for which Typer has words
        raise _NotPlainError from None


def _number(text: Any, info: Any) -> int:
    if not (isinstance(text, str) and text.isascii() and text.isdecimal() and len(text) < 10) or info.clamp:
        raise _NotPlainError
    number = int(text)
    if (info.min is not None and number < info.min) or (info.max is not None and number > info.max):
        raise _NotPlainError
    return number


def _path(value: Any, info: Any) -> Path:
    """A path that may be there or not, as nearly all options want it."""
    asked = (info.exists, info.writable, info.resolve_path, info.allow_dash, info.path_type)
    if any(asked) or not (info.file_okay and info.dir_okay and isinstance(value, str | Path)):
        raise _NotPlainError
    path = Path(value)
    try:
        path.stat()
    except OSError:
        return path
    except ValueError:
        raise _NotPlainError from None
    if info.readable and not os.access(path, os.R_OK):
        raise _NotPlainError
    return path
