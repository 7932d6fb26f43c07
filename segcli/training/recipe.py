"""Recipe: everything that decides a training run, read from TOML.

A recipe is a TOML file with a table for each part; what it leaves out has the default that stands here, and
`docs/training.md` says the same with a word on each. `--set table.key=value` wins over the file.
"""

import math
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from segcli.errors import UsageError
from segcli.models import variants

RANDOM, IMAGENET = "random", "imagenet"
"""Of `model.init`: fresh weights, or an ImageNet backbone; anything else names weights or a checkpoint."""
BEST, LAST, STATE = "best.safetensors", "last.safetensors", "state.pt"
"""What a run leaves in its folder: two checkpoints, and what it goes on from."""


@dataclass(frozen=True)
class Model:
    """[model]: the network and where its first weights come from; `docs/training.md` explains each key."""

    name: str = ""
    init: str = IMAGENET
    output_stride: int = 0
    dropout: float | None = None
    freeze_bn: bool = False
    bn_decay: float = 0.9
    freeze_backbone: int = 0


@dataclass(frozen=True)
class Data:
    """[data]: photos and masks, to learn from and to choose by."""

    dataset: str = "folder"
    data_dir: str = "data"
    train: str = "train"
    val: str = "val"
    images: str = ""
    masks: str = ""
    val_images: str = ""
    val_masks: str = ""
    labels: str | tuple[str, ...] = ""
    holdout: float = 0.2
    size: int | None = None
    pad: Literal["square", "stride", "none"] | None = None
    repeat: tuple[str, ...] = ()
    repeat_times: int = 2


@dataclass(frozen=True)
class Schedule:
    """[schedule]: how many steps, of how many photos, at which rate."""

    iterations: int = 30_000
    batch: int = 16
    accumulate: int = 1
    policy: Literal["poly", "step"] = "poly"
    rate: float = 0.007
    power: float = 0.9
    step: int = 2000
    gamma: float = 0.1
    warmup: int = 0


@dataclass(frozen=True)
class Optimizer:
    """[optimizer]: stochastic gradient descent with momentum, as the papers train, or AdamW."""

    kind: Literal["sgd", "adamw"] = "sgd"
    momentum: float = 0.9
    weight_decay: float = 4e-5
    decay_all: bool = False
    classifier_rate: float = 1.0
    clip: float = 0.0


@dataclass(frozen=True)
class Augment:
    """[augment]: what happens to each photo and its mask."""

    crop: int = 513
    scale: tuple[float, float] = (0.5, 2.0)
    scale_step: float = 0.0
    flip: bool = True
    colour: float = 0.0
    focus: float = 0.0


@dataclass(frozen=True)
class Loss:
    """[loss]: the cross entropy over the pixels that are not void, and Lovász-Softmax where it has a factor."""

    shrink_labels: bool = False
    hardest: float = 1.0
    hardest_after: int = 0
    class_weights: tuple[float, ...] = ()
    lovasz: float = 0.0


@dataclass(frozen=True)
class Run:
    """[run]: where and how it is computed, and how often it is saved and looked at."""

    seed: int = 0
    device: str = "auto"
    amp: Literal["off", "bf16", "fp16"] = "off"
    channels_last: bool = False
    workers: int = 2
    log_every: int = 20
    save_every: int = 500
    validate_every: int = 1000
    overlays: int = 4


@dataclass(frozen=True)
class Recipe:
    """A training run, whole."""

    model: Model = field(default_factory=Model)
    data: Data = field(default_factory=Data)
    schedule: Schedule = field(default_factory=Schedule)
    optimizer: Optimizer = field(default_factory=Optimizer)
    augment: Augment = field(default_factory=Augment)
    loss: Loss = field(default_factory=Loss)
    run: Run = field(default_factory=Run)

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Plain JSON and TOML values by table and key; keys without a value are left out."""
        tables = asdict(self)
        return {
            name: {key: _plain(value) for key, value in table.items() if value is not None}
            for name, table in tables.items()
        }


_UNIONS = (UnionType, Union)  # Literal[...] | None is the older of the two
_POSITIVE = (1, 10_000_000)
_LIMITS: dict[str, tuple[float, float]] = {
    "model.output_stride": (0, 256),
    "model.dropout": (0.0, 0.95),
    "model.freeze_backbone": (0, 10_000_000),
    "model.bn_decay": (0.0, 0.99999),
    "data.holdout": (0.0, 0.9),
    "data.size": (0, 16384),
    "data.repeat_times": (1, 100),
    "schedule.iterations": _POSITIVE,
    "schedule.batch": (1, 65536),
    "schedule.accumulate": (1, 65536),
    "schedule.rate": (0.0, 100.0),
    "schedule.power": (0.0, 10.0),
    "schedule.step": _POSITIVE,
    "schedule.gamma": (0.0, 1.0),
    "schedule.warmup": (0, 10_000_000),
    "optimizer.momentum": (0.0, 0.9999),
    "optimizer.weight_decay": (0.0, 1.0),
    "optimizer.classifier_rate": (0.0, 1000.0),
    "optimizer.clip": (0.0, 1e6),
    "augment.crop": (33, 16384),
    "augment.scale": (0.05, 16.0),
    "augment.scale_step": (0.0, 16.0),
    "augment.colour": (0.0, 0.9),
    "augment.focus": (0.0, 1.0),
    "loss.hardest": (0.001, 1.0),
    "loss.hardest_after": (0, 10_000_000),
    "loss.class_weights": (0.0, 1e6),
    "loss.lovasz": (0.0, 1e6),
    "run.seed": (0, 2**31 - 1),
    "run.workers": (0, 256),
    "run.log_every": _POSITIVE,
    "run.save_every": _POSITIVE,
    "run.validate_every": _POSITIVE,
    "run.overlays": (0, 1000),
}
"""Of every number in a recipe, both ends included."""


def read(path: Path, changes: Iterable[str] = ()) -> Recipe:
    """Read a recipe from a TOML file.

    Args:
        path: The file.
        changes: `table.key=value` each, as `--set` takes them; the last one wins.

    Raises:
        UsageError: The file cannot be read, or `from_dict` refuses what stands in it.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UsageError(f"cannot read the recipe {path}: {error.strerror}", "examples/recipes has some.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"the recipe {path} is no valid TOML: {error}") from error
    try:
        return from_dict(changed(tables, changes))
    except UsageError as error:
        raise UsageError(f"{path}: {error.message}", error.hint) from error


def changed(tables: Mapping[str, Any], changes: Iterable[str]) -> dict[str, Any]:
    """The tables with changes such as "schedule.batch=4"; a value that is no TOML is taken as text."""
    result = {name: dict(table) if isinstance(table, dict) else table for name, table in tables.items()}
    for text in changes:
        name, sign, value = text.partition("=")
        table, dot, key = name.strip().partition(".")
        if not (sign and dot and key):
            near = [known for known in known_keys() if known.partition(".")[2] == table]
            hint = f"Did you mean {near[0]}={value or '...'}?" if near else "For example: --set schedule.batch=4"
            raise UsageError(f"--set {text}: not table.key=value", hint)
        if not isinstance(result.setdefault(table, {}), dict):
            raise UsageError(f"{table} is no table", f"Write [{table}] above its keys.")
        result[table][key] = _value(value)
    return result


def from_dict(tables: Mapping[str, Any]) -> Recipe:
    """A recipe of plain values by table and key.

    Raises:
        UsageError: A table or key is unknown, a value is of the wrong kind or out of range, or two contradict.
    """
    parts = {f.name: f.default_factory for f in fields(Recipe)}
    _refuse_unknown(tables, parts, "")
    built = {}
    for name, values in tables.items():
        if not isinstance(values, dict):
            raise UsageError(f"{name} is no table", f"Write [{name}] above its keys.")
        kinds = get_type_hints(parts[name])
        _refuse_unknown(values, kinds, f"{name}.")
        built[name] = parts[name](**{key: _decode(kinds[key], v, f"{name}.{key}") for key, v in values.items()})
    recipe = Recipe(**built)
    _refuse_contradictions(recipe)
    return recipe


def known_keys() -> list[str]:
    """Every key of a recipe, with its table."""
    return [f"{part.name}.{f.name}" for part in fields(Recipe) for f in fields(part.default_factory)]


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text.strip()


def _refuse_unknown(values: Mapping[str, Any], known: Iterable[str], table: str) -> None:
    known = list(known)
    for key in values:
        if key in known:
            continue
        elsewhere = [name for name in known_keys() if name.rpartition(".")[2] == key]
        near = elsewhere or [table + name for name in get_close_matches(key, known, n=1)]
        hint = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(known)}."
        raise UsageError(f"a recipe has no {'key' if table else 'table'} {table}{key}", hint)


def _decode(kind: Any, value: Any, where: str) -> Any:
    """`value` as the annotation says, within its limits, or UsageError."""
    if not _fits(kind, value):
        raise UsageError(f"{where} cannot be {value!r}", f"It must be {_described(kind)}.")
    value = tuple(value) if isinstance(value, list) else value
    low, high = _LIMITS.get(where, (-math.inf, math.inf))
    for number in value if isinstance(value, tuple) else (value,):
        if isinstance(number, int | float) and not isinstance(number, bool) and not low <= number <= high:
            raise UsageError(f"{where} cannot be {number:g}", f"It must be in {low:g}..{high:g}.")
    if float not in (kind, *get_args(kind)) or value is None:
        return value
    return tuple(map(float, value)) if isinstance(value, tuple) else float(value)


def _fits(kind: Any, value: Any) -> bool:
    if get_origin(kind) in _UNIONS:
        return any(_fits(one, value) for one in get_args(kind))
    if get_origin(kind) is Literal:
        return value in get_args(kind)
    if get_origin(kind) is tuple:
        kinds = get_args(kind)
        right_length = kinds[-1] is Ellipsis or (isinstance(value, list | tuple) and len(value) == len(kinds))
        return isinstance(value, list | tuple) and right_length and all(_fits(kinds[0], item) for item in value)
    return type(value) in ((int, float) if kind is float else (kind,))


def _described(kind: Any) -> str:
    if get_origin(kind) in _UNIONS:
        return " or ".join(_described(one) for one in get_args(kind) if one is not NoneType)
    if get_origin(kind) is Literal:
        return " or ".join(map(repr, get_args(kind)))
    if get_origin(kind) is tuple:
        item, *rest = get_args(kind)
        return f"a list of {'' if Ellipsis in rest else '2 '}{'names' if item is str else 'numbers'}"
    return {bool: "true or false", int: "a whole number", float: "a number", str: "text in quotes"}[kind]


def _refuse_contradictions(recipe: Recipe) -> None:
    schedule, (low, high) = recipe.schedule, recipe.augment.scale
    if schedule.batch % schedule.accumulate:
        raise UsageError(
            f"schedule.batch = {schedule.batch} cannot be split into schedule.accumulate = {schedule.accumulate} parts",
            "The batch must be a multiple of it.",
        )
    if low > high:
        raise UsageError(f"augment.scale = [{low:g}, {high:g}] is no range", "Write the smaller scale first.")
    _refuse_models(recipe.model)


def _refuse_models(model: Model) -> None:
    if not model.name:
        if model.init in (RANDOM, IMAGENET):
            raise UsageError("model.name is missing", "Name a model of `segcli models`, or weights with model.init.")
        return
    spec = variants.get(model.name)
    if model.output_stride not in (0, *spec.output_strides):
        raise UsageError(
            f"{spec.name} cannot have model.output_stride = {model.output_stride}",
            f"It can have {', '.join(map(str, spec.output_strides))}.",
        )


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
