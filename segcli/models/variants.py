"""The published variants: one entry each, with only what differs from the one it builds on."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from segcli.errors import UsageError, nearest
from segcli.models import differences
from segcli.models.differences import SIGN, Changes
from segcli.models.spec import ASPPSpec, BackboneSpec, BranchesSpec, DecoderSpec, ModelSpec, Tap

PAPER_SCALES = (0.5, 0.75, 1.0, 1.25, 1.5, 1.75)
"""The scales of multi-scale evaluation in the v3 and v3+ papers ("MS" in their tables)."""

# v1 and v2: VGG-16 (v2 paper, Tables 1 and 3). Caffe pools with kernel 3, rounds sides up and aligns corners.
V2_VGG16 = ModelSpec(
    "v2-vgg16",
    "v2",
    BackboneSpec("vgg16", pool_ceil=True),
    BranchesSpec(rates=(6, 12, 18, 24), channels=1024),
    output_strides=(8,),
    output_stride=8,
)
LARGE_FOV = BranchesSpec(rates=(12,), channels=1024)

# v2: ResNet-101 (Table 4), in the Caffe layout, at three scales; as the public reproduction enlarges.
V2_RESNET101 = ModelSpec(
    "v2-resnet101",
    "v2",
    BackboneSpec("resnet101", stride_in="1x1", strided_unit_rate="new", pool_ceil=True),
    BranchesSpec(rates=(6, 12, 18, 24)),
    scales=(0.5, 0.75),
    align_corners=False,
    output_strides=(8,),
    output_stride=8,
)

# v3: ResNet as torchvision has it; `-mg124` is the paper's multi-grid, `-beta` TensorFlow's ResNet.
RESNET50 = BackboneSpec("resnet50")
RESNET101 = BackboneSpec("resnet101")
TORCHVISION_ASPP = ASPPSpec(pool_first=False, extra_conv=True, dropout=0.5)
V3_RESNET50 = ModelSpec(
    "v3-resnet50",
    "v3",
    RESNET50,
    TORCHVISION_ASPP,
    align_corners=False,
    output_stride=8,
)
V3_RESNET101 = replace(V3_RESNET50, name="v3-resnet101", backbone=RESNET101)
BETA_RESNET101 = BackboneSpec("resnet101", stem="3x3x3", stride_in="last-unit", multi_grid=(1, 2, 4), tap_branch=True)
PAPER_RESNET101 = replace(RESNET101, strided_unit_rate="new", multi_grid=(1, 2, 4))
V3_MG124 = ModelSpec("v3-resnet101-mg124", "v3", PAPER_RESNET101, ASPPSpec())
CLASSIFIER = BranchesSpec(rates=(1,), kernel=1)
V3_CASCADE = ModelSpec(
    "v3-resnet101-cascade",
    "v3",
    replace(PAPER_RESNET101, multi_grid=(1, 2, 1), extra_stages=3),
    CLASSIFIER,
    output_strides=(8, 16, 32, 64, 128, 256),
)

# v3: light. TensorFlow's MobileNetV2 has neither atrous branches nor a decoder.
V3_MOBILENETV2 = ModelSpec(
    "v3-mobilenetv2",
    "v3",
    BackboneSpec("mobilenetv2", padding="same", bn_eps=1e-3),
    ASPPSpec(rates=()),
    output_stride=8,
)
V3_MOBILENETV3 = ModelSpec(
    "v3-mobilenetv3",
    "v3",
    BackboneSpec("mobilenetv3", bn_eps=1e-3),
    replace(TORCHVISION_ASPP, rates=(12, 24, 36)),
    align_corners=False,
)

# v3+: every backbone with separable pyramid and decoder unless its name says otherwise ("SC" in Tables 3 and 5).
SEPARABLE_ASPP = ASPPSpec(separable=True)
SEPARABLE_DECODER = DecoderSpec(separable=True)
V3PLUS_XCEPTION = ModelSpec(
    "v3plus-xception",
    "v3+",
    BackboneSpec("xception65", taps=("conv2",), bn_eps=1e-3),
    SEPARABLE_ASPP,
    SEPARABLE_DECODER,
)


def _v3plus(name: str, backbone: BackboneSpec, **changes: Any) -> ModelSpec:
    return replace(V3PLUS_XCEPTION, name=name, backbone=replace(backbone, taps=("conv2",)), **changes)


V3PLUS_XCEPTION71 = _v3plus("v3plus-xception71", replace(V3PLUS_XCEPTION.backbone, kind="xception71"))
V3PLUS_RESNET101 = _v3plus("v3plus-resnet101", RESNET101)
V3PLUS_BETA = _v3plus("v3plus-resnet101-beta", BETA_RESNET101, head=ASPPSpec(), decoder=DecoderSpec())


def _without(part: str, spec: ModelSpec) -> ModelSpec:
    """An ablation of Tables 3, 5 and 7: without decoder, separable convolutions or image pooling."""
    name = f"{spec.name}-no{part}"
    if part == "decoder":
        return replace(spec, name=name, backbone=replace(spec.backbone, taps=()), decoder=None)
    if part == "pool":
        return replace(spec, name=name, head=replace(spec.head, image_pooling=False))
    head = replace(spec.head, separable=False)
    return replace(spec, name=name, head=head, decoder=spec.decoder and replace(spec.decoder, separable=False))


def _decoder(suffix: str, taps: tuple[Tap, ...] = ("conv2",), **changes: Any) -> ModelSpec:
    """A row of Tables 1 and 2 of the v3+ paper."""
    backbone = replace(BETA_RESNET101, taps=taps)
    return replace(V3PLUS_BETA, name=f"{V3PLUS_BETA.name}-{suffix}", backbone=backbone, decoder=DecoderSpec(**changes))


VARIANTS: dict[str, ModelSpec] = {
    spec.name: spec
    for spec in (
        replace(V2_VGG16, name="v1-vgg16", family="v1", head=LARGE_FOV),
        replace(V2_VGG16, name="v1-vgg16-7x7", family="v1", head=BranchesSpec(rates=(4,), kernel=7, channels=4096)),
        replace(V2_VGG16, name="v1-vgg16-4x4", family="v1", head=BranchesSpec(rates=(4,), kernel=4, channels=4096)),
        replace(V2_VGG16, name="v1-vgg16-4x4-r8", family="v1", head=BranchesSpec(rates=(8,), kernel=4, channels=4096)),
        V2_VGG16,
        replace(V2_VGG16, name="v2-vgg16-largefov", head=LARGE_FOV),
        replace(V2_VGG16, name="v2-vgg16-aspp-s", head=replace(V2_VGG16.head, rates=(2, 4, 8, 12))),
        V2_RESNET101,
        replace(V2_RESNET101, name="v2-resnet101-nomsc", scales=()),
        replace(V2_RESNET101, name="v2-resnet101-largefov", head=BranchesSpec(rates=(12,))),
        V3_RESNET50,
        replace(V3_MG124, name="v3-resnet50-mg124", backbone=replace(V3_MG124.backbone, kind="resnet50")),
        replace(V3_CASCADE, name="v3-resnet50-cascade", backbone=replace(V3_CASCADE.backbone, kind="resnet50")),
        V3_RESNET101,
        V3_MG124,
        V3_CASCADE,
        V3_MOBILENETV2,
        replace(
            V3_MOBILENETV2, name="v3-mobilenetv2-dm05", backbone=replace(V3_MOBILENETV2.backbone, width=0.5, divisor=4)
        ),
        V3_MOBILENETV3,
        _v3plus("v3plus-mobilenetv2", V3_MOBILENETV2.backbone),
        _v3plus("v3plus-resnet50", RESNET50),
        V3PLUS_RESNET101,
        _without("decoder", V3PLUS_RESNET101),
        _without("sc", V3PLUS_RESNET101),
        _without("pool", V3PLUS_RESNET101),
        V3PLUS_BETA,
        _without("decoder", V3PLUS_BETA),
        *(_decoder(f"conv2-{n}", low_level_channels=n, convs=((3, 256),)) for n in (8, 16, 32, 48, 64)),
        _decoder("3x3x256-3", convs=((3, 256),) * 3),
        _decoder("3x3x128", convs=((3, 128),)),
        _decoder("1x1x256", convs=((1, 256),)),
        _decoder("conv3", taps=("conv2", "conv3"), convs=((3, 256),)),
        _v3plus("v3plus-xception41", replace(V3PLUS_XCEPTION.backbone, kind="xception41")),
        V3PLUS_XCEPTION,
        _without("decoder", V3PLUS_XCEPTION),
        _without("sc", V3PLUS_XCEPTION),
        _without("decoder", _without("sc", V3PLUS_XCEPTION)),
        _without("pool", V3PLUS_XCEPTION),
        V3PLUS_XCEPTION71,
        _without("pool", V3PLUS_XCEPTION71),
    )
}

ALIASES = {"v3plus-xception65": "v3plus-xception"}


def get(name: str, others: Iterable[str] = (), spec: Mapping[str, Any] | None = None) -> ModelSpec:
    """The network that a name means: a variant, or one with differences, such as "v3-resnet101+mg=1,2,3".

    A network with differences is called by all of them, in one order; where they make a published variant of another
    it has that variant's name.

    Args:
        name: The variant's name, with or without differences.
        others: More names for the hint where there is no such variant.
        spec: More differences, as a recipe's table.

    Raises:
        UsageError: There is no such variant (the hint has the nearest names, `others` among them), or a difference
            cannot be.
    """
    first, sign, text = name.partition(SIGN)
    found = _published(first, others)
    if sign:
        found = _varied(found, differences.parse(found, text))
    return _varied(found, differences.from_table(found, spec)) if spec else found


def is_name(name: str) -> bool:
    """Whether a text begins with the name of a variant, differences and what stands behind an @ left out."""
    return name.partition("@")[0].partition(SIGN)[0] in {*VARIANTS, *ALIASES}


def base_of(spec: ModelSpec) -> ModelSpec:
    """The published variant that a network is named after; the network itself where there is none of that name."""
    return VARIANTS.get(spec.name.partition(SIGN)[0], spec)


def stated(spec: ModelSpec) -> Changes:
    """The differences that a network's name states, by dotted field; none for a published variant."""
    _, sign, text = spec.name.partition(SIGN)
    return differences.parse(base_of(spec), text) if sign else {}


def _published(name: str, others: Iterable[str]) -> ModelSpec:
    name = ALIASES.get(name, name)
    if name in VARIANTS:
        return VARIANTS[name]
    hint = nearest(name, [*VARIANTS, *ALIASES, *others], "`segcli models` lists them all.", most=3)
    raise UsageError(f"no model is called {name!r}", hint)


def _varied(spec: ModelSpec, changes: Changes) -> ModelSpec:
    """A network with differences, by its own name."""
    new = differences.applied(spec, changes)
    for published in VARIANTS.values():
        if replace(new, name=published.name) == published:
            return published
    base = base_of(spec)
    return replace(new, name=base.name + differences.text(base, differences.between(base, new)))
