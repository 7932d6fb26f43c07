"""The photos of a training run: the range and bands that they are read by, which then belong to the model."""

from dataclasses import replace
from pathlib import Path

from segcli.data.dataset import Dataset
from segcli.errors import SegcliError, UsageError
from segcli.images.measure import Measured, measured
from segcli.images.raster import Range
from segcli.images.reading import AUTO, RGB_8_BIT, PhotoReading, PhotoValues
from segcli.pipeline import foresight
from segcli.pipeline.listener import Listener
from segcli.training import recipe as recipes
from segcli.training.output.run_folder import RECIPE
from segcli.training.recipe import IMAGENET, RANDOM, Data
from segcli.weights.reference import resolve


def first_values(init: str) -> PhotoValues:
    """What the weights that `model.init` names were trained on; ordinary photos where they cannot be read yet."""
    if init in (RANDOM, IMAGENET):
        return RGB_8_BIT
    try:
        return foresight.photos_of(resolve(init, must_exist=False))
    except SegcliError:  # loading them says why
        return RGB_8_BIT


def resolved(data: Data, train: Dataset, val: Dataset, first: PhotoValues, listener: Listener) -> PhotoReading:
    """How the photos of a run are read, by one range for all: as the model that comes out will read them.

    The recipe's word counts first, then what the first weights were trained on, then what the photos to learn from
    hold. Photos of 8 bits need no range.

    Args:
        data: The recipe's table.
        train: The photos to learn from.
        val: The photos to validate on.
        first: What the first weights were trained on.
        listener: Hears what was taken and why.

    Raises:
        UsageError: Photos of more than 8 bits hold values of several kinds.
    """
    wanted = data.photos()
    reading = replace(wanted, bands=_bands(wanted.bands, first, listener))
    found = _measured(train, reading)
    if len(found.ranges) > 1:
        raise UsageError(
            f"the photos to learn from have values of several kinds: {', '.join(found.ranges)}",
            "Convert them to one kind: a model is trained on one range of values.",
        )
    if val_kinds := sorted(_measured(val, reading).ranges.keys() - found.ranges.keys()):
        listener.warn(
            f"photos to validate on have values of {' and '.join(val_kinds)}, unlike the photos to learn from"
        )
    if not found.ranges:
        _tell_unused(wanted, first, listener)
        return replace(reading, value_range=None)
    bounds = _range(wanted, found, first, listener)
    if found.ordinary:
        span = f"their values 0 to 255 count as {bounds[0]:g} to {bounds[1]:g} of the other photos"
        listener.warn(f"{found.ordinary} of the photos to learn from have 8 bits: {span}")
    (kind,) = found.ranges
    return replace(reading, value_range=None, ranges={kind: bounds}, trained=kind)


def recorded(data: Data, reading: PhotoReading) -> Data:
    """The recipe's data with the range and bands that were taken, so that it says what was learned."""
    bounds = next(iter(reading.ranges.values()), data.range)
    return replace(data, range=bounds, bands=reading.bands or None)


def as_begun(data: Data, folder: Path) -> Data:
    """The recipe's data, and what it leaves open of range and bands as the run in that folder was begun."""
    try:
        begun = recipes.read(folder / RECIPE).data
    except UsageError:  # it is missing or damaged; the state tells whether the run can go on
        return data
    bounds = begun.range if data.range in (None, AUTO) and begun.range is not None else data.range
    return replace(data, range=bounds, bands=begun.bands if data.bands is None else data.bands)


def _measured(part: Dataset, reading: PhotoReading) -> Measured:
    return measured([(sample.image, None) for sample in part.samples], reading, one_for_all=True)


def _bands(wanted: tuple[str, ...], first: PhotoValues, listener: Listener) -> tuple[str, ...]:
    """The recipe's bands, or those of the first weights."""
    if wanted and first != RGB_8_BIT and wanted != first.bands:
        theirs = ", ".join(first.bands) or "the file's own red, green, blue"
        listener.note(f"the first weights were trained on the bands {theirs}, but data.bands names others")
    return wanted or first.bands


def _range(wanted: PhotoReading, found: Measured, first: PhotoValues, listener: Listener) -> Range:
    """The range of the one kind of values that there is, which is said."""
    ((kind, bounds),) = found.ranges.items()
    low, high = found.extremes[kind]
    why = f"{_said(bounds, kind)}, because the values are {low:g} to {high:g}; data.range sets another range"
    if isinstance(wanted.value_range, tuple):
        bounds = wanted.value_range
        why = f"{_said(bounds, kind)}, as data.range says"
    elif wanted.value_range is None and first.kind == kind:
        bounds = first.range
        why = f"{_said(bounds, kind)}, as for the first weights"
    listener.note(why)
    if first.range not in (None, bounds) or first.kind not in ("", kind):
        listener.note(f"the first weights were trained on the {_said(first.range, first.kind)}")
    return bounds


def _tell_unused(wanted: PhotoReading, first: PhotoValues, listener: Listener) -> None:
    """Tell where a range was asked for, or learned before, that photos of 8 bits have no use for."""
    if wanted.value_range is not None:
        listener.note("the photos to learn from have 8 bits, so data.range changes nothing")
    if first.range is not None:
        listener.note(
            f"the first weights were trained on the {_said(first.range, first.kind)}; these photos have 8 bits"
        )


def _said(bounds: Range, kind: str) -> str:
    return f"range {bounds[0]:g} to {bounds[1]:g} of {kind}"
