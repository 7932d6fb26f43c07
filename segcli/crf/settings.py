"""CRFSettings: the fully connected CRF's parameters with the size, the backend and the threshold it works by.

No torch here: the command line and the plan of a run read these before anything heavy is loaded.
"""

from dataclasses import dataclass, field
from typing import Annotated, Literal, get_args

from segcli.crf.params import CRFParams
from segcli.decoding import between, check_option
from segcli.errors import UsageError

Backend = Literal["torch", "pydensecrf"]
BACKENDS: tuple[str, ...] = get_args(Backend)

WORKING_SIZE = 1024
"""The longest side, in pixels, that photos are shrunk to unless told otherwise."""
SMALLEST_WORKING_SIZE = 16
"""The smallest working size, in pixels, that may be asked for."""
EPS = 0.05
"""Classes that nowhere exceed this probability, and nowhere are the likeliest, take no part unless told otherwise."""
Share = Annotated[float, between(0, 1)]


@dataclass(frozen=True)
class CRFSettings:
    """The settings by which the CRF refines predictions.

    Attributes:
        params: The two kernels and the number of iterations; the sigmas count pixels of the working size.
        size: The longest side, in pixels, that photos are shrunk to for the CRF; 0 works at the photo's own size.
        backend: "torch", or "pydensecrf" where that package is installed.
        eps: Classes that nowhere exceed this probability take no part; see `dense_crf.refine`.

    Raises:
        UsageError: The size is too small, or there is no such backend.
    """

    params: CRFParams = field(default_factory=CRFParams)
    size: int = WORKING_SIZE
    backend: Backend = "torch"
    eps: Share = EPS

    def __post_init__(self):
        if not isinstance(self.params, CRFParams):
            raise UsageError(f"the CRF's params cannot be {self.params!r}", "Give segcli.CRFParams(w1=5).")
        check_option("the CRF's size", self.size, int)
        check_option("the CRF's eps", self.eps, Share)
        if self.backend not in BACKENDS:
            raise UsageError(f"the CRF has no backend {self.backend!r}", f"Choose {' or '.join(BACKENDS)}.")
        if self.size != 0 and self.size < SMALLEST_WORKING_SIZE:
            hint = f"Give a number of pixels from {SMALLEST_WORKING_SIZE} on, or 0 for the photo's own size."
            raise UsageError(f"the CRF cannot work at {self.size} pixels", hint)

    @classmethod
    def of(cls, crf: "CRF") -> "CRFSettings | None":
        """The settings that `crf=` of a function means: True the default ones, None and False no CRF.

        Raises:
            UsageError: It is something else.
        """
        if isinstance(crf, CRFSettings) or crf is None:
            return crf
        if isinstance(crf, CRFParams):
            return cls(crf)
        if isinstance(crf, bool):
            return cls() if crf else None
        raise UsageError(f"crf cannot be {crf!r}", "Give True, or segcli.CRFSettings(segcli.CRFParams(w1=5)).")

    def to_dict(self) -> dict:
        """Plain values for run.toml; they are part of a run's fingerprint."""
        return {**self.params.to_dict(), "size": self.size, "backend": self.backend, "eps": self.eps}


CRF = bool | CRFSettings | CRFParams | None
"""The choice whether the CRF refines, and with which settings; see `CRFSettings.of`."""
