"""From --dataset, --data-dir and their kin to a Dataset, the same way for every command."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from typer import Option

from segcli.cli.display import Display
from segcli.cli.options.panels import PROTOCOL
from segcli.cli.options.parsing import Parsed
from segcli.data import layouts
from segcli.data.dataset import Dataset
from segcli.data.names import Classes, parse
from segcli.data.reading import Choice as ReadingChoice
from segcli.errors import UsageError

_KNOWN = f"{', '.join(layouts.DATASETS)}, or folder for photos and labels of one's own."
Name = Annotated[str, Option("--dataset", "-d", metavar="NAME", help=_KNOWN, show_default=False)]
OptionalName = Annotated[
    str | None,
    Option("--dataset", "-d", metavar="NAME", help=f"{_KNOWN} Without it, those that the run of --weights held out."),
]
Split = Annotated[str, Option("--split", help="Which part of it; train+val joins two.", rich_help_panel=PROTOCOL)]
Images = Annotated[
    Path | None,
    Option(
        "--images",
        metavar="DIR",
        help="The photos, or photos and labels.",
        rich_help_panel="Folder",
    ),
]
Labels = Annotated[
    Path | None,
    Option(
        "--labels",
        metavar="DIR|FILE",
        help="The labels, as masks or as any tool's files.",
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
        "Labels that name their classes need none.",
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
        help="The label maps' classes, where those do not say: names, a label-set TOML, or a known set.",
    ),
]

DataDir = Annotated[
    Path | None,
    Option("--data-dir", metavar="DIR", help="The folder that holds the dataset.", rich_help_panel=PROTOCOL),
]
SkipBad = Annotated[bool, Option("--skip-bad", help="Leave out files with problems instead of stopping.")]


@dataclass(frozen=True)
class Choice:
    """Which dataset, of a known layout or a folder of one's own."""

    dataset: Name
    data_dir: DataDir = None
    images: Images = None
    labels: Labels = None
    names: Names = None

    def __post_init__(self):
        if self.dataset != "folder" and (self.images or self.labels or self.names):
            raise UsageError("--images, --labels and --names go with --dataset folder")
        if self.dataset == "folder" and self.images is None:
            raise UsageError(
                "--dataset folder needs --images", "For example: --images photos --labels masks --names background,cat"
            )

    def load(self, split: str, reading: ReadingChoice, display: Display) -> Dataset:
        """One part of it, a folder whole; of a folder the masks are looked at, and how they are read is said."""
        if self.dataset == "folder":
            return opened(display, self.images, self.labels, self.names, reading)
        if reading != ReadingChoice():
            raise UsageError("--void, --as and their kin go with --dataset folder", f"{self.dataset} has one form.")
        return layouts.load(self.dataset, self.data_dir or Path("data"), split)


@dataclass(frozen=True)
class OptionalChoice(Choice):
    """Which dataset, if one is named at all; --images alone means a folder."""

    dataset: OptionalName = None

    def __post_init__(self):
        if self.dataset is None and self.images is not None:
            object.__setattr__(self, "dataset", "folder")
        if self.dataset is not None:
            super().__post_init__()
        elif self.data_dir or self.labels or self.names:
            raise UsageError("the dataset is missing", "Name a published one with --dataset, or photos with --images.")


def opened(
    display: Display, images: Path, labels: Path | None, names: Classes | None, reading: ReadingChoice
) -> Dataset:
    """A dataset of one's own; how its labels are read is said, on stderr."""
    from segcli.data.folder import open_folder

    data = open_folder(images, labels, names, reading, display.counting)
    data.reading.tell(display.note, display.warn)
    return data
