"""From --dataset, --data-dir and their kin to a Dataset, the same way for every command."""

from pathlib import Path
from typing import Annotated

from typer import Option

from segcli import datasets, labels
from segcli.cli import options
from segcli.errors import UsageError
from segcli.labels import LabelSet
from segcli.samples import Dataset

Name = Annotated[
    str,
    Option("--dataset", "-d", metavar="NAME", help=f"{', '.join(datasets.DATASETS)} or folder.", show_default=False),
]
Split = Annotated[str, Option("--split", help="Which part of it.", rich_help_panel=options.PROTOCOL)]
Images = Annotated[
    Path | None, Option("--images", metavar="DIR", help="With --dataset folder: the photos.", rich_help_panel="Folder")
]
Labels = Annotated[
    Path | None,
    Option("--labels", metavar="DIR", help="With --dataset folder: the label PNGs.", rich_help_panel="Folder"),
]
Names = Annotated[
    str | None,
    Option(
        "--names",
        metavar="A,B,...|FILE|SET",
        help="With --dataset folder: class names in the order of their ids, a label-set TOML, or a known set.",
        rich_help_panel="Folder",
    ),
]
ClassNames = Annotated[
    str | None,
    Option(
        "--names",
        metavar="A,B,...|FILE|SET",
        help="The label maps' classes, where those do not say: names, a label-set TOML, or a known set.",
    ),
]


def choose(
    name: str, data_dir: Path | None, split: str, images: Path | None, masks: Path | None, names: str | None
) -> Dataset:
    """The dataset that the options name; it is listed, not read."""
    if name != "folder":
        if images or masks or names:
            raise UsageError("--images, --labels and --names go with --dataset folder")
        return datasets.load(name, data_dir or Path("data"), split)
    if images is None or masks is None or names is None:
        raise UsageError(
            "--dataset folder needs --images, --labels and --names",
            "For example: --images photos --labels masks --names background,cat",
        )
    return datasets.folder(images, masks, label_set(names))


def label_set(text: str) -> LabelSet:
    """The classes that `--names` gives: a list with commas, a file, or the name of a known set."""
    if "," in text:
        return labels.from_names([word.strip() for word in text.split(",")])
    return labels.read(Path(text)) if Path(text).suffix else labels.get(text)
