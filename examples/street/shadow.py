"""Shadows of the sun, and the darkness in corners and under things, both from depth maps of the scene."""

import numpy as np

from street.light import Light
from street.mesh import LAMP, Mesh
from street.raster import cover

LEVEL = np.array([1, 0, 1], np.float32)


class DepthMap:
    """How far a scene reaches towards a direction: an orthographic view of it from there.

    Args:
        mesh: The scene.
        toward: Unit vector that the view comes from.
        low: Smallest (x, z) on the ground that must be covered.
        high: Largest.
        cells: Resolution along the longer side.
    """

    def __init__(self, mesh: Mesh, toward: np.ndarray, low, high, cells: int) -> None:
        helper = np.array([0, 0, 1.0]) if abs(toward[1]) > 0.99 else np.array([0, 1.0, 0])
        right = np.cross(helper, toward)
        right /= np.linalg.norm(right)
        self.axes = np.stack([right, np.cross(toward, right), toward], 1).astype(np.float32)
        ground = np.array([[x, 0, z] for x in (low[0], high[0]) for z in (low[1], high[1])], np.float32) @ self.axes
        self.origin = ground[:, :2].min(0)
        extent = ground[:, :2].max(0) - self.origin
        self.cell = float(extent.max() / cells)
        size = tuple(int(n) for n in np.ceil(extent / self.cell) + 1)
        flat = mesh.corners[~mesh.veil & (mesh.material != LAMP)] @ self.axes
        points = (flat[..., :2] - self.origin) / np.float32(self.cell)
        planes, kept = _planes(points, flat[..., 2] + 500)
        _, reach = cover(points[kept], planes[kept], size)
        self.reach = reach - 500

    def above(self, points: np.ndarray, jitter: np.ndarray) -> np.ndarray:
        """By how many metres something lies between points (N, 3), shifted by (N, 2) metres, and the direction."""
        flat = points @ self.axes
        cell = ((flat[:, :2] + jitter - self.origin) / np.float32(self.cell)).astype(np.int32)
        height, width = self.reach.shape
        inside = (cell >= 0).all(1) & (cell[:, 0] < width) & (cell[:, 1] < height)
        reach = self.reach[cell[:, 1].clip(0, height - 1), cell[:, 0].clip(0, width - 1)]
        return np.where(inside, reach - flat[:, 2], np.float32(-1))


def _planes(points: np.ndarray, value: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients (T, 3) of the plane through each triangle's three values, and which triangles have one."""
    edge = (points[:, 1:] - points[:, :1]).astype(np.float64)
    rise = (value[:, 1:] - value[:, :1]).astype(np.float64)
    area = edge[:, 0, 0] * edge[:, 1, 1] - edge[:, 0, 1] * edge[:, 1, 0]
    kept = np.abs(area) > 1e-6
    area = np.where(kept, area, 1)
    a = (rise[:, 0] * edge[:, 1, 1] - rise[:, 1] * edge[:, 0, 1]) / area
    b = (rise[:, 1] * edge[:, 0, 0] - rise[:, 0] * edge[:, 1, 0]) / area
    c = value[:, 0] - a * points[:, 0, 0] - b * points[:, 0, 1]
    return np.stack([a, b, c], 1).astype(np.float32), kept


class Shadows:
    """The shadows of a scene: near ones sharp, far ones coarse.

    Args:
        mesh: The scene.
        light: Its light.
        cells: Resolution of the nearer map.
    """

    def __init__(self, mesh: Mesh, light: Light, cells: int) -> None:
        self.light = light
        self.near = self.far = None
        if light.beam.max() > 0.1:
            self.near = DepthMap(mesh, light.sun, (-12, -2), (12, 32), cells)
            self.far = DepthMap(mesh, light.sun, (-40, -10), (40, 120), cells)
        self.heights = DepthMap(mesh, np.array([0.0, 1, 0]), (-16, -2), (16, 90), cells)

    def sunlight(self, points: np.ndarray, normals: np.ndarray, through, rng: np.random.Generator) -> np.ndarray:
        """The sun's light on surfaces; soft at a shadow's edge by chance from sample to sample.

        Args:
            points: (N, 3).
            normals: (N, 3).
            through: (N,) 0 for what is opaque, up to 1 for leaves that light shines through.
            rng: Source of that chance.

        Returns:
            float32 (N,): the cosine of the sun's angle, 0 in shadow.
        """
        facing = (normals @ self.light.sun + through) / (1 + through)
        lit = np.nonzero((facing > 0) & (self.light.beam.max() > 0.1))[0]
        result = np.zeros(len(points), np.float32)
        if not len(lit):
            return result
        start = points[lit] + normals[lit] * np.float32(0.04)
        jitter = rng.uniform(-1, 1, (len(lit), 2)).astype(np.float32) * np.float32(self.light.softness)
        near = (np.abs(start[:, 0]) < 12) & (start[:, 2] < 32)
        hidden = np.zeros(len(lit), bool)
        hidden[near] = self.near.above(start[near], jitter[near]) > 0.05
        hidden[~near] = self.far.above(start[~near], jitter[~near] * 2) > 0.25
        result[lit] = np.where(hidden, 0, facing[lit])
        return result

    def openness(self, points: np.ndarray, normals: np.ndarray, rng: np.random.Generator, taps: int = 4) -> np.ndarray:
        """float32 (N,) in 0..1: how much of the sky a point sees past what stands higher around it."""
        start = points + normals * np.float32(0.05)
        hidden = np.zeros(len(points), np.float32)
        turn = rng.random(len(points), np.float32) * np.float32(2 * np.pi)
        for tap in range(taps):
            angle = turn + np.float32(2.4 * tap)  # the golden angle spreads the taps
            radius = np.float32(2.6) * ((tap + rng.random(len(points), np.float32)) / np.float32(taps)) ** 2
            jitter = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)
            aside = start + normals * (LEVEL * radius[:, None])
            rise = self.heights.above(aside, jitter)
            hidden += (rise / (rise.clip(0) + radius + np.float32(0.25))).clip(0, 1)
        return 1 - hidden / np.float32(taps)
