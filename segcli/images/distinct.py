"""Distinct colours: as many as there are classes, as different as can be, also to people who are colour-blind.

Each colour is the one that is farthest from those before it, in OKLab (Ottosson 2020), by the shortest of four
distances: to people who see all colours, and to those who lack one of the three kinds of cones, as Machado, Oliveira
and Fernandes (IEEE TVCG 2009) reckon. So the first classes are told apart best. All are bright enough for dark photos.
"""

from dataclasses import replace
from functools import lru_cache

import numpy as np

from segcli.labels import BACKGROUND, LabelSet

_FIRST = (255, 176, 0)
_STEP = 17
"""Between two values of red, green or blue that are tried."""
_LIGHTNESS = (0.55, 0.93)
_LEAST_CHROMA = 0.12
_MOST = 256
"""Beyond so many colours nobody tells them apart."""
_VIEWS = np.array(
    [
        [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
    ]
)
"""From linear red, green, blue to what people see of them: all; without long, middle, short waves' cones."""
_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_OKLAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def distinct(labels: LabelSet) -> LabelSet:
    """The same classes in distinct colours; background stays black."""
    colours = iter(distinct_colours(len(labels)))
    palette = tuple((0, 0, 0) if name == BACKGROUND else next(colours) for name in labels.names)
    return replace(labels, palette=palette)


@lru_cache(8)
def distinct_colours(count: int) -> tuple[tuple[int, int, int], ...]:
    """So many colours, red, green, blue in 0..255 each, the most different first; after 256 they repeat."""
    candidates = _candidates()
    seen = as_seen(candidates)
    nearest = _distances(seen, as_seen(np.array([_FIRST])))
    chosen = [_FIRST]
    while len(chosen) < min(count, _MOST):
        index = int(nearest.argmax())
        chosen.append(tuple(map(int, candidates[index])))
        nearest = np.minimum(nearest, _distances(seen, seen[:, index : index + 1]))
    return tuple(chosen[index % len(chosen)] for index in range(count))


def _candidates() -> np.ndarray:
    """Bright colours, uint8 (N, 3)."""
    values = np.arange(0, 256, _STEP, dtype=np.uint8)
    colours = np.stack(np.meshgrid(values, values, values, indexing="ij"), -1).reshape(-1, 3)
    lightness, *ab = as_seen(colours)[0].T
    return colours[(lightness > _LIGHTNESS[0]) & (lightness < _LIGHTNESS[1]) & (np.hypot(*ab) > _LEAST_CHROMA)]


def as_seen(colours: np.ndarray) -> np.ndarray:
    """Colours (N, 3) of 0..255 in OKLab, (4, N, 3): to all people, and without long, middle, short waves' cones."""
    values = colours / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    views = np.clip(np.einsum("vij,nj->vni", _VIEWS, linear), 0, 1)
    return np.cbrt(views @ _CONES.T) @ _OKLAB.T


def _distances(seen: np.ndarray, one: np.ndarray) -> np.ndarray:
    """The shortest distance of each of N colours to one, (N,)."""
    return np.sqrt(((seen - one) ** 2).sum(-1)).min(0)
