"""Pedestrians and bicyclists with limbs that bend, clothes, hair and bags; they face z."""

import numpy as np

from street.mesh import BICYCLIST, PEDESTRIAN, Look, Mesh, ball, disc, join, limb, tube

SKINS = ((0.91, 0.73, 0.62), (0.80, 0.58, 0.45), (0.62, 0.42, 0.30), (0.42, 0.28, 0.20), (0.95, 0.80, 0.70))
HAIRS = ((0.10, 0.08, 0.07), (0.25, 0.16, 0.10), (0.55, 0.40, 0.22), (0.60, 0.58, 0.56), (0.38, 0.18, 0.10))
TOPS = (
    *((0.15, 0.16, 0.20), (0.08, 0.08, 0.09), (0.62, 0.12, 0.13), (0.16, 0.28, 0.48), (0.82, 0.80, 0.76)),
    *((0.35, 0.38, 0.26), (0.72, 0.52, 0.20), (0.40, 0.24, 0.16), (0.55, 0.57, 0.60), (0.30, 0.15, 0.32)),
    *((0.85, 0.42, 0.12), (0.12, 0.42, 0.42), (0.78, 0.62, 0.62)),
)
TROUSERS = ((0.12, 0.14, 0.22), (0.20, 0.26, 0.38), (0.09, 0.09, 0.10), (0.42, 0.37, 0.29), (0.27, 0.27, 0.28))


class _Figure:
    """A body of about 1.75 m, built of limbs of one label.

    Args:
        rng: Chooses clothes and build.
        label: Class id of every part.
    """

    def __init__(self, rng: np.random.Generator, label: int) -> None:
        def look(colours):
            return Look(tuple(colours[rng.integers(len(colours))]), label)

        self.skin, self.hair, self.top, self.trousers = look(SKINS), look(HAIRS), look(TOPS), look(TROUSERS)
        self.shoes = Look((0.08, 0.07, 0.07) if rng.random() < 0.7 else (0.7, 0.7, 0.7), label)
        self.stout = float(rng.uniform(0.92, 1.18))
        self.parts: list[Mesh] = []

    def leg(self, hip, knee, ankle) -> None:
        """Thigh, shin and shoe."""
        self.parts += [limb(hip, knee, 0.088 * self.stout, self.trousers, 0.064)]
        self.parts += [limb(knee, ankle, 0.064, self.trousers, 0.05)]
        x, y, z = ankle
        self.parts.append(ball((x, y - 0.045, z + 0.06), (0.05, 0.05, 0.135), self.shoes, 5, 8))

    def arm(self, shoulder, elbow, wrist) -> None:
        """Sleeves and hand."""
        self.parts += [limb(shoulder, elbow, 0.058 * self.stout, self.top, 0.048)]
        self.parts += [limb(elbow, wrist, 0.048, self.top, 0.038), ball(wrist, (0.045, 0.055, 0.045), self.skin, 5, 6)]

    def trunk(self, hips, shoulders, hem: float = 0.0) -> None:
        """From hips to neck; a hem makes it a coat that reaches so far below the hips."""
        hips, shoulders = np.array(hips), np.array(shoulders)
        share = np.array([-0.12, -0.1, 0.0, 0.3, 0.62, 0.86, 1.0, 1.07])
        wide = np.array([0.10, 0.155, 0.165, 0.145, 0.175, 0.195, 0.13, 0.05]) * self.stout
        if hem:
            share = np.concatenate([[-hem - 0.02, -hem], share[2:]])
            wide[:2] = 0.17 * self.stout, 0.19 * self.stout
        path = hips + (shoulders - hips) * share[:, None]
        body = tube(path - hips, wide, self.top, 12)
        flat = body.corners * np.array([1, 1, 0.66], np.float32)
        self.parts.append(type(body)(**{**vars(body), "corners": flat}).moved(hips))

    def head(self, neck, hat: bool = False, long_hair: bool = False) -> None:
        """Neck, face and hair, or a helmet."""
        x, y, z = neck
        self.parts.append(limb((x, y - 0.03, z), (x, y + 0.08, z + 0.01), 0.052, self.skin))
        self.parts.append(ball((x, y + 0.185, z + 0.015), (0.078, 0.115, 0.096), self.skin))
        cover = Look((0.75, 0.75, 0.72), self.skin.label) if hat else self.hair
        self.parts.append(ball((x, y + 0.225, z - 0.014), (0.09, 0.095, 0.106), cover))
        if long_hair:
            self.parts.append(ball((x, y + 0.13, z - 0.055), (0.088, 0.14, 0.06), self.hair))


def pedestrian(rng: np.random.Generator) -> Mesh:
    """Somebody who walks or stands."""
    figure = _Figure(rng, PEDESTRIAN)
    stride = float(rng.uniform(0.15, 0.5)) * (rng.random() < 0.78)
    for side in (-1, 1):
        swing = stride * side
        hip = np.array([side * 0.085, 0.92, 0.0])
        knee = hip + np.array([0, -0.43 * np.cos(swing * 0.9), 0.43 * np.sin(swing * 0.9) + 0.06 * (stride > 0)])
        bend = swing - (0.75 * stride if side < 0 else 0.05)
        ankle = knee + np.array([0, -0.42 * np.cos(bend), 0.42 * np.sin(bend)])
        ankle[1] = max(ankle[1], 0.085)
        figure.leg(hip, knee, ankle)
        shoulder = np.array([side * 0.185 * figure.stout, 1.42, 0])
        angle = -swing * 0.9 + rng.uniform(-0.1, 0.1)
        bent = rng.uniform(0.1, 0.5) if rng.random() < 0.75 else rng.uniform(1.2, 1.9)
        elbow = shoulder + np.array([side * 0.05, -0.29 * np.cos(angle), 0.29 * np.sin(angle)])
        wrist = elbow + np.array([-side * 0.02, -0.25 * np.cos(angle + bent), 0.25 * np.sin(angle + bent)])
        figure.arm(shoulder, elbow, wrist)
    hem = float(rng.choice([0, 0.45, 0.8], p=[0.6, 0.22, 0.18]))
    figure.trunk((0, 0.93, 0), (0, 1.47, 0.01), hem)
    figure.head((0, 1.5, 0.02), long_hair=rng.random() < 0.4)
    if rng.random() < 0.4:
        bag = Look(tuple(TOPS[rng.integers(len(TOPS))]), PEDESTRIAN)
        behind = rng.random() < 0.5
        where, size = ((0, 1.22, -0.19), (0.15, 0.21, 0.09)) if behind else ((0.27, 0.82, 0), (0.07, 0.15, 0.15))
        figure.parts.append(ball(where, size, bag, 6, 8))
    return join(figure.parts).moved(scale=float(rng.uniform(0.88, 1.07)))


def bicyclist(rng: np.random.Generator, rider: bool = True) -> Mesh:
    """Somebody on a bicycle, or the bicycle alone."""
    parts = _bicycle(rng)
    if rider:
        figure = _Figure(rng, BICYCLIST)
        turn = rng.uniform(0, 2 * np.pi)
        lean = rng.uniform(0.12, 0.34)
        shoulders = np.array([0, 1.46 - lean * 0.3, -0.2 + lean])
        for side in (-1, 1):
            hip, phase = np.array([side * 0.09, 0.97, -0.22]), turn + (np.pi if side > 0 else 0)
            ankle = np.array([side * 0.11, 0.38 + 0.17 * np.sin(phase), 0.03 + 0.17 * np.cos(phase)])
            figure.leg(hip, _joint(hip, ankle, 0.44, 0.44), ankle)
            shoulder = shoulders + np.array([side * 0.18, -0.04, 0])
            wrist = np.array([side * 0.25, 1.03, 0.42])
            elbow = (shoulder + wrist) / 2 + [side * 0.06, -0.07, -0.04]
            figure.arm(shoulder, elbow, wrist)
        figure.trunk((0, 0.97, -0.23), shoulders)
        figure.head(shoulders + np.array([0, 0.03, 0.05]), hat=rng.random() < 0.5, long_hair=rng.random() < 0.3)
        parts += figure.parts
    return join(parts).moved(scale=float(rng.uniform(0.94, 1.06)))


def _joint(start: np.ndarray, end: np.ndarray, upper: float, lower: float) -> np.ndarray:
    """Where a knee is, bent forwards."""
    axis = end - start
    reach = min(np.linalg.norm(axis), upper + lower - 1e-3)
    along = (reach**2 + upper**2 - lower**2) / (2 * reach)
    axis = axis / np.linalg.norm(axis)
    forward = np.cross(axis, [-1, 0, 0])
    return start + axis * along + forward / np.linalg.norm(forward) * np.sqrt(max(upper**2 - along**2, 0))


def _bicycle(rng: np.random.Generator) -> list[Mesh]:
    frame = Look(tuple(TOPS[rng.integers(len(TOPS))]), BICYCLIST)
    black, steel = Look((0.06, 0.06, 0.06), BICYCLIST), Look((0.6, 0.6, 0.62), BICYCLIST)
    parts = []
    for z in (-0.5, 0.53):
        angle = np.linspace(0, 2 * np.pi, 29)
        parts.append(
            tube(np.stack([0 * angle, 0.34 + 0.325 * np.cos(angle), z + 0.325 * np.sin(angle)], 1), 0.019, black, 5)
        )
        for spoke in np.arange(6) * np.pi / 6 + rng.uniform(0, 1):
            tip = np.array([0, 0.31 * np.cos(spoke), 0.31 * np.sin(spoke)])
            parts.append(tube([np.array((0, 0.34, z)) - tip, np.array((0, 0.34, z)) + tip], 0.003, steel, 3))
        parts.append(disc((0, 0.34, z), 0.33, Look((0, 0, 0), BICYCLIST, veil=True), sides=16))
    crank, seat, head, rear, fork = (0, 0.3, 0.02), (0, 0.86, -0.2), (0, 0.84, 0.36), (0, 0.34, -0.5), (0, 0.34, 0.53)
    for start, end in ((crank, seat), (seat, head), (crank, head), (seat, rear), (crank, rear), (head, fork)):
        parts.append(limb(start, end, 0.019, frame, sides=6))
    parts += [
        limb(head, (0, 1.0, 0.36), 0.016, black, sides=6),
        limb((-0.26, 1.02, 0.38), (0.26, 1.02, 0.38), 0.014, black, sides=6),
    ]
    parts.append(ball((0, 0.93, -0.23), (0.075, 0.035, 0.13), black, 5, 8))
    return parts
