"""Foresight: the facts of a model before its network is loaded, without torch; they tell whether work is done."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segcli.errors import SegcliError, WeightsError
from segcli.files.atomic import sha256
from segcli.images.reading import RGB_8_BIT, PhotoValues
from segcli.inference.options import ModelOptions
from segcli.weights import metadata
from segcli.weights.facts import Int8, ModelFacts
from segcli.weights.reference import ModelReference

if TYPE_CHECKING:
    from segcli.weights.cache import Cached


def foresee(
    reference: ModelReference, options: ModelOptions, begun: str | None, int8: dict[str, Any] | None = None
) -> ModelFacts | None:
    """The facts of a model; None where only loading it tells.

    Args:
        reference: Which model.
        options: How it will be loaded.
        begun: The engine that the output folder was begun with; None where it has none.
        int8: What its run.toml says of an 8-bit form; one that is wanted is foreseen only where it was used before.
    """
    form = wanted_form(options)
    if form and asdict(form) != int8:
        return None
    engine = "onnx" if form else options.wanted_engine()
    engine = begun if engine == "auto" else engine
    elsewhere = engine == "onnx" and options.device not in ("auto", "cpu")
    if engine is None or elsewhere or reference.is_exported:
        return None
    return _facts(reference, options.output_stride, engine, form)


def wanted_form(options: ModelOptions) -> Int8 | None:
    """What the 8-bit form that is wanted is made with; None where the network computes in floats."""
    if options.precision != "int8":
        return None
    from segcli.export import calibration

    return calibration.of(options.calibrate).facts


def verified(reference: ModelReference, output_stride: int | None, engine: str) -> ModelFacts | None:
    """The facts of a model once its weights are known to be whole; None where they are not here, or damaged.

    Args:
        reference: Which model; not one that was exported.
        output_stride: Input pixels a feature; None: the one the weights were made for.
        engine: What will run the network, in floats.
    """
    if reference.entry:
        here = _cached(reference)
        if here is None or here.problem():
            return None
    return _facts(reference, output_stride, engine)


def photos_of(reference: ModelReference) -> PhotoValues:
    """The values of the photos that a model was trained on, without loading its network.

    Published models were trained on ordinary photos; so a file that cannot be read counts, which loading it will tell.
    """
    if reference.entry:
        return RGB_8_BIT
    try:
        if reference.is_exported:
            from segcli.weights import onnx_file

            return onnx_file.facts(reference.path).photos
        return metadata.read(reference.path).photos
    except SegcliError:
        return RGB_8_BIT


def _facts(
    reference: ModelReference, output_stride: int | None, engine: str, int8: Int8 | None = None
) -> ModelFacts | None:
    file = _entrys_file(reference) if reference.entry else _own_file(reference.path)
    if file is None:
        return None
    path, origin = file
    try:
        about = metadata.read(path)
    except WeightsError:
        return None  # loading it will say what is wrong
    stride = output_stride or about.spec.output_stride
    provenance = origin if reference.entry else {**about.provenance, **origin}
    return ModelFacts.of(about, output_stride=stride, provenance=provenance, engine=engine, int8=int8)


def _entrys_file(reference: ModelReference) -> tuple[Path, dict[str, str]] | None:
    """The checkpoint of a manifest's entry and its origin; None where it is not on this computer yet."""
    from segcli.weights import cache

    here = _cached(reference)
    if here is None or not here.path.is_file():
        return None
    return here.path, cache.provenance(reference.entry, here.record)


def _cached(reference: ModelReference) -> Cached | None:
    """What is on this computer of a manifest's entry."""
    from segcli.weights import cache

    return next((one for one in cache.cached() if one.name == reference.entry.name), None)


def _own_file(path: Path) -> tuple[Path, dict[str, str]]:
    return path, {"weights": str(path), "sha256": sha256(path)}
