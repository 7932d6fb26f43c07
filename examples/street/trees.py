"""Trees in leaf and bare, hedges and shrubs."""

import numpy as np

from street.mesh import BARK, LEAF, TREE, Look, Mesh, join, linear, quads, triangles, tube

GREENS = ((0.28, 0.38, 0.13), (0.22, 0.34, 0.14), (0.36, 0.43, 0.17), (0.19, 0.29, 0.15), (0.44, 0.44, 0.16))
AUTUMN = ((0.62, 0.38, 0.10), (0.58, 0.26, 0.09), (0.60, 0.48, 0.14))
BARKS = ((0.30, 0.25, 0.20), (0.38, 0.34, 0.30), (0.24, 0.20, 0.17), (0.45, 0.42, 0.37))


def _leaves(centres: np.ndarray, normals: np.ndarray, size: float, colour: np.ndarray, rng) -> Mesh:
    """One ragged triangle for each leaf or spray of leaves; all (N, 3)."""
    corners = rng.normal(0, 1, (len(centres), 3, 3))
    corners *= (
        size / (np.linalg.norm(corners, axis=2, keepdims=True) + 1e-6) * rng.uniform(0.5, 1.1, (len(centres), 1, 1))
    )
    normals = normals + rng.normal(0, 0.35, normals.shape)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    mesh = triangles(centres[:, None] + corners, Look((0.2, 0.3, 0.1), TREE, LEAF))
    smooth = np.repeat(normals[:, None], 3, 1).astype(np.float32)
    return type(mesh)(**{**vars(mesh), "normals": smooth, "colour": linear(colour)})


class _Skeleton:
    """Trunk, branches and twigs, grown by recursion.

    Args:
        rng: Chooses every direction and length.
        bark: What they are made of.
    """

    def __init__(self, rng: np.random.Generator, bark: Look) -> None:
        self.rng, self.bark = rng, bark
        self.limbs: list[Mesh] = []
        self.twigs: list[tuple[np.ndarray, np.ndarray, float]] = []  # start, end, radius

    def grow(self, start, heading, length: float, radius: float, depth: int) -> None:
        """Add a branch and, from its outer half, its children, down to twigs at depth 1."""
        rng, steps = self.rng, 5 if depth > 1 else 3
        points = [np.asarray(start, float)]
        for _ in range(steps - 1):
            heading = _unit(heading + rng.normal(0, 0.11, 3) + [0, 0.05, 0])
            points.append(points[-1] + heading * length / (steps - 1))
        if depth == 1:
            self.twigs.append((points[0], points[-1], radius))
            return
        radii = np.linspace(radius, radius * 0.55, steps)
        self.limbs.append(tube(points, radii, self.bark, sides=7 if depth > 2 else 4))
        for child in range(int(rng.integers(3, 5)) if depth > 2 else 5):
            base = points[0] + (points[-1] - points[0]) * (rng.uniform(0.5, 1) if child else 1)
            spread = rng.normal(0, 0.62, 3) * [1, 0.45, 1] if child else rng.normal(0, 0.2, 3)
            aim, thinner = _unit(heading + spread + [0, 0.1, 0]), 0.42 if child else 0.56
            self.grow(base, aim, length * rng.uniform(0.58, 0.8), radius * thinner, depth - 1)

    def mesh(self) -> Mesh:
        """Limbs as tubes; twigs as slender triangles, since there are hundreds."""
        start, end, radius = (np.array(column) for column in zip(*self.twigs, strict=True))
        blades = []
        for side in ([1, 0, 0], [0, 0, 1]):
            across = np.array(side) * radius[:, None]
            blades.append(np.stack([start - across, start + across, end], 1))
        return join([*self.limbs, triangles(np.concatenate(blades), self.bark)])


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.sqrt(vector @ vector)


def tree(rng: np.random.Generator, height: float, leafy: float, detail: float = 1.0) -> Mesh:
    """A tree around the origin.

    Args:
        rng: Chooses its shape and colours.
        height: Metres.
        leafy: 0 bare, 1 in full leaf.
        detail: Fewer and larger leaves below 1, for trees far away.
    """
    skeleton = _Skeleton(rng, Look(BARKS[rng.integers(len(BARKS))], TREE, BARK))
    bare, trunk = leafy < 0.3, height * rng.uniform(0.26, 0.36)
    upright = np.array([rng.normal(0, 0.04), 1, rng.normal(0, 0.04)])
    thick, depth = (0.024, 5 if detail > 0.4 else 4) if bare else (0.021, 3)
    skeleton.grow((0, -0.1, 0), upright, trunk, height * thick, depth)
    tips = np.array([end for _, end, _ in skeleton.twigs])
    return join([skeleton.mesh(), _haze(tips, trunk) if bare else _crown(rng, height, trunk, tips, leafy, detail)])


def _crown(rng, height: float, trunk: float, tips: np.ndarray, leafy: float, detail: float) -> Mesh:
    """Clusters of leaves within an egg, most of them near its surface, and at the branches' tips."""
    count = int((46 + 5 * height) * (0.5 + 0.5 * leafy))
    middle = np.array([0, (height + trunk * 0.75) / 2, 0])
    radii = np.array([height * rng.uniform(0.26, 0.36), (height - trunk * 0.75) / 2, height * rng.uniform(0.26, 0.36)])
    outward = rng.normal(0, 1, (count, 3))
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    shell = rng.uniform(0.45, 0.95, (count, 1)) ** 0.6
    centres = np.concatenate([middle + outward * shell * radii * [1, 0.9, 1], tips[: count // 3]])
    size = height * rng.uniform(0.055, 0.10, (len(centres), 1))
    each = max(6, int(75 * detail * (0.35 + 0.65 * leafy)))
    offsets = rng.normal(0, 1, (len(centres), each, 3))
    offsets /= np.linalg.norm(offsets, axis=2, keepdims=True) / rng.uniform(0.3, 1, (len(centres), each, 1)) ** 0.4
    spots = (centres[:, None] + offsets * size[:, None] * [1.25, 0.8, 1.25]).reshape(-1, 3)
    normals = offsets.reshape(-1, 3) * 0.8 + np.repeat((centres - middle) / radii, each, 0) * 0.7 + [0, 0.25, 0]
    palette = AUTUMN if leafy < 0.7 and rng.random() < 0.5 else GREENS
    base = np.array(palette[rng.integers(len(palette))]) * rng.uniform(0.8, 1.1)
    tone = np.repeat(rng.uniform(0.86, 1.14, (len(centres), 1)), each, 0) * rng.uniform(0.8, 1.2, (len(spots), 1))
    inner = 0.72 + 0.28 * (offsets.reshape(-1, 3)[:, 1:2] * 0.5 + 0.5)
    leaf = 0.052 * height**0.5 / detail**0.5
    leaves = _leaves(spots, normals, leaf, (base * tone * inner).clip(0.01, 1), rng)
    return join([leaves, _gaps(centres, size * 0.8)])


def _gaps(centres: np.ndarray, size: np.ndarray) -> Mesh:
    """What shows between leaves counts as tree, as annotators draw it: two crossed veils in each cluster."""
    corners = np.array([[-1, -0.7], [1, -0.7], [1, 0.7], [-1, 0.7]]) * size[:, None]
    flat = np.insert(corners, 2, 0, 2) + centres[:, None]
    deep = np.insert(corners[..., ::-1], 0, 0, 2) + centres[:, None]
    return quads(np.concatenate([flat, deep]), Look((0, 0, 0), TREE, veil=True))


def _haze(tips: np.ndarray, trunk: float) -> Mesh:
    """What annotators take for a bare crown: in the mask, a small blot at each twig's end."""
    offsets = np.array(
        [[[-0.3, -0.2, 0.1], [0.35, -0.15, -0.1], [0, 0.35, 0.1]], [[0.1, -0.3, -0.3], [0, -0.1, 0.35], [-0.1, 0.3, 0]]]
    )
    corners = (tips[:, None, None] + offsets * trunk * 0.35).reshape(-1, 3, 3)
    return triangles(corners, Look((0, 0, 0), TREE, veil=True))


def hedge(rng: np.random.Generator, length: float, height: float, depth: float, detail: float = 1.0) -> Mesh:
    """A hedge along z from 0 to its length, across x from 0 to its depth."""
    count = int(length * height * 190 * detail) + 30
    spots = rng.uniform(0, 1, (count, 3)) * [depth, height, length]
    face = rng.integers(0, 3, count)
    spots[face == 0, 0] = rng.choice([0.0, depth], (face == 0).sum())
    spots[face == 1, 1] = height
    normals = np.zeros((count, 3))
    normals[:, 0] = np.where(face == 0, np.sign(spots[:, 0] - depth / 2), 0)
    normals[:, 1] = np.where(face == 1, 1, 0.35)
    spots += rng.normal(0, 0.06, spots.shape)
    base = np.array(GREENS[rng.integers(len(GREENS))]) * 0.9
    leaf = 0.11 / max(detail, 0.1) ** 0.5
    core = np.array([[0.08, 0, 0], [0.08, height * 0.94, 0], [0.08, height * 0.94, length], [0.08, 0, length]])
    walls = np.stack([core, core + np.array([depth - 0.16, 0, 0])])
    inner = triangles(walls[:, [[0, 1, 2], [0, 2, 3]]].reshape(-1, 3, 3), Look((0.10, 0.14, 0.06), TREE))
    colours = (base * rng.uniform(0.7, 1.25, (count, 1))).clip(0, 1)
    return join([_leaves(spots, normals, leaf, colours, rng), inner])
