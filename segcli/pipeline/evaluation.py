"""Evaluation: a model's scores on a dataset, by the papers' protocol, with what they were measured on and with."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segcli.crf.settings import CRFSettings
from segcli.data.dataset import Dataset
from segcli.distributed import Processes
from segcli.evaluation.metrics import Scores
from segcli.evaluation.scoring import ImageScore, worst
from segcli.images.photo import Photo
from segcli.images.reading import PLAIN, PhotoReading
from segcli.labels import LabelSet
from segcli.pipeline import photo_values, scored
from segcli.pipeline.model import Model
from segcli.pipeline.scored import Scored
from segcli.weights.reference import ModelReference

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
            **({"trained_on_val": True} if scored.trained_on(weights_of(self.model), self.data) else {}),
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


def weights_of(model: Model | ModelReference) -> str:
    """The file that a model's weights are read from, or the name of published ones."""
    if isinstance(model, ModelReference):
        return model.entry.name if model.entry else str(model.path)
    return model.facts.provenance.get("weights", "")
