"""ModelSpec: what a model is, whole; the facts that its network is built from.

What two sources of "the same" model do differently (where a block's stride sits, BN eps, padding, the order of a
concatenation) is a field here, so that no code asks for a model's name.
"""

from dataclasses import asdict, dataclass, field, fields, replace
from typing import Annotated, Any, Literal

from segcli import decoding
from segcli.decoding import DecodingError, WrongValueError, between
from segcli.errors import WeightsError

Kind = Literal[
    *("vgg16", "resnet50", "resnet101", "xception41", "xception65", "xception71", "mobilenetv2", "mobilenetv3"),
]
Family = Literal["v1", "v2", "v3", "v3+"]
Padding = Literal["symmetric", "same"]
Tap = Literal["conv2", "conv3", "input", "pool1", "pool2", "pool3", "pool4"]

MAX_CHANNELS = 4096
"""The most channels of a layer, which fc6 has: a damaged file asks for no endless network."""
Size = Annotated[int, between(1, MAX_CHANNELS)]
"""A number of channels, a kernel's side, a dilation, or what is rounded to."""
Scale = Annotated[float, between(0.125, 8)]
Share = Annotated[float, between(0, 1)]
Epsilon = Annotated[float, between(1e-12, 1)]
OutputStride = Annotated[int, between(8, 256)]

ADDED = {"added": True}
"""The mark of a field that earlier versions lack: at its default it is not written, so that nothing old is stale."""


@dataclass(frozen=True)
class BackboneSpec:
    """The network that computes features; its dilations follow from the output stride it is built with.

    Attributes:
        kind: Which network.
        taps: Features handed over beside the last, the finest first: those at stride 4 ("conv2") and at stride 8
            ("conv3"); of VGG the input and the outputs of its first four poolings ("input", "pool1" to "pool4").
        tap_branch: Whether a ResNet's tap is its unit's residual branch, normalised, before the sum and the ReLU
            (TensorFlow), and not the unit's output.
        width: MobileNetV2's depth multiplier.
        divisor: MobileNetV2's channels are rounded to multiples of it.
        padding: "same" is TensorFlow's (MobileNetV2); every other network pads both sides equally.
        bn_eps: The epsilon of every batch normalisation in the backbone.
        stem: ResNet's first layer: one 7x7, or three 3x3 of 64, 64 and 128 channels ("3x3x3", TensorFlow's "beta"
            form) or of 32, 32 and 64 ("3x3x3-32", mmsegmentation's ResNetV1c).
        stride_in: Which convolution of a ResNet block takes a stage's stride: the first 1x1 or the 3x3 of the stage's
            first unit, or the 3x3 of its last unit ("last-unit", TensorFlow).
        strided_unit_rate: Dilation of a ResNet unit whose stride was turned into dilation: the new rate (Caffe) or
            still the previous one (torchvision, TensorFlow).
        multi_grid: Factors on the dilations of the last stage's units (v3 paper, section 3.2.1).
        extra_stages: Copies of ResNet's last stage in cascade, each at twice the rate (v3 paper, block5 to block7).
        pool_kernel: The side of max pooling in VGG and in ResNet's stem; 2 or 3.
        pool_ceil: Whether pooling rounds a side up, as Caffe does.
    """

    kind: Kind
    taps: tuple[Tap, ...] = ()
    width: Scale = 1.0
    divisor: Size = 8
    padding: Padding = "symmetric"
    bn_eps: Epsilon = 1e-5
    stem: Literal["7x7", "3x3x3", "3x3x3-32"] = "7x7"
    stride_in: Literal["1x1", "3x3", "last-unit"] = "3x3"
    strided_unit_rate: Literal["new", "previous"] = "previous"
    multi_grid: tuple[Size, Size, Size] = (1, 1, 1)
    extra_stages: Annotated[int, between(0, 8)] = 0
    pool_kernel: Annotated[int, between(2, 3)] = 3
    pool_ceil: bool = False
    tap_branch: bool = field(default=False, metadata=ADDED)

    @property
    def untapped(self) -> "BackboneSpec":
        """This backbone less what it hands to a decoder, which decides none of its weights."""
        return replace(self, taps=(), tap_branch=False)


@dataclass(frozen=True)
class ASPPSpec:
    """Atrous spatial pyramid pooling of v3 and v3+: a 1x1 branch, 3x3 branches, image pooling; then a projection.

    Attributes:
        rates: The dilations of the 3x3 branches at output stride 16; doubled at 8, halved at 32. Empty: the 1x1 branch
            only.
        image_pooling: Whether there is the image-level branch.
        pool_first: Whether image pooling comes first in the concatenation (TensorFlow) or last (torchvision).
        separable: Whether the 3x3 branches are separable.
        channels: The channels of each branch and of the output.
        project_kernel: The side of the projection's kernel: 1 as in the papers, or 3 (mmsegmentation's bottleneck).
        extra_conv: Whether a dense 3x3 follows the projection (torchvision).
        bn_eps: The epsilon of every batch normalisation here.
        dropout: The share dropped after the projection, in training.
    """

    rates: tuple[Size, ...] = (6, 12, 18)
    image_pooling: bool = True
    pool_first: bool = True
    separable: bool = False
    channels: Annotated[int, between(0, MAX_CHANNELS)] = 256
    extra_conv: bool = False
    bn_eps: Epsilon = 1e-5
    dropout: Share = 0.1
    project_kernel: Literal[1, 3] = field(default=1, metadata=ADDED)


@dataclass(frozen=True)
class BranchesSpec:
    """The heads of v1 and v2, and plain classifiers: parallel branches that each give logits, summed.

    Attributes:
        rates: One branch each, at the only output stride that v1 and v2 have.
        kernel: The side of the dilated convolution (fc6 of VGG).
        channels: The channels of fc6 and fc7; 0: the dilated convolution is the classifier itself.
        dropout: The share dropped after fc6 and fc7, in training.
        multi_scale_channels: The channels of v1's multi-scale features (MSc), a network of two layers on each of VGG's
            taps; 0: there are none.
    """

    rates: tuple[Size, ...]
    kernel: Size = 3
    channels: Annotated[int, between(0, MAX_CHANNELS)] = 0
    dropout: Share = 0.5
    multi_scale_channels: Annotated[int, between(0, MAX_CHANNELS)] = field(default=0, metadata=ADDED)


@dataclass(frozen=True)
class DecoderSpec:
    """The decoder of v3+, which refines the pyramid's output with each of the backbone's taps, coarsest first.

    Attributes:
        low_level_channels: What a tap is reduced to by a 1x1 convolution.
        convs: (kernel, channels) of the convolutions after each concatenation.
        separable: Whether they are separable.
        low_level_first: Order of the concatenation; TensorFlow puts the low-level features last.
        bn_eps: The epsilon of every batch normalisation here.
    """

    low_level_channels: Size = 48
    convs: tuple[tuple[Size, Size], ...] = ((3, 256), (3, 256))
    separable: bool = False
    low_level_first: bool = False
    bn_eps: Epsilon = 1e-5


@dataclass(frozen=True)
class ModelSpec:
    """A model, whole: everything but the number of classes and the output stride it is built with.

    Attributes:
        name: What the command line calls it.
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
    scales: tuple[Scale, ...] = ()
    align_corners: bool = True
    output_strides: tuple[OutputStride, ...] = (8, 16, 32)
    output_stride: OutputStride = 16

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, for a checkpoint's metadata; what earlier versions do not know only where it is used."""
        return asdict(self) | {part: _written(getattr(self, part)) for part in ("backbone", "head", "decoder")}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "ModelSpec":
        """The inverse of `to_dict`, also after a way through JSON; what is left out has its default.

        Raises:
            WeightsError: A key is unknown, a key without a default is missing, or a value is of the wrong type or out
                of its range.
        """
        try:
            spec = decoding.decode(cls, data, "model")
            if spec.output_stride not in spec.output_strides:
                raise WrongValueError("model.output_stride", spec.output_stride, "one of model.output_strides")
        except WrongValueError as error:
            message = f"the checkpoint's model description has {error.shown} at {error.place}"
            raise WeightsError(message, error.hint) from error
        except DecodingError as error:
            hint = "It was written by another version of segcli, or damaged."
            raise WeightsError(f"the checkpoint's model description {error.message}", hint) from error
        return spec


def _written(part: BackboneSpec | ASPPSpec | BranchesSpec | DecoderSpec | None) -> dict[str, Any] | None:
    """A part of a spec as plain values, without ADDED fields at their default."""
    if part is None:
        return None
    unused = {f.name for f in fields(part) if f.metadata == ADDED and getattr(part, f.name) == f.default}
    return {name: value for name, value in asdict(part).items() if name not in unused}
