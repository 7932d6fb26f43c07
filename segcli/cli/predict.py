"""`segcli predict`: photos in, masks and overlays out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from typer import Option

from segcli import labels, manifest
from segcli.cli import model as models
from segcli.cli import options, refine, replay
from segcli.cli.display import Display
from segcli.cli.dry_run import report
from segcli.cli.run import Run, find
from segcli.errors import UsageError
from segcli.files import Source
from segcli.images import MAX_PIXELS, Photo, read_photo
from segcli.labels import BACKGROUND, LabelSet
from segcli.pages import expand

KINDS = ("mask", "overlay", "cutout", "classes", "polygons", "gallery", "probs")

EXAMPLES = """\
[bold]Examples[/bold]\n
segcli predict photos/\n
segcli predict photos/ holiday.jpg 'more/**/*.png' -o out --model v3plus-xception\n
ls *.jpg | segcli predict - --json > result.json\n
torchrun --nproc-per-node 4 -m segcli predict huge/
"""


def predict(
    ctx: typer.Context,
    inputs: options.Inputs,
    output: options.Output = Path("segmented"),
    model: options.Model = None,
    weights: options.Weights = None,
    device: options.Device = "auto",
    batch: options.Batch = 1,
    output_stride: options.OutputStride = None,
    size: options.Size = None,
    multi_scale: options.MultiScale = False,
    flip: options.Flip = False,
    tile: options.Tile = None,
    crf: refine.Crf = False,
    crf_set: refine.CrfSet = None,
    crf_config: refine.CrfConfig = None,
    crf_size: refine.CrfSize = str(refine.SIZE),
    crf_backend: refine.CrfBackend = "torch",
    value_range: Annotated[
        str | None,
        Option("--range", metavar="auto|LO:HI", help="Values of 16-bit photos that become black and white."),
    ] = None,
    max_pixels: Annotated[
        int, Option("--max-pixels", min=1, help="Refuse photos with more pixels than this.")
    ] = MAX_PIXELS,
    pages: Annotated[bool, Option("--pages", help="Every page of TIFF and GIF files, not only the first.")] = False,
    save: Annotated[
        str, Option("--save", help=f"Any of {', '.join(KINDS)}.", rich_help_panel=options.OUTPUT)
    ] = "mask,overlay",
    classes: Annotated[
        str | None,
        Option(
            "--classes",
            metavar="NAME,...",
            help="Keep these; the others become background, or void.",
            rich_help_panel=options.OUTPUT,
        ),
    ] = None,
    cutout_background: Annotated[
        str | None,
        Option(
            "--cutout-background",
            metavar="COLOR",
            help="Instead of transparency in cutouts: white, '#3366ff', ...",
            rich_help_panel=options.OUTPUT,
        ),
    ] = None,
    overlay_size: Annotated[
        int, Option("--overlay-size", min=33, help="Longest side of an overlay.", rich_help_panel=options.OUTPUT)
    ] = 1920,
    verify: Annotated[
        bool,
        Option("--verify", help="Compare contents, not times, to see what is done.", rich_help_panel=options.OUTPUT),
    ] = False,
    dry_run: Annotated[
        bool,
        Option("--dry-run", help="Say what the run would take, and write nothing.", rich_help_panel=options.OUTPUT),
    ] = False,
    from_run: replay.From = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
) -> None:
    """Label every pixel of photos: a mask, an overlay and the class areas of each.

    Writes OUTPUT/masks (palette PNG), OUTPUT/overlays (JPEG), areas.csv, manifest.jsonl and run.toml. A second run
    does only what is missing or has changed. Exit code 3 means that some photos failed: manifest.jsonl says why.
    Under torchrun the photos are shared out.
    """
    kinds = options.choices(save, KINDS, "--save")
    working_size, bounds = options.working_size(size), options.value_range(value_range)
    crf_params = refine.params(crf_set, crf_config)
    refine.check(crf_size, crf_backend)
    crf = crf or crf_set is not None or crf_config is not None
    cutout_colour = options.colour(cutout_background, "--cutout-background")
    found = find(inputs, output)
    if pages:
        found = replace(found, files=expand(found.files, max_pixels))
    source = models.reference(model, weights, output_stride)
    if isinstance(source, str):
        _class_ids(classes, labels.get(manifest.resolve(source).labels), kinds)

    from segcli import folder, memory, team
    from segcli.outputs import Outputs

    def read(photo: Source) -> Photo:
        return read_photo(photo.path, bounds, max_pixels, photo.page)

    with team.join() as members:
        display = Display(as_json and members.leads, quiet or not members.leads)
        segmenter = models.segmenter(
            source,
            display,
            device=device,
            output_stride=output_stride,
            size=working_size,
            scales=options.scale_list(None, multi_scale),
            flip=flip,
            tile=tile,
        )

        label_set = segmenter.model.labels
        kept = _class_ids(classes, label_set, kinds)
        outputs = Outputs(output, label_set, kinds, models.provenance(segmenter), overlay_size, kept, cutout_colour)
        refinement = refine.refinement(crf_params, crf_size, crf_backend) if crf else None
        recipe = {
            **models.recipe(segmenter),
            "crf": refinement and refinement.to_dict(),
            "input": {"range": value_range},
        }
        run = Run(members, display, outputs, recipe, inputs, replay.stated(ctx))
        stages = folder.Stages(read, folder.network(segmenter), refinement, memory.on_cpu(segmenter))
        if dry_run and not members.leads:
            return
        if dry_run:
            report(display, run.to_do(found, verify), found, segmenter, stages, outputs, max_pixels)
            return
        todo = run.plan(found, verify)
        run.follow(folder.segment(todo, stages, outputs, run.ledger, run.settings, batch), len(todo))
        raise typer.Exit(run.finish(found))


def _class_ids(names: str | None, label_set: LabelSet, kinds: frozenset[str]) -> frozenset[int] | None:
    """The ids of --classes; None for all of them."""
    if names is None:
        if "cutout" in kinds and BACKGROUND not in label_set.names:
            raise UsageError(
                f"--save cutout: {label_set.name} has no background to cut away", "Name what to keep with --classes."
            )
        return None
    chosen = options.choices(names, label_set.names, "--classes")
    return frozenset(label_set.names.index(name) for name in chosen)
