"""INT8 in a run: a model's 8-bit form, compared with floats on the run's first photos, and used where it suffices."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from segcli.data import names
from segcli.data.reading import Choice
from segcli.errors import InputError, SegcliError
from segcli.export import calibration
from segcli.export.calibration import Calibration
from segcli.export.kept_labels import ENOUGH, KeptLabels
from segcli.files import sources
from segcli.images.photo import Photo
from segcli.images.read import read_placed
from segcli.images.reading import PLAIN, PhotoReading
from segcli.inference.options import ModelOptions
from segcli.pipeline import photo_values
from segcli.pipeline.listener import Listener
from segcli.weights.facts import ModelFacts

if TYPE_CHECKING:
    from segcli.inference.graph_segmenter import GraphSegmenter
    from segcli.inference.segmenter import Segmenter
    from segcli.weights.model_io import LoadedModel

Form = TypeVar("Form")
TRIED = 4
"""The number of a run's first photos on which both forms are compared; each takes a pass in floats."""


class Seen(NamedTuple):
    """A photo on which both forms are compared.

    Attributes:
        name: What to call it.
        photo: As it was read.
        truth: Its true ids, (H, W), 255 for void; None where they are not known.
    """

    name: str
    photo: Photo
    truth: np.ndarray | None = None


class Truth(NamedTuple):
    """The labels of the photos on which both forms are compared.

    Attributes:
        place: The folder or file of the labels.
        choice: What the user decided of how they are read.
    """

    place: Path
    choice: Choice = Choice()


FirstPhotos = Callable[[ModelFacts], Iterable[Seen]]
"""A function that gives the first photos of a run, read as a model of those facts wants them."""


def preferred(
    model: LoadedModel, options: ModelOptions, protocol: dict[str, Any], first: FirstPhotos | None, listener: Listener
) -> LoadedModel:
    """The 8-bit form of a model, or the model as it is where that gives too few of its labels or cannot be made.

    Args:
        model: As loaded.
        options: With the photos to calibrate on.
        protocol: The Segmenter's arguments.
        first: The first photos of the run; None, or none of them, compares on those that it is calibrated on.
        listener: Hears what was made, how it compares, and why it is not used.

    Raises:
        InputError: A photo to calibrate on cannot be read, or there is none.
    """
    from segcli.export import int8_cache

    photos = calibration.of(options.calibrate)
    reading = photo_values.resolved(PLAIN, photos.pages, model.photos, listener=listener)

    def tried() -> tuple[LoadedModel, KeptLabels]:
        form = int8_cache.obtain(model, photos, reading, listener.note)
        return form, compared(model, form, protocol, _seen(model, first, photos, reading))

    return _better(model, tried, listener)


def preferred_segmenter(
    floats: GraphSegmenter, form: GraphSegmenter, options: ModelOptions, first: FirstPhotos | None, listener: Listener
) -> GraphSegmenter:
    """The same of conversions that are kept; torch is not needed. The arguments and errors are those of `preferred`."""
    photos = calibration.of(options.calibrate)
    reading = photo_values.resolved(PLAIN, photos.pages, floats.model.photos, listener=listener)

    def tried() -> tuple[GraphSegmenter, KeptLabels]:
        return form, _compared((floats, form), _seen(floats.model, first, photos, reading))

    return _better(floats, tried, listener)


def _better(floats: Form, tried: Callable[[], tuple[Form, KeptLabels]], listener: Listener) -> Form:
    """The form in 8 bits that `tried` gives, or floats where its labels do not suffice or it cannot be had."""
    try:
        form, kept = tried()
    except InputError:
        raise
    except SegcliError as error:
        listener.warn(f"the network computes in floats: {error.message}")
        return floats
    if kept.suffices:
        listener.note(f"in 8 bits {kept}")
        return form
    listener.warn(
        f"the network computes in floats: in 8 bits only {kept}, below {ENOUGH:.0%}; --calibrate PHOTOS with photos "
        "like these may help"
    )
    return floats


def _seen(model: ModelFacts, first: FirstPhotos | None, photos: Calibration, reading: PhotoReading) -> Iterable[Seen]:
    """The first photos of a run, or else those that it is calibrated on."""
    given = list(islice(first(model), TRIED)) if first else []
    return given or islice(_own(photos, reading), TRIED)


def compared(model: LoadedModel, form: LoadedModel, protocol: dict[str, Any], photos: Iterable[Seen]) -> KeptLabels:
    """The labels of a model and of its 8-bit form on photos; those for which the network gives no numbers are left out.

    Raises:
        SegcliError: No photo is left.
    """
    from segcli.inference.segmenter import Segmenter

    return _compared([Segmenter(one, "cpu", **protocol) for one in (model, form)], photos)


def _compared(both: Sequence[Segmenter | GraphSegmenter], photos: Iterable[Seen]) -> KeptLabels:
    kept = KeptLabels(both[0].model.labels)
    for name, photo, truth in photos:
        try:
            ours, theirs = (one.predict([photo.rgb], [photo.working])[0].settled().labels() for one in both)
        except InputError:
            continue
        kept.add(name, ours, theirs, truth)
    if not kept.equal:
        raise SegcliError("there is no photo to compare its labels in 8 bits on")
    return kept


def _own(photos: Calibration, reading: PhotoReading) -> Iterator[Seen]:
    """The photos of a calibration, read."""
    for path in photos.photos:
        yield Seen(path.name, read_placed(path, reading))


def to_check(folder: Path, truth: Truth | None, model: ModelFacts, listener: Listener) -> Iterator[Seen]:
    """The photos of a folder for `compared`, with their labels where these are named.

    Args:
        folder: The photos. Without labels those that cannot be read are named and left out.
        truth: Their labels, which are read as `segcli eval` reads them.
        model: Whose classes the labels have.
        listener: Hears how labels are read, and how far it is.

    Raises:
        InputError: There is no photo, or with labels one cannot be read.
        DatasetError: The labels cannot be read, or are others than the model's.
    """
    if truth is not None:
        yield from _labelled(folder, truth, model, listener)
        return
    files = sources.find([folder], None).files
    reading = photo_values.resolved(PLAIN, [(one.path, one.page) for one in files], model.photos, listener=listener)
    with listener.counting(len(files), "checking") as counter:
        for source in files:
            try:
                yield Seen(source.tree.as_posix(), read_placed(source.path, reading))
            except InputError as error:
                listener.warn(f"{source.path} is left out: {error}")
            counter.advance()


def _labelled(folder: Path, truth: Truth, model: ModelFacts, listener: Listener) -> Iterator[Seen]:
    from segcli.data.folder import open_folder

    data = open_folder(folder, truth.place, names.parse(model.labels), truth.choice, listener.counting)
    data.reading.tell(listener.note, listener.warn)
    data = photo_values.for_dataset(data, model.photos, listener)
    with listener.counting(len(data), "checking") as counter:
        for sample in data.samples:
            yield Seen(sample.name, data.read_photo(sample), data.read_truth(sample))
            counter.advance()
