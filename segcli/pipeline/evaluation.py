"""Evaluation: a model's scores on a dataset, by the papers' protocol, with what they were measured on and with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
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
from segcli.evaluation.metrics import Scores
from segcli.evaluation.predictions import Predictions
from segcli.evaluation.scoring import ImageScore, worst
from segcli.images.photo import Photo
from segcli.images.reading import MAX_PIXELS, PLAIN, Alpha, PhotoReading, ValueRange
from segcli.inference.options import BatchSize, ModelOptions
from segcli.labels import LabelSet
from segcli.pipeline import foresight, photo_values, scored
from segcli.pipeline.int8 import Seen
from segcli.pipeline.listener import SILENT, Listener
from segcli.pipeline.model import Model, load_with, meant_model
from segcli.pipeline.records import check_folder, fingerprint
from segcli.pipeline.scored import Part, Scored
from segcli.pipeline.usable import usable
from segcli.weights.reference import ModelReference, what_fits

if TYPE_CHECKING:
    from segcli.inference.prediction import Prediction
    from segcli.pipeline.tally import Tally

WORST = 5
"""The number of worst images that are listed unless told otherwise."""


@dataclass(frozen=True)
class Evaluation:
    """The scores of a model on a dataset.

    Attributes:
        model: The model, with its protocol.
        crf: The CRF's settings; None where it did not refine.
        data: The dataset.
        tally: The counts of all images.
        processes: Who shared the work.
        scored: What the photos are to the run that trained the model; None where that is not known.
    """

    model: Model
    crf: CRFSettings | None
    data: Dataset
    tally: Tally
    processes: Processes
    scored: Scored | None = None

    @cached_property
    def scores(self) -> Scores:
        """mIOU, IOU by class, and accuracies, each in 0..1."""
        return self.tally.matrix.scores(self.data.labels)

    @property
    def miou(self) -> float | None:
        """The mean intersection over union, in 0..1; None where no pixel is labelled."""
        return self.scores.miou

    @property
    def images(self) -> list[ImageScore]:
        """Each image's own scores."""
        return self.tally.images

    def to_dict(self, worst_count: int = WORST) -> dict[str, Any]:
        """JSON-plain values, as `segcli eval --json` prints them; `worst_count` of the worst images are listed."""
        labels, tally = self.data.labels, self.tally
        result = {**self.scores.to_dict(), **self._facts}
        if tally.trimap is not None:
            result["trimap"] = _trimap(tally, labels)
        if tally.before is not None:
            before = tally.before.matrix.scores(labels).to_dict()
            result["without_crf"] = before | ({"trimap": _trimap(tally.before, labels)} if tally.trimap else {})
        result["confusion"] = tally.matrix.counts.tolist()  # true by predicted class; last column: predicted as void
        result["worst"] = [asdict(image) for image in worst(tally.images, worst_count)]
        return result

    @cached_property
    def _facts(self) -> dict[str, Any]:
        """The facts that the scores were measured on and with, as JSON-plain values."""
        from segcli.inference.transform import geometry
        from segcli.models import cost

        facts, segmenter = self.model.facts, self.model.segmenter
        first = self.data.read_photo(self.data.samples[0]).rgb
        size = geometry(first.shape[:2], segmenter.preprocessing).padded
        protocol = {"scales": segmenter.scales, "flip": segmenter.flip, "output_stride": facts.output_stride}
        spent = cost.measure(facts.spec, size, classes=len(facts.labels), **protocol)
        return {
            "dataset": self.data.name,
            "split": self.data.split,
            "images": len(self.tally.images),
            **({} if self.scored is None else self.scored.to_dict(self.data)),
            **({"trained_on_val": True} if scored.trained_on(_weights_of(self.model), self.data) else {}),
            **self._reading,
            "reused": self.tally.reused,
            "seconds": round(self.tally.seconds, 2),
            "processes": self.processes.world_size,
            **recipe(self.model, self.crf, self.data.photos),
            "input": list(size),
            "multiply_adds": spent.multiply_adds,
            "multiply_adds_as_paper": spent.as_paper,
        }

    @property
    def _reading(self) -> dict[str, Any]:
        """How labels of one's own were read, where they are not plain ids."""
        reading = self.data.reading
        return {} if reading is None or reading.is_plain else {"reading": reading.to_dict()}

    def save(self, folder: str | Path, worst_count: int = WORST) -> None:
        """Leave scores.json, the confusion matrix, the trimap's curves and overlays of the worst images in a folder.

        Raises:
            OSError: The folder cannot be written to.
        """
        from segcli.pipeline import evaluation_files

        evaluation_files.write(self, Path(folder), worst_count)

    def curves(self) -> dict[str, dict[int, float | None]]:
        """The mIOU by the width of the band around void, for the model and, where the CRF refined, without it."""
        before = self.tally.before
        curves = {"with CRF" if before else self.model.facts.spec.name: _curve(self.tally, self.data.labels)}
        return curves | ({"without CRF": _curve(before, self.data.labels)} if before else {})

    def predicted(self, photo: Photo) -> Prediction:
        """The prediction for a photo, as it was scored, computed once more."""
        from segcli.crf.stage import Refinement
        from segcli.pipeline.stages import network

        (prediction,) = network(self.model.segmenter)([photo])
        return Refinement.by(self.crf)(photo.rgb, prediction) if self.crf else prediction


def recipe(model: Model, crf: CRFSettings | None, photos: PhotoReading = PLAIN) -> dict[str, Any]:
    """Everything that decides the predictions, as TOML-plain values or None; `photos` where they are no plain ones."""
    read = {key: value for key, value in photo_values.to_dict(photos).items() if value is not None}
    return {**model.recipe, "crf": crf and crf.to_dict(), **({"photos": read} if read else {})}


def _trimap(tally: Tally, labels: LabelSet) -> dict[str, float | None]:
    return {str(width): miou for width, miou in _curve(tally, labels).items()}


def _curve(tally: Tally, labels: LabelSet) -> dict[int, float | None]:
    return {width: scores.miou for width, scores in tally.trimap.scores(labels).items()}


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
    weights = _weights_of(model)
    scored.warn_of_training(weights, data, listener)
    data, known = scored.choose(data, Path(weights), part, processes, listener)
    data = usable(photo_values.for_dataset(data, values, listener), skip_bad, processes, listener)
    if isinstance(model, ModelReference):
        model = _loaded(model, options, data, save_predictions is not None, listener)
    _check_labels(model.labels, data.labels)
    tally = _counted(model, data, crf, trimap, save_predictions, batch, processes, listener)
    return Evaluation(model, crf, data, tally, processes, known)


def _weights_of(model: Model | ModelReference) -> str:
    """The file that a model's weights are read from, or the name of published ones."""
    if isinstance(model, ModelReference):
        return model.entry.name if model.entry else str(model.path)
    return model.facts.provenance.get("weights", "")


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
