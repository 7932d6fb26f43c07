"""The options of `segcli export` for a network that computes in whole numbers of 8 bits."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from typer import Option

from segcli.cli.options.parsing import choice
from segcli.data.reading import Choice
from segcli.errors import UsageError
from segcli.pipeline.int8 import Truth

PRECISIONS = ("float32", "int8")
"""What an exported network can compute in."""
PANEL = "8 bits"
"""The heading of these options in `--help`."""

Labels = Annotated[
    Path | None,
    Option(
        "--labels",
        metavar="DIR|FILE",
        help="Labels of the photos of --check, to show how much mIOU int8 loses.",
        rich_help_panel=PANEL,
    ),
]
Precision = Annotated[
    str,
    Option(
        "--precision",
        parser=choice("--precision", PRECISIONS),
        metavar="|".join(PRECISIONS),
        help="int8 computes in whole numbers of 8 bits: faster on a CPU, nearly the same labels.",
        rich_help_panel=PANEL,
    ),
]
Calibrate = Annotated[
    Path | None,
    Option(
        "--calibrate",
        metavar="PHOTOS",
        help="A folder of photos like yours, from which int8 finds its ranges; six street scenes if left out.",
        rich_help_panel=PANEL,
    ),
]
Force = Annotated[
    bool,
    Option("--force", help="Write an int8 FILE even if fewer than 98 % of the labels stay.", rich_help_panel=PANEL),
]


@dataclass(frozen=True)
class Int8Options:
    """The options of a network in whole numbers of 8 bits."""

    precision: Precision = "float32"
    calibrate: Calibrate = None
    truth: Labels = None
    force: Force = False

    @property
    def wanted(self) -> bool:
        """Whether the network shall compute in 8 bits."""
        return self.precision == "int8"

    def check(self, form: str, check: Path | None) -> None:
        """Refuse options that do not go together; raises UsageError."""
        given = {"--calibrate": self.calibrate, "--labels": self.truth, "--force": self.force}
        stray = [name for name, value in given.items() if value]
        if stray and not self.wanted:
            raise UsageError(f"{stray[0]} goes with --precision int8", "Add it, or leave the other out.")
        if self.wanted and form != "onnx":
            raise UsageError(f"--precision int8 makes ONNX files, no {form}", "Give a FILE that ends in .onnx.")
        if self.truth and check is None:
            raise UsageError("--labels needs --check", "Name the folder of the photos that they belong to.")

    def labels(self, reading: Choice) -> Truth | None:
        """The labels of the photos of --check; UsageError where `reading` is said of labels that are not named."""
        if self.truth is None and reading != Choice():
            raise UsageError("--void, --as and similar options need --labels", "Name the labels, or leave them out.")
        return self.truth and Truth(self.truth, reading)
