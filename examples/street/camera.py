"""The camera: where it stands, how it looks, and what of a mesh it sees."""

from dataclasses import dataclass

import numpy as np

from street.mesh import Mesh, cross, dot
from street.raster import clip_near, cover

NEAR = 0.15


@dataclass(frozen=True)
class Camera:
    """A pinhole camera.

    Attributes:
        position: Metres.
        yaw: Radians to the right of the z axis.
        pitch: Radians upwards.
        roll: Radians clockwise.
        view: Horizontal angle of view in radians.
    """

    position: tuple[float, float, float]
    yaw: float
    pitch: float
    roll: float
    view: float

    def axes(self) -> np.ndarray:
        """(3, 3): right, down and forward as rows."""
        cy, sy, cp, sp = np.cos(self.yaw), np.sin(self.yaw), np.cos(self.pitch), np.sin(self.pitch)
        forward = np.array([sy * cp, sp, cy * cp])
        right = np.array([cy, 0, -sy])
        down = np.array([sy * sp, -cp, cy * sp])
        cr, sr = np.cos(self.roll), np.sin(self.roll)
        return np.stack([cr * right + sr * down, cr * down - sr * right, forward]).astype(np.float32)

    def lens(self, size: tuple[int, int]) -> np.ndarray:
        """(3, 3): world offsets from the camera -> homogeneous samples, as columns x, y and depth."""
        width, height = size
        focal = width / 2 / np.tan(self.view / 2)
        matrix = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]], np.float32)
        return (matrix @ self.axes()).T.astype(np.float32)

    def rays(self, size: tuple[int, int]) -> np.ndarray:
        """float32 (H, W, 3): the world's direction at each sample, of length 1 along the optical axis."""
        width, height = size
        x, y = np.meshgrid(np.arange(width, dtype=np.float32) + 0.5, np.arange(height, dtype=np.float32) + 0.5)
        back = np.linalg.inv(self.lens(size).astype(np.float64)).astype(np.float32)
        return np.stack([x, y, np.ones_like(x)], 2) @ back


def dash_camera(rng: np.random.Generator, lane: float) -> Camera:
    """A random camera behind a windscreen: near the middle of its lane, at a car's height, more or less level."""
    return Camera(
        position=(lane + float(rng.normal(0, 0.4)), float(rng.uniform(1.15, 1.9)), 0.0),
        yaw=float(rng.normal(0, 0.09)),
        pitch=float(rng.normal(0.01, 0.035)),
        roll=float(rng.normal(0, 0.015)),
        view=float(np.deg2rad(rng.uniform(48, 74))),
    )


@dataclass(frozen=True)
class Seen:
    """What a camera sees of a mesh.

    Attributes:
        triangle: int32 (H, W), -1 for the sky.
        label: uint8 (H, W), veils included.
        depth: float32 (H, W) metres along the optical axis, infinite for the sky.
        weights: float32 (T, 3, 3): homogeneous sample -> barycentric weights over depth.
    """

    triangle: np.ndarray
    label: np.ndarray
    depth: np.ndarray
    weights: np.ndarray


def look(camera: Camera, mesh: Mesh, size: tuple[int, int]) -> Seen:
    """Rasterise a mesh as the camera sees it, with width and height in samples."""
    corners = (mesh.corners - np.asarray(camera.position, np.float32)) @ camera.lens(size)
    with np.errstate(all="ignore"):
        weights = _inverses(corners)
        planes = weights[..., 0] + weights[..., 1] + weights[..., 2]
    pieces, source = clip_near(corners, NEAR)
    points, planes = pieces[..., :2] / pieces[..., 2:], planes[source]
    solid = ~mesh.veil[source] & np.isfinite(planes).all(1)
    veil = mesh.veil[source] & np.isfinite(planes).all(1)
    triangle, nearness = cover(points[solid], planes[solid], size)
    triangle = np.where(triangle < 0, -1, source[solid][triangle])
    label = np.where(triangle < 0, 0, mesh.label[triangle]).astype(np.uint8)
    if veil.any():
        over, near = cover(points[veil], planes[veil], size)
        hidden = near > nearness
        label[hidden] = mesh.label[source[veil][over[hidden]]]
    with np.errstate(divide="ignore"):
        return Seen(triangle, label, 1 / nearness, weights)


def _inverses(matrices: np.ndarray) -> np.ndarray:
    """(T, 3, 3) inverses, by cross products; not finite where a triangle is seen from its edge.

    In double precision: the determinant of a leaf 100 m away is the difference of numbers a million times as large.
    """
    a, b, c = np.moveaxis(matrices.astype(np.float64), 1, 0)
    columns = np.stack([cross(b, c), cross(c, a), cross(a, b)], 2)
    return (columns / dot(a, columns[:, :, 0])[:, None, None]).astype(np.float32)
