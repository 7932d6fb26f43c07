"""What a model is, whole: the facts that its network is built from.

What two sources of "the same" model do differently (where a block's stride sits, BN eps, padding, the order of a
concatenation) is a field here, so that no code asks for a model's name.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from segcli.errors import WeightsError

Kind = Literal[
    *("vgg16", "resnet50", "resnet101", "xception41", "xception65", "xception71", "mobilenetv2", "mobilenetv3"),
]
Family = Literal["v1", "v2", "v3", "v3+"]
Padding = Literal["symmetric", "same"]
Tap = Literal["conv2", "conv3"]

LARGEST = 4096
"""Of all numbers in a spec, fc6's channels: a damaged file asks for no endless network."""
RANGES = {
    "bn_eps": (1e-12, 1.0),
    "dropout": (0.0, 1.0),
    "extra_stages": (0, 8),
    "output_stride": (8, 256),
    "output_strides": (8, 256),
    "pool_kernel": (2, 3),
    "scales": (0.125, 8.0),
    "width": (0.125, 8.0),
    **dict.fromkeys(("convs", "divisor", "kernel", "low_level_channels", "multi_grid", "rates"), (1, LARGEST)),
}
"""The least and the largest number in a field; other fields' are 0 and LARGEST."""


@dataclass(frozen=True)
class BackboneSpec:
    """The network that computes features; its dilations follow from the output stride it is built with.

    Attributes:
        kind: Which network.
        taps: Low-level features handed over beside the last: those at stride 4 ("conv2"), at stride 8 ("conv3").
        width: MobileNetV2's depth multiplier.
        divisor: MobileNetV2's channels are rounded to multiples of it.
        padding: "same" is TensorFlow's (MobileNetV2); every other network pads both sides equally.
        bn_eps: Of every batch normalisation in the backbone.
        stem: ResNet's first layer, one 7x7 or TensorFlow's three 3x3 (64, 64, 128 channels: its "beta" form).
        stride_in: Which convolution of a ResNet block takes a stage's stride: the first 1x1 or the 3x3 of the stage's
            first unit, or the 3x3 of its last unit ("last-unit", TensorFlow).
        strided_unit_rate: Dilation of a ResNet unit whose stride was turned into dilation: the new rate (Caffe) or
            still the previous one (torchvision, TensorFlow).
        multi_grid: Factors on the dilations of the last stage's units (v3 paper, section 3.2.1).
        extra_stages: Copies of ResNet's last stage in cascade, each at twice the rate (v3 paper, block5 to block7).
        pool_kernel: Of max pooling in VGG and in ResNet's stem; 2 or 3.
        pool_ceil: Whether pooling rounds a side up, as Caffe does.
    """

    kind: Kind
    taps: tuple[Tap, ...] = ()
    width: float = 1.0
    divisor: int = 8
    padding: Padding = "symmetric"
    bn_eps: float = 1e-5
    stem: Literal["7x7", "3x3x3"] = "7x7"
    stride_in: Literal["1x1", "3x3", "last-unit"] = "3x3"
    strided_unit_rate: Literal["new", "previous"] = "previous"
    multi_grid: tuple[int, int, int] = (1, 1, 1)
    extra_stages: int = 0
    pool_kernel: int = 3
    pool_ceil: bool = False


@dataclass(frozen=True)
class ASPPSpec:
    """Atrous spatial pyramid pooling of v3 and v3+: a 1x1 branch, 3x3 branches, image pooling; then a 1x1 projection.

    Attributes:
        rates: Of the 3x3 branches at output stride 16; doubled at 8, halved at 32. Empty: the 1x1 branch only.
        image_pooling: Whether there is the image-level branch.
        pool_first: Whether image pooling comes first in the concatenation (TensorFlow) or last (torchvision).
        separable: Whether the 3x3 branches are separable.
        channels: Of each branch and of the output.
        extra_conv: Whether a dense 3x3 follows the projection (torchvision).
        bn_eps: Of every batch normalisation here.
        dropout: After the projection, in training.
    """

    rates: tuple[int, ...] = (6, 12, 18)
    image_pooling: bool = True
    pool_first: bool = True
    separable: bool = False
    channels: int = 256
    extra_conv: bool = False
    bn_eps: float = 1e-5
    dropout: float = 0.1


@dataclass(frozen=True)
class BranchesSpec:
    """The heads of v1 and v2, and plain classifiers: parallel branches that each give logits, summed.

    Attributes:
        rates: One branch each, at the only output stride that v1 and v2 have.
        kernel: Of the dilated convolution (fc6 of VGG).
        channels: Of fc6 and fc7; 0: the dilated convolution is the classifier itself.
        dropout: After fc6 and fc7, in training.
    """

    rates: tuple[int, ...]
    kernel: int = 3
    channels: int = 0
    dropout: float = 0.5


@dataclass(frozen=True)
class DecoderSpec:
    """The decoder of v3+, which refines the pyramid's output with each of the backbone's taps, coarsest first.

    Attributes:
        low_level_channels: What a tap is reduced to by a 1x1 convolution.
        convs: (kernel, channels) of the convolutions after each concatenation.
        separable: Whether they are separable.
        low_level_first: Order of the concatenation; TensorFlow puts the low-level features last.
        bn_eps: Of every batch normalisation here.
    """

    low_level_channels: int = 48
    convs: tuple[tuple[int, int], ...] = ((3, 256), (3, 256))
    separable: bool = False
    low_level_first: bool = False
    bn_eps: float = 1e-5


@dataclass(frozen=True)
class ModelSpec:
    """One model, whole: everything but the number of classes and the output stride it is built with.

    Attributes:
        name: As the command line calls it.
        family: The paper it comes from.
        backbone: The network underneath.
        head: What turns its last features into logits, or into the decoder's input.
        decoder: v3+'s decoder; the backbone must have taps.
        scales: Scales of the input at which the network runs beside 1, all logits fused by maximum (v2's MSC).
        align_corners: How every bilinear enlargement of features and logits samples.
        output_strides: Those it can be built with.
        output_stride: The default one.
    """

    name: str
    family: Family
    backbone: BackboneSpec
    head: ASPPSpec | BranchesSpec
    decoder: DecoderSpec | None = None
    scales: tuple[float, ...] = ()
    align_corners: bool = True
    output_strides: tuple[int, ...] = (8, 16, 32)
    output_stride: int = 16

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, for a checkpoint's metadata."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "ModelSpec":
        """The inverse of `to_dict`, also after a way through JSON.

        Raises:
            WeightsError: A key is unknown or missing, or a value is of the wrong type or out of its range.
        """
        spec = _decode(cls, data, "model")
        if spec.output_stride not in spec.output_strides:
            raise _misfit(spec.output_stride, "model.output_stride")
        return spec


def _decode(kind: Any, value: Any, where: str) -> Any:
    """`value` as the annotation `kind` says, or WeightsError; `where` is its dotted place."""
    if is_dataclass(kind):
        return _decode_fields(kind, value, where)
    if get_origin(kind) is tuple:
        return _decode_items(get_args(kind), value, where)
    if get_origin(kind) is UnionType:
        return None if value is None and NoneType in get_args(kind) else _decode(_alike(kind, value), value, where)
    if not _is_plain(kind, value):
        raise _misfit(value, where)
    return float(value) if kind is float else value


def _decode_items(kinds: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    if isinstance(value, list | tuple):
        kinds = kinds[:1] * len(value) if kinds[-1] is Ellipsis else kinds
        if len(kinds) == len(value):
            return tuple(_decode(k, v, f"{where}[{i}]") for i, (k, v) in enumerate(zip(kinds, value, strict=True)))
    raise _misfit(value, where)


def _alike(union: UnionType, value: Any) -> Any:
    """The dataclass of a union that has the value's keys, else the first."""
    kinds = [kind for kind in get_args(union) if is_dataclass(kind)]
    keys = set(value) if isinstance(value, dict) else set()
    return next((kind for kind in kinds if {f.name for f in fields(kind)} == keys), kinds[0])


def _is_plain(kind: Any, value: Any) -> bool:
    if get_origin(kind) is Literal:
        return isinstance(value, str) and value in get_args(kind)
    if kind in (int, float):  # JSON may write 1.0 as 1; a bool is no number
        return type(value) in (kind, int) and 0 <= value <= LARGEST
    return type(value) is kind


def _misfit(value: Any, where: str) -> WeightsError:
    return WeightsError(f"the checkpoint's model description has {value!r} at {where}")


def _decode_fields(kind: Any, value: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise _misfit(value, where)
    hints = get_type_hints(kind)
    if odd := sorted(map(str, set(value) ^ set(hints))):
        problem = "lacks" if odd[0] in hints else "has an unknown"
        raise WeightsError(
            f"the checkpoint's model description {problem} {where}.{odd[0]}",
            "It was written by another version of segcli, or damaged.",
        )
    decoded = {name: _decode(hint, value[name], f"{where}.{name}") for name, hint in hints.items()}
    for name in (name for name in hints if name in RANGES):
        low, high = RANGES[name]
        if not all(low <= number <= high for number in _numbers(decoded[name])):
            raise _misfit(value[name], f"{where}.{name}")
    return kind(**decoded)


def _numbers(value: Any) -> Iterator[float]:
    """A number, or all in a nested tuple."""
    if isinstance(value, tuple):
        for item in value:
            yield from _numbers(item)
    else:
        yield value
