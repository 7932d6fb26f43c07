"""The CRF's options, spelled once, and what they come to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Option

from segcli.crf.params import CRFParams
from segcli.errors import UsageError

if TYPE_CHECKING:
    from segcli.crf.stage import Refinement

PANEL = "Fully connected CRF"
BACKENDS = ("torch", "pydensecrf")
SIZE, SMALLEST = 1024, 16

Crf = Annotated[bool, Option("--crf", help="Sharpen the outlines with the photo itself.", rich_help_panel=PANEL)]
CrfSet = Annotated[
    str | None,
    Option(
        "--crf-set",
        metavar="NAME=VALUE,...",
        help="Any of w1, sigma_alpha, sigma_beta, w2, sigma_gamma, iterations.",
        rich_help_panel=PANEL,
    ),
]
CrfConfig = Annotated[
    Path | None,
    Option("--crf-config", metavar="TOML", help="Settings from `segcli crf --tune`.", rich_help_panel=PANEL),
]
CrfSize = Annotated[
    str,
    Option("--crf-size", metavar="N|full", help="Longest side the CRF works at.", rich_help_panel=PANEL),
]
CrfBackend = Annotated[
    str,
    Option("--crf-backend", metavar="|".join(BACKENDS), help="Who computes it.", rich_help_panel=PANEL),
]


@dataclass(frozen=True)
class Settings:
    """How the CRF is to work, whether or not it is wanted."""

    crf_set: CrfSet = None
    crf_config: CrfConfig = None
    crf_size: CrfSize = str(SIZE)
    crf_backend: CrfBackend = "torch"

    def __post_init__(self):
        size, backend = self.crf_size, self.crf_backend
        if backend not in BACKENDS:
            raise UsageError(f"--crf-backend {backend}: not known", f"Choose {' or '.join(BACKENDS)}.")
        if size != "full" and not (size.isdecimal() and int(size) >= SMALLEST):
            raise UsageError(
                f"--crf-size {size}: not a size", f"Give a number of pixels from {SMALLEST} on, or `full`."
            )
        self.params()

    def params(self) -> CRFParams:
        """What --crf-config and --crf-set give; the latter win."""
        base = CRFParams.from_toml(self.crf_config) if self.crf_config else CRFParams()
        changes = map(_setting, self.crf_set.split(",")) if self.crf_set else ()
        return CRFParams.from_dict(base.to_dict() | dict(changes))

    def if_wanted(self, crf: bool) -> Refinement | None:
        """The CRF stage where --crf asks for it, or parameters do."""
        return self.refinement() if crf or self.crf_set is not None or self.crf_config is not None else None

    def refinement(self) -> Refinement:
        """The CRF stage; torch is imported here."""
        from segcli.crf.stage import Refinement

        return Refinement(self.params(), 0 if self.crf_size == "full" else int(self.crf_size), self.crf_backend)


def _setting(text: str) -> tuple[str, float | int]:
    name, _, value = (part.strip() for part in text.partition("="))
    number = int if name == "iterations" else float
    try:
        return name, number(value)
    except ValueError:
        kind = "a whole number" if number is int else "a number"
        hint = "For example: --crf-set w1=5,sigma_beta=4,iterations=10"
        raise UsageError(f"--crf-set {text}: not a setting with {kind}", hint) from None
