"""The one decoder of every file that segcli reads: plain values of TOML or JSON become frozen dataclasses.

What a field takes stands in its annotation, with its limits beside it:

    rate: Annotated[float, between(0, 100)] = 0.007

msgspec checks types and limits. It knows neither unions of dataclasses nor unknown keys of a dataclass, so that both
are looked after here. The files may come from anywhere: whatever stands in them, what is raised is a `DecodingError`.
"""

import json
import math
import os
import select
import stat
import time
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from numbers import Integral, Real
from pathlib import Path
from types import NoneType
from typing import Any, TypeVar, get_args, get_type_hints

import msgspec
from msgspec import Meta, inspect

from segcli.errors import UsageError, nearest

MAX_FILE_BYTES = 32 << 20
"""The most bytes that a file of settings may have; a run.toml with a hundred thousand inputs has a third of them."""
PATIENCE = 20.0
"""The seconds that a pipe may take to bring a file of settings; one that nobody writes to would never end."""
MAX_SHOWN = 200
"""The most characters of a foreign value that a message shows."""

T = TypeVar("T")


class DecodingError(ValueError):
    """Plain values that are not what a file should hold.

    Args:
        message: What is wrong, in one line; it goes on after the name of what was read.
        hint: What would be right, as a sentence.
    """

    def __init__(self, message: str, hint: str = ""):
        super().__init__(f"{message}. {hint}" if hint else message)
        self.message = message
        self.hint = hint


class WrongValueError(DecodingError):
    """A value of the wrong type or outside its limits.

    Attributes:
        place: The dotted name of the field.
        shown: The value, as messages show it.
        wanted: What the field takes, such as "a number in 0..100".
    """

    def __init__(self, place: str, value: Any, wanted: str):
        self.place, self.shown, self.wanted = place, shown(value), wanted
        super().__init__(f"{place} cannot be {self.shown}", f"It must be {wanted}.")


class UnknownKeyError(DecodingError):
    """A key that no field has.

    Attributes:
        place: The dotted name of the table that has the key; empty at the top.
        key: The key.
        known: The keys that the table may have.
    """

    def __init__(self, place: str, key: str, known: Iterable[str]):
        self.place, self.key, self.known = place, key, tuple(known)
        super().__init__(f"has an unknown {joined(place, key)}", nearest(key, self.known))


class MissingKeyError(DecodingError):
    """The absence of a key whose field has no default.

    Attributes:
        place: The dotted name of the field.
    """

    def __init__(self, place: str):
        self.place = place
        super().__init__(f"lacks {place}")


def between(low: float, high: float) -> Meta:
    """The limits of a number, both included, for an annotation; NaN is never between them."""
    return Meta(ge=low, le=high)


def at_least(low: int) -> Meta:
    """The smallest number that an annotation allows."""
    return Meta(ge=low)


def decode(kind: type[T], values: Any, place: str = "", *, ignore_unknown: bool = False) -> T:
    """A dataclass made of plain values; what they leave out has the field's default.

    Lists become tuples and whole numbers floats where the annotation says so; a bool is no number, and 1.0 is no
    whole number. Of a union of dataclasses the one is made whose fields are most like the keys.

    Args:
        kind: The dataclass.
        values: A dict by field, nested as the dataclass is.
        place: The dotted name of `values` for messages; empty at the top.
        ignore_unknown: Pass over keys that no field has: those of a newer version.

    Raises:
        WrongValueError: A value is of the wrong type or outside its field's limits.
        UnknownKeyError: A key is unknown.
        MissingKeyError: A field without a default has no value.
        ValueError: The dataclass itself refuses the values.
    """
    if not isinstance(values, Mapping):
        raise WrongValueError(place, values, "a table")
    hints = _hints(kind)
    if not ignore_unknown:
        refuse_unknown(kind, values, place)
    if missing := [name for name in _required(kind) if name not in values]:
        raise MissingKeyError(joined(place, missing[0]))
    known = {name: hint for name, hint in hints.items() if name in values}
    return kind(**{name: _field(hint, values[name], joined(place, name)) for name, hint in known.items()})


def decode_json(kind: type[T], text: str | bytes) -> T | None:
    """A dataclass made of a JSON object by this or another version of segcli; None where it does not fit.

    Keys that no field has are passed over: a newer version wrote them.
    """
    try:
        return msgspec.convert(_loads(text), kind)
    except (msgspec.ValidationError, ValueError, RecursionError):
        return None


def check(instance: Any) -> None:
    """Check the fields of a dataclass that was built directly, without changing them.

    Raises:
        WrongValueError: A value is of the wrong type or outside its field's limits.
    """
    for name, hint in _hints(type(instance)).items():
        _convert(hint, _plain(getattr(instance, name)), name)


def check_options(instance: Any) -> None:
    """`check` the options of a call from Python; UsageError, which names the field, where one is wrong."""
    try:
        check(instance)
    except WrongValueError as error:
        raise UsageError(error.message, error.hint) from error


def check_option(name: str, value: Any, hint: Any) -> None:
    """Check one option of a call from Python by its annotation; UsageError where it is wrong."""
    try:
        _convert(hint, _plain(value), name)
    except WrongValueError as error:
        raise UsageError(error.message, error.hint) from error


def refuse_unknown(kind: type, values: Mapping[str, Any], place: str = "") -> None:
    """UnknownKeyError where the dataclass has no such field."""
    hints = _hints(kind)
    for key in values:
        if key not in hints:
            raise UnknownKeyError(place, key, hints)


def read_text(path: Path) -> str:
    """The text of a file of settings, without a byte order mark; a pipe is read once.

    OSError where it cannot be read; DecodingError where it is no UTF-8, too large, a device, or a pipe without an end.
    """
    data = content(path)
    if len(data) > MAX_FILE_BYTES:
        raise DecodingError(f"it has more than {MAX_FILE_BYTES >> 20} MB")
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        raise DecodingError(str(error)) from error


def content(path: Path, most: int = MAX_FILE_BYTES) -> bytes:
    """The bytes of a file or a pipe, at most about `most`; OSError or DecodingError as for `read_text`."""
    flag, deadline, data = getattr(os, "O_NONBLOCK", 0), time.monotonic() + PATIENCE, bytearray()
    with open(path, "rb", buffering=0, opener=lambda name, flags: os.open(name, flags | flag)) as file:
        mode = os.fstat(file.fileno()).st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):
            raise DecodingError("it is a device, not a file", "Save its content to a file first.")
        while len(data) <= most:
            if stat.S_ISFIFO(mode) and not select.select([file], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise DecodingError(f"it is a pipe whose end has not come in {PATIENCE:.0f} seconds")
            if not (part := file.read(1 << 20)):
                break
            data += part
    return bytes(data)


def parse_toml(text: str) -> dict[str, Any]:
    """The values of a TOML document; DecodingError where it is none, nested too deeply, or has a nan or an inf."""
    values = _parsed(tomllib.loads, text)
    _parsed(_require_finite, values)
    return values


def parse_json(text: str | bytes) -> Any:
    """The value of a JSON document; DecodingError where it is none, nested too deeply, or has a number that is none."""
    return _parsed(_loads, text)


def _parsed(parse: Callable[[Any], Any], text: Any) -> Any:
    try:
        return parse(text)
    except ValueError as error:  # no such document, or a number with more digits than Python reads
        raise error if isinstance(error, DecodingError) else DecodingError(str(error)) from error
    except RecursionError as error:
        raise DecodingError("it is nested too deeply") from error


def _loads(text: str | bytes) -> Any:
    """The value of a JSON document, without the NaN and Infinity that Python's reader knows and JSON does not."""
    return json.loads(text, parse_float=_finite, parse_constant=_finite)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:MAX_SHOWN]} is no finite number")
    return number


def _require_finite(value: Any, place: str = "") -> None:
    """WrongValueError, naming the place, where a number in plain values is infinite or none."""
    if isinstance(value, float) and not math.isfinite(value):
        raise WrongValueError(place, value, "a finite number")
    if isinstance(value, Mapping):
        for key, item in value.items():
            _require_finite(item, joined(place, key))
    elif isinstance(value, list | tuple):
        for item in value:
            _require_finite(item, place)


def read_toml(path: Path) -> dict[str, Any]:
    """The values of a TOML file; OSError where it cannot be read, DecodingError where it is no TOML or too large."""
    return parse_toml(read_text(path))


def shown(value: Any) -> str:
    """A foreign value as messages show it: in one line, and short."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # thousands of digits, or nested as deeply
        return f"a {type(value).__name__} too long to show"
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."


def joined(place: str, key: str) -> str:
    """The dotted name of a key in a table; a key that is no plain word is quoted."""
    name = key if key.replace("-", "_").isidentifier() and len(key) <= MAX_SHOWN else shown(key)
    return f"{place}.{name}" if place else name


def described(hint: Any) -> str:
    """What a field of that annotation takes, as "It must be ..." goes on."""
    return _description(inspect.type_info(hint))


def _field(hint: Any, value: Any, place: str) -> Any:
    """`value` as the annotation says."""
    members = get_args(hint) or (hint,)
    kinds = [member for member in members if is_dataclass(member)]
    if not kinds:
        return _convert(hint, value, place)
    return None if value is None and NoneType in members else decode(_most_alike(kinds, value), value, place)


def _plain(value: Any) -> Any:
    """NumPy's numbers as Python's, also in a tuple; anything else as it is."""
    if isinstance(value, tuple):
        return tuple(map(_plain, value))
    if isinstance(value, Integral) and not isinstance(value, bool):
        return int(value)
    return float(value) if isinstance(value, Real) and not isinstance(value, bool) else value


def _convert(hint: Any, value: Any, place: str) -> Any:
    try:
        converted = msgspec.convert(value, hint)
    except (msgspec.ValidationError, ValueError, RecursionError) as error:  # ValueError: thousands of digits
        raise WrongValueError(place, value, described(hint)) from error
    _require_finite(converted, place)
    return converted


def _most_alike(kinds: list[type], values: Any) -> type:
    """The dataclass with the fewest unknown keys, then with the fewest that are left out; the first of equals."""
    keys = set(values) if isinstance(values, Mapping) else set()
    return min(kinds, key=lambda kind: (len(keys - _hints(kind).keys()), len(_hints(kind).keys() - keys)))


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)


@cache
def _required(kind: type) -> tuple[str, ...]:
    return tuple(f.name for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING)


def _description(info: inspect.Type) -> str:
    if isinstance(info, inspect.UnionType):
        return " or ".join(_description(one) for one in info.types if not isinstance(one, inspect.NoneType))
    if isinstance(info, inspect.VarTupleType):
        count = f"{info.min_length} " if info.min_length and info.min_length == info.max_length else ""
        return f"a list of {count}{_plural(info.item_type)}"
    if isinstance(info, inspect.TupleType):
        return f"a list of {len(info.item_types)} {_plural(info.item_types[0])}"
    if isinstance(info, inspect.LiteralType):
        return " or ".join(map(repr, info.values))
    if isinstance(info, inspect.IntType | inspect.FloatType):
        return f"a {'whole ' * isinstance(info, inspect.IntType)}number{_range(info)}"
    return {inspect.BoolType: "true or false", inspect.StrType: "text in quotes"}.get(type(info), "a table")


def _plural(item: inspect.Type) -> str:
    if isinstance(item, inspect.IntType | inspect.FloatType):
        return f"{'whole ' * isinstance(item, inspect.IntType)}numbers{_range(item)}"
    if isinstance(item, inspect.TupleType):
        return f"lists of {len(item.item_types)} {_plural(item.item_types[0])}"
    return "names" if isinstance(item, inspect.StrType) else _description(item)


def _range(info: inspect.IntType | inspect.FloatType) -> str:
    if info.gt is not None:
        return f" above {info.gt:g} and up to {info.le:g}"
    if info.le is None:
        return "" if info.ge is None else f" from {info.ge:g} on"
    return "" if info.ge is None else f" in {info.ge:g}..{info.le:g}"
