"""Measurements of how well tiles agree with the whole photo at once, by what the image pooling of a window averages.

python benchmarks/tiles.py --model v3-mobilenetv2 PHOTO...
"""

import argparse
import time
from dataclasses import replace

import numpy as np
from torch import Tensor
from torch.nn import functional as F

from segcli.images.read import read_rgb
from segcli.inference.segmenter import Segmenter
from segcli.inference.tiling import Tiled
from segcli.weights import model_io
from segcli.weights.model_io import LoadedModel


class OwnWindow(Tiled):
    """Each window averages itself."""

    def _image_mean(self, view: Tensor) -> None:
        return None


class ShrunkenWhole(Tiled):
    """Each window is told the average over the view shrunk to a window's size."""

    def _image_mean(self, view: Tensor) -> Tensor:
        shape = [max(1, round(side * self.tile / max(view.shape[-2:]))) for side in view.shape[-2:]]
        shrunken = F.interpolate(view, shape, mode="bilinear", antialias=True)
        return self.network.image_features(shrunken).mean((2, 3), keepdim=True)


WAYS = {"own window": OwnWindow, "shrunken whole": ShrunkenWhole, "whole": Tiled}


def segmenter(model: LoadedModel, tile: int, way: type[Tiled]) -> Segmenter:
    """A Segmenter whose windows hear of the whole picture that way."""
    made = Segmenter(model, size=0, tile=tile)
    windows = made.multi_scale.network
    made.multi_scale = replace(made.multi_scale, network=way(**vars(windows)))
    return made


def timed(segmenter: Segmenter, photo: np.ndarray) -> tuple[np.ndarray, float]:
    """The label map, and the processor's seconds of all threads."""
    start = time.process_time()
    return segmenter.labels(photo), time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", nargs="+")
    parser.add_argument("--model", default="v3-mobilenetv2")
    parser.add_argument("--output-stride", type=int)
    parser.add_argument("--tiles", type=int, nargs="+", default=[513, 257])
    options = parser.parse_args()
    model = model_io.load(options.model, options.output_stride)
    print("| photo | tile |", " | ".join(WAYS), "|\n|---|---|" + "---|" * len(WAYS))
    for name in options.photos:
        photo = read_rgb(name)
        whole, seconds = timed(Segmenter(model, size=0), photo)
        for tile in options.tiles:
            cells = []
            for way in WAYS.values():
                labels, spent = timed(segmenter(model, tile, way), photo)
                cells.append(f"{100 * (labels == whole).mean():.2f} % in {spent / seconds:.1f} times the whole's time")
            print(f"| {name} | {tile} |", " | ".join(cells), "|", flush=True)


if __name__ == "__main__":
    main()
