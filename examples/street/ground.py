"""The ground: asphalt with its markings, cracks and covers, pavement slabs, grass; u across the street, v along it."""

from dataclasses import dataclass

import numpy as np

from street.mesh import linear
from street.noise import cell, smooth


@dataclass(frozen=True)
class RoadPlan:
    """How a road is made and marked; lengths in metres.

    Attributes:
        half: From the middle to the kerb.
        tone: Albedo of the asphalt, linear.
        warmth: Its tint: below 0 bluish, above reddish.
        dash: Length of a dash of the centre line; 0 for none, above 50 for an unbroken line.
        gap: Between dashes.
        lanes: Further broken lines, at these distances from the middle.
        edges: Lines along the kerb on each side: 0 to 2.
        yellow: Whether those are yellow.
        crossings: Where zebra crossings start.
        stops: Where stop lines lie.
        wear: How worn the paint is, in 0..1.
        cracked: How cracked and patched the asphalt is, in 0..1.
        side_streets: (side, start, end) of the mouths of side streets, where no edge is marked.
        bus_lane: Whether the right lane's surface is red.
        seed: Of everything random.
    """

    half: float
    tone: float
    warmth: float
    dash: float
    gap: float
    lanes: tuple[float, ...]
    edges: int
    yellow: bool
    crossings: tuple[float, ...]
    stops: tuple[float, ...]
    wear: float
    cracked: float
    side_streets: tuple[tuple[int, float, float], ...]
    bus_lane: bool
    seed: int


def asphalt(u: np.ndarray, v: np.ndarray, depth: np.ndarray, plan: RoadPlan, sample: float) -> np.ndarray:
    """Linear albedo (N, 3) of the road; `sample` is the angle that a sample covers."""
    blur = depth * sample
    fine = 1 / (1 + (blur * 60) ** 2)
    tone = plan.tone * (1 + 0.10 * smooth(u + plan.seed, v, 26, 1.3) + 0.05 * smooth(u * 4, v * 0.35, 19, 1.1))
    tone *= 1 + 0.20 * fine * smooth(u, v, 2.9, 0.3)
    track = np.exp(-(((np.abs(np.abs(u) - plan.half / 2) - 0.75) / 0.32) ** 2))
    tone *= 1 + 0.10 * track * (1 if plan.seed % 2 else -0.8)
    tone *= 1 - 0.22 * np.exp(-(((np.abs(u) - plan.half) / 0.35) ** 2))
    tone *= _damage(u, v, blur, plan)
    tint = np.array([1 + plan.warmth, 1, 1 - plan.warmth], np.float32)
    albedo = tone[:, None] * tint
    if plan.bus_lane:
        lane = (u > plan.half - 3.1)[:, None] & (v > 14)[:, None]
        albedo = np.where(lane, albedo * np.array([1.7, 0.75, 0.6]), albedo)
    paint, yellow = _markings(u, v, plan)
    worn = smooth(u * 2, v * 2, 13, 0.7) + 1.9 - 2.2 * plan.wear
    paint = paint * (worn * 1.2 + 0.6).clip(0.06, 1)
    white = np.where(yellow[:, None], linear((0.82, 0.66, 0.2)), linear((0.84, 0.84, 0.82)))
    return (albedo + (white - albedo) * paint[:, None]).astype(np.float32)


def _damage(u: np.ndarray, v: np.ndarray, blur: np.ndarray, plan: RoadPlan) -> np.ndarray:
    """Cracks, repaired rectangles and covers, as a factor (N,)."""
    wander = smooth(u, v, 31, 1.5, fine=True)
    crack = np.abs(wander - 0.4 - 0.25 * np.floor(v / 23 % 3)) < 0.012 + 0.3 * blur * (blur < 0.05)
    crack |= np.abs(u - 0.12 + 0.05 * smooth(u * 0, v, 11, 1.4)) < 0.013
    factor = np.where(crack, 1 - 0.45 * plan.cracked * (1 - blur * 12).clip(0, 1), 1)
    x, z = np.floor(u / 2.7), np.floor(v / 7.5)
    key = cell(x, z, plan.seed)
    du, dv = u - (x + 0.5) * 2.7, v - (z + 0.5) * 7.5
    patch = (key < 0.16 * plan.cracked + 0.02) & (np.abs(du) < 0.5 + 3 * key) & (np.abs(dv) < 1 + 14 * key)
    factor = np.where(patch, factor * (0.72 + 3.2 * key), factor)
    radius = np.hypot(du, dv)
    cover = (key > 0.93) & (radius < 0.33)
    ring = np.where(radius > 0.29, 0.5, 0.75 + 0.25 * (((du * 14).astype(int) + (dv * 14).astype(int)) % 2))
    return np.where(cover, ring, factor)


def _markings(u: np.ndarray, v: np.ndarray, plan: RoadPlan) -> tuple[np.ndarray, np.ndarray]:
    """Whether there is paint, (N,), and whether it is yellow."""
    period = max(plan.dash + plan.gap, 0.1)
    dashed = (v % period < plan.dash) if plan.dash < 50 else np.ones(len(v), bool)
    paint = dashed & (np.abs(u) < 0.06)
    for lane in plan.lanes:
        paint |= (v % 6 < 2) & (np.abs(np.abs(u) - lane) < 0.06)
    kerb = plan.half - np.abs(u)
    edge = np.zeros(len(u), bool)
    for line in range(plan.edges):
        edge |= np.abs(kerb - 0.25 - 0.2 * line) < 0.05
    for side, start, end in plan.side_streets:
        mouth = (u * side > 0) & (v > start) & (v < end)
        edge &= ~mouth
        paint |= mouth & (np.abs(kerb) < 0.1) & (v % 1.2 < 0.7)
    paint &= np.abs(u) < plan.half + 0.2
    on_road = np.abs(u) < plan.half
    for start in plan.crossings:
        near = (v > start - 1) & (v < start + 4)
        stripe = (v > start) & (v < start + 3) & (u % 1.1 < 0.55) & (kerb > 0.25)
        paint, edge = np.where(near, stripe, paint), edge & ~near
    for start in plan.stops:
        paint |= (v > start) & (v < start + 0.35) & on_road & (u * (1 if plan.seed % 2 else -1) > 0.1)
    edge &= on_road
    return (paint | edge).astype(np.float32), edge & plan.yellow


def pavement(
    u: np.ndarray, v: np.ndarray, depth: np.ndarray, colour: np.ndarray, seed: int, sample: float
) -> np.ndarray:
    """Linear albedo (N, 3) of slabs of the given colour (N, 3)."""
    slab = np.float32([0.6, 0.45, 0.3, 0.9][seed % 4])
    blur = depth * sample
    row = np.floor(u / slab)
    along = v / (slab * 1.5) + (row % 2) * np.float32(0.5)
    joint = np.minimum(u / slab - row, (along - np.floor(along)) * 1.5) * slab < 0.018
    fade = (1.2 - blur * 22).clip(0, 1)
    tone = 1 + 0.22 * fade * (cell(row, np.floor(along), seed) - 0.5)
    tone = np.where(joint, tone * (1 - 0.42 * fade), tone)
    tone *= 1 + 0.09 * smooth(u + seed, v, 17, 1.2) + 0.08 * (1 / (1 + (blur * 50) ** 2)) * smooth(u, v, 3.1, 0.4)
    return colour * tone[:, None]


def grass(u: np.ndarray, v: np.ndarray, depth: np.ndarray, colour: np.ndarray, sample: float) -> np.ndarray:
    """Linear albedo (N, 3) of a lawn."""
    fine = 1 / (1 + (depth * sample * 40) ** 2)
    tone = 1 + 0.25 * smooth(u, v, 23, 1.2) + 0.35 * fine * smooth(u * 2, v, 5, 0.3)
    dry = (0.5 + 0.5 * smooth(u, v, 41, 1.5)).clip(0, 1)[:, None] * 0.4
    return colour * tone.clip(0.3)[:, None] * (1 + dry * np.array([0.5, 0.1, -0.3]))
