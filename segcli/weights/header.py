"""Header: what a safetensors file says of itself before its tensors, told without numpy, which the library imports."""

import math
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from segcli import decoding

MOST_BYTES = 2**22
"""The longest header that is read here; that of DeepLab with ResNet-101 has 0.1 MB."""
_WIDTHS = {"U8": 1, "I8": 1, "BOOL": 1, "F16": 2, "BF16": 2, "I32": 4, "F32": 4, "I64": 8, "F64": 8}
"""The bytes of a value, by its type's name."""
_MOST_AXES = 8


def texts(path: Path) -> Mapping[str, str] | None:
    """The texts that a whole file carries; None where it is not surely one, and the library tells what is wrong.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        data = file.read(min(length, MOST_BYTES))
        rest = file.seek(0, 2) - 8 - length
    if len(data) != length or not data.startswith(b"{"):
        return None
    try:
        values = decoding.parse_json(data)
        found = values.pop("__metadata__", {})
        is_whole = _end(values) == rest and all(type(text) is str for text in found.values())
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
    return found if is_whole else None


def _end(tensors: Mapping[str, Any]) -> int:
    """The bytes of tensors that lie one after the other; ValueError where they do not."""
    spans = sorted(map(_span, tensors.values()))
    if any(end != start for (_, end), (start, _) in pairwise([(0, 0), *spans])):
        raise ValueError(spans)
    return spans[-1][1] if spans else 0


def _span(tensor: Mapping[str, Any]) -> tuple[int, int]:
    """The first byte of a tensor and the one behind it; ValueError where its shape needs others."""
    (start, end), shape = tensor["data_offsets"], tensor["shape"]
    numbers = [start, end, *shape]
    if len(shape) > _MOST_AXES or any(type(number) is not int or not 0 <= number < 2**48 for number in numbers):
        raise ValueError(tensor)
    if end - start != math.prod(shape) * _WIDTHS[tensor["dtype"]]:
        raise ValueError(tensor)
    return start, end
