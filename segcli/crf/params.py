"""CRFParams: the fully connected CRF's settings, their limits and their TOML."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

from segcli import decoding
from segcli.decoding import DecodingError, UnknownKeyError, WrongValueError, between
from segcli.errors import UsageError

Weight = Annotated[float, between(0, 1000)]
Width = Annotated[float, between(0.1, 10000)]
"""The limits of a kernel's weight, and of its width in pixels or grey levels."""


@dataclass(frozen=True)
class CRFParams:
    """Two Gaussian kernels and how often mean field is repeated (v2 section 3.3).

    The pairwise energy of two pixels with different labels, positions p and colours I (0..255) is
    w1 exp(-|p - p'|² / 2 sigma_alpha² - |I - I'|² / 2 sigma_beta²) + w2 exp(-|p - p'|² / 2 sigma_gamma²).
    The defaults are the set with published scores, of the public v2 ResNet-101: 76.65 to 77.93 mIOU on VOC 2012 val.
    Its sigma_gamma is 1 where the papers keep 3 (v2 section 4.1): sigma_gamma=3 is theirs.

    Attributes:
        w1: Weight of the bilateral kernel, 0..1000.
        sigma_alpha: Its width in position, pixels, 0.1..10000.
        sigma_beta: Its width in colour, grey levels, 0.1..10000.
        w2: Weight of the spatial kernel, 0..1000.
        sigma_gamma: Its width, pixels, 0.1..10000.
        iterations: Mean-field iterations, 0..1000.

    Raises:
        UsageError: A value is no number or outside its range.
    """

    w1: Weight = 4.0
    sigma_alpha: Width = 67.0
    sigma_beta: Width = 3.0
    w2: Weight = 3.0
    sigma_gamma: Width = 1.0
    iterations: Annotated[int, between(0, 1000)] = 10

    def __post_init__(self) -> None:
        try:
            decoding.check(self)
        except WrongValueError as error:
            raise UsageError(f"the CRF's {error.place} must be {error.wanted}, not {error.shown}") from error

    @classmethod
    def from_dict(cls, values: dict) -> "CRFParams":
        """Settings by name, those left out at their defaults; UsageError on a name that is none.

        A whole number stays one: settings that are equal as text keep an output folder's results valid.
        """
        try:
            decoding.refuse_unknown(cls, values)
        except UnknownKeyError as error:
            raise UsageError(f"the CRF has no setting called {decoding.shown(error.key)}", error.hint) from error
        return cls(**values)

    @classmethod
    def from_toml(cls, path: Path) -> "CRFParams":
        """Settings that `to_toml` wrote; UsageError when the file cannot be read or holds something else."""
        try:
            values = decoding.read_toml(path)
        except OSError as error:
            raise UsageError(f"cannot read the CRF settings {path}: {error.strerror}") from error
        except DecodingError as error:
            raise UsageError(f"the CRF settings {path} are no valid TOML: {error.message}") from error
        if "segcli" in values:
            raise UsageError(
                f"{path} is the record of a run, not CRF settings",
                "Give what `segcli crf --tune` wrote: lines from `w1 = ...` to `iterations = ...` and nothing else.",
            )
        return cls.from_dict(values)

    def to_dict(self) -> dict:
        """Plain JSON values, the inverse of `from_dict`."""
        return asdict(self)

    def to_toml(self) -> str:
        """One `name = value` line per setting, the inverse of `from_toml`."""
        return "".join(f"{name} = {value}\n" for name, value in self.to_dict().items())
