"""From --dataset, --data-dir and their kin to a Dataset, the same way for every command."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from typer import Option

from segcli.cli.options.panels import PROTOCOL
from segcli.cli.options.parsing import Parsed
from segcli.data import layouts
from segcli.data.dataset import Dataset
from segcli.errors import UsageError
from segcli.labels import LabelSet, parse

Name = Annotated[
    str,
    Option("--dataset", "-d", metavar="NAME", help=f"{', '.join(layouts.DATASETS)} or folder.", show_default=False),
]
Split = Annotated[str, Option("--split", help="Which part of it.", rich_help_panel=PROTOCOL)]
Images = Annotated[
    Path | None, Option("--images", metavar="DIR", help="With --dataset folder: the photos.", rich_help_panel="Folder")
]
Labels = Annotated[
    Path | None,
    Option("--labels", metavar="DIR", help="With --dataset folder: the label PNGs.", rich_help_panel="Folder"),
]
Names = Annotated[
    LabelSet | None,
    Option(
        "--names",
        parser=Parsed(parse, "--names"),
        metavar="A,B,...|FILE|SET",
        help="With --dataset folder: class names in the order of their ids, a label-set TOML, or a known set.",
        rich_help_panel="Folder",
    ),
]


def optional_names(text: str) -> LabelSet | None:
    """The classes that `--names` gives; an empty text counts as not given."""
    return parse(text) if text else None


ClassNames = Annotated[
    LabelSet | None,
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
        if self.dataset == "folder" and (self.images is None or self.labels is None or self.names is None):
            raise UsageError(
                "--dataset folder needs --images, --labels and --names",
                "For example: --images photos --labels masks --names background,cat",
            )

    def load(self, split: str) -> Dataset:
        """One part of it, a folder whole; it is listed, not read."""
        if self.dataset == "folder":
            return layouts.folder(self.images, self.labels, self.names)
        return layouts.load(self.dataset, self.data_dir or Path("data"), split)
