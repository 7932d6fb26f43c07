"""A truth and a prediction for tests of scores."""

import numpy as np

from segcli.labels import VOID


def random_maps(generator, classes=21, shape=(60, 80)):
    """A truth with void and runs of one class, and a prediction that is right in about half of its pixels."""
    coarse = generator.integers(0, classes, (shape[0] // 10, shape[1] // 10), np.uint8)
    truth = np.kron(coarse, np.ones((10, 10), np.uint8))
    predicted = np.where(generator.random(shape) < 0.5, truth, generator.integers(0, classes, shape, np.uint8))
    truth[generator.random(shape) < 0.1] = VOID
    return truth, predicted
