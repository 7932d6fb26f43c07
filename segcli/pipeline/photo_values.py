"""The bands and values that the photos of a run are read by: the user's word, else the model's, else measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segcli import decoding
from segcli.errors import UsageError
from segcli.files.encoding import to_json
from segcli.images.measure import ORDINARY, Measured, Page, measured
from segcli.images.raster import FULL, Range
from segcli.images.reading import RGB_8_BIT, PhotoReading, PhotoValues, is_range, parse_range
from segcli.pipeline.listener import SILENT, Listener
from segcli.pipeline.records import RUN_FILE

if TYPE_CHECKING:
    from segcli.data.dataset import Dataset


def resolved(
    reading: PhotoReading,
    photos: Sequence[Page],
    model: PhotoValues = RGB_8_BIT,
    *,
    earlier: Mapping[str, Any] | None = None,
    listener: Listener = SILENT,
) -> PhotoReading:
    """How the photos of a run are read, with nothing left open.

    Args:
        reading: What the user said; with `ranges` where these are known already.
        photos: The photos of the run.
        model: What the model was trained on.
        earlier: What run.toml says of how photos were read, from `begun_with`: a run goes on with the ranges that it
            was begun with.
        listener: Hears what was measured, and where the user's word is another than the model's.
    """
    _compare(reading, model, listener)
    bands = reading.bands or model.bands
    if isinstance(reading.value_range, tuple):
        return replace(reading, bands=bands)
    if reading.ranges:
        return replace(reading, bands=bands)
    by_model = reading.value_range is None and model.range is not None
    trained = {model.kind: model.range} if by_model else {}
    kept = _kept(earlier or {}, reading.value_range, bands)
    if kept and trained.items() <= kept.items():
        listener.note(f"{_listed(kept)}, as when the run was begun")
        return replace(reading, bands=bands, ranges=kept, trained=model.kind if by_model else "")
    found = measured(photos, replace(reading, bands=bands))
    for kind, note in found.notes.items():
        if kind not in trained:
            listener.note(note)
    if by_model:
        _compare_kinds(found, model, listener)
    return replace(reading, bands=bands, ranges=found.ranges | trained, trained=model.kind if by_model else "")


def for_dataset(data: Dataset, model: PhotoValues = RGB_8_BIT, listener: Listener = SILENT) -> Dataset:
    """The dataset with nothing left open of how its photos are read.

    Args:
        data: The dataset, with what the user said.
        model: What the model was trained on.
        listener: Hears what was measured, and where photos or the user's word are others than the model's.
    """
    pages = [(sample.image, None) for sample in data.samples]
    return replace(data, photos=resolved(data.photos, pages, model, listener=listener))


def _compare_kinds(found: Measured, model: PhotoValues, listener: Listener) -> None:
    """Tell which photos hold values of another type than those that the model was trained on."""
    others = {kind: count for kind, count in found.looked_at.items() if kind != model.kind}
    others |= {ORDINARY: found.ordinary} if found.ordinary else {}
    for kind, count in others.items():
        low, high = model.range
        listener.warn(f"{count} photos hold {kind}; the model was trained on {model.kind} from {low:g} to {high:g}")


def stated(reading: PhotoReading) -> dict[str, Any]:
    """What decides how photos are read beside the user's range, as TOML-plain values; empty where it is all plain."""
    ranges = {kind: list(bounds) for kind, bounds in reading.ranges.items() if bounds not in (FULL, (0.0, 1.0))}
    values = {"ranges": ranges, "bands": list(reading.bands), "alpha": reading.alpha}
    return {key: value for key, value in values.items() if value}


def said(reading: PhotoReading) -> dict[str, str]:
    """How photos are read, as text that a mask can carry; empty where it is all plain."""
    values = {key: value for key, value in to_dict(reading).items() if value is not None}
    return {"photos": to_json(values)} if values else {}


def to_dict(reading: PhotoReading, range_text: str | None = None) -> dict[str, Any]:
    """All that decides how photos are read, as TOML-plain values or None; `range_text` is the range as it was typed."""
    bounds = reading.value_range
    if isinstance(bounds, tuple) and range_text is None:
        range_text = ":".join(repr(float(bound)).removesuffix(".0") for bound in bounds)
    return {"range": bounds and (range_text or bounds), **stated(reading)}


def as_before(reading: PhotoReading, earlier: Mapping[str, Any] | None) -> PhotoReading:
    """The user's word, and what it leaves out as another run read the same photos; see `begun_with`."""
    try:
        before = PhotoReading.of(None, (earlier or {}).get("bands"), (earlier or {}).get("alpha"))
        bounds = parse_range((earlier or {}).get("range") or "model")
    except (UsageError, TypeError, ValueError, AttributeError):  # nobody's settings but a broken file's
        return reading
    bands, alpha = reading.bands or before.bands, reading.alpha or before.alpha
    if reading.value_range is not None:
        return replace(reading, bands=bands, alpha=alpha)
    ranges = _ranges(earlier or {})
    bounds = None if ranges else bounds  # which were measured then, and need not be again
    return replace(reading, value_range=bounds, bands=bands, alpha=alpha, ranges=ranges)


def begun_with(folder: Path, key: str = "input") -> dict[str, Any] | None:
    """What an output folder's run.toml says of how photos are read; None where it has none."""
    try:
        values = decoding.read_toml(folder / RUN_FILE).get(key)
    except (OSError, decoding.DecodingError):
        return None
    return values if isinstance(values, dict) else None


def trained_on(reading: PhotoReading) -> PhotoValues:
    """What a checkpoint keeps of how its training photos were read.

    Raises:
        UsageError: Photos of more than 8 bits are of several kinds, of which one range cannot hold.
    """
    if len(reading.ranges) > 1:
        raise UsageError(
            f"the photos hold values of several kinds: {', '.join(sorted(reading.ranges))}",
            "Convert them to one kind: a model is trained on one range of values.",
        )
    kind, bounds = next(iter(reading.ranges.items()), ("", None))
    return PhotoValues(bounds, kind, reading.bands)


def words(values: PhotoValues) -> str:
    """What photos a model was trained on, in words; empty for ordinary ones."""
    parts = [f"photos of {values.kind} from {values.range[0]:g} to {values.range[1]:g}"] if values.range else []
    parts += [f"bands {', '.join(values.bands)}"] if values.bands else []
    return ", ".join(parts)


def _compare(reading: PhotoReading, model: PhotoValues, listener: Listener) -> None:
    """Tell where the user's word is another than what the model was trained on."""
    if reading.value_range is not None and model.range is not None and reading.value_range != model.range:
        low, high = model.range
        listener.note(f"the model was trained on {model.kind} from {low:g} to {high:g}; --range takes another")
    if reading.bands and model != RGB_8_BIT and reading.bands != model.bands:
        trained = f"the bands {', '.join(model.bands)}" if model.bands else "the file's own red, green and blue"
        listener.note(f"the model was trained on {trained}; --bands takes others")


def _kept(earlier: Mapping[str, Any], value_range: str | None, bands: tuple[str, ...]) -> dict[str, Range]:
    """The ranges of an earlier run; empty where there are none, or where something else was asked for then."""
    asked = earlier.get("range"), tuple(earlier.get("bands", ()))
    return _ranges(earlier) if asked == (value_range, bands) else {}


def _ranges(earlier: Mapping[str, Any]) -> dict[str, Range]:
    ranges = earlier.get("ranges")
    if not isinstance(ranges, dict):
        return {}
    try:
        kept = {str(kind): (float(low), float(high)) for kind, (low, high) in ranges.items()}
    except (TypeError, ValueError):
        return {}
    return kept if all(is_range(*bounds) for bounds in kept.values()) else {}


def _listed(ranges: Mapping[str, Range]) -> str:
    return ", ".join(f"range {low:g} to {high:g} of {kind}" for kind, (low, high) in ranges.items())
