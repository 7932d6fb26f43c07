"""Meshes as triangle soups, and the few solids that everything in a street is built from."""

from dataclasses import dataclass, fields, replace

import numpy as np

PLAIN, ROAD, PAVEMENT, GRASS, FACADE, ROOF, LEAF, PAINT, GLASS, BARK, PICTURE, LAMP = range(12)
"""Materials: how `street.materials` colours a surface."""

SKY, BUILDING, POLE, STREET, SIDEWALK, TREE, SIGN, FENCE, CAR, PEDESTRIAN, BICYCLIST = range(11)
"""The ids of `segcli.labels.CAMVID`."""


@dataclass(frozen=True)
class Look:
    """What a surface is made of.

    Attributes:
        colour: Albedo as sRGB in 0..1.
        label: Class id.
        material: One of the materials above.
        detail: What else the material needs: the row of a facade in the scene's table.
        veil: Seen in the mask only, such as the gaps of a railing, which annotators give to the fence.
    """

    colour: tuple[float, float, float]
    label: int
    material: int = PLAIN
    detail: int = 0
    veil: bool = False


@dataclass(frozen=True)
class Mesh:
    """T triangles with nothing shared; x is right, y up and z forward, in metres.

    Attributes:
        corners: float32 (T, 3, 3), triangle, corner, axis.
        normals: float32 (T, 3, 3), one a corner, on the same side as the triangle's own.
        uv: float32 (T, 3, 2): metres on the surface, or pixels of the picture atlas.
        colour: float32 (T, 3), linear albedo.
        material: uint8 (T,).
        label: uint8 (T,).
        detail: int32 (T,).
        veil: bool (T,).
    """

    corners: np.ndarray
    normals: np.ndarray
    uv: np.ndarray
    colour: np.ndarray
    material: np.ndarray
    label: np.ndarray
    detail: np.ndarray
    veil: np.ndarray

    def __len__(self) -> int:
        return len(self.corners)

    def moved(self, offset=(0, 0, 0), yaw: float = 0.0, scale: float = 1.0) -> "Mesh":
        """Scaled, turned about the vertical (0 keeps z forward, positive turns it to the right), then shifted."""
        cos, sin = np.cos(yaw), np.sin(yaw)
        turn = np.array([[cos, 0, -sin], [0, 1, 0], [sin, 0, cos]], np.float32)
        corners = self.corners @ (turn * np.float32(scale)) + np.asarray(offset, np.float32)
        return replace(self, corners=corners, normals=self.normals @ turn)

    def bent(self, curve: float, hill: float) -> "Mesh":
        """Led into a curve and over a hill from z = 0 on, whose second derivatives these are."""
        corners = self.corners.copy()
        ahead = corners[..., 2].clip(0)
        corners[..., 0] += curve * ahead**2 / 2
        corners[..., 1] += hill * ahead**2 / 2
        return replace(self, corners=corners)

    def tinted(self, colour: np.ndarray) -> "Mesh":
        """With linear albedos (T, 3) of its own."""
        return replace(self, colour=colour.astype(np.float32))


def linear(colour) -> np.ndarray:
    """Linear light from sRGB in 0..1."""
    return np.asarray(colour, np.float32) ** np.float32(2.2)


def dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(N,) inner products of vectors (N, 3); einsum, since numpy sums short axes slowly."""
    return np.einsum("ij,ij->i", a, b)


def cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Outer products of vectors (..., 3); numpy's own takes five times as long on short arrays."""
    (ax, ay, az), (bx, by, bz) = (np.moveaxis(vectors, -1, 0) for vectors in (a, b))
    return np.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], -1)


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors (N, 3) shrunk to length 1."""
    return vectors / (np.sqrt(dot(vectors, vectors)) + np.float32(1e-9))[:, None]


def join(meshes) -> Mesh:
    """Several meshes as one."""
    meshes = list(meshes)
    return Mesh(**{f.name: np.concatenate([getattr(mesh, f.name) for mesh in meshes]) for f in fields(Mesh)})


def triangles(corners: np.ndarray, look: Look, normals: np.ndarray | None = None, uv: np.ndarray | None = None) -> Mesh:
    """Triangles (T, 3, 3) of one look; flat and without uv unless given."""
    corners = np.asarray(corners, np.float32)
    count = len(corners)
    flat = unit(cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]))
    if normals is None:
        normals = np.repeat(flat[:, None], 3, 1)
    else:
        against = np.einsum("tkx,tx->tk", normals, flat) < 0
        normals = np.where(against[..., None], -normals, normals)
    return Mesh(
        corners,
        normals.astype(np.float32),
        np.zeros((count, 3, 2), np.float32) if uv is None else np.asarray(uv, np.float32),
        np.tile(linear(look.colour), (count, 1)),
        np.full(count, look.material, np.uint8),
        np.full(count, look.label, np.uint8),
        np.full(count, look.detail, np.int32),
        np.full(count, look.veil),
    )


def quads(points, look: Look, uv=None) -> Mesh:
    """Flat quadrilaterals (Q, 4, 3), corners in turn, with uv (Q, 4, 2)."""
    halves = [[0, 1, 2], [0, 2, 3]]
    points = np.asarray(points, np.float32)[:, halves].reshape(-1, 3, 3)
    return triangles(points, look, uv=None if uv is None else np.asarray(uv, np.float32)[:, halves].reshape(-1, 3, 2))


def box(low, high, look: Look) -> Mesh:
    """A box between two corners, its uv in metres along each face."""
    (x0, y0, z0), (x1, y1, z1) = low, high
    points = [
        [(x0, y0, z0), (x0, y0, z1), (x0, y1, z1), (x0, y1, z0)],
        [(x1, y0, z0), (x1, y0, z1), (x1, y1, z1), (x1, y1, z0)],
        [(x0, y0, z0), (x1, y0, z0), (x1, y1, z0), (x0, y1, z0)],
        [(x0, y0, z1), (x1, y0, z1), (x1, y1, z1), (x0, y1, z1)],
        [(x0, y1, z0), (x1, y1, z0), (x1, y1, z1), (x0, y1, z1)],
        [(x0, y0, z0), (x1, y0, z0), (x1, y0, z1), (x0, y0, z1)],
    ]
    axes = [(2, 1), (2, 1), (0, 1), (0, 1), (0, 2), (0, 2)]
    uv = [[[corner[u], corner[v]] for corner in face] for face, (u, v) in zip(points, axes, strict=True)]
    return quads(points, look, uv)


def surface(points: np.ndarray, looks) -> Mesh:
    """A smooth surface over a grid of points.

    Args:
        points: (R, C, 3).
        looks: One look, or a function (row, column) -> look for each of the (R - 1) x (C - 1) cells.
    """
    points = np.asarray(points, np.float32)
    rows, columns = points.shape[0] - 1, points.shape[1] - 1
    normals = _grid_normals(points)
    corner, normal = _cells(points), _cells(normals)
    if isinstance(looks, Look):
        return triangles(corner, looks, normal)
    cells = np.array([[looks(i, j) for j in range(columns)] for i in range(rows)], object).repeat(2)
    parts = []
    for look in dict.fromkeys(cells):
        chosen = np.array([cell is look or cell == look for cell in cells])
        parts.append(triangles(corner[chosen], look, normal[chosen]))
    return join(parts)


def _cells(grid: np.ndarray) -> np.ndarray:
    """Two triangles (2 (R - 1) (C - 1), 3, K) for each cell of a grid (R, C, K)."""
    a, b, c, d = grid[:-1, :-1], grid[:-1, 1:], grid[1:, 1:], grid[1:, :-1]
    return np.stack([a, b, c, a, c, d], 2).reshape(-1, 3, grid.shape[2])


def _grid_normals(points: np.ndarray) -> np.ndarray:
    """Unit normals (R, C, 3) of a grid; a seam whose two edges coincide is smooth."""
    along = np.gradient(points, axis=0)
    across = np.gradient(points, axis=1)
    if np.abs(points[:, 0] - points[:, -1]).max() < 1e-4:
        across[:, [0, -1]] = ((points[:, 1] - points[:, -2]) / 2)[:, None]
    normals = cross(along, across).reshape(-1, 3)
    lost = dot(normals, normals) < 1e-18  # the pole of a ball: a row shrunk to a point
    outward = points.reshape(-1, 3) - points.mean((0, 1))
    normals[lost] = outward[lost]
    return (normals / (np.sqrt(dot(normals, normals)) + 1e-12)[:, None]).reshape(points.shape)


def tube(path, radii, look: Look, sides: int = 8) -> Mesh:
    """A round limb along a path (N, 3) with a radius at each point, open at its ends."""
    path = np.asarray(path, np.float32)
    radii = np.broadcast_to(np.asarray(radii, np.float32), len(path))
    forward = np.gradient(path, axis=0)
    forward = unit(forward)
    helper = np.where(np.abs(forward[:, 1:2]) > 0.9, [[1.0, 0, 0]], [[0, 1.0, 0]])
    side = unit(cross(forward, helper))
    up = cross(side, forward)
    angle = np.linspace(0, 2 * np.pi, sides + 1)
    ring = side[:, None] * np.cos(angle)[:, None] + up[:, None] * np.sin(angle)[:, None]
    return surface(path[:, None] + ring * radii[:, None, None], look)


def limb(start, end, radius: float, look: Look, tip: float | None = None, sides: int = 8) -> Mesh:
    """A tapering limb with rounded ends."""
    start, end = np.asarray(start, np.float32), np.asarray(end, np.float32)
    tip = radius if tip is None else tip
    axis = (end - start) / (np.linalg.norm(end - start) + 1e-9)
    path = [start - axis * radius * 0.9, start - axis * radius * 0.5, start, end, end + axis * tip * 0.5]
    path.append(end + axis * tip * 0.9)
    return tube(path, [radius * 0.3, radius * 0.85, radius, tip, tip * 0.85, tip * 0.3], look, sides)


def ball(centre, radii, look: Look, rings: int = 8, sides: int = 10) -> Mesh:
    """An ellipsoid."""
    polar = np.linspace(0, np.pi, rings + 1)[:, None]
    angle = np.linspace(0, 2 * np.pi, sides + 1)[None]
    unit = np.stack(np.broadcast_arrays(np.sin(polar) * np.cos(angle), np.cos(polar), np.sin(polar) * np.sin(angle)), 2)
    return surface(np.asarray(centre, np.float32) + unit * np.asarray(radii, np.float32), look)


def disc(centre, radius: float, look: Look, axis: int = 0, sides: int = 20, inner: float = 0.0) -> Mesh:
    """A flat disc or ring across an axis."""
    angle = np.linspace(0, 2 * np.pi, sides + 1)
    around = np.insert(np.stack([np.cos(angle), np.sin(angle)], 1), axis, 0, 1)
    points = np.asarray(centre, np.float32) + around * radius
    core = np.asarray(centre, np.float32) + around * inner
    return quads(np.stack([points[:-1], points[1:], core[1:], core[:-1]], 1), look)
