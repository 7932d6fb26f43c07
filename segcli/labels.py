"""Label sets: the names, colours and void value of every dataset; the only palettes of the project."""

from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np

from segcli.errors import UsageError

VOID = 255
"""The id that training, evaluation and saved masks use for "no label"."""


def voc_palette(count: int) -> tuple[tuple[int, int, int], ...]:
    """The VOC devkit's colours: the bits of an id, dealt in turn to red, green and blue from the top bit down."""

    def colour(label: int) -> tuple[int, int, int]:
        channels = [0, 0, 0]
        for bit in range(8):
            for channel in range(3):
                channels[channel] |= (label >> (3 * bit + channel) & 1) << (7 - bit)
        return channels[0], channels[1], channels[2]

    return tuple(colour(label) for label in range(count))


@dataclass(frozen=True)
class LabelSet:
    """The classes of one dataset.

    Attributes:
        name: How manifests, checkpoints and the command line call it.
        names: One name per class; its index is the class id in masks and logits.
        palette: One (red, green, blue) per class, each in 0..255.
        ignore: The id that stands for void in this dataset's own label files, or None if there is none.
    """

    name: str
    names: tuple[str, ...]
    palette: tuple[tuple[int, int, int], ...]
    ignore: int | None = VOID

    def __post_init__(self) -> None:
        if len(self.names) != len(self.palette):
            raise ValueError(f"label set {self.name}: {len(self.names)} names, {len(self.palette)} colours")

    def __len__(self) -> int:
        return len(self.names)

    def colours(self) -> np.ndarray:
        """The palette as uint8 (256, 3); ids without a class are black, void (255) is the devkit's cream."""
        table = np.zeros((256, 3), np.uint8)
        count = min(len(self.palette), 256)
        table[:count] = self.palette[:count]
        if count <= VOID:
            table[VOID] = (224, 224, 192)
        return table

    def to_dict(self) -> dict:
        """Plain JSON values, for checkpoints and PNG text chunks."""
        return {
            "name": self.name,
            "names": list(self.names),
            "palette": [list(c) for c in self.palette],
            "ignore": self.ignore,
        }

    @classmethod
    def from_dict(cls, data: dict) -> "LabelSet":
        """The inverse of `to_dict`. Raises KeyError, TypeError or ValueError on data that is not a label set."""
        palette = tuple((int(r), int(g), int(b)) for r, g, b in data["palette"])
        return cls(str(data["name"]), tuple(map(str, data["names"])), palette, data["ignore"])


VOC = LabelSet(
    "voc2012",
    tuple(
        "background aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse motorbike person "
        "pottedplant sheep sofa train tvmonitor".split()
    ),
    voc_palette(21),
)
CITYSCAPES = LabelSet(
    "cityscapes",
    (
        *("road", "sidewalk", "building", "wall", "fence", "pole", "traffic light", "traffic sign", "vegetation"),
        *("terrain", "sky", "person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle"),
    ),
    (
        *((128, 64, 128), (244, 35, 232), (70, 70, 70), (102, 102, 156), (190, 153, 153), (153, 153, 153)),
        *((250, 170, 30), (220, 220, 0), (107, 142, 35), (152, 251, 152), (70, 130, 180), (220, 20, 60)),
        *((255, 0, 0), (0, 0, 142), (0, 0, 70), (0, 60, 100), (0, 80, 100), (0, 0, 230), (119, 11, 32)),
    ),
)
CAMVID = LabelSet(
    "camvid",
    (
        *("sky", "building", "pole", "road", "pavement", "tree"),
        *("sign", "fence", "car", "pedestrian", "bicyclist"),
    ),
    (
        *((128, 128, 128), (128, 0, 0), (192, 192, 128), (128, 64, 128), (60, 40, 222), (128, 128, 0)),
        *((192, 128, 128), (64, 64, 128), (64, 0, 128), (64, 64, 0), (0, 128, 192)),
    ),
    ignore=11,
)

LABEL_SETS = {labels.name: labels for labels in (VOC, CITYSCAPES, CAMVID)}


def get(name: str) -> LabelSet:
    """The label set of that name; UsageError with the nearest names otherwise."""
    if name in LABEL_SETS:
        return LABEL_SETS[name]
    near = get_close_matches(name, LABEL_SETS, n=1)
    hint = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(LABEL_SETS)}."
    raise UsageError(f"no label set is called {name!r}", hint)
