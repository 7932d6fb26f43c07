"""Options that travel together: a dataclass in a command's signature stands for its fields."""

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import wraps
from inspect import Parameter, Signature, signature
from typing import Any, get_type_hints


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """Spread a command's dataclasses into options for Typer, and hand them whole to the command.

    A dataclass refuses wrong values in its `__post_init__`; no two of a command's may have a field in common.
    """
    own = _parameters(command)
    groups = {parameter.name: parameter.annotation for parameter in own if is_dataclass(parameter.annotation)}
    parameters = [part for one in own for part in (_parameters(groups[one.name]) if one.name in groups else [one])]

    @wraps(command)
    def spread(**values: Any) -> None:
        for name, group in groups.items():
            values[name] = group(**{field.name: values.pop(field.name) for field in fields(group)})
        command(**values)

    spread.__signature__ = Signature(parameters)
    spread.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return spread


def _parameters(made: Callable) -> list[Parameter]:
    """The parameters of a function or dataclass with their types, keyword-only: they may stand in any order."""
    hints = get_type_hints(made, include_extras=True)
    return [
        parameter.replace(kind=Parameter.KEYWORD_ONLY, annotation=hints[parameter.name])
        for parameter in signature(made).parameters.values()
    ]
