"""Facades: rows of windows with depth, frames, curtains and reflections, walls of brick, stone or plaster."""

from dataclasses import dataclass, fields

import numpy as np

from street.light import Light
from street.mesh import dot, linear
from street.noise import cell, smooth


@dataclass(frozen=True)
class Facade:
    """One building's face; lengths in metres.

    Attributes:
        wall: Albedo as sRGB.
        frame: Likewise, of window frames and sills.
        brick: How strongly courses of brick show, in 0..1.
        block: Height of a course.
        storey: Height of a floor.
        bay: Distance of windows.
        wide: Window's share of the bay, in 0..1.
        tall: Window's share of the storey.
        ground: Height of the ground floor, which looks different; 0 for none.
        shop: Whether the ground floor is a row of shop windows.
        shop_colour: Of its woodwork, or of the doors.
        panes: Panes of a window across.
        blank: Whether there are no windows at all, as on side walls.
        top: Above this height there are no windows.
        seed: Of everything random.
    """

    wall: tuple[float, float, float]
    frame: tuple[float, float, float]
    brick: float
    block: float
    storey: float
    bay: float
    wide: float
    tall: float
    ground: float
    shop: bool
    shop_colour: tuple[float, float, float]
    panes: int
    blank: bool
    top: float
    seed: int


def table(facades: list[Facade]) -> dict[str, np.ndarray]:
    """The facades as columns, by name; colours linear."""
    columns = {}
    for field in fields(Facade):
        values = np.array([getattr(facade, field.name) for facade in facades])
        colour = values.ndim == 2
        columns[field.name] = (
            linear(values) if colour else values.astype(np.float32) if values.dtype == float else values
        )
    return columns


@dataclass
class Spot:
    """Samples on facades: a struct of arrays of length N; see `street.shading` for what they are."""

    u: np.ndarray
    v: np.ndarray
    ray: np.ndarray
    normal: np.ndarray
    depth: np.ndarray


def colour(spot: Spot, row: np.ndarray, columns: dict[str, np.ndarray], light: Light, sample: float) -> tuple:
    """The facade at each sample.

    Args:
        spot: The samples.
        row: int (N,) which facade.
        columns: From `table`.
        light: The scene's.
        sample: The angle that a sample covers, in radians.

    Returns:
        Albedo (N, 3); light of its own (N, 3), of reflections and lit rooms; a factor (N,) for the daylight.
    """
    at = {name: values[row] for name, values in columns.items()}
    blur = spot.depth * sample
    albedo = _wall(spot, at, blur)
    glow = np.zeros_like(albedo)
    shade = np.ones(len(albedo), np.float32)
    low = (spot.v < at["ground"]) & ~at["blank"]
    high = ~low & ~at["blank"] & (spot.v < at["top"])
    for chosen, paint in ((high, _windows), (low & ~at["shop"], _doors), (low & at["shop"], _shops)):
        where = np.nonzero(chosen)[0]
        if len(where):
            part = Spot(spot.u[where], spot.v[where], spot.ray[where], spot.normal[where], spot.depth[where])
            some = {name: values[where] for name, values in at.items()}
            albedo[where], glow[where], shade[where] = paint(part, some, albedo[where], light)
    return albedo, glow, shade


def _wall(spot: Spot, at: dict, blur: np.ndarray) -> np.ndarray:
    """Brickwork or stone with joints, stains below and streaks from rain."""
    course = np.floor(spot.v / at["block"])
    length = at["block"] * 3
    along = spot.u / length + (course % 2) * np.float32(0.5)
    joint = np.minimum(spot.v / at["block"] - course, (along - np.floor(along)) * 3) < np.float32(0.16)
    fade = at["brick"] * (1.6 - blur / at["block"] * 2.2).clip(0, 1)
    tone = 1 + fade * 0.35 * (cell(np.floor(along), course, at["seed"]) - 0.5)
    tone = np.where(joint, tone * (1 + fade * np.where(at["block"] < 0.15, 0.32, -0.3)), tone)
    tone *= 1 + 0.05 * smooth(spot.u + at["seed"], spot.v, 21, 1.2)
    tone *= 1 + 0.05 * smooth(spot.u * 3 + at["seed"], spot.v * 0.25, 17, 1.0)
    tone *= 1 - 0.22 * np.exp(-spot.v * 1.4)
    return at["wall"] * tone[:, None]


def _opening(spot: Spot, low_u, high_u, low_v, high_v, depth: float) -> tuple:
    """What is seen of a recessed pane through an opening: coordinates in 0..1 on the pane, and where its reveal."""
    tangent = np.stack([spot.normal[:, 2], 0 * spot.normal[:, 1], -spot.normal[:, 0]], 1)
    into = np.abs(dot(spot.ray, spot.normal)).clip(0.08)
    across = dot(spot.ray, tangent) / into * depth
    down = spot.ray[:, 1] / into * depth
    x, y = (spot.u - low_u) / (high_u - low_u), (spot.v - low_v) / (high_v - low_v)
    inside = (x > 0) & (x < 1) & (y > 0) & (y < 1)
    x, y = x + across / (high_u - low_u), y + down / (high_v - low_v)
    reveal = inside & ((x < 0) | (x > 1) | (y < 0) | (y > 1))
    return x, y, inside, reveal


def _glass(spot: Spot, light: Light, key: np.ndarray) -> np.ndarray:
    """What a pane shows of the world before it: the sky above the roofs across the street, and those roofs."""
    mirror = spot.ray - 2 * dot(spot.ray, spot.normal)[:, None] * spot.normal
    tilt = (key[:, None] - 0.5) * 0.06
    sky = light.sky(mirror + np.array([0, 1, 0], np.float32) * tilt)
    roofs = 0.34 + 0.12 * smooth(spot.u * 0.7 + mirror[:, 2] * 6, spot.v * 0.05, 23, 1.1)
    over = ((mirror[:, 1] + tilt[:, 0] - roofs) * 12).clip(0, 1)[:, None]
    facing = np.abs(dot(mirror, spot.normal)).clip(0, 1)
    fresnel = (0.12 + 0.75 * (1 - facing) ** 4)[:, None]
    street = 0.13 * light.horizon + 0.07 * light.beam
    return fresnel * (street + (sky - street) * over)


def _windows(spot: Spot, at: dict, wall: np.ndarray, light: Light) -> tuple:
    """Upper floors."""
    level = np.floor((spot.v - at["ground"]) / at["storey"])
    bay = np.floor(spot.u / at["bay"])
    middle = (bay + 0.5) * at["bay"]
    half = at["wide"] * at["bay"] / 2
    sill = at["ground"] + level * at["storey"] + at["storey"] * (1 - at["tall"]) * 0.45
    lintel = sill + at["storey"] * at["tall"]
    fits = lintel < at["top"]
    x, y, inside, reveal = _opening(spot, middle - half, middle + half, sill, lintel, 0.16)
    inside &= fits
    key, lit = cell(bay, level, at["seed"]), cell(bay, level, at["seed"] + 9)
    px, py = (x * at["panes"]) % 1, (y * 2) % 1
    bar = 0.055 / (half * 2 / at["panes"])
    frame = (px < bar) | (px > 1 - bar) | (np.minimum(py, 1 - py) < 0.05 / (lintel - sill) * 2)
    curtain = np.where(key < 0.5, np.abs(x - 0.5) > 0.2 + 0.5 * key, (y > 2.1 - 1.5 * key) & (key < 0.95))
    folds = 0.32 + 0.09 * np.sin(x * 40)
    room = np.where(curtain, folds, 0.035)[:, None] * np.array([1, 0.97, 0.9], np.float32)
    warm = np.array([1.0, 0.66, 0.32], np.float32) * (lit < light.lamps)[:, None] * (0.5 + key)[:, None]
    glow = (_glass(spot, light, key) + warm * np.where(curtain, 0.75, 0.4 + 0.35 * y)[:, None]).astype(np.float32)
    border = (
        ~inside & (np.abs(spot.u - middle) < half + 0.12) & (spot.v > sill - 0.14) & (spot.v < lintel + 0.12) & fits
    )
    edge = border & (at["brick"] + key * 0 > 0.25) | border & (spot.v < sill)
    albedo = np.where(inside[:, None], room * 0.6, np.where(edge[:, None], at["frame"] * 0.85, wall))
    albedo = np.where((inside & frame)[:, None], at["frame"], albedo)
    albedo = np.where((inside & reveal)[:, None], wall * 0.8, albedo)
    pane = inside & ~frame & ~reveal
    shade = np.where(inside & (y > 0.86), np.float32(0.45), np.where(inside, np.float32(0.8), np.float32(1)))
    shade *= np.where(
        ~inside & (spot.v < sill - 0.14) & (spot.v > sill - 0.3) & (np.abs(spot.u - middle) < half + 0.1), 0.7, 1
    )
    return albedo, glow * pane[:, None], shade


def _doors(spot: Spot, at: dict, wall: np.ndarray, light: Light) -> tuple:
    """A ground floor to live in: windows, and a door in every third bay."""
    bay = np.floor(spot.u / at["bay"])
    door = (bay + at["seed"]) % 3 == 0
    middle = (bay + 0.5) * at["bay"]
    half = np.where(door, 0.52, np.minimum(at["wide"] * at["bay"] / 2, 1.1))
    low = np.where(door, 0.15, 0.95)
    high = np.minimum(np.where(door, 2.45, 2.5), at["ground"] - 0.3)
    x, y, inside, reveal = _opening(spot, middle - half, middle + half, low, high, 0.2)
    key = cell(bay, bay * 0, at["seed"] + 3)
    px = (x * at["panes"]) % 1
    frame = ~door & ((np.minimum(px, 1 - px) < 0.05) | (np.abs(y - 0.5) < 0.02) | (y < 0.05) | (y > 0.95))
    panel = door & ((y > 0.82) | (y > 0.5) & (y < 0.76) & (np.abs(x - 0.5) < 0.3))
    groove = door & ~panel & ((np.abs(np.abs(x - 0.5) - 0.32) < 0.03) & (y > 0.08) & (y < 0.44))
    wood = at["shop_colour"] * np.where(groove, 0.5, 1.0)[:, None]
    lit = cell(bay, bay * 0, at["seed"] + 8) < light.lamps
    pane = inside & ~reveal & ((~door & ~frame) | panel)
    warm = np.array([1.0, 0.68, 0.35], np.float32) * (lit * 0.6)[:, None]
    room = np.where((np.abs(x - 0.5) > 0.3) & ~door, 0.3, 0.04)[:, None] * np.ones(3, np.float32)
    border = ~inside & (np.abs(spot.u - middle) < half + 0.14) & (spot.v > low - 0.12) & (spot.v < high + 0.14)
    albedo = np.where(
        inside[:, None], np.where(door[:, None], wood, room), np.where(border[:, None], at["frame"] * 0.85, wall)
    )
    albedo = np.where((inside & frame)[:, None], at["frame"], albedo)
    albedo = np.where((inside & reveal)[:, None], wall * 0.7, albedo)
    albedo = np.where(pane[:, None] & door[:, None], 0.03, albedo)
    shade = np.where(inside & (y > 0.88), np.float32(0.5), np.float32(1))
    glow = (_glass(spot, light, key) + warm).astype(np.float32)
    return albedo, glow * pane[:, None], shade


def _shops(spot: Spot, at: dict, wall: np.ndarray, light: Light) -> tuple:
    """Shop windows: goods behind glass, a door in every other bay."""
    width = np.float32(2.6)
    bay = np.floor(spot.u / width)
    door = (bay + at["seed"]) % 3 == 1
    middle = (bay + 0.5) * width
    low = np.where(door, 0.1, 0.55)
    high = at["ground"] - np.float32(0.75)
    x, y, inside, reveal = _opening(spot, middle - 1.17, middle + 1.17, low, high, 0.12)
    leaf = np.abs(x - 0.5) < 0.22
    frame = inside & ~reveal & ((y > 0.97) | (y < 0.03) | (np.abs(np.abs(x - 0.5) - 0.23) < 0.02) & door)
    frame |= inside & ~door & ((np.abs(x - 0.5) < 0.012) | (np.abs(y - 0.72) < 0.012))
    shelf = np.floor(y * 5)
    item = cell(np.floor(spot.u * 3.1), shelf, at["seed"])
    height = (y * 5) % 1 < 0.25 + 0.6 * item
    goods = np.stack([cell(np.floor(spot.u * 3.1), shelf, at["seed"] + k) for k in (1, 2, 3)], 1) ** 2 * 0.5
    goods = goods * 0.45 + 0.55 * goods[:, :1]
    display = np.where((height & (shelf < 3) & ~door)[:, None], goods, 0.05 + 0.06 * (y > 0.6)[:, None])
    key = cell(bay, bay * 0, at["seed"] + 5)
    lamps = 0.10 + 0.9 * light.lamps
    room = np.array([1.0, 0.85, 0.62], np.float32) * (lamps * (0.15 + 0.85 * key))[:, None]
    inner = display * room * 2.4 + room * (0.10 + 0.35 * (y > 0.9))[:, None]
    pane = inside & ~frame & ~reveal
    glow = (_glass(spot, light, key) + inner).astype(np.float32)
    albedo = np.where(inside[:, None], np.where(pane[:, None], display * 0.25, at["shop_colour"]), at["shop_colour"])
    albedo = np.where((pane & door & ~leaf)[:, None], albedo * 0.8, albedo)
    pier = np.abs(spot.u / width - np.round(spot.u / width)) < 0.05
    panel = (np.minimum(np.abs(spot.v - 0.14), np.abs(spot.v - 0.42)) < 0.02) & ~inside & ~pier
    albedo = np.where(panel[:, None], albedo * 0.55, albedo)
    shade = np.where(inside & (y > 0.9), np.float32(0.4), np.where(inside, np.float32(0.7), np.float32(1)))
    return albedo.astype(np.float32), glow * pane[:, None], shade
