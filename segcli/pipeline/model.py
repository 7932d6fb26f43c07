"""Model: a network on a device with its classes and its protocol; `load` makes one, `Model.predict` asks it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from segcli import labels, processor
from segcli.crf.settings import CRF
from segcli.errors import InputError
from segcli.files.paths import shown
from segcli.files.sources import Source
from segcli.films.choice import is_film
from segcli.images.photo import Photo as ReadPhoto
from segcli.images.read import from_image, read_placed
from segcli.images.reading import PLAIN, PhotoReading
from segcli.inference.options import Engine, ModelOptions, Precision
from segcli.labels import LabelSet
from segcli.pipeline import converted, photo_values
from segcli.pipeline.giants.plan import IN_FLOATS, GiantPlan
from segcli.pipeline.listener import SILENT, Listener
from segcli.weights.facts import ModelFacts
from segcli.weights.reference import DEFAULT_MODEL, ModelReference, resolve

if TYPE_CHECKING:
    from segcli.inference.graph_segmenter import GraphSegmenter
    from segcli.inference.segmenter import Segmenter
    from segcli.pipeline.int8 import FirstPhotos
    from segcli.pipeline.result import Result
    from segcli.weights.model_io import LoadedModel

Photo = str | Path | Image.Image | np.ndarray
"""A photo as `Model.predict` takes it: a file, a Pillow image, or uint8 (H, W, 3) red-green-blue."""


class Model:
    """A network that is ready to label photos.

    Args:
        segmenter: The network on its device, with its protocol.
        options: What it was loaded with.
    """

    def __init__(self, segmenter: Segmenter | GraphSegmenter, options: ModelOptions):
        self.segmenter = segmenter
        self.options = options

    def __repr__(self) -> str:
        facts = self.facts
        return f"<segcli model {facts.spec.name}, {len(self.labels)} classes of {self.labels.name}, {facts.engine}>"

    @property
    def facts(self) -> ModelFacts:
        """The model's description, and where its weights come from."""
        return self.segmenter.model

    @property
    def labels(self) -> LabelSet:
        """The model's classes: names, colours and the void id."""
        return self.facts.labels

    @cached_property
    def recipe(self) -> dict[str, Any]:
        """The model and the protocol as TOML-plain values, as run.toml holds them."""
        return self.options.recipe(self.facts)

    @property
    def reading(self) -> PhotoReading:
        """How the model reads photos: by the range and bands that it was trained on."""
        return photo_values.resolved(PLAIN, (), self.facts.photos)

    def predict(self, photo: Photo, crf: CRF = None) -> Result:
        """Label every pixel of one photo.

        Args:
            photo: A file, a Pillow image, or uint8 (H, W, 3) red-green-blue.
            crf: True or settings: refine the outlines with the fully connected CRF.

        Raises:
            InputError: The photo cannot be read, is no picture of that kind, or too large to be held as a whole, or
                the network gives NaN or infinite values for it.
        """
        from segcli.pipeline.result import Result

        if isinstance(photo, str | Path):
            self._refuse(Path(photo))
        read, path = as_photo(photo, self.reading)
        prediction = replace(self.segmenter.predict([read.rgb])[0].settled(), valid=read.valid)
        result = Result(
            read.rgb, self.labels, prediction, path, read.notes + prediction.notes, self.facts.origin, read.place
        )
        return result.refine(crf) if crf else result

    def _refuse(self, path: Path) -> None:
        """Refuse what takes a folder for its results: a film, and a picture that is done in parts."""
        if is_film(path):
            hint = "segcli.predict_folder labels films. Of single frames, give their pixels."
            raise InputError(f"{shown(path)} is a film, and predict() labels one photo", hint)
        plan = GiantPlan(self.options, self.reading)
        if plan.wants(Source(path, PurePosixPath(path.name))):
            from segcli.images.strips.extent import extent

            height, width = extent(path).size
            size = f"{height * width / 1e6:.0f} megapixels ({width} x {height})"
            hint = "segcli.predict_folder does it in parts, and writes its mask as a GeoTIFF in tiles."
            raise InputError(f"{shown(path)} has {size}, too many for one result in memory", hint)


def as_photo(photo: Photo, reading: PhotoReading = PLAIN) -> tuple[ReadPhoto, Path | None]:
    """The decoded photo (rgb, notes), and its file where it has one; InputError where it is none."""
    if isinstance(photo, str | Path):
        return read_placed(photo, reading), Path(photo)
    if isinstance(photo, Image.Image):
        return from_image(photo, reading), None
    return ReadPhoto(np.array(checked_array(photo))), None


def checked_array(photo: Any) -> np.ndarray:
    """A uint8 (H, W, 3) array, or InputError: floats and other channels would be guessed at."""
    array = np.asarray(photo)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or 0 in array.shape:
        raise InputError(
            f"a photo is uint8 (height, width, 3) red-green-blue, not {array.dtype} {array.shape}",
            "Convert it, or give the file or a Pillow image.",
        )
    return array


def meant_model(model: str | Path | Model, options: dict[str, Any]) -> tuple[Model | ModelReference, ModelOptions]:
    """The loaded model, or the reference of one to load, with its options; refuses what is known to be wrong.

    Raises:
        UsageError: There is no such model, or it cannot do what is asked for.
        TypeError: Options are given for a model that is loaded already.
    """
    if isinstance(model, Model):
        if options:
            raise TypeError(f"the model is loaded already; {', '.join(options)} must be given to load()")
        return model, model.options
    reference, wanted = resolve(model), ModelOptions(**options)
    wanted.check(reference)
    return reference, wanted


def load(
    model: str | Path | ModelReference = DEFAULT_MODEL,
    *,
    device: str = "auto",
    engine: Engine = "auto",
    output_stride: int | None = None,
    size: int | None = None,
    scales: Sequence[float] = (1.0,),
    flip: bool = False,
    tile: int | None = None,
    precision: Precision = "float32",
    calibrate: str | Path | None = None,
    listener: Listener = SILENT,
) -> Model:
    """Load a model, fetching its weights if they are not on this computer.

    Args:
        model: A name of `segcli models` such as "v3plus-xception" or "street", or the path of a checkpoint or an
            exported .onnx.
        device: "auto", "cpu", "cuda", "cuda:N" or "mps".
        engine: What computes on the CPU: "torch", "onnx" (onnxruntime; converts the network once), or "auto", which
            takes onnxruntime where it can.
        output_stride: Input pixels a feature: 8, 16 or 32; None: the one the weights were made for.
        size: Working size in pixels; 0 keeps the photo's own, None takes the weights' own.
        scales: The scales whose probabilities are averaged.
        flip: Average with the mirrored photo's probabilities too.
        tile: Windows of about this side, in pixels, where the network's input is larger.
        precision: "float32", "bf16" or "fp16" where the device can, or "int8" on the CPU, which falls back to
            "float32" where fewer than 98 % of the labels stay.
        calibrate: A folder of photos to calibrate "int8" on; None takes those that come with segcli.
        listener: Hears of the device, downloads and remarks.

    Raises:
        UsageError: There is no such model, or it cannot do what is asked for.
        WeightsError: The weights cannot be had, are damaged, or do not fit.
        DeviceError: The device is not there, or cannot compute in that precision.
    """
    photos = None if calibrate is None else Path(calibrate)
    options = ModelOptions(output_stride, size, tuple(scales), flip, tile, precision, device, engine, photos)
    return load_with(options, model if isinstance(model, ModelReference) else resolve(model), listener)


def load_with(
    options: ModelOptions,
    reference: ModelReference,
    listener: Listener = SILENT,
    *,
    photos: int = 1,
    keep_engine: str | None = None,
    first: FirstPhotos | None = None,
    dry: bool = False,
) -> Model:
    """Load a model by its resolved reference; the device is announced before anything is downloaded.

    Args:
        options: How.
        reference: Which.
        listener: Hears what is going on.
        photos: How many there will be, about: a conversion for onnxruntime must be worth it.
        keep_engine: The engine that "auto" shall stay with, if any.
        first: Gives the first photos, on which labels in 8 bits are compared where these are wanted.
        dry: Convert nothing that is not converted already: torch runs the network, in floats.
    """
    options.check(reference)
    if ready := _ready(options, reference, listener, keep_engine, first):
        announce(ready.model, listener)
        return Model(ready, options)
    from segcli import devices
    from segcli.export.engine import select_engine
    from segcli.inference.segmenter import Segmenter

    device = devices.of_process(options.device_name(reference))
    listener.note(f"device {devices.describe(device)}")
    model = load_network(reference, options.output_stride, listener)
    protocol = {name: getattr(options, name) for name in ("scales", "flip", "size", "tile", "precision")}
    engine = options.wanted_engine()
    if options.precision == "int8" and dry:
        listener.note(f"would make the 8-bit form of {model.spec.name}, once; the figures here are for floats")
        engine = "torch"
    elif options.precision == "int8":
        from segcli.pipeline import int8

        model = int8.preferred(model, options, protocol, first, listener)
    how = {"keep": keep_engine, "tell": listener.note, "dry": dry}
    model = select_engine(model, engine, device, options.passes(photos), **how)
    announce(model, listener)
    return Model(Segmenter(model, device, **protocol), options)


def _ready(
    options: ModelOptions,
    reference: ModelReference,
    listener: Listener,
    keep_engine: str | None,
    first: FirstPhotos | None,
) -> GraphSegmenter | None:
    """What predicts without torch, by conversions that are kept; None where there is none, or torch is needed."""
    floats = converted.segmenter(reference, options, keep_engine)
    pair = converted.both(reference, options, keep_engine)
    if floats is None and pair is None:
        return None
    listener.note(f"device {processor.describe()}")
    if reference.note:
        listener.note(reference.note)
    if pair is None:
        return floats
    from segcli.pipeline import int8

    return int8.preferred_segmenter(*pair, options, first, listener)


def announce(model: ModelFacts, listener: Listener) -> None:
    """Say which model it is, and what runs it."""
    how = ", under onnxruntime" if model.engine == "onnx" else ""
    how += ", in 8 bits" if model.int8 else ""
    how += f", for {words}" if (words := photo_values.words(model.photos)) else ""
    listener.note(f"model {_called(model)}, {_classes(model.labels)}{how}")


def _called(model: ModelFacts) -> str:
    """The network's name, for people; after that of its file, where it is no model of the manifest."""
    origin = model.provenance
    is_file = "weights" in origin and "source" not in origin
    return f"{shown(origin['weights'])} ({model.spec.name})" if is_file else model.spec.name


def _classes(classes: LabelSet) -> str:
    """How many classes there are, and of which set; the names of those of one's own."""
    which = f" of {classes.name}" if classes.name in labels.LABEL_SETS else f": {labels.some_of(classes.names, 5)}"
    return f"{len(classes)} classes{which}"


def under_torch(model: Model, reference: ModelReference | None, listener: Listener = SILENT) -> Segmenter:
    """The segmenter of a model, of one that runs under onnxruntime another: windows need torch.

    Raises:
        InputError: There is only a graph that was exported.
    """
    if model.facts.engine != "onnx":
        return model.segmenter
    if reference is None or reference.is_exported:
        message = "it is too large for memory, and an exported graph takes no parts of pictures"
        raise InputError(message, "Give the checkpoint that the graph was exported from.")
    if model.facts.int8:
        listener.note(IN_FLOATS)
    return load_with(model.options.under_torch(), reference, listener).segmenter


def load_network(reference: ModelReference, output_stride: int | None, listener: Listener = SILENT) -> LoadedModel:
    """Load the network alone, on the CPU, fetching its weights where need be."""
    from segcli.weights import model_io

    with listener.downloading() as progress:
        model = model_io.load(reference, output_stride, progress=progress)
    for note in model.notes:
        listener.note(note)
    return model
