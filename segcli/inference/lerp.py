"""Lerp: linear interpolation in numpy, to the bit as torch computes it."""

import numpy as np


def lerp(start: np.ndarray, end: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """`torch.lerp` of float32 arrays of any shape that fit: from the nearer end, its sum and the product rounded once.

    So torch computes with fused instructions: on x86 from AVX2 on, and on ARM.
    """
    is_first = weight < 0.5
    share, base = np.where(is_first, weight, weight - 1), np.where(is_first, start, end)
    return multiply_add(end - start, share, base)


def multiply_add(factor: np.ndarray, other: np.ndarray, added: np.ndarray) -> np.ndarray:
    """The float32 nearest to factor * other + added, as a processor's fused instruction gives it.

    In float64 the product is exact. The sum is rounded to odd there (Boldo and Melquiond, 2008), so that the rounding
    to float32 that follows is that of the exact sum.
    """
    product, added = factor.astype(np.float64) * other, added.astype(np.float64)
    total = product + added
    back = total - product
    error = (product - (total - back)) + (added - back)  # the exact sum is total + error (Knuth)
    is_even = total.view(np.int64) % 2 == 0
    towards = np.where(error > 0, np.inf, -np.inf)
    total = np.where((error != 0) & is_even & np.isfinite(total), np.nextafter(total, towards), total)
    return total.astype(np.float32)
