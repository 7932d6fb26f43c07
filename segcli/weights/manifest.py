"""weights_manifest.toml -> WeightsEntry: which weights exist, where, under which licence and for which pictures."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from msgspec import Meta

from segcli import decoding
from segcli.decoding import DecodingError, MissingKeyError, UnknownKeyError, between
from segcli.errors import UsageError, WeightsError, nearest
from segcli.labels import LABEL_SETS
from segcli.models import differences, variants
from segcli.models.differences import SIGN
from segcli.models.preprocessing import Preprocessing
from segcli.models.spec import BackboneSpec, ModelSpec, OutputStride

Format = Literal[
    *("transformers", "torchvision", "tensorflow", "segmentron", "mmsegmentation", "caffe-v2", "timm", "vainf"),
]
OWN = "segcli"
"""The format of weights that the package brings along: a checkpoint of this tool, which needs no conversion."""
Role = Literal["segmentation", "backbone"]
SOURCES = ("hub", "url", "packaged")
"""The keys that say where weights are."""
LEARNED_FROM = "learned_from"
"""The key that names the datasets whose terms an entry gets."""
Percent = Annotated[float, between(0, 100)]


@dataclass(frozen=True)
class HubFile:
    """A file of a repository on the Hugging Face Hub (or whatever HF_ENDPOINT names)."""

    repo: str
    revision: str
    file: str

    def __str__(self) -> str:
        return f"{self.repo}/{self.file} at {self.revision}"


@dataclass(frozen=True)
class WebFile:
    """A file behind a plain URL."""

    url: str

    def __str__(self) -> str:
        return self.url


@dataclass(frozen=True)
class PackagedFile:
    """A file that is installed with segcli."""

    file: str

    @property
    def path(self) -> Path:
        """The file's place."""
        return Path(__file__).parents[1] / "builtin" / self.file

    def __str__(self) -> str:
        return f"{self.file}, installed with segcli"


@dataclass(frozen=True)
class WeightsEntry:
    """One set of weights that exists, as its publisher describes it.

    Attributes:
        name: VARIANT@CHOICE; unique.
        source: Where it is.
        format: The layout of its tensors, a key of `convert.LAYOUTS`, or OWN.
        licence: The licence as the source states it.
        licence_of: What the source states it of: the weights, or only the repository that has or links them.
        terms: The datasets it learned from, pretraining included, with their terms of use in words; "" where none were
            found.
        trained_on_val: Whether it learned from the photos of its dataset's val too, so that scores there mean nothing.
        preprocessing: What its inputs must look like.
        alias: A short name that `--model` takes as well.
        labels: A name in `labels.LABEL_SETS`; empty for a backbone.
        role: "segmentation", or "backbone" for ImageNet weights to train from.
        default: Whether the plain variant name means this entry.
        recommended: What segcli itself recommends it for; empty for most.
        scenes: What the photos show that it was made for, where they are not photos of everyday life.
        output_stride: The one it is run at unless told otherwise; None: the variant's own.
        sha256: The hash of the downloaded file, or a prefix of it; empty where none is published. A packaged file's is
            whole.
        named_sha256: The start of a sha256 that the file's name states, of the file or of what its publisher made it
            of: another one is told, not refused.
        size: The bytes of the download, rounded as published; 0 where none is.
        spec: What differs from the variant's spec, nested as the spec is.
        fits: Of a backbone the fields of `BackboneSpec`, beside the kind, that decide whose tensors these are.
        reported_miou: The mean IOU in per cent, with the setting and who reported it.
        measured_miou: The mean IOU in per cent, by this project's own `eval` with `measured_setting`.
    """

    name: str
    source: HubFile | WebFile | PackagedFile
    format: Literal[*get_args(Format), OWN]
    licence: str
    preprocessing: Preprocessing
    licence_of: Literal["weights", "repository"] = "repository"
    terms: dict[str, str] = field(default_factory=dict)
    trained_on_val: bool = False
    alias: str = ""
    labels: str = ""
    role: Role = "segmentation"
    default: bool = False
    recommended: str = ""
    scenes: str = ""
    output_stride: OutputStride | None = None
    sha256: str = ""
    named_sha256: Annotated[str, Meta(pattern="^([0-9a-f]{8,64})?$")] = ""
    size: Annotated[int, between(0, 1 << 40)] = 0
    spec: dict[str, Any] = field(default_factory=dict)
    fits: dict[str, Any] = field(default_factory=dict)
    reported_miou: Percent | None = None
    reported_setting: str = ""
    reported_by: str = ""
    measured_miou: Percent | None = None
    measured_setting: str = ""

    @property
    def variant(self) -> str:
        """The variant's name, or for a backbone its kind."""
        return self.name.partition("@")[0]

    def model_spec(self) -> ModelSpec:
        """The variant's spec with this source's differences and output stride; only for role "segmentation"."""
        spec = adapted(variants.get(self.variant), self.spec)
        return replace(spec, output_stride=self.output_stride or spec.output_stride)


def adapted(spec: ModelSpec, changes: Mapping[str, Any]) -> ModelSpec:
    """A spec with nested changes, such as {"backbone": {"bn_eps": 1e-5}}; WeightsError on an unknown key."""
    return ModelSpec.from_dict(_merged(spec.to_dict(), changes))


def overruled(spec: ModelSpec, source: ModelSpec) -> list[str]:
    """The differences, by dotted field, that a network's name states and that its source has otherwise."""
    return [place for place in differences.between(spec, source) if place in variants.stated(spec)]


def _merged(base: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    nested = {k: _merged(base[k], v) for k, v in changes.items() if isinstance(v, Mapping) and base.get(k)}
    return {**base, **changes, **nested}


def path() -> Path:
    """The manifest beside the installed package, or at the top of a checkout."""
    package = Path(__file__).parents[1]
    installed = package / "weights_manifest.toml"
    return installed if installed.is_file() else package.with_name("weights_manifest.toml")


@cache
def entries() -> tuple[WeightsEntry, ...]:
    """Every entry of the project's manifest, in its order."""
    return parse(path().read_text(encoding="utf-8"))


def parse(text: str) -> tuple[WeightsEntry, ...]:
    """The entries of a manifest.

    Raises:
        UsageError: It is not TOML, or a key or value is not one that a manifest has.
    """
    try:
        tables = decoding.parse_toml(text)
    except DecodingError as error:
        raise UsageError(f"the weights manifest is not TOML: {error.message}") from error
    try:
        whole = decoding.decode(_Tables, tables)
        for preset in whole.preprocessing.values():
            Preprocessing.from_dict(preset)
    except DecodingError as error:
        raise _refusal(error, "the weights manifest") from error
    found = tuple(_entry(values, whole) for values in whole.weights)
    names = [name for entry in found for name in (entry.name, entry.alias) if name]
    if twice := {name for name in names if names.count(name) > 1}:
        raise UsageError(f"the weights manifest has {', '.join(sorted(twice))} twice")
    return found


@dataclass(frozen=True)
class _Tables:
    """The manifest's tables, not yet decoded."""

    preprocessing: dict[str, dict[str, Any]] = field(default_factory=dict)
    spec: dict[str, dict[str, Any]] = field(default_factory=dict)
    terms: dict[str, str] = field(default_factory=dict)
    weights: tuple[dict[str, Any], ...] = ()


def _entry(values: dict[str, Any], tables: _Tables) -> WeightsEntry:
    where = f"weights {values.get('name', '?')}"
    plain = {key: value for key, value in values.items() if key not in (*SOURCES, LEARNED_FROM)}
    if "preprocessing" in values:
        plain["preprocessing"] = _of(tables.preprocessing, "preprocessing", values["preprocessing"], where)
    if "labels" in values:
        _of(LABEL_SETS, "labels", values["labels"], where)
    if isinstance(values.get("spec"), str):
        plain["spec"] = _of(tables.spec, "spec", values["spec"], where)
    if LEARNED_FROM in values:
        plain["terms"] = {name: _of(tables.terms, LEARNED_FROM, name, where) for name in values[LEARNED_FROM]}
    try:
        decoding.refuse_unknown(BackboneSpec, plain.get("fits", {}), "fits")
        return decoding.decode(WeightsEntry, {"source": _source(values, where), **plain})
    except DecodingError as error:
        raise _refusal(error, where) from error


def _of(known: Mapping[str, Any], key: str, name: Any, where: str) -> Any:
    """What a name that a key has stands for; UsageError where there is no such name."""
    if name not in tuple(known):
        raise UsageError(f"{where}: {key} is {decoding.shown(name)}", nearest(str(name), sorted(known)))
    return known[name]


def _source(values: dict[str, Any], where: str) -> dict[str, Any]:
    """Where an entry's weights are, as the fields of HubFile, WebFile or PackagedFile."""
    stated = [key for key in SOURCES if key in values]
    if len(stated) != 1:
        raise UsageError(f"{where}: exactly one of hub, url and packaged says where they are")
    if "source" in values:  # the field that these three stand for
        raise _refusal(UnknownKeyError("", "source", SOURCES), where)
    if stated == ["hub"]:
        return values["hub"]
    if stated == ["url"]:
        return {"url": values["url"]}
    if values.get("format") != OWN or len(str(values.get("sha256", ""))) != 64:
        raise UsageError(f"{where}: what is packaged has the format {OWN!r} and its whole sha256")
    return {"file": values["packaged"]}


def _refusal(error: DecodingError, where: str) -> UsageError:
    if isinstance(error, UnknownKeyError):
        return UsageError(f"{where} has an unknown key {decoding.shown(error.key)}", error.hint)
    if isinstance(error, MissingKeyError):
        return UsageError(f"{where}: {error.place} is missing")
    return UsageError(f"{where}: {error.message}", error.hint)


def resolve(reference: str) -> WeightsEntry:
    """The entry that `--model` names: VARIANT (its default weights), VARIANT@CHOICE or an alias.

    Raises:
        UsageError: There is no such variant or difference from one, or it has weights but not that choice.
        WeightsError: No weights of the variant exist, or none with those differences.
    """
    name, choice = split(reference)
    variant = variants.get(name, [entry.alias for entry in entries() if entry.alias]).name
    of_variant = [e for e in entries() if e.variant == variant and e.role == "segmentation"]
    if not of_variant:
        raise _no_weights(variant)
    return _chosen(of_variant, choice, variant)


def unaliased(reference: str) -> str:
    """The whole name behind an alias; anything else as it is."""
    return next((entry.name for entry in entries() if entry.alias and entry.alias == reference), reference)


def split(reference: str) -> tuple[str, str]:
    """The name of a network, with its differences, and the choice of weights behind the @, which may be empty.

    UsageError where differences stand behind an @ or an alias, which mean weights.
    """
    name, _, choice = unaliased(reference).partition("@")
    name = unaliased(name).partition("@")[0] if choice else name  # an alias with a choice behind it
    if SIGN in choice:
        raise _differences_of_weights(reference, name, choice)
    first, sign, _ = name.partition(SIGN)
    if sign and unaliased(first) != first:
        raise _differences_of_weights(reference, unaliased(first).partition("@")[0], name)
    return name, choice


def find(name: str) -> WeightsEntry:
    """The entry of exactly that name, a backbone's too; else what `resolve` makes of it."""
    return next((entry for entry in entries() if entry.name == name), None) or resolve(name)


def backbone(spec: ModelSpec) -> WeightsEntry:
    """The ImageNet weights for a model's backbone.

    Raises:
        WeightsError: None are known; the hint names weights of models on the same backbone, where there are any.
    """
    of_kind = [e for e in entries() if e.variant == spec.backbone.kind and e.role == "backbone"]
    for entry in of_kind:
        if all(getattr(spec.backbone, key) == value for key, value in entry.fits.items()):
            return entry
    raise _no_backbone(spec)


def _no_backbone(spec: ModelSpec) -> WeightsError:
    segmenting = [entry for entry in entries() if entry.role == "segmentation"]
    lenders = [e.name for e in segmenting if e.model_spec().backbone.untapped == spec.backbone.untapped]
    known = dict.fromkeys(entry.variant for entry in entries() if entry.role == "backbone")
    hint = f"Take a model on one of {', '.join(known)}."
    if lenders:
        hint = f'Begin with weights on the same backbone instead: model.init = "{lenders[0]}".'
    return WeightsError(f"no ImageNet weights for the backbone of {spec.name} are known", hint)


def _chosen(of_variant: list[WeightsEntry], choice: str, variant: str) -> WeightsEntry:
    for entry in of_variant:
        if entry.name == f"{variant}@{choice}" or (not choice and entry.default):
            return entry
    if not choice:
        raise UsageError(f"{variant} has several weights", f"Choose {' or '.join(e.name for e in of_variant)}.")
    raise no_such_choice(variant, choice, of_variant)


def no_such_choice(variant: str, choice: str, of_variant: Iterable[WeightsEntry]) -> UsageError:
    """What to tell who asks for VARIANT@CHOICE where there are only those entries, perhaps none."""
    names = [entry.name for entry in of_variant]
    hint = nearest(f"{variant}@{choice}", names, f"Leave out @{choice}.", most=3)
    return UsageError(f"{variant} has no weights {choice!r}", hint)


def _no_weights(variant: str) -> WeightsError:
    first, sign, _ = variant.partition(SIGN)
    if sign:
        hint = f"It differs from {first}. Train it, by a recipe with model.name = {variant!r}, and give --weights FILE."
        return WeightsError(f"no trained weights of {variant} are known", hint)
    known = sorted({e.variant for e in entries() if e.role == "segmentation"})
    return WeightsError(
        f"no trained weights of {variant} are known",
        f"They exist for {', '.join(known)}; or train your own and give --weights FILE.",
    )


def _differences_of_weights(reference: str, network: str, written: str) -> UsageError:
    """What to tell who writes differences behind the name of weights instead of the network's."""
    hint = f"Differences stand behind the network's name: {network}{SIGN}{written.partition(SIGN)[2]}."
    return UsageError(f"{reference}: published weights cannot be given differences", hint)
