"""Writes crf_reference.npz beside itself: what pydensecrf2 1.1 makes of a small drawn picture."""

from pathlib import Path

import numpy as np

# (w1, sigma_alpha, sigma_beta, w2, sigma_gamma, iterations): the defaults, the paper's w2 and sigma_gamma, and the
# settings of pydensecrf's own examples.
SETTINGS = ((4, 67, 3, 3, 1, 10), (5, 50, 5, 3, 3, 10), (10, 80, 13, 3, 3, 5))
SIZE = 47, 65  # odd on purpose: pydensecrf works on four pixels at a time
CLASSES = 4


def drawing() -> tuple[np.ndarray, np.ndarray]:
    """Three shapes on a ramp with grain, and soft, blotchy, slightly shifted probabilities of them."""
    grain = np.random.Generator(np.random.PCG64(5))
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    shapes = [np.hypot(y - 15, x - 20) < 11, (abs(y - 33) < 8) & (abs(x - 45) < 14), (y + x > 85) & (y < 22)]
    rgb = np.stack([90 + x, 120 + y, 200 - x], 2).astype(float)
    for shape, colour in zip(shapes, ((200, 60, 50), (40, 160, 70), (60, 70, 170)), strict=True):
        rgb[shape] = colour
    scores = np.zeros((CLASSES, *SIZE))
    for label, shape in enumerate(shapes, 1):
        scores[label] = 3.0 * np.roll(shape, (2, -2), (0, 1)) - 0.5
    scores += np.kron(grain.normal(0, 0.8, (CLASSES, 12, 17)), np.ones((4, 4)))[:, : SIZE[0], : SIZE[1]]
    probabilities = np.exp(scores) / np.exp(scores).sum(0)
    return np.clip(rgb + grain.normal(0, 4, rgb.shape), 0, 255).astype(np.uint8), probabilities.astype(np.float16)


def main() -> None:
    from pydensecrf.densecrf import DenseCRF2D
    from pydensecrf.utils import unary_from_softmax

    rgb, probabilities = drawing()
    refined = []
    for w1, sigma_alpha, sigma_beta, w2, sigma_gamma, iterations in SETTINGS:
        crf = DenseCRF2D(SIZE[1], SIZE[0], CLASSES)
        crf.setUnaryEnergy(np.ascontiguousarray(unary_from_softmax(probabilities.astype(np.float32))))
        crf.addPairwiseGaussian(sxy=sigma_gamma, compat=w2)
        crf.addPairwiseBilateral(sxy=sigma_alpha, srgb=sigma_beta, rgbim=rgb, compat=w1)
        beliefs = np.array(crf.inference(iterations)).reshape(probabilities.shape)
        refined.append(np.round(beliefs * 65535).astype(np.uint16))
    np.savez_compressed(
        Path(__file__).with_suffix(".npz"),
        rgb=rgb,
        probabilities=probabilities,
        settings=np.array(SETTINGS, np.float64),
        refined=np.stack(refined),
    )


if __name__ == "__main__":
    main()
