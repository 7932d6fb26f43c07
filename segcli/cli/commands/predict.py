"""`segcli predict`: photos in, masks and overlays out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Option

from segcli import labels
from segcli.cli import allocator
from segcli.cli.display import Display
from segcli.cli.options import common, replay
from segcli.cli.options import crf as refine
from segcli.cli.options import engine as engines
from segcli.cli.options import network as models
from segcli.cli.options.groups import grouped
from segcli.cli.run import Run, find
from segcli.cli.views.estimate import report
from segcli.errors import UsageError
from segcli.files.sources import Found, Source
from segcli.images.pages import expand
from segcli.images.read import MAX_PIXELS, Photo, read_photo
from segcli.labels import BACKGROUND, LabelSet
from segcli.weights import manifest

if TYPE_CHECKING:
    from segcli.inference.segmenter import Segmenter
    from segcli.pipeline.writer import Outputs

KINDS = ("mask", "overlay", "cutout", "classes", "polygons", "gallery", "probs")

EXAMPLES = """\
[bold]Examples[/bold]\n
segcli predict photos/\n
segcli predict photos/ holiday.jpg 'more/**/*.png' -o out --model v3plus-xception\n
ls *.jpg | segcli predict - --json > result.json\n
torchrun --nproc-per-node 4 -m segcli predict huge/
"""


@dataclass(frozen=True)
class Reading:
    """How photos are read."""

    value_range: Annotated[
        str | None,
        Option("--range", metavar="auto|LO:HI", help="Values of 16-bit photos that become black and white."),
    ] = None
    max_pixels: Annotated[int, Option("--max-pixels", min=1, help="Refuse photos with more pixels than this.")] = (
        MAX_PIXELS
    )
    pages: Annotated[bool, Option("--pages", help="Every page of TIFF and GIF files, not only the first.")] = False

    def __post_init__(self):
        common.value_range(self.value_range)

    def found(self, inputs: list[str], output: Path) -> Found:
        """The photos, or pages, to work on."""
        found = find(inputs, output)
        return replace(found, files=expand(found.files, self.max_pixels)) if self.pages else found

    def reader(self) -> Callable[[Source], Photo]:
        """Decodes one of them."""
        bounds = common.value_range(self.value_range)
        return lambda source: read_photo(source.path, bounds, self.max_pixels, source.page)


@dataclass(frozen=True)
class Saving:
    """What is written of each photo."""

    save: Annotated[str, Option("--save", help=f"Any of {', '.join(KINDS)}.", rich_help_panel=common.OUTPUT)] = (
        "mask,overlay"
    )
    classes: Annotated[
        str | None,
        Option(
            "--classes",
            metavar="NAME,...",
            help="Keep these; the others become background, or void.",
            rich_help_panel=common.OUTPUT,
        ),
    ] = None
    cutout_background: Annotated[
        str | None,
        Option(
            "--cutout-background",
            metavar="COLOR",
            help="Instead of transparency in cutouts: white, '#3366ff', ...",
            rich_help_panel=common.OUTPUT,
        ),
    ] = None
    overlay_size: Annotated[
        int, Option("--overlay-size", min=33, help="Longest side of an overlay.", rich_help_panel=common.OUTPUT)
    ] = 1920

    def __post_init__(self):
        self.kinds()
        common.colour(self.cutout_background, "--cutout-background")

    def kinds(self) -> frozenset[str]:
        """The kinds of files."""
        return common.choices(self.save, KINDS, "--save")

    def kept(self, label_set: LabelSet) -> frozenset[int] | None:
        """The ids of --classes; None for all of them."""
        if self.classes is not None:
            chosen = common.choices(self.classes, label_set.names, "--classes")
            return frozenset(label_set.names.index(name) for name in chosen)
        if "cutout" in self.kinds() and BACKGROUND not in label_set.names:
            raise UsageError(
                f"--save cutout: {label_set.name} has no background to cut away", "Name what to keep with --classes."
            )
        return None

    def outputs(self, folder: Path, segmenter: Segmenter) -> Outputs:
        """What writes them."""
        from segcli.pipeline.writer import Outputs

        label_set = segmenter.model.labels
        colour = common.colour(self.cutout_background, "--cutout-background")
        made_by = models.provenance(segmenter)
        return Outputs(folder, label_set, self.kinds(), made_by, self.overlay_size, self.kept(label_set), colour)


Verify = Annotated[
    bool,
    Option("--verify", help="Compare contents, not times, to see what is done.", rich_help_panel=common.OUTPUT),
]
DryRun = Annotated[
    bool,
    Option("--dry-run", help="Say what the run would take, and write nothing.", rich_help_panel=common.OUTPUT),
]


@grouped
def predict(
    ctx: typer.Context,
    inputs: common.Inputs,
    *,
    output: common.Output = Path("segmented"),
    network: models.Network,
    crf: refine.Crf = False,
    crf_settings: refine.Settings,
    reading: Reading,
    saving: Saving,
    verify: Verify = False,
    dry_run: DryRun = False,
    from_run: replay.From = None,
    as_json: common.AsJson = False,
    quiet: common.Quiet = False,
) -> None:
    """Label every pixel of photos: a mask, an overlay and the class areas of each.

    Writes OUTPUT/masks (palette PNG), OUTPUT/overlays (JPEG), areas.csv, manifest.jsonl and run.toml. A second run
    does only what is missing or has changed. Exit code 3 means that some photos failed: manifest.jsonl says why.
    Under torchrun the photos are shared out.
    """
    found = reading.found(inputs, output)
    source = network.source()
    if isinstance(source, str):
        saving.kept(labels.get(manifest.resolve(source).labels))

    allocator.keep_freed_memory()
    from segcli import distributed
    from segcli.inference import oom
    from segcli.pipeline import stages as folder

    with distributed.join() as processes:
        display = Display(as_json and processes.is_main, quiet or not processes.is_main)
        engine = engines.begun(output) or (engines.begun(from_run.parent) if from_run else None)
        segmenter = network.segmenter(source, display, len(found.files), engine)
        refinement = crf_settings.if_wanted(crf)
        stages = folder.Stages(reading.reader(), folder.network(segmenter), refinement, oom.on_cpu(segmenter))
        outputs = saving.outputs(output, segmenter)
        recipe = {
            **models.recipe(segmenter),
            "crf": refinement and refinement.to_dict(),
            "input": {"range": reading.value_range},
        }
        run = Run(processes, display, outputs, recipe, inputs, replay.stated(ctx))
        if not dry_run:
            raise typer.Exit(run.complete(found, stages, network.batch, verify))
        if processes.is_main:
            report(display, run.to_do(found, verify), found, segmenter, stages, outputs, reading.max_pixels)
