"""The mIOU of labelling each pixel by the nearest mean colour of a class: what any network must better.

python benchmarks/nearest_colour.py --config small
"""

import argparse
import sys

import numpy as np

from segcli.data.dataset import Dataset
from segcli.evaluation.metrics import ConfusionMatrix
from segcli.images.read import read_rgb
from segcli.labels import VOID
from segcli.training import packaged, recipe
from segcli.training.partition import split


def mean_colours(dataset: Dataset) -> np.ndarray:
    """float64 (K, 3): the mean colour of each class's pixels; infinite for a class without any."""
    sums, counts = np.zeros((len(dataset.labels), 3)), np.zeros(len(dataset.labels))
    for sample in dataset.samples:
        rgb, label = read_rgb(sample.image).reshape(-1, 3), dataset.read_label(sample).ravel()
        known = label != VOID
        counts += np.bincount(label[known], minlength=len(counts))
        for channel in range(3):
            sums[:, channel] += np.bincount(label[known], rgb[known, channel], minlength=len(counts))
    return np.where(counts[:, None] > 0, sums / counts.clip(1)[:, None], np.inf)


def nearest(rgb: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """uint8 (H, W): the class whose colour is nearest to each pixel of uint8 (H, W, 3)."""
    distances = [np.square(rgb - colour).sum(-1) for colour in colours]
    return np.argmin(distances, axis=0).astype(np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", required=True, help="a recipe's name or file, for its photos")
    train, val = split.choose(recipe.read(packaged.find(parser.parse_args().config)).data)
    colours = mean_colours(train)
    matrix = ConfusionMatrix(len(val.labels))
    for sample in val.samples:
        matrix.update(val.read_label(sample), nearest(read_rgb(sample.image), colours))
    scores = matrix.scores(val.labels)
    sys.stdout.write(f"mIOU {100 * scores.miou:.1f}, pixel accuracy {100 * scores.pixel_accuracy:.1f}\n")


if __name__ == "__main__":
    main()
