"""Differences: what a network does differently from a published variant, as text or as a recipe's table.

As text each difference stands behind a plus: `v3-resnet101+mg=1,2,3+aspp.image_pooling=false`. In a recipe they are a
table: `model.spec = { multi_grid = [1, 2, 3], aspp = { image_pooling = false } }`. A key is a field of the spec
(`models.spec`). The name of its group stands before it where two groups have a field of that name.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from segcli import decoding
from segcli.decoding import DecodingError
from segcli.errors import UsageError, nearest
from segcli.models import limits
from segcli.models.spec import ASPPSpec, BackboneSpec, DecoderSpec, ModelSpec

SIGN = "+"
"""What stands before each difference in a model's name."""
SHORT = {"mg": "multi_grid"}
"""Short names of fields."""
GROUPS = {"backbone": "backbone", "aspp": "head", "head": "head", "decoder": "decoder"}
"""The field of the spec behind each group's name."""
NONE, DEFAULT = "none", "default"
"""What a decoder can be instead of a group of keys: left out, or the paper's (two dense 3x3x256 on conv2)."""
AMBIGUOUS = ("bn_eps", "separable")
"""Fields of more than one group. A new field needs a name of its own, so that what was written stays clear."""
FIXED = ("name", "family", "output_strides")
"""Fields that follow from the variant and from the others."""

Changes = dict[str, Any]
"""Plain values by dotted field, as {"backbone.multi_grid": [1, 2, 3]}; "decoder" is None, or {} for the default."""


def parse(base: ModelSpec, text: str) -> Changes:
    """The differences that a name states behind its first plus, such as "mg=1,2,3+image_pooling=false".

    A list is written 1,2,3, a list of lists 3x256,3x256, an empty list by nothing behind the sign.

    Raises:
        UsageError: A difference has no value, its key is unknown or could mean several, or a key stands twice.
    """
    changes: Changes = {}
    for part in text.split(SIGN):
        key, sign, value = part.partition("=")
        if not (sign and key):
            raise UsageError(
                f"{base.name}{SIGN}{text}: {part!r} is no difference", f"Write {base.name}{SIGN}KEY=VALUE."
            )
        place = _place(base, key)
        _add(base, changes, key, place, _stated(base, place, value))
    return changes


def from_table(base: ModelSpec, table: Mapping[str, Any]) -> Changes:
    """The same of a recipe's table, whose groups are tables inside; a value may be text as a name has it.

    Raises:
        UsageError: A key is unknown or could mean several, or a field is given twice.
    """
    changes: Changes = {}
    for key, value in table.items():
        if key in GROUPS and isinstance(value, Mapping) and value:
            for inner, one in value.items():
                place = _place(base, f"{key}.{inner}")
                _add(base, changes, f"{key}.{inner}", place, _stated(base, place, one))
        else:
            place = _place(base, key)
            _add(base, changes, key, place, _stated(base, place, value))
    return changes


def applied(base: ModelSpec, changes: Changes) -> ModelSpec:
    """The network with the differences, under the name of `base`.

    What follows from them is changed too: without a decoder the backbone hands over no taps, with one it hands over
    conv2, v1's multi-scale features read the input and four poolings, and more stages allow larger output strides.

    Raises:
        UsageError: A value is of the wrong type or out of its range, or no such network can be.
    """
    if changes.get("decoder", {}) is None and any(place.startswith("decoder.") for place in changes):
        raise UsageError(f"{base.name}: decoder={NONE} leaves no keys of a decoder", "Leave out one of the two.")
    values = asdict(base)
    for place, value in (_implied(base, changes) | changes).items():
        group, _, name = place.rpartition(".")
        if group == "decoder" and values["decoder"] is None:
            values["decoder"] = {}
        (values[group] if group else values)[name] = value
    try:
        spec = decoding.decode(ModelSpec, values)
    except DecodingError as error:
        raise UsageError(f"{base.name}: {error.message}", error.hint) from error
    limits.check(spec)
    return spec


def between(base: ModelSpec, spec: ModelSpec) -> Changes:
    """The differences that make `spec` of `base`, in the order of the fields; what follows from others is left out."""
    before, after = _flat(base), _flat(spec)
    if spec.decoder:
        before = _flat(DecoderSpec(), "decoder.") | before
    different = {place: value for place, value in after.items() if value != before.get(place)}
    if bool(spec.decoder) != bool(base.decoder) and not any(place.startswith("decoder.") for place in different):
        different = {"decoder": {} if spec.decoder else None} | different
    implied = _implied(base, different)
    return {place: value for place, value in different.items() if implied.get(place) != value}


def text(base: ModelSpec, changes: Changes) -> str:
    """Differences as a name states them, each with its plus; the inverse of `parse`."""
    return "".join(f"{SIGN}{_key(base, place)}={_written(value)}" for place, value in changes.items())


def compared(base: ModelSpec, changes: Changes) -> Iterator[tuple[str, str, str]]:
    """Each difference as its key, its value and the base's own value, all as text."""
    before = _flat(base) | ({} if base.decoder else _flat(DecoderSpec(), "decoder."))
    for place, value in changes.items():
        own = _written(before[place]) if place in before else "one of its own" if base.decoder else NONE
        yield _key(base, place), _written(value), own


def keys(base: ModelSpec) -> dict[str, Any]:
    """Each field that can differ with its annotation, by its dotted name, in the order of the spec."""
    return {place: hint for group in ("", *dict.fromkeys(GROUPS.values())) for place, hint in _of_group(base, group)}


def _of_group(base: ModelSpec, group: str) -> Iterator[tuple[str, Any]]:
    kind = {"": ModelSpec, "backbone": BackboneSpec, "head": type(base.head), "decoder": DecoderSpec}[group]
    hints = get_type_hints(kind, include_extras=True)
    names = [f.name for f in fields(kind) if f.name not in (*FIXED, *GROUPS.values())]
    return ((f"{group}.{name}".lstrip("."), hints[name]) for name in names)


def _hint(base: ModelSpec, place: str) -> Any:
    return keys(base)[place]


def _place(base: ModelSpec, key: str) -> str:
    """The dotted field that a key means."""
    if key == "decoder":
        return key
    group, dot, name = key.rpartition(".")
    name = SHORT.get(name, name)
    known = keys(base)
    if dot:
        found = [place for place in known if place == f"{GROUPS.get(group)}.{name}"]
    else:
        found = [place for place in known if place.rpartition(".")[2] == name and _is_there(base, place)]
    if len(found) == 1:
        return found[0]
    if found:
        both = " or ".join(_key(base, place) for place in found)
        raise UsageError(f"{base.name}: {key} could mean several keys", f"Write {both}.")
    raise UsageError(f"{base.name} has no key {key}", _nearest(base, key))


def _nearest(base: ModelSpec, key: str) -> str:
    """The hint for a key that is unknown: the nearest, also one whose group was left out or wrong."""
    if key in GROUPS:
        inner = [_key(base, place) for place in keys(base) if place.startswith(f"{GROUPS[key]}.")]
        return f"It is a group: write one of its keys, {', '.join(inner)}."
    names = [_key(base, place) for place in keys(base) if _is_there(base, place)]
    every = [_key(base, place) for place in keys(base)]
    alike = [name for name in every if name.rpartition(".")[2] == key.rpartition(".")[2]]
    return f"Did you mean {alike[0]}?" if alike else nearest(key, [*names, *SHORT, "decoder"])


def _is_there(base: ModelSpec, place: str) -> bool:
    """Whether the base has the field's group: not the decoder's fields where it has no decoder."""
    return base.decoder is not None or not place.startswith("decoder.")


def _key(base: ModelSpec, place: str) -> str:
    """The shortest key that means a field and no other."""
    group, _, name = place.rpartition(".")
    if name not in AMBIGUOUS and _is_there(base, place):
        return name
    return f"aspp.{name}" if group == "head" and isinstance(base.head, ASPPSpec) else f"{group}.{name}"


def _add(base: ModelSpec, changes: Changes, key: str, place: str, value: Any) -> None:
    if place in changes:
        raise UsageError(f"{base.name}: {key} stands twice", "Leave out one of them.")
    changes[place] = value


def _stated(base: ModelSpec, place: str, value: Any) -> Any:
    """The plain value that is stated for a field, as text or as a recipe's table has it."""
    if place == "decoder":
        return _decoder(value)
    return _value(_hint(base, place), value) if isinstance(value, str) else value


def _decoder(value: Any) -> dict[str, Any] | None:
    """What a decoder's own value means: none, or one with every field at its default."""
    if value in (NONE, DEFAULT, {}):
        return None if value == NONE else {}
    hint = f"Write {NONE} or {DEFAULT}, or one of its keys such as decoder.convs."
    raise UsageError(f"decoder cannot be {decoding.shown(value)}", hint)


def _value(hint: Any, written: str, separators: str = ",x") -> Any:
    """A value as text, as the plain value that the annotation wants; other text stays and is refused later."""
    kind = get_args(hint)[0] if get_origin(hint) is Annotated else hint
    if get_origin(kind) is tuple:
        parts = written.split(separators[0]) if written else []
        return [_value(get_args(kind)[0], part, separators[1:]) for part in parts]
    if kind is bool or get_origin(kind) is Literal:
        return {_written(one): one for one in get_args(kind) or (True, False)}.get(written, written)
    try:
        return kind(written) if kind in (int, float) else written
    except ValueError:
        return written


def _written(value: Any, separators: str = ",x") -> str:
    """The inverse of `_value`."""
    if value is None or value == {}:
        return NONE if value is None else DEFAULT
    if isinstance(value, tuple | list):
        return separators[0].join(_written(one, separators[1:]) for one in value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _flat(spec: Any, before: str = "") -> dict[str, Any]:
    """The fields of a spec that can differ, by their dotted names."""
    flat: dict[str, Any] = {}
    for f in fields(spec):
        value = getattr(spec, f.name)
        if hasattr(value, "__dataclass_fields__"):
            flat |= _flat(value, f"{f.name}.")
        elif value is not None and f.name not in FIXED:
            flat[f"{before}{f.name}"] = value
    return flat


def _implied(base: ModelSpec, changes: Changes) -> Changes:
    """What follows from differences unless they state it themselves."""
    implied: Changes = {}
    if any(place.split(".")[0] == "decoder" for place in changes):
        gone = changes.get("decoder", {}) is None
        implied["backbone.taps"] = () if gone else base.backbone.taps or ("conv2",)
    if "head.multi_scale_channels" in changes:
        implied["backbone.taps"] = limits.VGG_TAPS if changes["head.multi_scale_channels"] else ()
    if "backbone.extra_stages" in changes and len(base.output_strides) > 1:
        implied["output_strides"] = limits.output_strides(changes["backbone.extra_stages"])
    return implied
