"""Daylight: the sun, the sky and its clouds, haze; and how both fall on a surface."""

from dataclasses import dataclass

import numpy as np

from street.mesh import unit
from street.noise import smooth


@dataclass(frozen=True)
class Light:
    """The light of one scene; colours are linear, 1 being white in bright shade.

    Attributes:
        sun: Unit vector towards the sun.
        beam: Colour of the direct light; black under clouds.
        zenith: Colour of the sky above.
        horizon: Colour of the sky at the horizon, which haze takes on.
        ground: Colour of the light that comes back from below.
        haze: Metres after which haze hides all but 37 %.
        clouds: Cover in 0..1.
        shift: Where in the noise the clouds lie.
        softness: Half the width of a shadow's edge, in metres.
        wet: How wet the ground is, in 0..1.
        dome: How much brighter the sky looks than the light that it sheds; photos show it near white.
        lamps: How many of the windows are lit, and how brightly lamps shine, in 0..1.
    """

    sun: np.ndarray
    beam: np.ndarray
    zenith: np.ndarray
    horizon: np.ndarray
    ground: np.ndarray
    haze: float
    clouds: float
    shift: float
    softness: float
    wet: float
    dome: float
    lamps: float

    def sky(self, ray: np.ndarray) -> np.ndarray:
        """The clear sky's colour, float32 (N, 3), in directions (N, 3) of any length."""
        ray = unit(ray)
        rise = ray[:, 1:2].clip(0, 1)
        colour = self.zenith + (self.horizon - self.zenith) * np.exp(-rise * 4.0)
        toward = (ray @ self.sun).clip(0)[:, None]
        glow = 0.25 * toward**6 + 0.6 * toward**60 + 6 * toward**1500
        return (colour + self.beam * glow * (0.35 if self.clouds < 0.9 else 0.1)).astype(np.float32)

    def heaven(self, ray: np.ndarray) -> np.ndarray:
        """The sky with its clouds, float32 (N, 3)."""
        colour = self.sky(ray)
        if self.clouds <= 0:
            return colour * self.dome
        ray = unit(ray)
        rise = np.maximum(ray[:, 1], 0.02)
        east, north = (ray[:, axis] / (rise + 0.12) for axis in (0, 2))
        thick = self._thickness(east, north)
        toward_sun = self._thickness(east + 0.12 * self.sun[0], north + 0.12 * self.sun[2])
        density = _step(thick, 0.15, 1.25)[:, None]
        lit = (0.75 - 0.3 * (toward_sun - thick * 0.4)).clip(0.35, 1.15)[:, None]
        white = (0.55 * self.horizon + 0.45 * self.zenith.mean() + 0.42 * self.beam) * lit
        cover = density * np.exp(-0.05 / rise)[:, None]
        return (colour + (white - colour) * cover) * self.dome

    def _thickness(self, east: np.ndarray, north: np.ndarray) -> np.ndarray:
        """How thick the clouds are; above 0.15 or so they are seen."""
        base = smooth(east + self.shift, north, 14, 1.75, fine=True)
        return base + 0.12 * smooth(east, north + self.shift, 5, 1.2, fine=True) + 2.6 * (self.clouds - 0.5)

    def ambient(self, normal: np.ndarray) -> np.ndarray:
        """The light from the whole sky and the ground on surfaces with such normals, (N, 3)."""
        up = normal[:, 1:2] * 0.5 + 0.5
        above = 0.62 * self.zenith + 0.38 * self.horizon
        return (self.ground + (above - self.ground) * up).astype(np.float32)


def _step(x: np.ndarray, low: float, high: float) -> np.ndarray:
    """0 below low, 1 above high, smooth between."""
    t = ((x - low) / (high - low)).clip(0, 1)
    return t * t * (3 - 2 * t)


def draw(rng: np.random.Generator, weather: str | None = None, height: float | None = None) -> Light:
    """The light of a random hour; `weather` is one of WEATHERS, `height` the sun's in radians."""
    weather = weather or str(rng.choice(list(WEATHERS), p=list(WEATHERS.values())))
    height = float(rng.uniform(0.3, 1.05)) if height is None else height
    if weather in ("golden", "dusk"):
        height = float(rng.uniform(0.1, 0.3)) if weather == "golden" else float(rng.uniform(0.03, 0.1))
    bearing = rng.uniform(-np.pi, np.pi)
    sun = np.array([np.sin(bearing) * np.cos(height), np.sin(height), np.cos(bearing) * np.cos(height)], np.float32)
    beam, zenith, horizon, clouds, haze = _colours(rng, weather, height)
    ground = 0.16 * (zenith + horizon) * np.array([1, 0.96, 0.9]) + 0.10 * beam * sun[1]
    return Light(
        *(np.asarray(value, np.float32) for value in (sun, beam, zenith, horizon, ground)),
        haze=haze,
        clouds=clouds,
        shift=float(rng.uniform(0, 14)),
        softness=float(rng.uniform(0.03, 0.1)) * (3 if weather == "hazy" else 1),
        wet=float(rng.uniform(0.4, 1)) if rng.random() < (0.45 if weather in ("overcast", "dusk") else 0.05) else 0.0,
        dome=1.0 if weather in ("dusk", "golden") else float(rng.choice([1.0, rng.uniform(1, 2.5)])),
        lamps={"dusk": 0.6, "overcast": 0.15, "golden": 0.15}.get(weather, 0.0),
    )


WEATHERS = {"clear": 0.22, "fair": 0.28, "overcast": 0.24, "hazy": 0.1, "golden": 0.1, "dusk": 0.06}
"""Kinds of light and how often each occurs."""


def _colours(rng: np.random.Generator, weather: str, height: float) -> tuple:
    """Beam, zenith and horizon, cloud cover, and haze."""
    warm = np.exp(-height * 3.2) * np.array([0.0, 0.55, 1.35])
    beam = 2.6 * np.exp(-warm) * (1 - 0.4 * np.exp(-height * 4))
    blue = np.array([0.13, 0.31, 0.80]) * rng.uniform(0.7, 1.15)
    pale = np.array([0.78, 0.90, 1.0]) * rng.uniform(0.85, 1.1)
    haze = float(rng.uniform(500, 2500))
    if weather == "clear":
        return beam, blue, pale, float(rng.choice([0, rng.uniform(0.1, 0.4)])), haze
    if weather == "fair":
        return beam * 0.95, blue * 1.05, pale, float(rng.uniform(0.4, 0.7)), haze
    if weather == "overcast":
        grey = np.array([0.92, 0.96, 1.0]) * rng.uniform(0.7, 1.15)
        return beam * rng.choice([0, 0.06]), grey * 0.85, grey, float(rng.uniform(0.75, 1.2)), haze * 0.5
    if weather == "hazy":
        return (
            beam * 0.45,
            np.array([0.62, 0.72, 0.86]),
            np.array([0.98, 0.98, 0.96]),
            0.15,
            float(rng.uniform(90, 220)),
        )
    if weather == "golden":
        return beam * 0.9, blue * 0.75, np.array([1.0, 0.74, 0.5]), float(rng.uniform(0.1, 0.65)), haze * 0.6
    return (
        beam * 0.3,
        np.array([0.13, 0.17, 0.34]),
        np.array([0.72, 0.40, 0.30]),
        float(rng.uniform(0.3, 0.7)),
        haze * 0.7,
    )
