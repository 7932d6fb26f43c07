"""A street: what stands where. The street runs along z with the camera near z = 0."""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from segcli.labels import VOID
from street import buildings, facades, furniture, stock, trees, vehicles
from street.camera import Camera, dash_camera
from street.facades import Facade
from street.ground import RoadPlan
from street.light import Light
from street.mesh import GRASS, PAINT, PAVEMENT, ROAD, SIDEWALK, STREET, TREE, Look, Mesh, ball, join, quads

KERB = 0.13
END = 150.0


@dataclass(frozen=True)
class Scene:
    """All that the renderer needs."""

    mesh: Mesh
    camera: Camera
    light: Light
    plan: RoadPlan
    facades: dict[str, np.ndarray]


@dataclass(frozen=True)
class Character:
    """What kind of place it is.

    Attributes:
        storeys: Fewest and most floors of its houses.
        shops: How many houses have a shop.
        modern: How many are modern.
        gardens: How much of each side is hedges, fences and trees instead of houses.
        avenue: How likely trees stand along the kerb.
        crowd: Mean number of people on the pavements.
    """

    storeys: tuple[int, int]
    shops: float
    modern: float
    gardens: float
    avenue: float
    crowd: float


CHARACTERS = {
    "city": Character((3, 6), 0.75, 0.4, 0.08, 0.45, 10),
    "town": Character((2, 4), 0.6, 0.1, 0.25, 0.45, 8),
    "suburb": Character((2, 3), 0.05, 0.1, 0.6, 0.6, 4),
    "park": Character((2, 4), 0.1, 0.3, 0.85, 0.7, 5),
}


class Builder:
    """Collects the parts of one street.

    Args:
        rng: Chooses everything.
        character: One of CHARACTERS; any by default.
        light: The light, which decides whose lamps are on.
    """

    def __init__(self, rng: np.random.Generator, light: Light, character: str | None = None) -> None:
        self.rng, self.light = rng, light
        self.character = CHARACTERS[character or str(rng.choice(list(CHARACTERS), p=[0.22, 0.33, 0.25, 0.2]))]
        self.parts: list[Mesh] = []
        self.facades: list[Facade] = []
        self.right = bool(rng.random() < 0.5)  # the side that one drives on
        self.half = float(rng.uniform(3.2, 5.6))
        self.walk = {side: float(rng.uniform(1.8, 3.8)) for side in (-1, 1)}
        self.parking = {side: self.half > 3.6 and rng.random() < 0.5 for side in (-1, 1)}
        self.leafy = float(rng.choice([0.0, 0.6, 1.0], p=[0.25, 0.15, 0.6]))
        self.mouths = self._mouths()
        self.stones = tuple(np.array((0.60, 0.58, 0.55)) * rng.uniform(0.75, 1.15) * (1 + rng.normal(0, 0.03, 3)))
        self.crossings = (float(rng.uniform(9, 30)),) if rng.random() < 0.3 else ()

    def add(self, mesh: Mesh, x: float, z: float, y: float = 0.0, yaw: float = 0.0) -> None:
        """Place a mesh."""
        self.parts.append(mesh.moved((x, y, z), yaw))

    def _mouths(self) -> list[tuple[int, float, float]]:
        """Where side streets join."""
        mouths = []
        for side in (-1, 1):
            z = float(self.rng.uniform(8, 60))
            while z < END - 20:
                mouths.append((side, z, z + float(self.rng.uniform(6, 9))))
                z += float(self.rng.uniform(35, 90))
        return mouths

    def strip(self, x0: float, x1: float, z0: float, z1: float, y: float, look: Look, drop: float = 0.0) -> None:
        """Level ground, or with a drop a face that leads down from x0, in pieces that can follow a bend."""
        edges = np.linspace(z0, z1, max(2, int((z1 - z0) / 5) + 1))
        corners, uv = [], []
        for low, high in pairwise(edges):
            corners.append([(x0, y, low), (x1, y - drop, low), (x1, y - drop, high), (x0, y, high)])
            uv.append([(x0, low), (x1 + drop, low), (x1 + drop, high), (x0, high)])
        self.parts.append(quads(corners, look, uv))

    def ground(self) -> None:
        """Road, pavements with kerbs, and the land behind."""
        far = 300.0
        under = self.half + 0.3  # the kerb stands on the road, so that no crack shows between them
        self.strip(-under, under, -25, END + 20, 0, Look((0.3, 0.3, 0.3), STREET, ROAD))
        land = Look((0.24, 0.31, 0.13), TREE, GRASS)
        for side in (-1, 1):
            cuts = [-25.0]
            for _, start, end in [mouth for mouth in self.mouths if mouth[0] == side]:
                cuts += [start, end]
                self.strip(side * self.half, side * far, start, end, 0, Look((0.3, 0.3, 0.3), STREET, ROAD))
            cuts.append(END + 20)
            self.strip(0, side * far, END + 20, 500, KERB - 0.01, land)
            for start, end in zip(cuts[::2], cuts[1::2], strict=True):
                self._pavement(side, start, end, land, far)

    def _pavement(self, side: int, start: float, end: float, land: Look, far: float) -> None:
        inner, outer = side * self.half, side * (self.half + self.walk[side])
        kerb = Look(tuple(np.array(self.stones) * 1.12), SIDEWALK, PAVEMENT)
        self.strip(inner, inner + side * 0.001, start, end, KERB, kerb, drop=KERB)
        self.strip(inner, inner + side * 0.16, start, end, KERB, kerb)
        self.strip(inner + side * 0.16, outer, start, end, KERB, Look(self.stones, SIDEWALK, PAVEMENT))
        self.strip(outer, side * far, start, end, KERB - 0.01, land)
        for z in (start, end):
            face = [(inner, 0, z), (outer, 0, z), (outer, KERB, z), (inner, KERB, z)]
            self.parts.append(quads([face], kerb, [[(0, 0), (3, 0), (3, KERB), (0, KERB)]]))

    def sides(self) -> None:
        """Houses and gardens along both sides."""
        for side in (-1, 1):
            z = -25.0
            mouths = [mouth[1:] for mouth in self.mouths if mouth[0] == side]
            while z < END:
                mouth = next((m for m in mouths if m[1] > z), (END + 99, END + 99))
                if z >= mouth[0] - 3:
                    z = mouth[1]
                    continue
                garden = self.rng.random() < self.character.gardens
                length = float(self.rng.uniform(9, 24) if garden else self.rng.uniform(5.5, 12))
                length = min(length, mouth[0] - z)
                (self._garden if garden else self._house)(side, z, length)
                z += length

    def _house(self, side: int, z: float, width: float) -> None:
        rng, (low, high) = self.rng, self.character.storeys
        height = float(rng.integers(low, high + 1)) * 3.05 + float(rng.uniform(0.3, 1.2))
        modern = rng.random() < self.character.modern
        front = buildings.facade(rng, height, rng.random() < self.character.shops, modern)
        bays = max(1, round(width / front.bay))
        front = replace(front, bay=width / bays)
        self.facades += [front, replace(front, blank=True, seed=front.seed + 1)]
        mesh = buildings.house(rng, width, float(rng.uniform(8, 12)), height, front, len(self.facades) - 2)
        x = self.half + self.walk[side] + (float(rng.uniform(2, 5)) if self.character.gardens > 0.4 else 0)
        self.add(mesh, side * x, z if side > 0 else z + width, 0, 0 if side > 0 else np.pi)

    def _garden(self, side: int, z: float, length: float) -> None:
        """A hedge, fence or wall with trees behind."""
        rng, edge = self.rng, self.half + self.walk[side] + 0.2
        start, yaw = (z, 0.0) if side > 0 else (z + length, np.pi)
        kind = rng.choice(["hedge", "fence", "wall"], p=[0.3, 0.5, 0.2])
        if kind == "hedge":
            mesh = trees.hedge(rng, length, float(rng.uniform(0.8, 1.9)), 0.9, self._detail(z))
        elif kind == "fence":
            mesh = furniture.fence(rng, length)
        else:
            mesh = furniture.wall(rng, length, float(rng.uniform(0.7, 2.2)), buildings.BRICKS[rng.integers(5)])
        self.add(mesh, side * edge, start, KERB, yaw)
        for _ in range(rng.integers(1, 5)):
            where = float(rng.uniform(z, z + length))
            self._tree(side * (edge + float(rng.uniform(2, 9))), where, float(rng.uniform(5, 13)))

    def _tree(self, x: float, z: float, height: float) -> None:
        if z > -12:
            self.add(stock.tree(self.rng, height, self.leafy, z), x, z)

    def _detail(self, z: float) -> float:
        return float(np.clip(22 / max(z, 1), 0.16, 1))

    def furnish(self) -> None:
        """Lamps, trees along the kerb, signs, lights, railings and bollards."""
        rng, lit = self.rng, self.light.lamps > 0.3
        height = float(rng.choice([4.2, rng.uniform(6, 9)]))
        for side in (-1, 1):
            x, yaw = side * (self.half + 0.45), 0.0 if side > 0 else np.pi
            if rng.random() < 0.8:
                for z in np.arange(rng.uniform(2, 20), END, rng.uniform(18, 32)):
                    self._upright(furniture.lamp_post(rng, height, lit), side, x, z, yaw)
            if rng.random() < self.character.avenue:
                tall = float(rng.uniform(4, 8))
                for z in np.arange(rng.uniform(4, 14), END, rng.uniform(8, 15)):
                    if not self._in_mouth(side, z):
                        self._tree(x + side * 0.3, z, tall * float(rng.uniform(0.8, 1.2)))
            for _ in range(rng.poisson(3.2)):
                z = float(rng.uniform(4, 45))
                mesh = furniture.board(rng) if rng.random() < 0.15 else furniture.traffic_sign(rng)
                self._upright(mesh, side, x + side * 0.15, z, float(rng.normal(0, 0.25)))
            if rng.random() < 0.4:
                z, length = float(rng.uniform(3, 30)), float(rng.uniform(5, 16))
                if not (
                    self._in_mouth(side, z) or self._in_mouth(side, z + length) or self._in_mouth(side, z + length / 2)
                ):
                    self.add(furniture.fence(rng, length, "railing"), side * (self.half + 0.3), z, KERB)
            elif rng.random() < 0.25:
                for z in np.arange(rng.uniform(3, 12), 40, 1.8):
                    self._upright(furniture.bollard(rng), side, side * (self.half + 0.4), z)
        self._lights()

    def _lights(self) -> None:
        """Traffic lights before a side street."""
        rng = self.rng
        if self.mouths and rng.random() < 0.4:
            z, state = min(mouth[1] for mouth in self.mouths) - 1.5, int(rng.choice([0, 1, 2], p=[0.4, 0.1, 0.5]))
            for side in (-1, 1):
                self._upright(furniture.traffic_light(rng, state), side, side * (self.half + 0.5), z)

    def _upright(self, mesh: Mesh, side: int, x: float, z: float, yaw: float = 0.0) -> None:
        if not self._in_mouth(side, z):
            self.add(mesh, x, float(z), KERB, yaw)

    def _in_mouth(self, side: int, z: float) -> bool:
        return any(s == side and start - 0.5 < z < end + 0.5 for s, start, end in self.mouths)

    def traffic(self) -> None:
        """Parked and driving cars, people and bicyclists."""
        rng, lit = self.rng, self.light.lamps > 0.3 or (self.light.clouds > 0.8 and self.rng.random() < 0.4)
        own = 1 if self.right else -1
        for side in (-1, 1):
            heading = 0.0 if side == own else np.pi
            if self.parking[side]:
                z = float(rng.uniform(5, 14))
                while z < 85:
                    if rng.random() < 0.7 and not self._in_mouth(side, z) and not self._crossing(z, 4):
                        car = stock.vehicle(rng, str(rng.choice(list(vehicles.BODIES)[:6])), False, False)
                        self.add(car, side * (self.half - 1.0), z, 0, heading + float(rng.normal(0, 0.02)))
                    z += float(rng.uniform(5.2, 7))
            x = side * (self.half - (2.0 if self.parking[side] else 0)) * 0.5
            z = float(rng.uniform(7, 40) if side == own else rng.uniform(8, 45))
            while z < 110 and rng.random() < 0.8:
                car = stock.vehicle(rng, None, lit, rng.random() < 0.3)
                self.add(car, x + float(rng.normal(0, 0.15)), z, 0, heading + float(rng.normal(0, 0.025)))
                z += float(rng.uniform(8, 40))
        self._people()

    def _crossing(self, z: float, reach: float) -> bool:
        return any(start - reach < z < start + 3 + reach for start in self.crossings)

    def _people(self) -> None:
        rng = self.rng
        for _ in range(rng.poisson(self.character.crowd)):
            side, z = int(rng.choice([-1, 1])), 4 + 50 * float(rng.random()) ** 1.4
            x = side * (self.half + float(rng.uniform(0.6, self.walk[side] - 0.4)))
            yaw = float(rng.choice([0, np.pi]) + rng.normal(0, 0.4))
            self.add(stock.pedestrian(rng), x, z, 0 if self._in_mouth(side, z) else KERB, yaw)
        for start in self.crossings:
            for _ in range(rng.integers(0, 4)):
                yaw = float(rng.choice([-1, 1])) * np.pi / 2
                self.add(
                    stock.pedestrian(rng),
                    float(rng.uniform(-1, 1)) * self.half,
                    start + float(rng.uniform(0.4, 2.6)),
                    0,
                    yaw,
                )
        for _ in range(rng.poisson(1.3)):
            side = int(rng.choice([-1, 1]))
            x = side * (self.half - (2.6 if self.parking[side] else 0.8))
            yaw = (0.0 if (side > 0) == self.right else np.pi) + float(rng.normal(0, 0.08))
            self.add(stock.bicyclist(rng), x, 5 + 40 * float(rng.random()) ** 1.3, 0, yaw)
        for _ in range(rng.poisson(0.6)):
            side, z = int(rng.choice([-1, 1])), float(rng.uniform(4, 30))
            self._upright(stock.bicyclist(rng, rider=False), side, side * (self.half + self.walk[side] - 0.35), z)

    def bonnet(self, camera: Camera) -> None:
        """The own car's bonnet at the lower edge of the view, which is no class."""
        paint = Look((0.1, 0.1, 0.12), VOID, PAINT)
        x, y, z = camera.position
        self.parts.append(
            ball((x, y - 0.62, z + 0.75), (0.95, float(self.rng.uniform(0.17, 0.24)), 0.7), paint, 16, 24)
        )

    def horizon(self) -> None:
        """What closes the view: houses across the street's end, and trees."""
        rng = self.rng
        x = -70.0
        while x < 70:
            width = float(rng.uniform(8, 16))
            if rng.random() < 0.55:
                front = buildings.facade(rng, float(rng.uniform(6, 17)), False, rng.random() < 0.5)
                self.facades += [front, replace(front, blank=True)]
                mesh = buildings.house(rng, width, 10, front.top + 0.35, front, len(self.facades) - 2)
                self.add(mesh, x + width, END + 22 + float(rng.uniform(0, 12)), 0, -np.pi / 2)
            else:
                for _ in range(2):
                    self._tree(
                        x + float(rng.uniform(0, width)),
                        END + 15 + float(rng.uniform(0, 20)),
                        float(rng.uniform(8, 15)),
                    )
            x += width


def plan(rng: np.random.Generator, builder: Builder) -> RoadPlan:
    """How the builder's road is paved and marked."""
    dash = float(rng.choice([0, 2, 3, 4, 99], p=[0.12, 0.28, 0.25, 0.2, 0.15]))
    stops = [min((m[1] for m in builder.mouths), default=30) - 3] if rng.random() < 0.35 else []
    return RoadPlan(
        half=builder.half,
        tone=float(rng.uniform(0.07, 0.19)),
        warmth=float(rng.normal(0, 0.035)),
        dash=dash,
        gap=float(rng.uniform(2, 6)),
        lanes=(builder.half / 2,) if builder.half > 5 and rng.random() < 0.5 else (),
        edges=int(rng.integers(0, 3)),
        yellow=bool(rng.random() < 0.45),
        crossings=builder.crossings,
        stops=tuple(stops),
        wear=float(rng.uniform(0.1, 0.9)),
        cracked=float(rng.uniform(0.1, 1)),
        side_streets=tuple(builder.mouths),
        bus_lane=bool(rng.random() < 0.06 and builder.half > 4.5),
        seed=int(rng.integers(1000)),
    )


def build(rng: np.random.Generator, light: Light, character: str | None = None) -> Scene:
    """A random street in that light."""
    builder = Builder(rng, light, character)
    builder.ground()
    builder.sides()
    builder.furnish()
    builder.traffic()
    builder.horizon()
    curve = float(rng.normal(0, 0.0012)) * (rng.random() < 0.6)
    own = 1 if builder.right else -1
    camera = dash_camera(rng, own * (builder.half - (1.6 if builder.parking[own] else 0)) * 0.5)
    if rng.random() < 0.1:
        builder.bonnet(camera)
    mesh = join(builder.parts).bent(curve, float(rng.normal(0, 0.00012)))
    return Scene(mesh, camera, light, plan(rng, builder), facades.table(builder.facades))
