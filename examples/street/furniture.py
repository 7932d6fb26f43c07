"""What stands on pavements: lamp posts, traffic signs and lights, fences, bollards; a street side faces -x."""

import numpy as np

from street import pictures
from street.mesh import (
    BUILDING,
    FENCE,
    LAMP,
    PICTURE,
    POLE,
    SIGN,
    Look,
    Mesh,
    ball,
    box,
    disc,
    join,
    quads,
    triangles,
    tube,
)

STEEL = ((0.42, 0.44, 0.45), (0.16, 0.18, 0.17), (0.55, 0.56, 0.55), (0.10, 0.16, 0.12))


def lamp_post(rng: np.random.Generator, height: float, lit: bool) -> Mesh:
    """A lamp on a post whose arm reaches over the road, towards -x."""
    steel = Look(STEEL[rng.integers(len(STEEL))], POLE)
    glow = Look((1.0, 0.86, 0.6), POLE, LAMP, 600 if lit else 5)
    parts = [tube([(0, 0, 0), (0, 0.9, 0), (0, 1.0, 0), (0, height, 0)], [0.11, 0.11, 0.075, 0.05], steel)]
    if height < 5:
        parts += [
            ball((0, height + 0.2, 0), (0.2, 0.24, 0.2), Look((0.9, 0.88, 0.8), POLE, LAMP, 500 if lit else 20), 6, 8)
        ]
        return join([*parts, ball((0, height + 0.44, 0), (0.16, 0.06, 0.16), steel, 4, 8)])
    reach = float(rng.uniform(0.8, 2.0))
    bend = np.linspace(0, 1, 6)
    path = np.stack([-reach * bend**1.4, height + 0.5 * np.sin(bend * np.pi / 2), 0 * bend], 1)
    parts.append(tube(path, np.linspace(0.05, 0.035, 6), steel, 6))
    x, y = -reach - 0.25, height + 0.52
    parts += [ball((x, y, 0), (0.36, 0.075, 0.13), steel, 5, 8), ball((x, y - 0.05, 0), (0.26, 0.045, 0.1), glow, 4, 8)]
    return join(parts)


def traffic_sign(rng: np.random.Generator, name: str | None = None) -> Mesh:
    """A sign on a post, facing -z."""
    name = name or str(rng.choice(pictures.SIGNS))
    height = float(rng.uniform(2.1, 2.6))
    grey = Look(STEEL[0 if rng.random() < 0.7 else 1], POLE)
    parts = [tube([(0, 0, 0), (0, height + 0.55, 0)], 0.035, grey, 6)]
    around = {"warn": 3, "bump": 3, "yield": -3, "park": 4, "cross": 4, "dead": 4, "stop": 8}.get(name, 24)
    parts += _plate(pictures.sign(name), around, (0, height + 0.2, -0.05), float(rng.uniform(0.3, 0.42)))
    if rng.random() < 0.3:
        parts += _plate(pictures.sign(str(rng.choice(pictures.SIGNS[:3]))), 24, (0, height - 0.5, -0.05), 0.26)
    return join(parts)


def _plate(cell: np.ndarray, around: int, centre, radius: float) -> list[Mesh]:
    """A sign's face cut from its picture, and its grey back: 3 corners, -3 on their head, 4, 8 or round."""
    count = abs(around)
    start = {3: np.pi / 2, -3: -np.pi / 2, 4: np.pi / 4, 8: np.pi / 8}.get(around, 0)
    angle = start + np.arange(count + 1) * 2 * np.pi / count
    x, y = np.cos(angle), np.sin(angle)
    if count == 3:
        x, y = x * 1.15, y * 1.1
    fan = np.stack([x, y], 1)
    points = np.concatenate([fan[:-1, None], fan[1:, None], np.zeros((count, 1, 2))], 1)
    middle, half = cell.mean(0), (cell[2] - cell[0]) / 2
    uv = (middle + points.clip(-1, 1) * half * 0.97).astype(np.float32)
    face = np.concatenate([points * radius, np.zeros((count, 3, 1))], 2) + np.array(centre)
    back = face * [1.03, 1, 1] + [0, 0, 0.02]
    return [triangles(face, Look((1, 1, 1), SIGN, PICTURE), uv=uv), triangles(back, Look((0.5, 0.5, 0.5), SIGN))]


def board(rng: np.random.Generator) -> Mesh:
    """A direction board or a poster on two legs, facing -z."""
    index, wide = int(rng.choice([0, 1, 2, 4, 5, 6])), float(rng.uniform(1.0, 2.0))
    low = 0.5 if index % 2 else float(rng.uniform(1.6, 2.3))
    grey = Look(STEEL[0], POLE)
    parts = [tube([(x, 0, 0), (x, low + wide * 0.5, 0)], 0.045, grey, 6) for x in (-wide * 0.38, wide * 0.38)]
    parts.append(box((-wide / 2, low, -0.04), (wide / 2, low + wide / 2, -0.02), Look((0.45, 0.45, 0.46), SIGN)))
    face = [
        (-wide / 2, low, -0.05),
        (wide / 2, low, -0.05),
        (wide / 2, low + wide / 2, -0.05),
        (-wide / 2, low + wide / 2, -0.05),
    ]
    return join([*parts, quads([face], Look((1, 1, 1), SIGN, PICTURE), [pictures.board(index)])])


def traffic_light(rng: np.random.Generator, state: int) -> Mesh:
    """A traffic light facing -z: state 0 red, 1 amber, 2 green."""
    post, black = Look(STEEL[rng.integers(2)], POLE), Look((0.05, 0.05, 0.05), SIGN)
    parts = [tube([(0, 0, 0), (0, 2.5, 0)], 0.06, post), box((-0.19, 2.3, -0.24), (0.19, 3.35, -0.02), black)]
    colours = ((0.95, 0.10, 0.06), (1.0, 0.62, 0.05), (0.10, 0.95, 0.45))
    for index, colour in enumerate(colours):
        on = index == state
        lens = Look(colour if on else tuple(0.12 * c for c in colour), SIGN, LAMP, 400 if on else 0)
        y = 3.16 - 0.33 * index
        parts.append(disc((0, y, -0.25), 0.115, lens, axis=2, sides=12))
        parts.append(_hood(y, black))
    return join(parts)


def _hood(y: float, look: Look) -> Mesh:
    """The shade over a lamp."""
    angle = np.linspace(0.2, np.pi - 0.2, 7)
    arcs = [np.stack([0.135 * np.cos(angle), y + 0.135 * np.sin(angle), z + 0 * angle], 1) for z in (-0.24, -0.40)]
    return quads(np.stack([arcs[0][:-1], arcs[0][1:], arcs[1][1:], arcs[1][:-1]], 1), look)


def fence(rng: np.random.Generator, length: float, kind: str | None = None) -> Mesh:
    """A fence along z: railings, planks, or crash barriers; gaps count as fence, as annotators draw them."""
    kind = kind or str(rng.choice(["railing", "railing", "planks", "guard"]))
    height = {"railing": float(rng.uniform(0.95, 1.3)), "planks": float(rng.uniform(1.2, 1.8)), "guard": 1.0}[kind]
    posts = [
        box((-0.04, 0, z - 0.04), (0.04, height + 0.05, z + 0.04), Look(STEEL[1], FENCE))
        for z in np.arange(0, length + 0.1, 2.0)
    ]
    if kind == "planks":
        edges, wood = np.arange(0, length, 0.14), np.array((0.42, 0.30, 0.20)) * rng.uniform(0.7, 1.3)
        colours = [Look(tuple(wood * shade), FENCE) for shade in (0.85, 1.0, 1.12)]
        boards = [box((-0.05, 0.05, z), (-0.02, height, z + 0.125), colours[rng.integers(3)]) for z in edges]
        return join([*posts, *boards])
    steel = Look(STEEL[rng.integers(len(STEEL))], FENCE)
    bars = [box((-0.025, y, 0), (0.025, y + 0.05, length), steel) for y in (0.12, height - 0.05)]
    if kind == "railing":
        bars += [
            box((-0.011, 0.12, z - 0.011), (0.011, height, z + 0.011), steel) for z in np.arange(0.13, length, 0.13)
        ]
    else:
        bars += [box((-0.02, height * 0.5, 0), (0.02, height * 0.5 + 0.05, length), steel)]
    veil = [(0, 0.05, 0), (0, 0.05, length), (0, height, length), (0, height, 0)]
    return join([*posts, *bars, quads([veil], Look((0, 0, 0), FENCE, veil=True))])


def bollard(rng: np.random.Generator) -> Mesh:
    """A bollard with a light band."""
    steel = Look(STEEL[1], POLE)
    parts = [tube([(0, 0, 0), (0, 0.85, 0), (0, 0.95, 0)], [0.075, 0.07, 0.02], steel)]
    return join([*parts, tube([(0, 0.7, 0), (0, 0.78, 0)], 0.078, Look((0.85, 0.85, 0.8), POLE))])


def wall(rng: np.random.Generator, length: float, height: float, colour) -> Mesh:
    """A garden wall along z with a coping."""
    brick = Look(colour, BUILDING)
    return join(
        [
            box((-0.11, 0, 0), (0.11, height, length), brick),
            box((-0.15, height, 0), (0.15, height + 0.07, length), Look((0.6, 0.58, 0.54), BUILDING)),
        ]
    )
