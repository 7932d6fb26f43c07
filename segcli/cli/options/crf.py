"""The CRF's options, spelled once, and what they come to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from typer import Option

from segcli.cli.options.parsing import Parsed, choice, working_size
from segcli.crf.params import CRFParams
from segcli.crf.settings import BACKENDS, SMALLEST_WORKING_SIZE, WORKING_SIZE, CRFSettings
from segcli.errors import UsageError

PANEL = "Fully connected CRF"


def changes(text: str) -> dict[str, float | int]:
    """The `--crf-set` option: settings by name."""
    return dict(map(_setting, text.split(",")))


def _setting(text: str) -> tuple[str, float | int]:
    name, _, value = (part.strip() for part in text.partition("="))
    number = int if name == "iterations" else float
    try:
        return name, number(value)
    except ValueError:
        kind = "a whole number" if number is int else "a number"
        hint = "For example: --crf-set w1=5,sigma_beta=4,iterations=10"
        raise UsageError(f"--crf-set {text}: not a setting with {kind}", hint) from None


def config(text: str) -> CRFParams:
    """The `--crf-config` option: the settings in that file."""
    return CRFParams.from_toml(Path(text))


Crf = Annotated[bool, Option("--crf", help="Make outlines follow the photo.", rich_help_panel=PANEL)]
CrfSet = Annotated[
    dict | None,
    Option(
        "--crf-set",
        parser=Parsed(changes, "--crf-set"),
        metavar="NAME=VALUE,...",
        help="Any of w1, sigma_alpha, sigma_beta, w2, sigma_gamma, iterations. sigma_gamma is 1 here, 3 in the papers.",
        rich_help_panel=PANEL,
    ),
]
CrfConfig = Annotated[
    CRFParams | None,
    Option(
        "--crf-config",
        parser=Parsed(config, "--crf-config"),
        metavar="TOML",
        help="A file of settings that `segcli crf --tune` wrote.",
        rich_help_panel=PANEL,
    ),
]
CrfSize = Annotated[
    int,
    Option(
        "--crf-size",
        parser=working_size("--crf-size", SMALLEST_WORKING_SIZE),
        metavar="N|full",
        help="Longest side, in pixels, at which the CRF works.",
        rich_help_panel=PANEL,
    ),
]
CrfBackend = Annotated[
    str,
    Option(
        "--crf-backend",
        parser=choice("--crf-backend", BACKENDS),
        metavar="|".join(BACKENDS),
        help="Which code computes the CRF.",
        rich_help_panel=PANEL,
    ),
]


@dataclass(frozen=True)
class CrfOptions:
    """The options of the CRF, whether or not it is wanted."""

    crf_set: CrfSet = None
    crf_config: CrfConfig = None
    crf_size: CrfSize = str(WORKING_SIZE)
    crf_backend: CrfBackend = "torch"

    def __post_init__(self):
        self.settings()

    def settings(self) -> CRFSettings:
        """The settings that these options come to; --crf-set wins over --crf-config."""
        base = self.crf_config or CRFParams()
        params = CRFParams.from_dict(base.to_dict() | (self.crf_set or {}))
        return CRFSettings(params, int(self.crf_size), self.crf_backend)

    def if_wanted(self, crf: bool) -> CRFSettings | None:
        """The CRF's settings where --crf asks for it, or parameters do."""
        return self.settings() if crf or self.crf_set is not None or self.crf_config is not None else None
