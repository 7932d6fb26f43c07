"""From what a camera sees to linear light: each sample's place, material, shadow and haze."""

from dataclasses import dataclass

import numpy as np

from street import facades, ground, mesh, pictures
from street.camera import Camera, Seen
from street.light import Light
from street.mesh import Mesh, dot, unit
from street.noise import cell, smooth
from street.shadow import Shadows


@dataclass
class Samples:
    """Samples of surfaces as arrays of length N.

    Attributes:
        triangle: int32, into the mesh.
        ray: float32 (N, 3), unit vectors from the camera.
        depth: float32, metres along the optical axis.
        point: float32 (N, 3).
        normal: float32 (N, 3), unit vectors towards the camera's side.
        uv: float32 (N, 2).
    """

    triangle: np.ndarray
    ray: np.ndarray
    depth: np.ndarray
    point: np.ndarray
    normal: np.ndarray
    uv: np.ndarray


def samples(scene: Mesh, camera: Camera, seen: Seen) -> Samples:
    """Interpolate what the shading needs at each sample that is not sky."""
    size = seen.triangle.shape[::-1]
    rows, columns = np.nonzero(seen.triangle >= 0)
    triangle = seen.triangle[rows, columns]
    depth = seen.depth[rows, columns]
    back = np.linalg.inv(camera.lens(size).astype(np.float64)).astype(np.float32)
    x, y = columns.astype(np.float32) + np.float32(0.5), rows.astype(np.float32) + np.float32(0.5)
    step = x[:, None] * back[0] + y[:, None] * back[1] + back[2]
    point = step * depth[:, None] + np.asarray(camera.position, np.float32)
    weights = seen.weights.reshape(-1, 9).take(triangle, 0)
    share = x[:, None] * weights[:, :3] + y[:, None] * weights[:, 3:6] + weights[:, 6:]
    share = (share * depth[:, None]).clip(0, 1)
    corner = scene.normals.reshape(-1, 9).take(triangle, 0)
    normal, ray = unit(_mix(share, corner)), unit(step)
    away = (dot(normal, ray) > 0) & (dot(corner[:, :3], ray) > 0)
    normal[away & (scene.material[triangle] != mesh.LEAF)] *= -1
    return Samples(triangle, ray, depth, point, normal, _mix(share, scene.uv.reshape(-1, 6).take(triangle, 0)))


def _mix(share: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Weights (N, 3) of three values each, (N, 3 K) -> (N, K)."""
    each = values.shape[1] // 3
    first, second, third = values[:, :each], values[:, each : 2 * each], values[:, 2 * each :]
    return share[:, :1] * first + share[:, 1:2] * second + share[:, 2:] * third


@dataclass
class Surface:
    """What a material says: albedo (N, 3), own light (N, 3), a factor (N,) for daylight, mirroring (N,) in 0..1."""

    albedo: np.ndarray
    glow: np.ndarray
    shade: np.ndarray
    gloss: np.ndarray


@dataclass(frozen=True)
class Setting:
    """What the materials of a scene refer to."""

    light: Light
    plan: ground.RoadPlan
    facades: dict[str, np.ndarray]
    sample: float


def shade(scene: Mesh, camera: Camera, seen: Seen, setting: Setting, shadows: Shadows, rng) -> np.ndarray:
    """Linear light, float32 (H, W, 3)."""
    light = setting.light
    picture = np.zeros((*seen.triangle.shape, 3), np.float32)
    sky = seen.triangle < 0
    picture[sky] = light.heaven(camera.rays(seen.triangle.shape[::-1])[sky])
    spots = samples(scene, camera, seen)
    look = _surface(scene, spots, setting)
    open_sky = shadows.openness(spots.point, spots.normal, rng)
    leaf = scene.material[spots.triangle] == mesh.LEAF
    sun = shadows.sunlight(spots.point, spots.normal, 0.7 * leaf, rng) * look.shade
    around = light.ambient(spots.normal) * (0.12 + 0.88 * open_sky * look.shade)[:, None]
    colour = look.albedo * (around + sun[:, None] * light.beam) + look.glow
    colour += _mirrored(spots, look.gloss, light, open_sky, sun)
    far = (1 - np.exp(-spots.depth / light.haze))[:, None]
    picture[~sky] = colour + (light.horizon * 0.93 - colour) * far
    return picture


def _mirrored(spots: Samples, gloss: np.ndarray, light: Light, open_sky: np.ndarray, sun: np.ndarray) -> np.ndarray:
    """The sky and the sun in paint, glass and wet ground."""
    result = np.zeros((len(gloss), 3), np.float32)
    where = np.nonzero(gloss > 0)[0]
    normal, ray = spots.normal[where], spots.ray[where]
    facing = -dot(ray, normal)
    mirror = ray + 2 * facing[:, None] * normal
    fresnel = gloss[where] * (0.06 + 0.94 * (1 - facing.clip(0, 1)) ** 4)
    dark = 0.16 * light.horizon + 0.05 * light.beam
    over = ((mirror[:, 1] - 0.16 - 0.07 * np.sin(mirror[:, 0] * 9 + mirror[:, 2] * 7)) * 9).clip(0, 1)[:, None]
    sky = dark + (light.sky(mirror) - dark) * over
    spark = (mirror @ light.sun).clip(0) ** 250 * 4 * gloss[where] * (sun[where] > 0)
    result[where] = sky * (fresnel * (0.25 + 0.75 * open_sky[where]))[:, None] + spark[:, None] * light.beam
    return result


def _surface(scene: Mesh, spots: Samples, setting: Setting) -> Surface:
    """Ask each sample's material."""
    material = scene.material[spots.triangle]
    colour = scene.colour.take(spots.triangle, 0)
    count = len(colour)
    look = Surface(
        colour.copy(), np.zeros((count, 3), np.float32), np.ones(count, np.float32), np.zeros(count, np.float32)
    )
    for name, paint in MATERIALS.items():
        where = np.nonzero(material == name)[0]
        if len(where):
            some = Samples(*(getattr(spots, field).take(where, 0) for field in Samples.__dataclass_fields__))
            part = Surface(look.albedo[where], look.glow[where], look.shade[where], look.gloss[where])
            paint(part, some, scene.detail[some.triangle], setting)
            look.albedo[where], look.glow[where] = part.albedo, part.glow
            look.shade[where], look.gloss[where] = part.shade, part.gloss
    return look


def _road(part: Surface, some: Samples, detail: np.ndarray, setting: Setting) -> None:
    u, v = some.uv.T
    part.albedo[:] = ground.asphalt(u, v, some.depth, setting.plan, setting.sample)
    _wet(part, some, setting)


def _pavement(part: Surface, some: Samples, detail: np.ndarray, setting: Setting) -> None:
    u, v = some.uv.T
    part.albedo[:] = ground.pavement(u, v, some.depth, part.albedo, setting.plan.seed, setting.sample)
    _wet(part, some, setting)


def _wet(part: Surface, some: Samples, setting: Setting) -> None:
    """Rain darkens the ground; puddles mirror."""
    if setting.light.wet > 0:
        puddle = (0.55 + 0.4 * smooth(some.uv[:, 0], some.uv[:, 1], 19, 1.4)).clip(0.1, 1)
        part.albedo *= (1 - 0.5 * setting.light.wet * puddle)[:, None]
        part.gloss[:] = 0.7 * setting.light.wet * puddle


def _grass(part: Surface, some: Samples, detail: np.ndarray, setting: Setting) -> None:
    u, v = some.uv.T
    part.albedo[:] = ground.grass(u, v, some.depth, part.albedo, setting.sample)


def _facade(part: Surface, some: Samples, detail: np.ndarray, setting: Setting) -> None:
    u, v = some.uv.T
    spot = facades.Spot(u, v, some.ray, some.normal, some.depth)
    part.albedo[:], part.glow[:], part.shade[:] = facades.colour(
        spot, detail, setting.facades, setting.light, setting.sample
    )


def _roof(part: Surface, some: Samples, detail: np.ndarray, setting: Setting) -> None:
    u, v = some.uv.T
    fade = (1.3 - some.depth * setting.sample * 6).clip(0, 1)
    row = np.floor(v / 0.3)
    column = np.floor(u / 0.25 + (row % 2) * 0.5)
    tone = 1 + fade * 0.3 * (cell(column, row, detail) - 0.5) - fade * 0.35 * (v / 0.3 - row < 0.15)
    part.albedo *= (tone * (1 + 0.1 * smooth(u, v, 13, 1.2)))[:, None]


def _bark(part: Surface, some: Samples, detail: np.ndarray, setting: Setting) -> None:
    x, y, z = some.point.T
    part.albedo *= (1 + 0.25 * smooth((x + z) * 6, y, 9, 0.8)).clip(0.3)[:, None]


def _paint(part: Surface, some: Samples, detail: np.ndarray, setting: Setting) -> None:
    dirt = (0.45 - some.point[:, 1]).clip(0, 0.4)[:, None]
    part.albedo *= 1 - dirt
    part.gloss[:] = 0.75


def _glass(part: Surface, some: Samples, detail: np.ndarray, setting: Setting) -> None:
    part.gloss[:] = 1.0


def _picture(part: Surface, some: Samples, detail: np.ndarray, setting: Setting) -> None:
    atlas = pictures.atlas()
    column, row = some.uv[:, 0].astype(np.int32), some.uv[:, 1].astype(np.int32)
    part.albedo *= atlas[row.clip(0, len(atlas) - 1), column.clip(0, atlas.shape[1] - 1)]


def _lamp(part: Surface, some: Samples, detail: np.ndarray, setting: Setting) -> None:
    """Glows `detail` hundredths as bright as white paper in shade, more where other lamps are lit too."""
    part.glow[:] = part.albedo * (detail / 100 * (1 + 2 * setting.light.lamps))[:, None]


MATERIALS = {
    mesh.ROAD: _road,
    mesh.PAVEMENT: _pavement,
    mesh.GRASS: _grass,
    mesh.FACADE: _facade,
    mesh.ROOF: _roof,
    mesh.BARK: _bark,
    mesh.PAINT: _paint,
    mesh.GLASS: _glass,
    mesh.PICTURE: _picture,
    mesh.LAMP: _lamp,
}
"""Who colours a material; plain ones and leaves keep their colour."""
