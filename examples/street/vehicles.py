"""Cars, vans and buses: bodies lofted over profiles, with wheels, lights, plates and mirrors; z is forward."""

from dataclasses import dataclass

import numpy as np

from street import pictures
from street.mesh import CAR, GLASS, LAMP, PAINT, PICTURE, Look, Mesh, ball, box, disc, join, quads, surface


@dataclass(frozen=True)
class Body:
    """A kind of vehicle; lengths in metres, places along it from the rear bumper (0) to the front (1).

    Attributes:
        length: Bumper to bumper.
        width: Without mirrors.
        belt: Height of the windows' lower edge.
        roof: Height.
        nose: Height of the bonnet's front edge.
        tail: Height of the boot's rear edge.
        cabin: Where the rear window meets the boot, the roof begins, the roof ends, the windscreen meets the bonnet.
        wheel: Radius.
        blind: Windows behind this place are panels.
    """

    length: float
    width: float
    belt: float
    roof: float
    nose: float
    tail: float
    cabin: tuple[float, float, float, float]
    wheel: float
    blind: float = -1.0


BODIES = {
    "hatchback": Body(3.9, 1.70, 0.93, 1.46, 0.74, 0.90, (0.03, 0.14, 0.55, 0.74), 0.30),
    "saloon": Body(4.6, 1.78, 0.93, 1.43, 0.72, 0.92, (0.17, 0.32, 0.56, 0.72), 0.32),
    "estate": Body(4.6, 1.77, 0.93, 1.47, 0.72, 0.92, (0.02, 0.09, 0.57, 0.73), 0.32),
    "suv": Body(4.5, 1.88, 1.08, 1.72, 0.95, 1.08, (0.03, 0.10, 0.55, 0.71), 0.37),
    "mini": Body(3.4, 1.60, 0.90, 1.48, 0.76, 0.88, (0.03, 0.12, 0.60, 0.79), 0.28),
    "van": Body(4.9, 1.92, 1.22, 2.05, 0.98, 1.22, (0.005, 0.02, 0.68, 0.85), 0.34, 0.60),
    "bus": Body(10.5, 2.50, 1.35, 3.05, 1.15, 1.35, (0.002, 0.006, 0.975, 0.99), 0.48),
}
COLOURS = (
    *((0.86, 0.86, 0.86), (0.62, 0.64, 0.66), (0.25, 0.26, 0.28), (0.06, 0.06, 0.07), (0.50, 0.06, 0.07)),
    *((0.10, 0.17, 0.38), (0.16, 0.30, 0.50), (0.07, 0.24, 0.18), (0.70, 0.68, 0.58), (0.74, 0.46, 0.08)),
    *((0.75, 0.76, 0.78), (0.13, 0.14, 0.18), (0.36, 0.10, 0.10), (0.48, 0.60, 0.68)),
)
RUBBER, TRIM = Look((0.07, 0.07, 0.075), CAR), Look((0.10, 0.10, 0.11), CAR, PAINT)
TINTED = Look((0.10, 0.11, 0.12), CAR, GLASS)


def vehicle(rng: np.random.Generator, kind: str | None = None, lit: bool = False, braking: bool = False) -> Mesh:
    """A vehicle on the ground around the origin.

    Args:
        rng: Chooses kind, colour and trim.
        kind: One of BODIES.
        lit: Whether head and tail lamps are on.
        braking: Whether the brake lights are.
    """
    names = ["hatchback", "saloon", "estate", "suv", "mini", "van", "bus"]
    kind = kind or str(rng.choice(names, p=[0.32, 0.2, 0.13, 0.14, 0.08, 0.1, 0.03]))
    body, colour = BODIES[kind], COLOURS[rng.integers(len(COLOURS))]
    if kind in ("van", "bus") and rng.random() < 0.6:
        colour = [(0.88, 0.88, 0.88), (0.7, 0.1, 0.1), (0.12, 0.3, 0.55)][rng.integers(3)]
    paint = Look(tuple(colour), CAR, PAINT)
    parts = [_shell(body, paint, lit, braking), _cabin(body, paint), *_wheels(body, rng)]
    parts += [*_front(body, lit), *_rear(body, lit, braking), *_sides(body, paint)]
    low, high = (-body.width * 0.42, 0.16, 0.25), (body.width * 0.42, 0.4, body.length - 0.25)
    whole = join([*parts, box(low, high, RUBBER)])
    return whole.moved((0, 0, -body.length / 2))


def _deck(body: Body, place: np.ndarray) -> np.ndarray:
    """Height of bonnet, window sill and boot along the body."""
    rear, _, _, front = body.cabin
    return np.interp(place, [0, rear, front, 1], [body.tail, body.belt, body.belt, body.nose])


def _shell(body: Body, paint: Look, lit: bool, braking: bool) -> Mesh:
    """What is below the windows: sections from bumper to bumper, rounded at both ends."""
    ends = np.array([0.0, 0.004, 0.02, 0.05])
    place = np.concatenate([ends, np.linspace(0.1, 0.9, 14), 1 - ends[::-1]])
    from_end = np.minimum(place, 1 - place) * body.length
    bow = np.sqrt(1 - (1 - from_end / 0.42).clip(0, 1) ** 2)  # how far the corners have curved in
    narrow = 0.80 + 0.20 * bow
    half = body.width / 2 * narrow
    top = _deck(body, place) - 0.16 * (1 - bow)
    low = 0.24 + 0.10 * (1 - bow)
    mid = low + (top - low) * 0.55
    zero = np.zeros_like(half)
    right = [(zero, low), (half * 0.9, low), (half * 0.985, low + 0.10), (half, mid), (half * 0.985, top - 0.07)]
    right += [(half * 0.94, top - 0.012), (half * 0.55, top + 0.02), (zero, top + 0.03)]
    contour = right + [(-x, y) for x, y in right[-2::-1]]
    points = np.stack([np.stack([x, y, place * body.length], 1) for x, y in contour], 1)
    dark, columns, last = Look((0.08, 0.08, 0.085), CAR), len(contour) - 1, len(place) - 2
    head, tail = _lamps(lit, braking)

    def look(row: int, column: int) -> Look:
        if column in (0, 1, columns - 2, columns - 1):
            return dark
        if column in (3, columns - 4):
            return tail if row < 3 else head if row > last - 3 else paint
        return paint

    shell = surface(points, look)
    caps = [_cap(points[0], paint), _cap(points[-1], paint)]
    return join([shell, *caps])


def _lamps(lit: bool, braking: bool) -> tuple[Look, Look]:
    """Head and tail lamps."""
    head = Look((1.0, 0.97, 0.88), CAR, LAMP, 500) if lit else Look((0.82, 0.84, 0.86), CAR, GLASS)
    glow = Look((0.85, 0.04, 0.03), CAR, LAMP, 350 if braking else 120)
    return head, glow if lit or braking else Look((0.60, 0.03, 0.03), CAR, GLASS)


def _cap(ring: np.ndarray, paint: Look) -> Mesh:
    """Closes an end: rungs between the left and the right half of its outline."""
    count = len(ring) // 2 + 1
    right, left = ring[:count], ring[::-1][:count]
    return quads(np.stack([right[:-1], right[1:], left[1:], left[:-1]], 1), paint)


def _cabin(body: Body, paint: Look) -> Mesh:
    """Windows, pillars and roof."""
    rear, back, fore, front = body.cabin
    pillar = 0.055 / body.length * 2
    doors = np.linspace(back, fore, 4 if body.length < 8 else 8)
    place, height, glazed = [rear, back], [0.0, 1.0], [True]
    for door in doors[1:-1]:
        place += [door - pillar / 2, door + pillar / 2]
        height += [1.0, 1.0]
        glazed += [True, False]
    place, height, glazed = [*place, fore, front], [*height, 1.0, 0.0], [*glazed, True, True]
    place, rise = np.array(place), np.array(height)
    crown = 0.03 * np.sin(np.linspace(0, np.pi, len(place)))
    base, top = _deck(body, place), body.roof + crown
    half = body.width / 2 * (0.95 if body.length < 8 else 0.99)
    inward = 0.78 if body.length < 4.8 else 0.93
    sill = [(half * 0.99 + 0 * rise, base - 0.03)]
    upper = half * (0.96 + (inward - 0.96) * rise)
    window = [(upper, base + (top - 0.11 - base) * rise)]
    edge = [
        (upper - 0.045 * rise - 0.02, base + (top - 0.045 - base) * rise),
        (upper * 0.6, base + (top + 0.0 - base) * rise),
    ]
    middle = [(0 * rise, base + (top + 0.015 - base) * rise)]
    right = sill + window + edge + middle
    contour = right + [(-x, y) for x, y in right[-2::-1]]
    points = np.stack([np.stack([x, y, place * body.length], 1) for x, y in contour], 1)
    last, columns = len(place) - 2, len(contour) - 1
    black = Look((0.04, 0.04, 0.045), CAR, PAINT)

    def look(row: int, column: int) -> Look:
        if column in (0, columns - 1):
            if place[row] < body.blind:
                return paint
            return TINTED if glazed[row] else black
        ends = row in (0, last) and 2 <= column < columns - 2
        return TINTED if ends and not (row == 0 and body.blind > 0) else paint

    return surface(points, look)


def _wheels(body: Body, rng: np.random.Generator) -> list[Mesh]:
    """Four wheels in dark arches."""
    rim = Look((0.55, 0.56, 0.58) if rng.random() < 0.8 else (0.12, 0.12, 0.13), CAR, PAINT)
    spokes, parts = int(rng.integers(5, 8)), []
    for side in (-1, 1):
        for z in (body.length * 0.19, body.length * 0.81):
            x = side * (body.width / 2 + 0.004)
            parts.append(disc((x, body.wheel * 1.06, z), body.wheel * 1.17, Look((0.03, 0.03, 0.03), CAR)))
            x += side * 0.006
            parts.append(disc((x, body.wheel, z), body.wheel, RUBBER, inner=body.wheel * 0.66))
            parts.append(disc((x - side * 0.003, body.wheel, z), body.wheel * 0.66, Look((0.05, 0.05, 0.05), CAR)))
            angle = rng.uniform(0, 6) + np.arange(spokes) * 2 * np.pi / spokes
            for turn, radius in ((-0.22, 0.14), (0.22, 0.14)):
                a, b = angle + turn, angle + turn * 0.55
                points = [(np.cos(a) * radius, np.sin(a) * radius), (np.cos(b) * 0.62, np.sin(b) * 0.62)]
                points += [(np.cos(angle) * 0.62, np.sin(angle) * 0.62), (np.cos(angle) * 0.1, np.sin(angle) * 0.1)]
                corner = [np.stack([x + 0 * u, body.wheel * (1 + v), z + body.wheel * u], 1) for u, v in points]
                parts.append(quads(np.stack(corner, 1), rim))
            parts.append(disc((x, body.wheel, z), body.wheel * 0.66, rim, inner=body.wheel * 0.58))
            inside = side * (body.width / 2 - 0.12)
            parts += [_tread(inside, x, body.wheel, z)]
    return parts


def _tread(x0: float, x1: float, radius: float, z: float) -> Mesh:
    """The running surface of a tyre."""
    angle = np.linspace(0, 2 * np.pi, 17)
    ring = [np.stack([x + 0 * angle, radius * (1 + np.cos(angle)), z + radius * np.sin(angle)], 1) for x in (x0, x1)]
    return surface(np.stack(ring), RUBBER)


def _plaque(x0: float, x1: float, y0: float, y1: float, z: float, look: Look, uv=None) -> Mesh:
    """A rectangle across the car."""
    points = [(x0, y0, z), (x1, y0, z), (x1, y1, z), (x0, y1, z)]
    return quads([points], look, None if uv is None else [uv])


def _front(body: Body, lit: bool) -> list[Mesh]:
    """Head lamps, grille, bumper and plate."""
    z, half, nose = body.length + 0.012, body.width / 2 * 0.80, body.nose - 0.16
    lamp, _ = _lamps(lit, False)
    low = (0.34 + body.nose - 0.16) / 2 + 0.03
    parts = [_plaque(-half * 0.60, half * 0.60, nose - 0.15, nose - 0.03, z, Look((0.05, 0.05, 0.055), CAR, PAINT))]
    parts.append(_plaque(-half * 0.95, half * 0.95, 0.27, 0.39, z, Look((0.05, 0.05, 0.055), CAR)))
    for side in (-1, 1):
        where = sorted((side * half * 0.70, side * half * 0.99))
        parts.append(_plaque(*where, low, nose - 0.05, z, lamp))
    size = 0.26
    parts.append(_plaque(size, -size, 0.42, 0.53, z + 0.006, Look((1, 1, 1), CAR, PICTURE), pictures.plate(0)))
    return parts


def _rear(body: Body, lit: bool, braking: bool) -> list[Mesh]:
    """Tail lamps, bumper and plate."""
    z, half, tail = -0.012, body.width / 2 * 0.80, body.tail - 0.16
    _, lamp = _lamps(lit, braking)
    low = (0.34 + tail) / 2 + 0.03
    parts = [_plaque(-half * 0.98, half * 0.98, 0.27, 0.37, z, Look((0.07, 0.07, 0.075), CAR))]
    for side in (-1, 1):
        where = sorted((side * half * 0.72, side * half * 0.99))
        parts.append(_plaque(*where, low, tail - 0.05, z, lamp))
    index = int(body.length * 10) * 2 + 1
    high = tail - 0.06
    parts.append(
        _plaque(-0.26, 0.26, high - 0.12, high, z - 0.008, Look((1, 1, 1), CAR, PICTURE), pictures.plate(index))
    )
    return parts


def _sides(body: Body, paint: Look) -> list[Mesh]:
    """Mirrors, door seams, handles and a dark sill."""
    parts, (_, back, fore, front) = [], body.cabin
    seam = Look((0.05, 0.05, 0.05), CAR)
    for side in (-1, 1):
        x = side * (body.width / 2 + 0.004)
        mirror = (side * (body.width / 2 + 0.09), body.belt + 0.07, (fore * 0.35 + front * 0.65) * body.length)
        parts.append(ball(mirror, (0.10, 0.075, 0.06), paint, 5, 8))
        for place in np.linspace(back + 0.06, fore + 0.08, 3):
            z = place * body.length
            points = [
                (x, 0.36, z),
                (x, 0.36, z + 0.012),
                (x * 0.985, body.belt - 0.06, z + 0.012),
                (x * 0.985, body.belt - 0.06, z),
            ]
            parts.append(quads([points], seam))
            low, high = sorted((x - side * 0.02, x + side * 0.008))
            parts.append(box((low, body.belt - 0.17, z + 0.07), (high, body.belt - 0.145, z + 0.2), TRIM))
    return parts
