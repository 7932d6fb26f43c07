"""`segcli crf`: refines saved probabilities or rough label maps, or finds the best settings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Option

from segcli.cli.display import Display
from segcli.cli.options.crf import CrfOptions
from segcli.cli.options.dataset import ClassNames
from segcli.cli.options.groups import grouped
from segcli.cli.options.inputs import Exclude, Inputs, named
from segcli.cli.options.network import Device
from segcli.cli.options.outputs import DEFAULT_SAVE, AsJson, FillHoles, GeoJsonCoordinates, MinArea, Output, Quiet
from segcli.cli.options.panels import OUTPUT
from segcli.cli.options.parsing import choices
from segcli.cli.options.photos import Photos
from segcli.cli.options.reading import ReadingOptions
from segcli.cli.views import tuning
from segcli.cli.views.folder import follow
from segcli.data.names import parse
from segcli.data.reading import Choice
from segcli.errors import UsageError
from segcli.files.paths import shown
from segcli.files.sources import Source
from segcli.pipeline import refine as pipeline
from segcli.pipeline.reading import find_photos
from segcli.pipeline.refine import DEFAULT_FOLDER, DEFAULT_GT_PROB, KINDS, RefineJob, require_folder
from segcli.pipeline.run import Invocation

if TYPE_CHECKING:
    from segcli.data.photo_labels import PhotoLabels

EXAMPLES = """\
[bold]Examples[/bold]\n
segcli predict photos/ -o plain --save mask,probs\n
segcli crf photos/ --probs plain -o refined\n
segcli crf photos/ --labels scribbles/ --names background,cat --gt-prob 0.7\n
segcli crf photos/ --probs plain --tune --truth labels/ -o best.toml
"""


@dataclass(frozen=True)
class Unrefined:
    """The options that name what a network or a person said about the photos."""

    probs: Annotated[
        Path | None, Option("--probs", metavar="DIR", help="A folder that `predict --save probs` wrote.")
    ] = None
    labels: Annotated[
        Path | None,
        Option("--labels", metavar="DIR|FILE", help="Rough labels instead: masks, or label files of any tool."),
    ] = None
    names: ClassNames = None
    gt_prob: Annotated[float, Option("--gt-prob", help="How much the rough labels are trusted, from 0 to 1.")] = (
        DEFAULT_GT_PROB
    )

    def __post_init__(self):
        self.wanted()

    def wanted(self) -> pipeline.Unrefined:
        """The values that these options come to."""
        return pipeline.Unrefined(self.probs, self.labels, self.names, self.gt_prob)


@dataclass(frozen=True)
class Search:
    """The options of the search for settings."""

    tune: Annotated[
        bool,
        Option("--tune", help="Find the best w1, sigma_alpha and sigma_beta, and write them to --output, a TOML file."),
    ] = False
    truth: Annotated[Path | None, Option("--truth", metavar="DIR|FILE", help="With --tune: true labels.")] = None
    limit: Annotated[
        int | None,
        Option("--limit", min=1, metavar="N", help="With --tune: take only so many photos, evenly from the list."),
    ] = None

    def __post_init__(self):
        if self.tune and self.truth is None:
            raise UsageError("--tune needs --truth", "Give the folder of the true label maps.")
        if self.limit is not None and not self.tune:
            raise UsageError("--limit goes with --tune", "It says how many photos the search is made on.")
        if self.truth and not self.tune:
            raise UsageError("--truth goes with --tune", "`segcli compare A B --truth DIR` scores what was refined.")
        if self.truth is not None and not self.truth.is_file():
            require_folder("--truth", self.truth)

    def truths(self, job: RefineJob, reading: Choice, display: Display) -> tuple[list[Source], PhotoLabels]:
        """The photos that have true labels, and something to refine; and those labels."""
        from segcli.data.photo_labels import open_labels

        files = [source for source in job.found.files if source.beside is not None]
        labels = open_labels([source.path for source in files], self.truth, parse(job.classes), reading)
        files = [source for source in files if labels.file(source.path) is not None]
        if not files:
            raise UsageError(f"{shown(self.truth)} has no true labels of these photos", "They are matched by name.")
        labels.data.reading.tell(display.note, display.warn)
        return self._limited(files, display), labels

    def _limited(self, files: list[Source], display: Display) -> list[Source]:
        """So many of the photos as --limit says, evenly over their list."""
        if self.limit is None or self.limit >= len(files):
            return files
        display.note(f"--limit {self.limit}: the photos are taken evenly over the list of the {len(files)} with truth")
        return [files[index * len(files) // self.limit] for index in range(self.limit)]


Save = Annotated[
    frozenset,
    Option(
        "--save",
        parser=choices("--save", KINDS),
        metavar="KIND,...",
        help=f"Any of {', '.join(KINDS)}.",
        rich_help_panel=OUTPUT,
    ),
]


@grouped
def crf(
    inputs: Inputs,
    *,
    output: Output = DEFAULT_FOLDER,
    unrefined: Unrefined,
    reading: ReadingOptions,
    photos: Photos,
    settings: CrfOptions,
    device: Device = "auto",
    save: Save = DEFAULT_SAVE,
    min_area: MinArea = 0,
    fill_holes: FillHoles = False,
    geojson_crs: GeoJsonCoordinates = "wgs84",
    search: Search,
    exclude: Exclude = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Make outlines follow the photo: refine saved probabilities or rough labels with the fully connected CRF.

    Photos are matched with their probabilities or label maps by name. In label maps, void (255, and black if no class
    is black) means "no opinion". The results are written as predict writes them.

    --tune tries the papers' 128 settings and 26 finer ones at --crf-size, on every photo that has a true label map. It
    takes a second or two for each photo times 40. Use the same --crf-size afterwards. The papers search on 100 photos:
    --limit 100.
    """
    display = Display(as_json, quiet)
    wanted = replace(unrefined.wanted(), reading=reading.choice())
    found = wanted.beside(find_photos(named(inputs), None if search.tune else output, inputs, exclude=exclude or ()))
    for remark in found.remarks:
        display.note(remark)
    regions = (min_area, photos.reading(), geojson_crs, fill_holes)
    job = RefineJob(wanted, found, settings.settings(), device, save, output, *regions)
    if search.tune:
        job = job.for_photos(display)
        choice = Choice() if unrefined.labels else reading.choice()
        tuning.search(display, job, *search.truths(job, choice, display))
    else:
        run = pipeline.run(job, listener=display, invocation=Invocation(inputs))
        raise typer.Exit(follow(run, display, "refining", "refined"))
