"""Limits: which specs no network can be built of, and why; beyond the types and ranges of their fields."""

from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Any

from segcli.errors import UsageError
from segcli.models.spec import ASPPSpec, BackboneSpec, BranchesSpec, Kind, ModelSpec, Tap

RESNETS: tuple[Kind, ...] = ("resnet50", "resnet101")
KINDS_WITH: dict[str, tuple[Kind, ...]] = {
    "width": ("mobilenetv2",),
    "divisor": ("mobilenetv2",),
    "padding": ("mobilenetv2",),
    "tap_branch": RESNETS,
    "stem": RESNETS,
    "stride_in": RESNETS,
    "strided_unit_rate": RESNETS,
    "multi_grid": RESNETS,
    "extra_stages": RESNETS,
    "pool_kernel": (*RESNETS, "vgg16"),
    "pool_ceil": (*RESNETS, "vgg16"),
}
"""The kinds of backbone whose network reads a field; every kind reads those that are not here."""

DECODER_TAPS: tuple[Tap, ...] = ("conv2", "conv3")
VGG_TAPS: tuple[Tap, ...] = ("input", "pool1", "pool2", "pool3", "pool4")
"""The taps of VGG, and those of every other kind, the finest first."""


def check(spec: ModelSpec) -> None:
    """UsageError where the fields of a spec contradict each other, or one of them would have no effect."""
    for message, hint in _contradictions(spec):
        raise UsageError(f"{spec.name}: {message}", hint)


def output_strides(extra_stages: Any) -> tuple[int, ...]:
    """The output strides of a ResNet with so many more stages, each of which can halve the side once more."""
    more = min(extra_stages, 3) if isinstance(extra_stages, int) else 0  # 256 is the largest that a spec can have
    return tuple(8 << power for power in range(3 + more))


def _contradictions(spec: ModelSpec) -> Iterator[tuple[str, str]]:
    """Each contradiction as a message with its hint."""
    yield from _without_effect(spec.backbone)
    yield from _of_taps(spec)
    yield from _of_kernels(spec)
    if spec.output_stride not in spec.output_strides:
        known = ", ".join(map(str, spec.output_strides))
        yield f"output_stride cannot be {spec.output_stride}", f"It can be {known}."
    if 1 in spec.scales or len(set(spec.scales)) < len(spec.scales):
        yield "scales names those beside 1, each once", "Leave out 1, and what stands twice."


def _without_effect(backbone: BackboneSpec) -> Iterator[tuple[str, str]]:
    for field in fields(backbone):
        kinds = KINDS_WITH.get(field.name, (backbone.kind,))
        if backbone.kind not in kinds and getattr(backbone, field.name) != field.default:
            yield f"{backbone.kind} has no {field.name}", f"Only {' and '.join(kinds)} can have it."


def _of_taps(spec: ModelSpec) -> Iterator[tuple[str, str]]:
    """Taps are what a decoder or v1's multi-scale features read, finest first; no published decoder reads a VGG."""
    taps, decoder, is_vgg = spec.backbone.taps, spec.decoder, spec.backbone.kind == "vgg16"
    multi_scale = isinstance(spec.head, BranchesSpec) and spec.head.multi_scale_channels > 0
    if multi_scale and not is_vgg:
        yield f"{spec.backbone.kind} has no multi_scale_channels", "Only vgg16 can have it."
    if decoder and isinstance(spec.head, BranchesSpec):
        yield "its head gives logits, which no decoder refines", "Take a variant of v3 or v3+."
    if decoder and is_vgg:
        yield "no decoder reads a VGG", "Take a variant with another backbone."
    if (bool(decoder) or multi_scale) != bool(taps):
        reader = "multi_scale_channels" if is_vgg else "a decoder"
        yield f"{reader} and the backbone's taps belong together", "Give both, or none."
    order = VGG_TAPS if is_vgg else DECODER_TAPS
    if not _in_order(taps, order):
        yield f"taps cannot be {','.join(taps)}", f"Name each once, the finest first, of {','.join(order)}."


def _in_order(taps: Sequence[str], order: Sequence[str]) -> bool:
    """Whether taps are some of those in `order`, each once and in that order."""
    return list(taps) == [tap for tap in order if tap in taps]


def _of_kernels(spec: ModelSpec) -> Iterator[tuple[str, str]]:
    """A convolution keeps the side of its input only where its reach is even."""
    head = spec.head
    if isinstance(head, BranchesSpec):
        if not head.rates:
            yield "rates names no branch", "Name at least one rate."
        for rate in head.rates:
            if rate * (head.kernel - 1) % 2:
                yield f"a kernel of {head.kernel} cannot have the rate {rate}", "Make the kernel odd, or the rate even."
    if isinstance(head, ASPPSpec) and not head.channels:
        yield "aspp.channels cannot be 0", "The paper has 256."
    for kernel, _ in spec.decoder.convs if spec.decoder else ():
        if kernel % 2 == 0:
            yield f"a convolution of the decoder cannot have a kernel of {kernel}", "Its side must be odd."
