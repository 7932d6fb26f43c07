"""Limits: which specs no network can be built of, and why; beyond the types and ranges of their fields."""

from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Any

from segcli.errors import UsageError
from segcli.models.spec import ASPPSpec, BackboneSpec, BranchesSpec, Kind, ModelSpec

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
    """Taps are what a decoder reads, finest first; no published decoder reads a VGG."""
    taps, decoder = spec.backbone.taps, spec.decoder
    if decoder and isinstance(spec.head, BranchesSpec):
        yield "its head gives logits, which no decoder refines", "Take a variant of v3 or v3+."
    if decoder and spec.backbone.kind == "vgg16":
        yield "no decoder reads a VGG", "Take a variant with another backbone."
    if bool(decoder) != bool(taps):
        yield "a decoder and the backbone's taps belong together", "Give both, or decoder=none."
    if not _in_order(taps, ("conv2", "conv3")):
        yield f"taps cannot be {','.join(taps)}", "Name each once, the finest first: conv2,conv3."


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
