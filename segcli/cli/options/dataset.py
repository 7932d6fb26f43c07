"""From --dataset, --data-dir and their kin to a Dataset, the same way for every command."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from segcli.cli.display import Display
from segcli.cli.options.panels import PROTOCOL
from segcli.cli.options.parsing import Parsed
from segcli.data import layouts
from segcli.data.dataset import Dataset
from segcli.data.names import Classes, parse
from segcli.data.reading import Choice as ReadingChoice
from segcli.errors import UsageError
from segcli.files.paths import shown

FOLDER = "folder"
"""What --dataset calls photos and labels of one's own."""
EXAMPLE = "photos labels --names background,cat"
_KNOWN = ", ".join(layouts.DATASETS)
Name = Annotated[
    str | None,
    Option(
        "--dataset",
        "-d",
        metavar="NAME",
        help=f"A published dataset, instead of your own photos: {_KNOWN}.",
        show_default=False,
    ),
]
PhotosPlace = Annotated[
    Path | None,
    Argument(metavar="PHOTOS", help="A folder of photos, or of photos and labels.", show_default=False),
]
LabelsPlace = Annotated[
    Path | None,
    Argument(
        metavar="LABELS", help="Their labels: a folder or one file, in any form of docs/labels.md.", show_default=False
    ),
]
Split = Annotated[str, Option("--split", help="Which split of it; train+val joins two.", rich_help_panel=PROTOCOL)]
Images = Annotated[
    Path | None,
    Option(
        "--images",
        metavar="DIR",
        help="The same as PHOTOS.",
        rich_help_panel="Folder",
    ),
]
Labels = Annotated[
    Path | None,
    Option(
        "--labels",
        metavar="DIR|FILE",
        help="The same as LABELS.",
        rich_help_panel="Folder",
    ),
]
Names = Annotated[
    Classes | None,
    Option(
        "--names",
        parser=Parsed(parse, "--names"),
        metavar="A,B,...|FILE|SET",
        help="The classes in the order of their ids, a file that names them, or a known set. "
        "Not needed if the labels name their classes.",
        rich_help_panel="Folder",
    ),
]


def optional_names(text: str) -> Classes | None:
    """The classes that `--names` gives; an empty text counts as not given."""
    return parse(text) if text else None


ClassNames = Annotated[
    Classes | None,
    Option(
        "--names",
        parser=Parsed(optional_names, "--names"),
        metavar="A,B,...|FILE|SET",
        help="The classes of the label maps, if the files do not name them: names, a label-set TOML, or a known set.",
    ),
]

DataDir = Annotated[
    Path | None,
    Option("--data-dir", metavar="DIR", help="The folder that holds the dataset.", rich_help_panel=PROTOCOL),
]
SkipBad = Annotated[bool, Option("--skip-bad", help="Leave out files with problems instead of stopping.")]


@dataclass(frozen=True)
class OwnData:
    """Photos and labels of one's own, as PHOTOS and LABELS or as --images and --labels, which mean the same."""

    photos_place: PhotosPlace = None
    labels_place: LabelsPlace = None
    images: Images = None
    labels: Labels = None
    names: Names = None

    def __post_init__(self):
        for named, option in (("photos_place", "images"), ("labels_place", "labels")):
            place, by_option = getattr(self, named), getattr(self, option)
            if place is not None and by_option is not None:
                raise UsageError(f"{shown(place)} and --{option} {shown(by_option)}: only one can be read", "Drop one.")
            object.__setattr__(self, option, place or by_option)

    def open(self, reading: ReadingChoice, display: Display) -> Dataset:
        """The dataset, whole; its labels are looked at, and how they are read is said."""
        from segcli.data.folder import open_folder

        if self.images is None:
            hint = "Give a folder of photos, then their labels if they are not in it."
            raise UsageError("the photos are not named", hint)
        data = open_folder(self.images, self.labels, self.names, reading, display.counting)
        data.reading.tell(display.note, display.warn)
        return data


@dataclass(frozen=True)
class Choice(OwnData):
    """Which dataset, of a known layout or a folder of one's own; photos alone mean a folder."""

    dataset: Name = None
    data_dir: DataDir = None

    def __post_init__(self):
        super().__post_init__()
        if self.dataset is None and self.images is not None:
            object.__setattr__(self, "dataset", FOLDER)
        if self.dataset not in (None, FOLDER) and (self.images or self.labels or self.names):
            raise UsageError(f"photos, labels and --names cannot be given together with --dataset {self.dataset}")
        if self.dataset == FOLDER and self.images is None:
            raise UsageError("--dataset folder needs photos", f"For example: {EXAMPLE}")
        if self.dataset is None and (self.data_dir or self.labels or self.names):
            raise UsageError("the dataset is missing", f"Name a published one with --dataset, or photos: {EXAMPLE}")

    def load(self, split: str, reading: ReadingChoice, display: Display) -> Dataset:
        """One part of it, a folder whole.

        Raises:
            UsageError: None is named, or options are given that do not go with it.
        """
        if self.dataset is None:
            raise UsageError("no dataset is named", f"Name a published one with --dataset, or photos: {EXAMPLE}")
        if self.dataset == FOLDER:
            return self.open(reading, display)
        if reading != ReadingChoice():
            raise UsageError(
                "--void, --as and similar options are for your own photos", f"{self.dataset} has one form."
            )
        return layouts.load(self.dataset, self.data_dir or Path("data"), split)
