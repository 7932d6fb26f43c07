"""ModelFacts: what decides a model's predictions beside its tensors; known with and without its network."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from segcli.decoding import at_least
from segcli.files.encoding import to_json
from segcli.images.reading import RGB_8_BIT, PhotoValues
from segcli.labels import LabelSet
from segcli.models.preprocessing import Preprocessing
from segcli.models.spec import ModelSpec
from segcli.weights.metadata import Metadata


@dataclass(frozen=True)
class Int8:
    """What the 8-bit form of a network was made with.

    Attributes:
        photos: The number of photos that it was calibrated on.
        calibration: The sha256 of the sha256s of their files.
        weight_bits: The bits of its weights. Sums of products of 8 bits are cut off by processors of the x86 kind
            without the VNNI instructions; with 7 every processor gives the same.
    """

    photos: Annotated[int, at_least(1)]
    calibration: str
    weight_bits: Literal[7] = 7


@dataclass(frozen=True, kw_only=True)
class ModelFacts:
    """The facts of a model.

    Attributes:
        spec: The model's description.
        labels: The classes, one a logit.
        preprocessing: What its inputs must look like.
        output_stride: The one it is built with.
        provenance: Where its weights come from; plain values for run.toml.
        engine: What runs the network: "torch", or "onnx" for onnxruntime, which uses the CPU only.
        photos: The values of the photos that it was trained on.
        int8: What its 8-bit form was made with, where that is what runs; None where it computes in floats.
    """

    spec: ModelSpec
    labels: LabelSet
    preprocessing: Preprocessing
    output_stride: int
    provenance: Mapping[str, str]
    engine: Literal["torch", "onnx"] = "torch"
    photos: PhotoValues = RGB_8_BIT
    int8: Int8 | None = None

    @property
    def origin(self) -> dict[str, str]:
        """What every mask states of its model, in its text chunks."""
        return {"model": self.spec.name, "weights": to_json(dict(self.provenance))}

    @classmethod
    def of(cls, about: Metadata, **others: Any) -> Self:
        """The facts that metadata tell, with the others by name."""
        facts = {
            "spec": about.spec,
            "labels": about.labels,
            "preprocessing": about.preprocessing,
            "photos": about.photos,
        }
        return cls(**facts, **others)
