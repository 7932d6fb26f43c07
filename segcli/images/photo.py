"""Photo: a picture as uint8 red, green, blue, made of a Raster's bands and values."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from segcli.errors import InputError
from segcli.images import bands, ranges
from segcli.images.colours import to_rgb
from segcli.images.composite import composite, remark
from segcli.images.geo.place import Place
from segcli.images.orientation import upright
from segcli.images.raster import FULL, RGB, Range, Raster
from segcli.images.reading import AUTO, Alpha, PhotoReading

NOT_MEASURED = "Give --range LO:HI: photos in a store are not all measured first."


@dataclass(frozen=True)
class Photo:
    """A decoded picture.

    Attributes:
        rgb: uint8 (H, W, 3), writable. Pixels without data have colours of their surroundings.
        notes: What the reader had to decide and the user may want to decide otherwise, a sentence each.
        valid: Where there is data, bool (H, W); None: everywhere.
        place: Where on earth it lies, where it was asked for and the file says.
        working: The (height, width) at which a network is to see it; None leaves that to the model.
    """

    rgb: np.ndarray
    notes: tuple[str, ...] = ()
    valid: np.ndarray | None = None
    place: Place | None = None
    working: tuple[int, int] | None = None


@dataclass(frozen=True)
class View:
    """What the values of a raster become.

    Attributes:
        taken: The bands that become grey (one) or red, green and blue (three).
        alpha: What is done with the band of alpha; "ignore" where there is none.
        limits: The values that become black and white, one pair for all bands or one each; () where they have 8 bits.
        composed: Whether the bands are added up in colours of their own, as `Raster.luts` says.
    """

    taken: tuple[int, ...]
    alpha: Alpha
    limits: tuple[Range, ...] = ()
    composed: bool = False


def photo_of(raster: Raster, reading: PhotoReading) -> Photo:
    """The photo that a raster shows: the chosen bands between the chosen values, upright, in sRGB.

    Args:
        raster: The decoded values.
        reading: How they are read.

    Raises:
        InputError: The bands are not there, or nothing says which to take.
    """
    taken = bands.chosen(raster, reading.bands)
    alpha, notes = bands.transparency(raster, taken, reading)
    values = colour_values(raster, taken, alpha)
    valid = data_mask(raster, taken, alpha == "mask")
    limits, more = limits_of(of_bands(raster, taken), values, reading, lambda: numbers(raster, values, valid))
    view = View(taken, alpha, limits, bool(raster.luts) and not reading.bands)
    if view.composed:
        more = (remark(raster), *more)
    said: list[str] = []
    rgb = rendered(raster, view, values, said)
    valid, void_notes = _without_data(rgb, valid)
    notes = (*raster.notes, *notes, *more, *said, *void_notes)
    turn = raster.orientation
    return Photo(upright(rgb, turn), notes, None if valid is None else upright(valid, turn))


def colour_values(raster: Raster, taken: tuple[int, ...], alpha: Alpha) -> np.ndarray:
    """The values of the bands that become colours, (H, W, C), as they were before they were multiplied by alpha."""
    values = taken_bands(raster, taken)
    return _straight(raster, values) if raster.premultiplied and alpha != "ignore" else values


def rendered(raster: Raster, view: View, values: np.ndarray, notes: list[str]) -> np.ndarray:
    """The colours, uint8 (H, W, 3) in sRGB, writable, of `colour_values`, as a view says; `notes` takes remarks."""
    colours = values if values.dtype == np.uint8 else _eight(values, view.limits)
    if view.composed:
        colours = composite(colours, raster.luts)
    return _in_colours(raster, colours, view.taken, view.alpha == "over-white", notes)


def taken_bands(raster: Raster, taken: tuple[int, ...]) -> np.ndarray:
    """The values of these bands, (H, W, C); no copy is made where they follow each other."""
    first, count = taken[0], len(taken)
    if taken == tuple(range(first, first + count)):
        return raster.values[..., first : first + count]
    return raster.values[..., list(taken)]


def of_bands(raster: Raster, taken: tuple[int, ...]) -> Raster:
    """The raster with the stated ranges of these bands alone, where each band has one."""
    by_band = 1 < len(raster.stated) == raster.values.shape[2]
    return raster if not by_band else replace(raster, stated=tuple(raster.stated[band] for band in taken))


def data_mask(raster: Raster, taken: tuple[int, ...], by_alpha: bool) -> np.ndarray | None:
    """Where the raster has data, bool (H, W); None: everywhere, as far as the file says.

    There is none where all chosen bands have the no-data value, where one of them is no number, where the file's mask
    says so and, with `by_alpha`, where a pixel is fully transparent.
    """
    values = taken_bands(raster, taken)
    tests = [] if raster.valid is None else [raster.valid]
    if values.dtype.kind == "f":
        tests.append(np.isfinite(values).all(axis=2))
    if raster.nodata is not None and can_hold(values.dtype, raster.nodata):
        tests.append((values != values.dtype.type(raster.nodata)).any(axis=2))
    if by_alpha:
        tests.append(raster.values[..., raster.alpha] > 0)
    valid = np.logical_and.reduce(tests) if tests else None
    return None if valid is None or valid.all() else valid


def can_hold(dtype: np.dtype, value: float) -> bool:
    """Whether a value can occur among numbers of a type."""
    if dtype.kind == "f":
        return bool(np.isfinite(value))
    return float(value).is_integer() and np.iinfo(dtype).min <= value <= np.iinfo(dtype).max


def _eight(values: np.ndarray, limits: tuple[Range, ...]) -> np.ndarray:
    """The values (H, W, C) as uint8, by one range for all bands or one each."""
    if limits == (FULL,) and values.dtype == np.uint16 and values.shape[2] == 3:
        return (values >> 8).astype(np.uint8)  # as viewers do, and this program did from its first version on
    if len(limits) == 1:
        return ranges.scaled(values, limits[0])
    return np.stack([ranges.scaled(values[..., k], bounds) for k, bounds in enumerate(limits)], axis=2)


def limits_of(
    raster: Raster, values: np.ndarray, reading: PhotoReading, data: Callable[[], np.ndarray | ranges.Statistics]
) -> tuple[tuple[Range, ...], tuple[str, ...]]:
    """The range of all colours, or of each of them, and remarks; () for values of 8 bits.

    Args:
        raster: With the stated ranges of the colours' bands.
        values: The colours' values, or some of their rows, (H, W, C).
        reading: How they are read.
        data: Gives the values that say something of the range, or what they come to; called where that is not known.

    Raises:
        InputError: Nobody states the range of values of more than 8 bits, and none was measured over the run's photos.
    """
    notes = _of_other_kind(raster, reading)
    if values.dtype == np.uint8:
        return (), notes
    known = reading.value_range if isinstance(reading.value_range, tuple) else reading.ranges.get(raster.kind)
    by_user_or_model = isinstance(reading.value_range, tuple) or raster.kind == reading.trained
    if raster.stated and not by_user_or_model and len(raster.stated) in (1, values.shape[2]):
        low, high = raster.stated[0]
        said = f"Read from {low:g} to {high:g}, as {raster.stated_by} says; --range sets others."
        return raster.stated, notes if raster.stated == (known,) else (*notes, said)
    if known is None and reading.alone:
        raise InputError(f"nothing says which values of {raster.kind} become black and white", NOT_MEASURED)
    found = data()
    statistics = found if isinstance(found, ranges.Statistics) else ranges.Statistics.of(found)
    if known is not None:
        flat = () if by_user_or_model or reading.value_range == AUTO else ranges.flat(statistics, known)
        return (known,), (*notes, *flat, *_outside(statistics, known))
    if reading.value_range == AUTO:
        return (statistics.percentiles(),), notes
    bounds, said = ranges.likely(statistics)
    return (bounds,), (*notes, said) if said else notes


def numbers(raster: Raster, values: np.ndarray, valid: np.ndarray | None) -> np.ndarray:
    """The values (H, W, C) that say something of the range, in one row: those with data, no band's no-data value."""
    found = values.ravel() if valid is None else values[valid].ravel()
    if raster.nodata is not None and can_hold(values.dtype, raster.nodata):
        found = found[found != values.dtype.type(raster.nodata)]
    return found


def _outside(statistics: ranges.Statistics, bounds: Range) -> tuple[str, ...]:
    share = ranges.outside(statistics.sample, bounds)
    if share < ranges.OUTSIDE:
        return ()
    low, high = bounds
    said = f"{100 * share:.0f} % of its values lie outside {low:g} to {high:g}, which become black and white"
    return (f"{said}; see --range.",)


def _of_other_kind(raster: Raster, reading: PhotoReading) -> tuple[str, ...]:
    """A remark where the model was trained on values of another type."""
    if reading.trained in ("", raster.kind):
        return ()
    low, high = reading.ranges[reading.trained]
    return (f"Its values are {raster.kind}; the model was trained on {reading.trained} from {low:g} to {high:g}.",)


def _straight(raster: Raster, values: np.ndarray) -> np.ndarray:
    """The colours as they were before they were multiplied by alpha."""
    alpha = raster.values[..., raster.alpha, None].astype(np.float64)
    top = bands.opaque(raster)
    free = np.divide(values * top, alpha, out=np.zeros(values.shape), where=alpha > 0)
    if values.dtype.kind == "f":
        return free.astype(values.dtype)
    return np.minimum(np.rint(free), np.iinfo(values.dtype).max).astype(values.dtype)


def _in_colours(
    raster: Raster, colours: np.ndarray, taken: tuple[int, ...], with_alpha: bool, notes: list[str]
) -> np.ndarray:
    """The colours, uint8 (H, W, 1 or 3), in sRGB as (H, W, 3), writable; with alpha they lie over white."""
    managed = bool(raster.profile) and taken == raster.colours == RGB
    if not managed and not with_alpha:
        return np.repeat(colours, 3, axis=2) if len(taken) == 1 else np.array(colours, order="C")
    channels = [colours]
    if with_alpha:
        alpha = raster.values[..., raster.alpha, None]
        bounds = (0.0, bands.opaque(raster) or 1.0)
        channels.append(alpha if alpha.dtype == np.uint8 else _eight(alpha, (bounds,)))
    pixels = np.ascontiguousarray(np.concatenate(channels, axis=2))
    image = Image.fromarray(pixels if pixels.shape[2] > 1 else pixels[..., 0])
    if managed:
        image.info["icc_profile"] = raster.profile
    return np.array(to_rgb(image, notes))


def _without_data(rgb: np.ndarray, valid: np.ndarray | None) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """Fill pixels without data by colours of their surroundings, since edges would mislead a network; and say so."""
    if valid is None:
        return None, ()
    rgb[~valid] = filled(rgb.astype(np.float32), valid)[~valid].round().astype(np.uint8) if valid.any() else 0
    return valid, (void_note(int((~valid).sum()), valid.size),)


def void_note(void: int, pixels: int) -> str:
    """The remark that so many of the pixels of a picture have no data."""
    share = void / pixels
    return f"{f'{100 * share:.0f} %' if share >= 0.01 else void} of its pixels have no data: they are void."


def filled(colours: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Colours (H, W, 3) whose pixels without data have the mean of the nearest block of 2, 4, 8, ... with data.

    It is the "push-pull" of image-based rendering: one valid pixel at least there must be.
    """
    if valid.all():
        return colours
    coarse, known = halved(colours, valid)
    coarse = filled(coarse, known).repeat(2, 0).repeat(2, 1)[: valid.shape[0], : valid.shape[1]]
    return np.where(valid[..., None], colours, coarse)


def halved(colours: np.ndarray, valid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean of the valid pixels of each block of 2 x 2, and whether there is one."""
    height, width = (-(-side // 2) for side in valid.shape)
    padding = ((0, 2 * height - valid.shape[0]), (0, 2 * width - valid.shape[1]))
    weight = np.pad(valid, padding).reshape(height, 2, width, 2, 1)
    blocks = np.pad(colours, (*padding, (0, 0))).reshape(height, 2, width, 2, -1)
    count = weight.sum(axis=(1, 3))
    return (blocks * weight).sum(axis=(1, 3)) / np.maximum(count, 1), count[..., 0] > 0
