"""`segcli predict`: photos in, masks and overlays out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from typer import Option

from segcli import distributed
from segcli.cli import allocator
from segcli.cli.display import Display
from segcli.cli.options import completion, replay
from segcli.cli.options.crf import Crf, CrfOptions
from segcli.cli.options.films import Films
from segcli.cli.options.groups import grouped
from segcli.cli.options.inputs import Exclude, FromList, Inputs, check_one_source, named
from segcli.cli.options.network import Network
from segcli.cli.options.outputs import (
    DEFAULT_SAVE,
    AsJson,
    FillHoles,
    GeoJsonCoordinates,
    MinArea,
    OutputOrStore,
    Quiet,
)
from segcli.cli.options.overlays import Overlays
from segcli.cli.options.panels import MODEL, OUTPUT, PROTOCOL
from segcli.cli.options.parsing import Parsed, choices, colour, words
from segcli.cli.options.photos import PANEL as PHOTOS
from segcli.cli.options.photos import Photos
from segcli.cli.signals import WATCH
from segcli.cli.views.estimate import report
from segcli.cli.views.folder import follow
from segcli.distributed import Processes
from segcli.errors import UsageError
from segcli.files.sources import Found
from segcli.pipeline import job as jobs
from segcli.pipeline import predict as pipeline
from segcli.pipeline.cluster.address import parse as parse_cluster
from segcli.pipeline.job import DEFAULT_FOLDER, PredictJob
from segcli.pipeline.kinds import KINDS
from segcli.pipeline.reading import Reading
from segcli.pipeline.run import FolderRun, Invocation
from segcli.storage.address import Address, are_stored
from segcli.weights.lacking import lacking_of

EXAMPLES = """\
[bold]Examples[/bold]\n
segcli predict photos/\n
segcli predict clip.mp4 --start 0:01 --end 1:30\n
segcli predict photos/ holiday.jpg 'more/**/*.png' -o out --model v3plus-xception\n
ls *.jpg | segcli predict - --json > result.json\n
segcli predict huge/ --cluster tcp://10.0.0.5:8786\n
torchrun --nproc-per-node 4 -m segcli predict huge/
"""


@dataclass(frozen=True)
class Saving:
    """The options of what is written of each photo."""

    save: Annotated[
        frozenset,
        Option(
            "--save",
            parser=choices("--save", KINDS),
            metavar="KIND,...",
            help=f"Any of {', '.join(KINDS)}; frames is only for films.",
            rich_help_panel=OUTPUT,
        ),
    ] = DEFAULT_SAVE
    classes: Annotated[
        tuple | None,
        Option(
            "--classes",
            parser=Parsed(words, "--classes"),
            metavar="NAME,...",
            help="Keep only these classes; the others become background, or void.",
            rich_help_panel=OUTPUT,
            autocompletion=completion.classes,
        ),
    ] = None
    cutout_background: Annotated[
        tuple | None,
        Option(
            "--cutout-background",
            parser=colour("--cutout-background"),
            metavar="COLOR",
            help="A colour instead of transparency in cutouts: white, '#3366ff', ...",
            rich_help_panel=OUTPUT,
        ),
    ] = None
    min_area: MinArea = 0
    fill_holes: FillHoles = False
    geojson_crs: GeoJsonCoordinates = "wgs84"

    def wanted(self, overlays: Overlays) -> jobs.Saving:
        """The values that these options come to."""
        pictures = (self.classes, self.cutout_background, overlays.style())
        return jobs.Saving(self.save, *pictures, self.min_area, self.geojson_crs, self.fill_holes)


Pages = Annotated[
    bool,
    Option(
        "--pages", help="Read every page of TIFF and GIF files, and every plane of a stack.", rich_help_panel=PHOTOS
    ),
]
Gsd = Annotated[
    float | None,
    Option(
        "--gsd",
        metavar="CM",
        help="Show the network every photo at so many centimetres of ground per pixel; only for photos "
        "that know their place on earth.",
        rich_help_panel=PROTOCOL,
    ),
]
Verify = Annotated[
    bool,
    Option(
        "--verify",
        help="Compare the contents of files, not their times, to see what is already done.",
        rich_help_panel=OUTPUT,
    ),
]
Cluster = Annotated[
    object | None,
    Option(
        "--cluster",
        parser=Parsed(parse_cluster, "--cluster"),
        metavar="ADDRESS|FILE",
        help="Let workers of a Dask cluster work: tcp://HOST:PORT, tls://HOST:PORT, or the scheduler's FILE.json.",
        rich_help_panel=MODEL,
    ),
]
DryRun = Annotated[
    bool,
    Option(
        "--dry-run",
        help="Say how much time, memory and disk the run would need; write, download and convert nothing.",
        rich_help_panel=OUTPUT,
    ),
]


@grouped
def predict(
    ctx: typer.Context,
    inputs: Inputs,
    *,
    output: OutputOrStore = DEFAULT_FOLDER,
    network: Network,
    crf: Crf = False,
    crf_options: CrfOptions,
    photos: Photos,
    pages: Pages = False,
    gsd: Gsd = None,
    films: Films,
    saving: Saving,
    overlays: Overlays,
    cluster: Cluster = None,
    verify: Verify = False,
    dry_run: DryRun = False,
    from_run: replay.From = None,
    from_list: FromList = None,
    exclude: Exclude = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Label every pixel of photos and films: a mask, an overlay and the class areas of each.

    Writes OUTPUT/masks (palette PNG), OUTPUT/overlays (JPEG), areas.csv, manifest.jsonl and run.toml. A second run does
    only what is missing or has changed. Exit code 3 means that some photos failed: manifest.jsonl says why. Under
    torchrun several processes share the photos, with --cluster several computers.
    """
    check_one_source(ctx, from_list)
    job = PredictJob(
        network.reference(),
        network.options(),
        crf_options.if_wanted(crf),
        Reading(photos.reading(), pages, Parsed.typed.get("--range"), gsd, films.wanted(), tuple(exclude or ())),
        saving.wanted(overlays),
        DEFAULT_FOLDER if isinstance(output, Address) else output,
        (from_run.parent,) if from_run else (),
    )
    job.check()
    names = named(inputs)
    if cluster is not None:
        _check_cluster(names, output, dry_run)
    store = output if isinstance(output, Address) else None
    found = None if store or are_stored(names) else job.reading.find(names, output, inputs)
    allocator.keep_freed_memory()
    with distributed.join() as processes:
        display = Display(as_json and processes.is_main, quiet or not processes.is_main)
        details = {"processes": processes, "batch": network.batch, "verify": verify, "listener": display}
        details["invocation"] = Invocation(inputs, replay.stated(ctx))
        if cluster is None:
            details["dry"] = dry_run
        if found is None:
            opened = _stored(job, names, store, **details)
        else:
            opened = _local(job, found, **details) if cluster is None else _clustered(job, found, cluster, **details)
        with opened as run:
            if not dry_run:
                raise typer.Exit(follow(run, display, "segmenting", "segmented"))
            if processes.is_main:
                report(display, run, photos.max_pixels, lacking_of(job.reference))


@contextmanager
def _local(job: PredictJob, found: Found, **details: Any) -> Iterator[FolderRun]:
    yield pipeline.run(job, found, **details)


@contextmanager
def _stored(
    job: PredictJob, names: list[str], output: Address | None, *, processes: Processes, **details: Any
) -> Iterator[FolderRun]:
    """A run of photos in stores, or into one, whose copies are gone when the block ends, by a signal too."""
    from segcli.pipeline.stored import predict as stored

    if processes.world_size > 1:
        message = "torchrun works only with photos and results on this computer, and some are in a store"
        raise UsageError(message, "Give the command without torchrun.")
    with WATCH.orderly(), stored.opened(job, names, output, processes=processes, **details) as run:
        yield run


def _check_cluster(names: list[str], output: Path | Address, dry_run: bool) -> None:
    """Refuse what does not go with --cluster."""
    from segcli.pipeline.cluster.predict import refuse_stores

    if distributed.world_size() > 1:
        message = "torchrun and --cluster cannot be used together: each of them divides the photos"
        raise UsageError(message, "Give the command without torchrun.")
    if dry_run:
        message = "--dry-run and --cluster cannot be used together: --dry-run measures only this computer"
        raise UsageError(message, "Leave out one of them.")
    refuse_stores(names, output)


def _clustered(job: PredictJob, found: Found, cluster: Any, **details: Any) -> AbstractContextManager[FolderRun]:
    """A run on a cluster, from which it parts when the block ends."""
    from segcli.pipeline.cluster.predict import opened

    return opened(job, found, cluster, **details)
