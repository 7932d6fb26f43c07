"""Evaluating: a dataset through a model to its scores, by the papers' protocol: every file is read before it begins."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segcli.crf.settings import CRF, CRFSettings
from segcli.data import layouts
from segcli.data import names as class_names
from segcli.data.dataset import Dataset
from segcli.data.reading import Choice
from segcli.decoding import check_option
from segcli.distributed import Processes
from segcli.errors import UsageError
from segcli.evaluation.predictions import Predictions
from segcli.images.reading import MAX_PIXELS, PLAIN, Alpha, PhotoReading, ValueRange
from segcli.inference.options import BatchSize, ModelOptions
from segcli.labels import LabelSet
from segcli.pipeline import foresight, photo_values, scored
from segcli.pipeline.evaluation import Evaluation, recipe, weights_of
from segcli.pipeline.int8 import Seen
from segcli.pipeline.listener import SILENT, Listener
from segcli.pipeline.model import Model, load_with, meant_model
from segcli.pipeline.records import check_folder, fingerprint
from segcli.pipeline.scored import Part
from segcli.pipeline.usable import usable
from segcli.weights.reference import ModelReference, what_fits

if TYPE_CHECKING:
    from segcli.pipeline.tally import Tally


def evaluate(
    model: str | Path | Model,
    dataset: str | Dataset = "folder",
    *,
    data_dir: str | Path = "data",
    split: str = "val",
    images: str | Path | None = None,
    labels: str | Path | None = None,
    names: str | Sequence[str] | LabelSet | None = None,
    reading: Choice | None = None,
    crf: CRF = None,
    save_predictions: str | Path | None = None,
    trimap: bool = False,
    skip_bad: bool = False,
    value_range: ValueRange = None,
    bands: Iterable[str | int] = (),
    alpha: Alpha | None = None,
    max_pixels: int = MAX_PIXELS,
    batch: int = 1,
    part: Part | None = None,
    listener: Listener = SILENT,
    **options: Any,
) -> Evaluation:
    """Score a model on a dataset as `segcli eval` does: at the labels' own size, void ignored.

    Args:
        model: A name, a checkpoint, an exported .onnx or a run's folder, or a model from `load`.
        dataset: The name of a published one, "folder" with `images`, or a Dataset, as of `segcli.photos_of_run`.
        data_dir: The folder that holds a published dataset.
        split: Which part of a published dataset.
        images: The folder of the photos.
        labels: The folder of their labels, masks or any tool's files, or one such file; None: they are in `images`.
        names: The classes' names in the order of their ids, a label set, or what `--names` takes; None takes those
            that the labels name.
        reading: How labels are read that could be read in two ways; None leaves it to the reader.
        crf: True or settings: refine with the fully connected CRF, and score both.
        save_predictions: A folder for label maps as the benchmark's server wants them; those there are not computed.
        trimap: Scores in bands around void too.
        skip_bad: Leave out files with problems instead of stopping.
        value_range: Values of photos of more than 8 bits that become black and white: "auto", measured over all of
            them, or (low, high); None: the model's.
        bands: The bands that become grey (one) or red, green, blue (three), by number from 1 on or by name.
        alpha: "over-white", "ignore" or "mask"; None: as the format and the values suggest.
        max_pixels: Photos with more pixels are refused.
        batch: Photos a step on a GPU.
        part: Which photos are scored, by what they are to the run in whose folder the model lies: "held-out", "new",
            "train", "all", or "unseen", those that it did not learn from; None: "unseen" where that is known, else all.
        listener: Hears of the progress.
        options: The options of `load`, for a model that is not loaded yet.

    Raises:
        UsageError: There is no such model or dataset, or their classes differ.
        InputError: A photo cannot be read or refined.
        DatasetError: The dataset is missing, incomplete, or has problems.
        WeightsError: The weights cannot be had or do not fit.
    """
    meant, applied = meant_model(model, options)
    data = (
        dataset
        if isinstance(dataset, Dataset)
        else _listed(dataset, Path(data_dir), split, images, labels, names, reading, listener)
    )
    photos = PhotoReading.of(value_range, bands, alpha, max_pixels)
    data = data if photos == PLAIN else replace(data, photos=photos)
    store = None if save_predictions is None else Path(save_predictions)
    flags = {"trimap": trimap, "skip_bad": skip_bad, "batch": batch, "part": part, "listener": listener}
    return evaluate_dataset(meant, data, applied, crf=CRFSettings.of(crf), save_predictions=store, **flags)


def evaluate_dataset(
    model: Model | ModelReference,
    data: Dataset,
    options: ModelOptions,
    *,
    crf: CRFSettings | None = None,
    save_predictions: Path | None = None,
    trimap: bool = False,
    skip_bad: bool = False,
    batch: int = 1,
    part: Part | None = None,
    processes: Processes | None = None,
    listener: Listener = SILENT,
) -> Evaluation:
    """Score a model on a dataset that is listed: every file is read first, then the model is loaded.

    Args:
        model: A loaded one, or which to load.
        data: The dataset as it was listed.
        options: How the model is loaded and applied.
        crf: The CRF's settings; None leaves the network's outlines.
        save_predictions: As for `evaluate`, like the next three.
        trimap: Scores in bands around void too.
        skip_bad: Leave out files with problems instead of stopping.
        batch: Photos a step on a GPU.
        part: Which photos are scored, by what they are to the run that trained the model.
        processes: Who shares the images; the sums are exact.
        listener: Hears of the progress.
    """
    check_option("batch", batch, BatchSize)
    processes = processes or Processes()
    if save_predictions is not None:
        check_folder(save_predictions)
    values = foresight.photos_of(model) if isinstance(model, ModelReference) else model.facts.photos
    weights = weights_of(model)
    scored.warn_of_training(weights, data, listener)
    data, known = scored.choose(data, Path(weights), part, processes, listener)
    data = usable(photo_values.for_dataset(data, values, listener), skip_bad, processes, listener)
    if isinstance(model, ModelReference):
        model = _loaded(model, options, data, save_predictions is not None, listener)
    _check_labels(model.labels, data.labels)
    tally = _counted(model, data, crf, trimap, save_predictions, batch, processes, listener)
    return Evaluation(model, crf, data, tally, processes, known)


def _loaded(reference: ModelReference, options: ModelOptions, data: Dataset, stores: bool, listener: Listener) -> Model:
    """The model for a dataset; where label maps are stored, under the engine that an earlier run had too."""
    from segcli.export.engine import by_number

    photos = len(data.samples)
    engine = by_number(options.passes(photos)) if stores else None
    first = lambda facts: (Seen(sample.name, data.read_photo(sample)) for sample in data.samples)  # noqa: E731
    return load_with(options, reference, listener, photos=photos, keep_engine=engine, first=first)


def _check_labels(have: LabelSet, wanted: LabelSet) -> None:
    """Refuse a model with other classes than the dataset's; a checkpoint tells its own only once it is read."""
    if have.names != wanted.names:
        raise UsageError(
            f"the model has {len(have)} classes ({have.name}), the dataset {len(wanted)} others ({wanted.name})",
            what_fits(wanted),
        )


def _counted(
    model: Model,
    data: Dataset,
    crf: CRFSettings | None,
    trimap: bool,
    save_predictions: Path | None,
    batch: int,
    processes: Processes,
    listener: Listener,
) -> Tally:
    """The counts of all images, those of the other processes among them."""
    from segcli.crf.stage import Refinement
    from segcli.pipeline.tally import Tally, score

    tally = Tally.empty(len(data.labels), trimap, crf is not None)
    store = (
        Predictions(save_predictions, data, fingerprint(recipe(model, crf, data.photos))) if save_predictions else None
    )
    stages = {"refine": crf and Refinement.by(crf), "store": store, "batch": batch}
    with listener.counting(len(processes.shard(data.samples)), "scoring") as counter:
        for _ in score(data, model.segmenter, tally, processes, **stages):
            counter.advance()
    tally.all_reduce(processes)
    return tally


def _listed(
    dataset: str,
    data_dir: Path,
    split: str,
    images: str | Path | None,
    labels: str | Path | None,
    names: str | Sequence[str] | LabelSet | None,
    reading: Choice | None,
    listener: Listener,
) -> Dataset:
    """A dataset by its name and folders; it is listed, not read, but the masks of a folder are looked at."""
    if dataset != "folder":
        return layouts.load(dataset, data_dir, split)
    if images is None:
        hint = "Give the folder of the photos, and that of their labels; or dataset=segcli.photos_of_run(run)."
        raise UsageError('dataset="folder" needs images', hint)
    from segcli.data.folder import open_folder

    classes = None if names is None else class_names.parse(names)
    data = open_folder(Path(images), None if labels is None else Path(labels), classes, reading, listener.counting)
    data.reading.tell(listener.note, listener.warn)
    return data
