"""How steady masks of films are, and how good: frame by frame, averaged, and averaged along the optical flow.

    python benchmarks/steadiness.py ../shared/data/camvid/val ../shared/data/camvid/valannot --prefix 0016E5 --frames 60

takes consecutive photos of a film as its frames. Flicker is the share of pixels whose label differs from that of the
frame before, moved along the flow between the two, where the moved picture fits. The judge of flicker is a finer
setting of the same search for flow by which averages are moved; so compare flicker with flicker alone.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np

from segcli.evaluation.metrics import ConfusionMatrix
from segcli.films import steady
from segcli.films.steady import Steady
from segcli.images.masks import read_label_map
from segcli.images.read import read_rgb
from segcli.inference.prediction import Prediction
from segcli.inference.segmenter import Segmenter
from segcli.labels import VOID
from segcli.pipeline.model import load

FITS = 10
"""Grey levels of 255: where the moved frame differs by less, it shows the same."""
THIN = ("pole", "sign", "pedestrian")


def flicker(photos: list[np.ndarray], maps: list[np.ndarray]) -> float:
    """The share of pixels that change their label without reason, in 0..1."""
    import cv2

    judge = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    greys = [cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY) for photo in photos]
    changed = seen = 0
    y, x = np.mgrid[: greys[0].shape[0], : greys[0].shape[1]].astype(np.float32)
    for number in range(1, len(maps)):
        flow = judge.calc(greys[number], greys[number - 1], None)
        there = x + flow[..., 0], y + flow[..., 1]
        moved = cv2.remap(greys[number - 1], *there, cv2.INTER_LINEAR)
        before = cv2.remap(maps[number - 1], *there, cv2.INTER_NEAREST, borderValue=VOID)
        fits = (cv2.absdiff(moved, greys[number]) < FITS) & (before != VOID)
        changed += np.count_nonzero(fits & (before != maps[number]))
        seen += np.count_nonzero(fits)
    return changed / seen


def measured(
    photos: list[np.ndarray],
    truth: list[np.ndarray],
    predictions: list[Prediction],
    rate: float,
    average: Steady | None,
) -> tuple[list[np.ndarray], ConfusionMatrix]:
    """The label maps of one way, and their counts."""
    maps = []
    for number, (photo, prediction) in enumerate(zip(photos, predictions, strict=True)):
        maps.append((average(prediction, photo, number / rate) if average else prediction).labels())
    matrix = ConfusionMatrix(predictions[0].classes)
    for label_map, labels in zip(maps, truth, strict=True):
        matrix.update(labels, label_map)
    return maps, matrix


def annotation(path: Path) -> np.ndarray:
    """A label map of CamVid, whose void is 11."""
    labels = read_label_map(path)
    return np.where(labels == 11, VOID, labels).astype(np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("labels", type=Path)
    parser.add_argument("--prefix", default="", help="of the photos' names")
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--rate", type=float, default=15.0, help="frames a second")
    parser.add_argument("--model", default="street")
    parser.add_argument("--finer", type=int, nargs="+", default=[steady.FINER], help="sizes of the average to try")
    options = parser.parse_args()
    paths = sorted(options.photos.glob(f"{options.prefix}*"))[: options.frames]
    photos = [read_rgb(path) for path in paths]
    truth = [annotation(options.labels / f"{path.stem}.png") for path in paths]
    model = load(options.model)
    segmenter: Segmenter = model.segmenter
    predictions = [segmenter.predict([photo])[0] for photo in photos]
    ways: dict[str, Callable[[], Steady | None]] = {
        "every frame alone": lambda: None,
        "averaged": lambda: Steady(by_flow=False),
        "averaged along the flow": lambda: Steady(by_flow=True),
    }
    print(f"{len(photos)} frames of {options.prefix or options.photos}, {options.rate:g} a second, {options.model}")
    print("| way | average, times as fine as the scores | mIOU | pixels | flicker |", f"IOU of {', '.join(THIN)} |")
    print("|---|---|---|---|---|---|")
    for finer in options.finer:
        steady.FINER = finer
        for name, way in ways.items():
            maps, matrix = measured(photos, truth, predictions, options.rate, way())
            scores = matrix.scores(model.labels)
            thin = np.mean([scores.per_class[name] for name in THIN])
            shares = (scores.miou, scores.pixel_accuracy, flicker(photos, maps), thin)
            print(f"| {name} | {finer} |", " | ".join(f"{100 * share:.2f} %" for share in shares), "|", flush=True)


if __name__ == "__main__":
    main()
