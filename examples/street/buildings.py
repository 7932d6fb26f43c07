"""Houses: facades, roofs, chimneys, ledges, shop signs and awnings; the street runs along z, a house faces -x."""

from itertools import pairwise

import numpy as np

from street import pictures
from street.facades import Facade
from street.mesh import BUILDING, FACADE, PICTURE, PLAIN, ROOF, SIGN, Look, Mesh, box, join, quads, triangles, tube

BRICKS = ((0.55, 0.33, 0.25), (0.62, 0.44, 0.33), (0.72, 0.62, 0.46), (0.44, 0.27, 0.22), (0.66, 0.56, 0.42))
PLASTERS = (
    *((0.86, 0.84, 0.78), (0.80, 0.72, 0.58), (0.74, 0.78, 0.76), (0.88, 0.80, 0.62), (0.78, 0.62, 0.52)),
    *((0.66, 0.70, 0.74), (0.90, 0.89, 0.87), (0.68, 0.52, 0.44), (0.62, 0.63, 0.62), (0.82, 0.70, 0.66)),
)
TILES = ((0.46, 0.28, 0.21), (0.30, 0.30, 0.32), (0.38, 0.25, 0.21), (0.25, 0.26, 0.29))
WOODWORK = tuple(tuple(c / 255 for c in colour) for colour in pictures.SHOP_COLOURS)


def facade(rng: np.random.Generator, height: float, shop: bool, modern: bool) -> Facade:
    """A random front for a house of that height."""
    brick = rng.random() < (0.25 if modern else 0.5)
    walls = BRICKS if brick else PLASTERS
    wall = np.array(walls[rng.integers(len(walls))]) * rng.uniform(0.82, 1.08)
    storey = float(rng.uniform(2.8, 3.4))
    ground = min(float(rng.uniform(3.4, 4.2)) if shop else storey, height)
    frame = (0.9, 0.9, 0.88) if rng.random() < 0.75 else (0.22, 0.22, 0.24)
    return Facade(
        wall=tuple(wall.clip(0, 0.93)),
        frame=frame,
        brick=1.0 if brick else float(rng.choice([0.0, 0.4], p=[0.75, 0.25])),
        block=0.085 if brick else 0.42,
        storey=storey,
        bay=float(rng.uniform(1.7, 2.4) if modern else rng.uniform(2.1, 3.2)),
        wide=float(rng.uniform(0.62, 0.9) if modern else rng.uniform(0.36, 0.52)),
        tall=float(rng.uniform(0.5, 0.7)),
        ground=ground,
        shop=shop,
        shop_colour=WOODWORK[rng.integers(len(WOODWORK))],
        panes=int(rng.integers(1, 4)),
        blank=False,
        top=height - 0.35,
        seed=int(rng.integers(1, 4000)),
    )


def house(rng: np.random.Generator, width: float, depth: float, height: float, front: Facade, row: int) -> Mesh:
    """A house with its front in the plane x = 0, along z from 0 to its width.

    Args:
        rng: Chooses roof and trim.
        width: Metres along the street.
        depth: Metres away from it.
        height: Metres to the eaves.
        front: The facade, whose row in the scene's table is `row`; row + 1 is that of the side walls.
        row: See `front`.
    """
    wall = Look(front.wall, BUILDING, FACADE, row)
    side = Look(front.wall, BUILDING, FACADE, row + 1)
    face = [(0, 0, 0), (0, 0, width), (0, height, width), (0, height, 0)]
    parts = [quads([face], wall, [[(0, 0), (width, 0), (width, height), (0, height)]])]
    for z in (0, width):
        edge = [(0, 0, z), (depth, 0, z), (depth, height, z), (0, height, z)]
        parts.append(quads([edge], side, [[(0, 0), (depth, 0), (depth, height), (0, height)]]))
    stone = Look(tuple(0.5 * np.array(front.wall) + 0.5 * np.array(front.frame) * 0.85), BUILDING)
    modern = front.wide > 0.6
    parts += (
        _flat_roof(height, width, depth, stone)
        if modern or rng.random() < 0.2
        else _pitched_roof(rng, height, width, depth, side)
    )
    for level in (1, 2, 3):
        y = front.ground + (level - 1) * front.storey
        if y < height - 1 and rng.random() < (0.6 if level == 1 else 0.25):
            parts.append(box((-0.09, y - 0.08, 0), (0.02, y + 0.1, width), stone))
    if front.shop:
        parts += _shop(rng, width, front)
    if rng.random() < 0.6:
        z = width - 0.2
        parts.append(tube([(-0.07, 0, z), (-0.07, height, z)], 0.05, Look((0.25, 0.25, 0.26), BUILDING), 5))
    return join(parts)


def _flat_roof(height: float, width: float, depth: float, stone: Look) -> list[Mesh]:
    """A cornice and a lid."""
    lid = [(0, height, 0), (depth, height, 0), (depth, height, width), (0, height, width)]
    return [box((-0.22, height - 0.22, -0.03), (0.1, height + 0.12, width + 0.03), stone), quads([lid], stone)]


def _pitched_roof(rng: np.random.Generator, height: float, width: float, depth: float, side: Look) -> list[Mesh]:
    """Slopes of tiles with gables, chimneys and now and then dormers."""
    tiles = Look(TILES[rng.integers(len(TILES))], BUILDING, ROOF, int(rng.integers(1000)))
    rise, middle = float(rng.uniform(0.45, 0.75)) * depth / 2, depth / 2
    length = float(np.hypot(rise, middle))
    slope = [
        (-0.3, height - 0.1, -0.05),
        (-0.3, height - 0.1, width + 0.05),
        (middle, height + rise, width + 0.05),
        (middle, height + rise, -0.05),
    ]
    back = [(depth, height, 0), (depth, height, width), (middle, height + rise, width), (middle, height + rise, 0)]
    uv = [(0, 0), (width, 0), (width, length), (0, length)]
    parts = [quads([slope, back], tiles, [uv, uv])]
    for z in (0, width):
        gable = np.array([[(0, height, z), (depth, height, z), (middle, height + rise, z)]])
        parts.append(triangles(gable, side, uv=np.stack([gable[..., 0], gable[..., 1]], -1)))
    gutter = Look((0.2, 0.2, 0.21), BUILDING)
    parts.append(box((-0.4, height - 0.2, 0), (-0.26, height - 0.06, width), gutter))
    for z in (0.1, width - 0.9):
        if rng.random() < 0.55:
            parts += _chimney(rng, middle, height + rise, z, side)
    if rng.random() < 0.35 and rise > 1.6:
        parts += _dormers(width, height, rise, middle, tiles)
    return parts


def _chimney(rng: np.random.Generator, x: float, y: float, z: float, side: Look) -> list[Mesh]:
    brick = Look(BRICKS[rng.integers(len(BRICKS))], BUILDING, FACADE, side.detail)
    parts = [box((x - 0.45, y - 1, z), (x + 0.45, y + 1.1, z + 0.8), brick)]
    pot = Look((0.6, 0.36, 0.26), BUILDING)
    return parts + [
        tube([(x + dx, y + 1.1, z + 0.4), (x + dx, y + 1.5, z + 0.4)], 0.12, pot, 6) for dx in (-0.22, 0.22)
    ]


def _dormers(width: float, height: float, rise: float, middle: float, tiles: Look) -> list[Mesh]:
    """Windows that stand up from the slope."""
    parts, pane = [], Look((0.05, 0.06, 0.07), BUILDING, PLAIN)
    for z in np.arange(1.6, width - 1.4, 3.0):
        x, y = middle * 0.3, height + rise * 0.22
        parts.append(box((x, y - 0.3, z - 0.6), (middle, y + 1.2, z + 0.6), Look((0.75, 0.74, 0.70), BUILDING)))
        parts.append(box((x - 0.02, y + 0.1, z - 0.42), (x, y + 1.0, z + 0.42), pane))
        parts.append(box((x - 0.2, y + 1.2, z - 0.75), (middle, y + 1.3, z + 0.75), Look(tiles.colour, BUILDING)))
    return parts


def _shop(rng: np.random.Generator, width: float, front: Facade) -> list[Mesh]:
    """A sign over the windows, often an awning, sometimes a sign that sticks out."""
    y, board = front.ground - 0.68, Look(front.shop_colour, BUILDING)
    parts = [box((-0.12, y, 0.05), (0.02, y + 0.62, width - 0.05), board)]
    index = int(rng.integers(len(pictures.SHOPS)))
    match = [i for i in range(len(pictures.SHOPS)) if WOODWORK[i % len(WOODWORK)] == front.shop_colour]
    index = match[index % len(match)] if match else index
    half = min(width * 0.42, 1.35)
    middle = width / 2
    ends = (middle + half, middle - half)
    corners = [
        (-0.125, y + 0.03, ends[0]),
        (-0.125, y + 0.03, ends[1]),
        (-0.125, y + 0.59, ends[1]),
        (-0.125, y + 0.59, ends[0]),
    ]
    parts.append(quads([corners], Look((1, 1, 1), BUILDING, PICTURE), [pictures.shop(index)]))
    if rng.random() < 0.4:
        parts += _awning(rng, width, y)
    if rng.random() < 0.35:
        z = float(rng.uniform(0.3, width - 0.3))
        plate = Look((1, 1, 1), SIGN, PICTURE)
        low, high = (-0.95, y + 0.75), (-0.15, y + 1.25)
        face = np.array([(low[0], low[1], z), (high[0], low[1], z), (high[0], high[1], z), (low[0], high[1], z)])
        both = [face - [0, 0, 0.03], face[[1, 0, 3, 2]] + [0, 0, 0.03]]  # each side can be read
        parts.append(quads(both, plate, [pictures.shop(index)] * 2))
    return parts


def _awning(rng: np.random.Generator, width: float, y: float) -> list[Mesh]:
    """Striped cloth on a slope."""
    stripe = WOODWORK[rng.integers(len(WOODWORK))]
    out, drop = float(rng.uniform(0.9, 1.4)), float(rng.uniform(0.5, 0.8))
    edges = np.linspace(0.2, width - 0.2, max(2, int(width / 0.4)))
    parts = []
    for index, (z0, z1) in enumerate(pairwise(edges)):
        cloth = Look(stripe if index % 2 else (0.88, 0.86, 0.80), BUILDING)
        slope = [(-0.12, y + 0.02, z0), (-0.12, y + 0.02, z1), (-out, y - drop, z1), (-out, y - drop, z0)]
        lip = [(-out, y - drop, z0), (-out, y - drop, z1), (-out, y - drop - 0.2, z1), (-out, y - drop - 0.2, z0)]
        parts.append(quads([slope, lip], cloth))
    return parts
