"""Metadata: what a checkpoint says of itself, as one JSON text; read without torch and without a tensor.

The text's keys are `version`, `spec`, `labels`, `preprocessing`, `recipe`, `scores` and `provenance` (one text, since
safetensors writes several in any order: equal checkpoints are equal files). `photos` stands there only for models that
were trained on other photos than those of 8 bits, red-green-blue.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from segcli import decoding
from segcli.errors import WeightsError
from segcli.files import paths
from segcli.files.encoding import to_json
from segcli.images.reading import RGB_8_BIT, PhotoValues
from segcli.labels import LabelSet
from segcli.models.preprocessing import Preprocessing
from segcli.models.spec import ModelSpec
from segcli.weights import header

KEY = "segcli"
"""The name of the text in a file's metadata."""
VERSION = 1
"""The version of the text. A reader takes its own version and earlier ones, and refuses newer ones."""


@dataclass(frozen=True)
class Metadata:
    """All of a checkpoint but its tensors.

    Attributes:
        spec: The model.
        labels: One class a logit.
        preprocessing: What its inputs must look like.
        recipe: How it was trained, as the training configuration's plain values; empty if it was converted.
        scores: What it reached, by name.
        provenance: Where converted weights come from: `weights`, `source`, `sha256`, `licence`; `commit` on the Hub.
        photos: The values of the photos that it was trained on.
    """

    spec: ModelSpec
    labels: LabelSet
    preprocessing: Preprocessing
    recipe: Mapping[str, Any] = field(default_factory=dict)
    scores: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, str] = field(default_factory=dict)
    photos: PhotoValues = RGB_8_BIT


@dataclass(frozen=True)
class _Tables:
    """The text's tables, not yet decoded."""

    spec: dict[str, Any]
    labels: dict[str, Any]
    preprocessing: dict[str, Any]
    recipe: dict[str, Any] = field(default_factory=dict)
    scores: dict[str, Any] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)
    photos: dict[str, Any] = field(default_factory=dict)


def describe(facts: Metadata) -> str:
    """The text for a file's metadata."""
    values = {
        "version": VERSION,
        "spec": facts.spec.to_dict(),
        "labels": facts.labels.to_dict(),
        "preprocessing": facts.preprocessing.to_dict(),
        "recipe": dict(facts.recipe),
        "scores": dict(facts.scores),
        "provenance": dict(facts.provenance),
    }
    if photos := facts.photos.to_dict():
        values["photos"] = photos
    return to_json(values)


def understand(text: str, name: str) -> Metadata:
    """The inverse of `describe`.

    Args:
        text: A file's metadata under KEY; empty where it has none.
        name: How messages call the file.

    Raises:
        WeightsError: It is no such text, or a newer segcli wrote it.
    """
    values = _values(text, name)
    try:
        found = decoding.decode(_Tables, values, ignore_unknown=True)
        return Metadata(
            ModelSpec.from_dict(found.spec),
            LabelSet.from_dict(found.labels),
            Preprocessing.from_dict(found.preprocessing),
            *(found.recipe, found.scores, found.provenance),
            decoding.decode(PhotoValues, found.photos, "photos"),
        )
    except ValueError as error:
        raise WeightsError(f"{name} has damaged metadata ({error})") from error


def _values(text: str, name: str) -> dict[str, Any]:
    """What the text says, once its version is one that this program knows."""
    try:
        values = decoding.parse_json(text)
        version = values["version"]
    except (KeyError, TypeError, decoding.DecodingError) as error:
        raise WeightsError(
            f"{name} does not say which model it belongs to",
            "Weights of other projects are made usable by `segcli weights convert`.",
        ) from error
    if type(version) is not int or version > VERSION:
        raise WeightsError(f"{name} was written by a newer segcli", "Update segcli from where you got it.")
    return values


def read(path: Path) -> Metadata:
    """The metadata of a checkpoint; `checkpoint.read` reads the tensors too.

    Raises:
        WeightsError: There is no such file, it is no safetensors file, or not a segcli checkpoint.
    """
    try:
        return understand(_texts(path).get(KEY, ""), paths.shown(path))
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{paths.shown(path)} is not a safetensors file, or it is cut short") from error


def _texts(path: Path) -> Mapping[str, str]:
    """The texts that a safetensors file carries."""
    found = header.texts(path)
    if found is None:
        with safe_open(path, "np") as file:
            return file.metadata() or {}
    return found
