"""Recipe: everything that decides a training run, read from TOML.

A recipe is a TOML file with a table for each part; what it leaves out has the default that stands here, and
`docs/training.md` says the same with a word on each. `--set table.key=value` wins over the file.
"""

from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta

from segcli import decoding
from segcli.decoding import DecodingError, UnknownKeyError, WrongValueError, between
from segcli.errors import UsageError
from segcli.images.reading import Alpha, PhotoReading, ValueRange, is_range, parse_bands, parse_range
from segcli.models import variants
from segcli.models.preprocessing import Grey, Spread
from segcli.models.spec import ModelSpec
from segcli.training import normalisation

RANDOM, IMAGENET = "random", "imagenet"
"""The words that `model.init` takes (fresh weights, an ImageNet backbone); other text names weights or a checkpoint."""
COUNT_LIMIT = 10_000_000
"""The largest number of steps that a recipe may state."""
Steps = Annotated[int, between(1, COUNT_LIMIT)]
StepsOrNone = Annotated[int, between(0, COUNT_LIMIT)]
"""A number of optimizer steps, where 0 stands for "not at all"."""
FOLD_LIMIT = 100
CropSide = Annotated[int, between(33, 16384)]
"""The pixels of a crop along one side."""
Pair = Annotated[tuple[CropSide, ...], Meta(min_length=2, max_length=2)]
"""Height and width of a crop; msgspec 0.22 reads a tuple of fixed length wrongly beside a number with limits."""
Scale = Annotated[float, between(0.05, 16)]
"""A factor on the sides of a photo and its label."""


@dataclass(frozen=True)
class Model:
    """[model]: the network and where its first weights come from; `docs/training.md` explains each key."""

    name: str = ""
    spec: dict[str, Any] | None = field(default=None, hash=False)
    init: str = IMAGENET
    output_stride: Annotated[int, between(0, 256)] = 0
    eval_output_stride: Annotated[int, between(0, 256)] = 0
    dropout: Annotated[float, between(0, 0.95)] | None = None
    freeze_bn: bool = False
    bn_decay: Annotated[float, between(0, 0.99999)] = 0.9
    freeze_backbone: StepsOrNone = 0

    def asked(self) -> ModelSpec:
        """The network that `name` and `spec` mean; UsageError where there is none of that name, or it cannot be."""
        return variants.get(self.name, spec=self.spec)


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
    holdout: Annotated[float, between(0, 0.9)] = 0.2
    holdout_by: Literal["every", "group"] = "every"
    fold: tuple[Annotated[int, between(1, FOLD_LIMIT)], Annotated[int, between(2, FOLD_LIMIT)]] | None = None
    size: Annotated[int, between(0, 16384)] | None = None
    pad: Literal["square", "stride", "none"] | None = None
    repeat: tuple[str, ...] = ()
    repeat_times: Annotated[int, between(1, 100)] = 2
    read_as: str | None = None
    void: str | None = None
    fill_boxes: bool | None = None
    skip_empty: bool | None = None
    with_predictions: bool | None = None
    range: str | tuple[float, float] | None = None
    bands: str | int | tuple[str | int, ...] | None = None
    alpha: Alpha | None = None
    mean: tuple[Grey, Grey, Grey] | None = None
    std: tuple[Spread, Spread, Spread] | None = None
    channels: Literal["RGB", "BGR"] | None = None

    def photos(self) -> PhotoReading:
        """How photos are read, as these keys say; UsageError, which names the key, where one has no such value."""
        return PhotoReading(_value_range(self.range), _bands(self.bands), self.alpha)


@dataclass(frozen=True)
class Schedule:
    """[schedule]: how many steps, of how many photos, at which rate."""

    iterations: Steps = 30_000
    batch: Annotated[int, between(1, 65536)] = 16
    accumulate: Annotated[int, between(1, 65536)] = 1
    policy: Literal["poly", "step", "cosine"] = "poly"
    rate: Annotated[float, between(0, 100)] = 0.007
    power: Annotated[float, between(0, 10)] = 0.9
    step: Steps = 2000
    gamma: Annotated[float, between(0, 1)] = 0.1
    warmup: StepsOrNone = 0
    end_rate: Annotated[float, between(0, 100)] = 0.0
    minutes: Annotated[float, between(0, 1_000_000)] = 0.0


@dataclass(frozen=True)
class Optimizer:
    """[optimizer]: stochastic gradient descent with momentum, as the papers train, or AdamW."""

    kind: Literal["sgd", "adamw"] = "sgd"
    momentum: Annotated[float, between(0, 0.9999)] = 0.9
    weight_decay: Annotated[float, between(0, 1)] = 4e-5
    decay_all: bool = False
    decay_depthwise: bool = True
    classifier_rate: Annotated[float, between(0, 1000)] = 1.0
    head_rate: Annotated[float, between(0, 1000)] = 1.0
    bias_rate: Annotated[float, between(0, 1000)] = 1.0
    ema: Annotated[float, between(0, 0.99999)] = 0.0
    clip: Annotated[float, between(0, 1e6)] = 0.0


@dataclass(frozen=True)
class Augment:
    """[augment]: what happens to each photo and its mask."""

    crop: CropSide | Pair = 513
    scale: tuple[Scale, Scale] = (0.5, 2.0)
    scale_step: Annotated[float, between(0, 16)] = 0.0
    flip: bool = True
    flip_vertical: bool = False
    quarter_turns: bool = False
    rotate: Annotated[float, between(0, 180)] = 0.0
    colour: Annotated[float, between(0, 0.9)] = 0.0
    focus: Annotated[float, between(0, 1)] = 0.0

    @property
    def crop_size(self) -> tuple[int, int]:
        """Height and width of a crop in pixels."""
        return self.crop if isinstance(self.crop, tuple) else (self.crop, self.crop)


@dataclass(frozen=True)
class Loss:
    """[loss]: the cross entropy over the pixels that are not void, and Lovász-Softmax where it has a factor."""

    shrink_labels: bool = False
    hardest: Annotated[float, between(0.001, 1)] = 1.0
    hardest_after: StepsOrNone = 0
    hardest_of: Literal["labelled", "all"] = "labelled"
    class_weights: tuple[Annotated[float, between(0, 1e6)], ...] = ()
    lovasz: Annotated[float, between(0, 1e6)] = 0.0
    auxiliary: Annotated[float, between(0, 1e6)] = 0.0


@dataclass(frozen=True)
class Run:
    """[run]: where and how it is computed, and how often it is saved and looked at."""

    seed: Annotated[int, between(0, 2**31 - 1)] = 0
    device: str = "auto"
    amp: Literal["off", "bf16", "fp16"] = "off"
    channels_last: bool = False
    workers: Annotated[int, between(0, 256)] = 2
    log_every: Steps = 20
    save_every: Steps = 500
    validate_every: Steps = 1000
    overlays: Annotated[int, between(0, 1000)] = 4
    patience: Annotated[int, between(0, 1_000_000)] = 0
    keep_every: StepsOrNone = 0


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a training run: one field for each table of the file."""

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

    @classmethod
    def from_dict(cls, tables: Mapping[str, Any]) -> "Recipe":
        """The recipe of plain values by table and key.

        Raises:
            UsageError: A table or key is unknown, a value is of the wrong kind or out of range, or two contradict.
        """
        try:
            recipe = decoding.decode(cls, tables)
        except UnknownKeyError as error:
            raise _no_such_key(error) from error
        except WrongValueError as error:
            if "." not in error.place:
                raise UsageError(f"{error.place} is no table", f"Write [{error.place}] above its keys.") from error
            raise UsageError(error.message, error.hint) from error
        _refuse_contradictions(recipe)
        return recipe


def read(path: Path, changes: Iterable[str] = ()) -> Recipe:
    """Read a recipe from a TOML file.

    Args:
        path: The file.
        changes: `table.key=value` each, as `--set` takes them; the last one wins.

    Raises:
        UsageError: The file cannot be read, or `Recipe.from_dict` refuses what stands in it.
    """
    try:
        tables = decoding.read_toml(path)
    except OSError as error:
        raise UsageError(f"cannot read the recipe {path}: {error.strerror}", "`segcli recipes` lists some.") from error
    except WrongValueError as error:
        raise UsageError(f"{path}: {error.message}", error.hint) from error
    except DecodingError as error:
        raise UsageError(f"the recipe {path} is no valid TOML: {error.message}") from error
    try:
        return Recipe.from_dict(changed(tables, changes))
    except UsageError as error:
        raise UsageError(f"{path}: {error.message}", error.hint) from error


def changed(tables: Mapping[str, Any], changes: Iterable[str]) -> dict[str, Any]:
    """The tables with changes such as "schedule.batch=4"; a value that is no TOML is taken as text."""
    result = deepcopy(dict(tables))
    for text in changes:
        name, sign, value = text.partition("=")
        place, dot, last = name.strip().rpartition(".")
        if not (sign and dot and all(name.strip().split("."))):
            near = [known for known in known_keys() if known.partition(".")[2] == last]
            hint = f"Did you mean {near[0]}={value or '...'}?" if near else "For example: --set schedule.batch=4"
            raise UsageError(f"--set {text}: not table.key=value", hint)
        _table(result, place)[last] = _value(value)
    return result


def keys_of(changes: Iterable[str]) -> dict[str, Any]:
    """The keys that changes such as "schedule.batch=4" set, with their values: {"schedule.batch": 4}."""
    tables = changed({}, changes)
    return {f"{name}.{key}": value for name, table in tables.items() for key, value in table.items()}


def known_keys() -> list[str]:
    """Every key of a recipe, with its table."""
    return [f"{part.name}.{f.name}" for part in fields(Recipe) for f in fields(part.default_factory)]


def _table(tables: dict[str, Any], place: str) -> dict[str, Any]:
    for key in place.split("."):
        tables = tables.setdefault(key, {})
        if not isinstance(tables, dict):
            raise UsageError(f"{place} is no table", f"Write [{place}] above its keys.")
    return tables


def _value(text: str) -> Any:
    try:
        return decoding.parse_toml(f"value = {text}")["value"]
    except DecodingError:
        return text.strip()


def _no_such_key(error: UnknownKeyError) -> UsageError:
    """What to say of an unknown table or key: the same key in another table comes first, then the nearest one."""
    elsewhere = [name for name in known_keys() if name.rpartition(".")[2] == error.key]
    close = get_close_matches(error.key, error.known, n=1)
    near = elsewhere or [decoding.joined(error.place, name) for name in close]
    hint = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(error.known)}."
    kind, name = "key" if error.place else "table", decoding.joined(error.place, error.key)
    return UsageError(f"a recipe has no {kind} {name}", hint)


def _refuse_contradictions(recipe: Recipe) -> None:
    schedule, (low, high) = recipe.schedule, recipe.augment.scale
    if schedule.batch % schedule.accumulate:
        raise UsageError(
            f"schedule.batch = {schedule.batch} cannot be split into schedule.accumulate = {schedule.accumulate} parts",
            "The batch must be a multiple of it.",
        )
    if low > high:
        raise UsageError(f"augment.scale = [{low:g}, {high:g}] is no range", "Write the smaller scale first.")
    part, parts = recipe.data.fold or (1, 2)
    if part > parts:
        raise UsageError(f"data.fold = [{part}, {parts}] is no fold", f"Of {parts} folds the last one is {parts}.")
    normalisation.check(recipe.data)
    recipe.data.photos()
    _refuse_models(recipe.model)


def _refuse_models(model: Model) -> None:
    if not model.name:
        if model.spec:
            raise UsageError("model.spec has no model to differ from", "Name one with model.name, or leave it out.")
        if model.init in (RANDOM, IMAGENET):
            raise UsageError("model.name is missing", "Name a model of `segcli models`, or weights with model.init.")
        return
    spec = model.asked()
    for key in ("output_stride", "eval_output_stride"):
        if (stride := getattr(model, key)) not in (0, *spec.output_strides):
            known = ", ".join(map(str, spec.output_strides))
            raise UsageError(f"{spec.name} cannot have model.{key} = {stride}", f"It can have {known}.")


def _value_range(value: str | tuple[float, float] | None) -> ValueRange:
    """The range that `data.range` means."""
    try:
        if isinstance(value, str):
            return parse_range(value)
        if value is None or is_range(*value):
            return value
    except ValueError:
        pass
    hint = 'Give [low, high], the lower one first, or "auto".'
    raise UsageError(f"data.range cannot be {_plain(value)!r}", hint)


def _bands(value: str | int | tuple[str | int, ...] | None) -> tuple[str, ...]:
    """The bands that `data.bands` means."""
    if value is None:
        return ()
    text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
    try:
        return parse_bands(text)
    except ValueError:
        hint = "Name one band (grey) or three (red, green, blue), such as [8, 4, 3]."
        raise UsageError(f"data.bands cannot be {_plain(value)!r}", hint) from None


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
