"""`segcli eval`: a model's scores on a dataset, by the papers' protocol."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Option

from segcli.cli import allocator
from segcli.cli.display import Display
from segcli.cli.options import common
from segcli.cli.options import crf as refine
from segcli.cli.options import dataset as dataset_options
from segcli.cli.options import engine as engines
from segcli.cli.options import network as models
from segcli.cli.options.groups import grouped
from segcli.cli.views import scores
from segcli.data.dataset import Dataset
from segcli.images.read import read_rgb

if TYPE_CHECKING:
    from segcli.crf.stage import Refinement
    from segcli.distributed import Processes
    from segcli.inference.segmenter import Segmenter
    from segcli.pipeline.evaluate import Tally

EXAMPLES = """\
[bold]Examples[/bold]\n
segcli eval --dataset voc2012 --data-dir ~/data --output-stride 8 --ms --flip\n
segcli eval --dataset folder --images photos --labels masks --names background,cat --weights run/best.safetensors\n
torchrun --nproc-per-node 2 -m segcli eval --dataset cityscapes --data-dir ~/data --json
"""
DEFAULT_VARIANT = "v3plus-xception"


@grouped
def evaluate_model(
    *,
    dataset: dataset_options.Choice,
    split: dataset_options.Split = "val",
    network: models.Network,
    crf: refine.Crf = False,
    crf_settings: refine.Settings,
    trimap: Annotated[
        bool, Option("--trimap", help="Scores in bands around void too.", rich_help_panel=common.OUTPUT)
    ] = False,
    skip_bad: dataset_options.SkipBad = False,
    output: common.OptionalOutput = None,
    save_predictions: Annotated[
        Path | None,
        Option(
            "--save-predictions",
            metavar="DIR",
            help="Label maps as the benchmark's server wants them; those there already are not computed again.",
            rich_help_panel=common.OUTPUT,
        ),
    ] = None,
    worst: Annotated[
        int, Option("--worst", min=0, help="How many of the worst images to list.", rich_help_panel=common.OUTPUT)
    ] = 5,
    as_json: common.AsJson = False,
    quiet: common.Quiet = False,
) -> None:
    """Score a model on a dataset: mIOU and more, at the labels' own size, void ignored.

    With --output, scores.json, the confusion matrix, the trimap's curve and overlays of the worst images go there.
    Under torchrun the images are shared out; the sums are exact.
    """
    data = dataset.load(split)
    source = network.source_for(data.labels, DEFAULT_VARIANT)

    allocator.keep_freed_memory()
    from segcli import distributed

    with distributed.join() as processes:
        display = Display(as_json and processes.is_main, quiet or not processes.is_main)
        data = dataset_options.usable(data, processes, display, skip_bad)
        photos = len(data.samples)
        engine = engines.by_number(network.passes(photos)) if save_predictions else None  # that of an earlier run
        segmenter = network.segmenter(source, display, photos, engine)
        models.check_labels(segmenter.model.labels, data.labels)
        refinement = crf_settings.if_wanted(crf)
        job = _Job(data, segmenter, refinement, processes, display)
        tally = job.score(trimap, save_predictions, network.batch)
        if processes.is_main:
            job.report(tally, worst, output)


@dataclass(frozen=True)
class _Job:
    """A model on a dataset, once everything is chosen."""

    data: Dataset
    segmenter: Segmenter
    refinement: Refinement | None
    processes: Processes
    display: Display

    def score(self, trimap: bool, save_predictions: Path | None, batch: int) -> Tally:
        """The tally of all processes."""
        from segcli.evaluation.predictions import Predictions
        from segcli.pipeline.evaluate import Tally, score
        from segcli.pipeline.records import fingerprint

        tally = Tally.empty(len(self.data.labels), trimap, self.refinement is not None)
        store = Predictions(save_predictions, self.data, fingerprint(self._recipe())) if save_predictions else None
        share = len(self.processes.shard(self.data.samples))
        with self.display.counting(share, "scoring") as counter:
            for _ in score(
                self.data, self.segmenter, tally, self.processes, refine=self.refinement, store=store, batch=batch
            ):
                counter.advance()
        tally.all_reduce(self.processes)
        return tally

    def _recipe(self) -> dict:
        return {**models.recipe(self.segmenter), "crf": self.refinement.to_dict() if self.refinement else None}

    def facts(self, tally: Tally) -> dict:
        """What the scores were measured on and with, as JSON-plain values."""
        from segcli.inference.transform import geometry
        from segcli.models import cost

        model, segmenter = self.segmenter.model, self.segmenter
        photo = read_rgb(self.data.samples[0].image)
        size = geometry(photo.shape[:2], segmenter.preprocessing).padded
        spent = cost.measure(
            model.spec,
            size,
            classes=len(model.labels),
            output_stride=model.output_stride,
            scales=segmenter.scales,
            flip=segmenter.flip,
        )
        return {
            "dataset": self.data.name,
            "split": self.data.split,
            "images": len(tally.images),
            "reused": tally.reused,
            "seconds": round(tally.seconds, 2),
            "processes": self.processes.world_size,
            **self._recipe(),
            "input": list(size),
            "multiply_adds": spent.multiply_adds,
            "multiply_adds_as_paper": spent.as_paper,
        }

    def report(self, tally: Tally, worst: int, output: Path | None) -> None:
        """The scores for people or programs, and as files where they are wanted."""
        result = scores.report(self.display, self.data.labels, tally, self.facts(tally), worst)
        if output is not None:
            scores.write(output, self.data.labels, tally, result)
            self.write_overlays(output / "worst", [image["name"] for image in result["worst"]])
            self.display.say(f"scores.json and pictures: {output}", "dim")

    def write_overlays(self, folder: Path, names: list[str]) -> None:
        """Overlays of the named samples, computed once more."""
        from segcli.images.overlay import overlay, write_overlay

        for sample in self.data.samples:
            if sample.name in names:
                photo = read_rgb(sample.image)
                prediction = self.segmenter.predict([photo])[0]
                refined = self.refinement(photo, prediction) if self.refinement else prediction
                path = folder / f"{sample.name}.jpg"
                write_overlay(path, overlay(photo, refined.labels(), self.data.labels))
