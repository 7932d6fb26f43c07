"""ModelFacts: what decides a model's predictions beside its tensors; known with and without its network."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from segcli.images.reading import RGB_8_BIT, PhotoValues
from segcli.labels import LabelSet
from segcli.models.preprocessing import Preprocessing
from segcli.models.spec import ModelSpec
from segcli.weights.metadata import Metadata


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
    """

    spec: ModelSpec
    labels: LabelSet
    preprocessing: Preprocessing
    output_stride: int
    provenance: Mapping[str, str]
    engine: Literal["torch", "onnx"] = "torch"
    photos: PhotoValues = RGB_8_BIT

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
