"""Normalisation: the mean, spread and channel order of a network's input, where a recipe states them itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from segcli.errors import UsageError
from segcli.models.preprocessing import Preprocessing

if TYPE_CHECKING:
    from segcli.training.recipe import Data

KEYS = ("mean", "std", "channels")
"""The keys of [data], and what they are called in a `Preprocessing`."""
CAFFE = (104.0, 116.7, 122.7)
"""Caffe's mean of ImageNet as it is written everywhere: blue, green, red."""


def of(preprocessing: Preprocessing, data: Data) -> Preprocessing:
    """The same preprocessing with the mean, spread and channel order that [data] states."""
    return replace(preprocessing, **_stated(data))


def note(data: Data) -> str:
    """What the user should be told where first weights learned with other values than [data] states."""
    keys = " and ".join(f"data.{key}" for key in _stated(data))
    return f"photos are normalised by {keys}, which the first weights did not learn with"


def check(data: Data) -> None:
    """Refuse a mean and a spread that are of another range or order than here.

    Raises:
        UsageError: They are for values of 0..1, or the mean is Caffe's, which has blue first.
    """
    mean, std = data.mean or (0.0,), data.std or (1.0,)
    if 0 < max(mean) <= 1:
        raise _of_another_range("mean", mean)
    if min(std) < 1:
        raise _of_another_range("std", std)
    if data.mean and all(abs(given - caffe) < 1 for given, caffe in zip(mean, CAFFE, strict=True)):
        hint = f'Write red first: data.mean = {_listed(mean[::-1])}, with data.channels = "BGR" for weights of Caffe.'
        raise UsageError(f"data.mean = {_listed(mean)} is Caffe's mean with blue first", hint)


def _stated(data: Data) -> dict[str, Any]:
    return {key: getattr(data, key) for key in KEYS if getattr(data, key) is not None}


def _of_another_range(key: str, values: Sequence[float]) -> UsageError:
    message = f"data.{key} = {_listed(values)} is for colours of 0..1; here they are of 0..255"
    return UsageError(message, f"Multiply it by 255: {_listed([255 * value for value in values])}.")


def _listed(values: Sequence[float]) -> str:
    """Numbers as TOML has them, with four digits."""
    return f"[{', '.join(f'{value:.4g}' for value in values)}]"
