"""Trees, people and vehicles made once per process and placed many times, each time in another tint."""

from functools import cache

import numpy as np

from street import people, trees, vehicles
from street.mesh import Mesh

TREES, PEOPLE, VEHICLES = 12, 60, 70
DETAILS = (0.2, 0.6, 1.6, 4.0)
"""How finely trees are modelled, for those far away first."""


@cache
def _tree(variant: int, leafy: float, detail: float) -> Mesh:
    return trees.tree(np.random.default_rng([1, variant]), 8.0, leafy, detail)


@cache
def _pedestrian(variant: int) -> Mesh:
    return people.pedestrian(np.random.default_rng([2, variant]))


@cache
def _bicyclist(variant: int, rider: bool) -> Mesh:
    return people.bicyclist(np.random.default_rng([3, variant]), rider)


@cache
def _vehicle(variant: int, kind: str | None, lit: bool, braking: bool) -> Mesh:
    return vehicles.vehicle(np.random.default_rng([4, variant]), kind, lit, braking)


def tree(rng: np.random.Generator, height: float, leafy: float, distance: float) -> Mesh:
    """A tree of a height and leafiness (0 bare to 1 full), as fine as its distance in metres asks."""
    detail = DETAILS[sum(distance < limit for limit in (50, 24, 12))]
    mesh = _tree(int(rng.integers(TREES)), leafy, detail)
    return _tinted(rng, mesh, 0.15).moved(yaw=float(rng.uniform(0, 6)), scale=height / 8.0)


def pedestrian(rng: np.random.Generator) -> Mesh:
    """Somebody who walks or stands."""
    return _tinted(rng, _pedestrian(int(rng.integers(PEOPLE))), 0.3).moved(scale=float(rng.uniform(0.94, 1.05)))


def bicyclist(rng: np.random.Generator, rider: bool = True) -> Mesh:
    """Somebody on a bicycle, or the bicycle alone."""
    return _tinted(rng, _bicyclist(int(rng.integers(PEOPLE // 2)), rider), 0.3)


def vehicle(rng: np.random.Generator, kind: str | None, lit: bool, braking: bool) -> Mesh:
    """A vehicle of that kind, or of any."""
    return _tinted(rng, _vehicle(int(rng.integers(VEHICLES)), kind, lit, braking), 0.12)


def _tinted(rng: np.random.Generator, mesh: Mesh, amount: float) -> Mesh:
    """Darker or lighter as a whole, and a little in hue."""
    factor = np.exp(rng.normal(0, amount) + rng.normal(0, amount / 3, 3))
    return mesh.tinted((mesh.colour * factor).clip(0, 0.95))
