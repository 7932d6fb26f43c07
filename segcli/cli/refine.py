"""The CRF's options, spelled once, and what they come to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Option

from segcli.crf_params import CRFParams
from segcli.errors import UsageError

if TYPE_CHECKING:
    from segcli.refinement import Refinement

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


def params(changes: str | None, config: Path | None) -> CRFParams:
    """The settings that --crf-config and --crf-set give; the latter win."""
    base = CRFParams.from_toml(config) if config else CRFParams()
    return CRFParams.from_dict(base.to_dict() | dict(map(_setting, changes.split(",")))) if changes else base


def _setting(text: str) -> tuple[str, float | int]:
    name, _, value = (part.strip() for part in text.partition("="))
    number = int if name == "iterations" else float
    try:
        return name, number(value)
    except ValueError:
        kind = "a whole number" if number is int else "a number"
        hint = "For example: --crf-set w1=5,sigma_beta=4,iterations=10"
        raise UsageError(f"--crf-set {text}: not a setting with {kind}", hint) from None


def check(size: str, backend: str) -> None:
    """Refuse what `refinement` cannot take, before torch is imported."""
    if backend not in BACKENDS:
        raise UsageError(f"--crf-backend {backend}: not known", f"Choose {' or '.join(BACKENDS)}.")
    if size != "full" and not (size.isdecimal() and int(size) >= SMALLEST):
        raise UsageError(f"--crf-size {size}: not a size", f"Give a number of pixels from {SMALLEST} on, or `full`.")


def refinement(settings: CRFParams, size: str, backend: str) -> Refinement:
    """The CRF stage; torch is imported here."""
    check(size, backend)
    from segcli.refinement import Refinement

    return Refinement(settings, 0 if size == "full" else int(size), backend)
