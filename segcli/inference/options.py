"""ModelOptions: how a model is loaded and applied; everything but the model and the photos that decides a prediction.

No torch here: a run is planned with these before anything is loaded.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from segcli.decoding import at_least, between, check_options
from segcli.errors import UsageError
from segcli.models.preprocessing import at_size, corner, fitting
from segcli.weights.facts import ModelFacts
from segcli.weights.reference import ModelReference

DEVICE_NAME = re.compile(r"auto|(cpu|cuda|mps)(:\d+)?")
"""The names of devices, so that a misspelt one is told without torch; `devices.choose` tells which are there."""
Engine = Literal["auto", "torch", "onnx"]
ENGINES: tuple[str, ...] = get_args(Engine)
Precision = Literal["float32", "bf16", "fp16", "int8"]
PRECISIONS: tuple[str, ...] = get_args(Precision)
HALVES = ("bf16", "fp16")
"""The precisions of 16 bits, which are torch's."""
BatchSize = Annotated[int, at_least(1)]
"""Photos a step."""
SMALLEST_SIZE = 33
"""The smallest working size, in pixels, that may be asked for."""


@dataclass(frozen=True)
class ModelOptions:
    """The options by which a model is loaded and applied.

    Attributes:
        output_stride: Input pixels a feature; None: the one the weights were made for.
        size: Working size in pixels; 0 keeps the photo's own, None takes the weights' own.
        scales: The scales whose probabilities are averaged; (1.0,) is the plain network.
        flip: Average with the mirrored photo's probabilities too.
        tile: Windows of about this side, in pixels, where the network's input is larger; None: the whole at once.
        precision: What the network computes in; "int8" is whole numbers of 8 bits under onnxruntime, where the labels
            stay nearly the same.
        device: "auto", "cpu", "cuda", "cuda:N" or "mps".
        engine: What computes on the CPU; "auto" takes onnxruntime where that saves time.
        calibrate: A folder of photos to calibrate "int8" on; None means those that come with segcli.
    """

    output_stride: int | None = None
    size: Annotated[int, at_least(0)] | None = None
    scales: tuple[Annotated[float, between(0.1, 8)], ...] = (1.0,)
    flip: bool = False
    tile: Annotated[int, at_least(64)] | None = None
    precision: Precision = "float32"
    device: str = "auto"
    engine: Engine = "auto"
    calibrate: Path | None = None

    def __post_init__(self):
        check_options(self)
        object.__setattr__(self, "scales", tuple(map(float, self.scales)))  # 1 and 1.0 are one setting
        if not self.scales:
            raise UsageError("scales cannot be ()", "Give at least one, such as (1.0,).")
        if self.size is not None and 0 < self.size < SMALLEST_SIZE:
            raise UsageError(
                f"size cannot be {self.size}", f"Give pixels from {SMALLEST_SIZE} on, or 0 for the photo's own."
            )

    def passes(self, photos: int) -> int:
        """The number of runs of the network for so many photos, tiles apart."""
        return photos * len(self.scales) * (1 + self.flip)

    def check(self, reference: ModelReference) -> None:
        """Refuse what this model cannot do; no torch is needed to tell.

        Raises:
            UsageError: The output stride is none of the model's, or an exported graph cannot do what is asked for.
        """
        reference.check_output_stride(self.output_stride)
        if not DEVICE_NAME.fullmatch(self.device):
            raise UsageError(f"no device is called {self.device!r}", "Use auto, cpu, cuda, cuda:N or mps.")
        self._check_int8(reference)
        under_onnx = self.engine == "onnx" or reference.is_exported or self.precision == "int8"
        if self.tile is not None and under_onnx:
            raise UsageError(
                "--tile needs torch: windows share what the whole picture looks like, and an exported graph takes no "
                "more than a picture",
                "Leave out --tile, or use the checkpoint with --engine torch.",
            )
        if self.precision in HALVES and under_onnx:
            message = f"--precision {self.precision} needs torch: an exported graph computes in float32"
            raise UsageError(message, "Leave it out.")
        if self.engine == "torch" and reference.is_exported:
            raise UsageError(f"--engine torch cannot run {reference}", "Leave it out: onnxruntime runs such files.")
        if under_onnx and self.device not in ("auto", "cpu"):
            message = f"onnxruntime runs on the CPU, not on {self.device}"
            raise UsageError(message, "Leave out --device, or use --engine torch.")

    def _check_int8(self, reference: ModelReference) -> None:
        if self.calibrate is not None and self.precision != "int8":
            raise UsageError("--calibrate goes with --precision int8", "Add it, or leave out --calibrate.")
        if self.precision == "int8" and reference.is_exported:
            message = f"--precision int8 cannot change {reference}, which computes as it was exported"
            raise UsageError(message, "Leave it out, or give the checkpoint.")
        if self.precision == "int8" and self.engine == "torch":
            raise UsageError("--precision int8 needs onnxruntime", "Leave out --engine torch.")

    def device_name(self, reference: ModelReference) -> str:
        """The device's name once the engine is considered: onnxruntime uses the CPU here."""
        under_onnx = self.engine == "onnx" or reference.is_exported or self.precision == "int8"
        return "cpu" if under_onnx else self.device

    def wanted_engine(self) -> Engine:
        """The engine once the protocol is considered: tiles and half precision need torch."""
        return "torch" if self.tile or self.precision in HALVES else self.engine

    def under_torch(self) -> ModelOptions:
        """The same options for torch, which computes in floats what was asked for in 8 bits."""
        floats = {"precision": "float32", "calibrate": None} if self.precision == "int8" else {}
        return replace(self, engine="torch", **floats)

    def used_precision(self, facts: ModelFacts) -> Precision:
        """What the network computes in: floats where its labels in 8 bits differ too much."""
        if facts.int8:
            return "int8"
        return "float32" if self.precision == "int8" else self.precision

    def recipe(self, facts: ModelFacts) -> dict[str, Any]:
        """The model and the protocol as TOML-plain values: with them the same masks can be made again."""
        return {
            "model": {
                "name": facts.spec.name,
                "labels": facts.labels.name,
                "output_stride": facts.output_stride,
                "engine": facts.engine,
                "weights": dict(facts.provenance),
                **({"int8": asdict(facts.int8)} if facts.int8 else {}),
            },
            "protocol": {
                "scales": list(self.scales),
                "flip": self.flip,
                "tile": None if self.tile is None else fitting(self.tile, corner(facts.spec)),
                "precision": self.used_precision(facts),
            },
            "preprocessing": asdict(at_size(facts.preprocessing, self.size)),
        }
