"""Label sets: the names, colours and void value of every dataset; the only palettes of the project."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from segcli import decoding
from segcli.decoding import between
from segcli.errors import UsageError, nearest

if TYPE_CHECKING:
    import numpy as np

VOID = 255
"""The id that training, evaluation and saved masks use for "no label"."""
BACKGROUND = "background"
"""The class that stands for "none of the others": it is neither drawn, outlined nor cut out."""

Colour = tuple[int, int, int]
"""Red, green and blue, each in 0..255."""
Byte = Annotated[int, between(0, 255)]
"""An id in a label map, or the share of one colour."""


def voc_palette(count: int) -> tuple[tuple[int, int, int], ...]:
    """The VOC devkit's colours: the bits of an id, dealt in turn to red, green and blue from the top bit down."""

    def colour(label: int) -> tuple[int, int, int]:
        channels = [0, 0, 0]
        for bit in range(8):
            for channel in range(3):
                channels[channel] |= (label >> (3 * bit + channel) & 1) << (7 - bit)
        return channels[0], channels[1], channels[2]

    return tuple(colour(label) for label in range(count))


def _hex_colours(text: str) -> tuple[tuple[int, int, int], ...]:
    """Colours written as rrggbb, separated by spaces."""
    colours = (bytes.fromhex(word) for word in text.split())
    return tuple((red, green, blue) for red, green, blue in colours)


@dataclass(frozen=True)
class LabelSet:
    """The classes of one dataset.

    Attributes:
        name: How manifests, checkpoints and the command line call it.
        names: One name per class; its index is the class id in masks and logits.
        palette: One (red, green, blue) per class, each in 0..255.
        ignore: The id that stands for void in this dataset's own label files, or None if there is none. Where it is
            also the index of a name (ADE20K's 0), that name is a channel of networks but no class.
    """

    name: str
    names: tuple[str, ...]
    palette: tuple[tuple[Byte, Byte, Byte], ...]
    ignore: Byte | None = VOID

    def __post_init__(self) -> None:
        if len(self.names) != len(self.palette):
            raise ValueError(f"label set {self.name}: {len(self.names)} names, {len(self.palette)} colours")

    def __len__(self) -> int:
        return len(self.names)

    def colours(self) -> np.ndarray:
        """The palette as uint8 (256, 3); ids without a class are black, void (255) is the devkit's cream."""
        import numpy as np

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
    def from_dict(cls, data: dict) -> LabelSet:
        """The inverse of `to_dict`; ValueError on data that is not a label set."""
        return decoding.decode(cls, data, "labels", ignore_unknown=True)


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

PASCAL_CONTEXT = LabelSet(
    "pascal-context",
    tuple(
        "background aeroplane bag bed bedclothes bench bicycle bird boat book bottle building bus cabinet car cat "
        "ceiling chair cloth computer cow cup curtain dog door fence floor flower food grass ground horse keyboard "
        "light motorbike mountain mouse person plate platform pottedplant road rock sheep shelves sidewalk sign sky "
        "snow sofa table track train tree truck tvmonitor wall water window wood".split()
    ),
    voc_palette(60),
)
"""The 59 frequent classes and background, in the alphabetical order of the 459 original classes. The older masks
`59_context_labels` number the same classes otherwise (VOC's twenty first)."""

PASCAL_CONTEXT_59 = LabelSet("pascal-context-59", PASCAL_CONTEXT.names[1:], PASCAL_CONTEXT.palette[1:])
"""Without background, which counts as void; the ids of the other classes are one less than in PASCAL_CONTEXT."""

PERSON_PART = LabelSet(
    "person-part",
    ("background", "head", "torso", "upper arms", "lower arms", "upper legs", "lower legs"),
    voc_palette(7),
)
ADE20K = LabelSet(
    "ade20k",
    tuple(
        (
            "void, wall, building, sky, floor, tree, ceiling, road, bed, windowpane, grass, cabinet, sidewalk, "
            "person, earth, door, table, mountain, plant, curtain, chair, car, water, painting, sofa, shelf, house, "
            "sea, mirror, rug, field, armchair, seat, fence, desk, rock, wardrobe, lamp, bathtub, railing, cushion, "
            "base, box, column, signboard, chest of drawers, counter, sand, sink, skyscraper, fireplace, "
            "refrigerator, grandstand, path, stairs, runway, case, pool table, pillow, screen door, stairway, river, "
            "bridge, bookcase, blind, coffee table, toilet, flower, book, hill, bench, countertop, stove, palm, "
            "kitchen island, computer, swivel chair, boat, bar, arcade machine, hovel, bus, towel, light, truck, "
            "tower, chandelier, awning, streetlight, booth, television, airplane, dirt track, apparel, pole, land, "
            "bannister, escalator, ottoman, bottle, buffet, poster, stage, van, ship, fountain, conveyer belt, "
            "canopy, washer, plaything, swimming pool, stool, barrel, basket, waterfall, tent, bag, minibike, cradle, "
            "oven, ball, food, step, tank, trade name, microwave, pot, animal, bicycle, lake, dishwasher, screen, "
            "blanket, sculpture, hood, sconce, vase, traffic light, tray, ashcan, fan, pier, crt screen, plate, "
            "monitor, bulletin board, shower, radiator, glass, clock, flag"
        ).split(", ")
    ),
    _hex_colours(
        "000000 787878 b47878 06e6e6 503232 04c803 787850 8c8c8c cc05ff e6e6e6 04fa07 e005ff ebff07 96053d 787846 "
        "08ff33 ff0652 8fff8c ccff04 ff3307 cc4603 0066c8 3de6fa ff0633 0b66ff ff0747 ff09e0 0907e6 dcdcdc ff095c "
        "7009ff 08ffd6 07ffe0 ffb806 0aff47 ff290a 07ffff e0ff08 6608ff ff3d06 ffc207 ff7a08 00ff14 ff0829 ff0599 "
        "0633ff eb0cff a09614 00a3ff 8c8c8c fa0a0f 14ff00 1fff00 ff1f00 ffe000 99ff00 0000ff ff4700 00ebff 00adff "
        "1f00ff 0bc8c8 ff5200 00fff5 003dff 00ff70 00ff85 ff0000 ffa300 ff6600 c2ff00 008fff 33ff00 0052ff 00ff29 "
        "00ffad 0a00ff adff00 00ff99 ff5c00 ff00ff ff00f5 ff0066 ffad00 ff0014 ffb8b8 001fff 00ff3d 0047ff ff00cc "
        "00ffc2 00ff52 000aff 0070ff 3300ff 00c2ff 007aff 00ffa3 ff9900 00ff0a ff7000 8fff00 5200ff a3ff00 ffeb00 "
        "08b8aa 8500ff 00ff5c b800ff ff001f 00b8ff 00d6ff ff0070 5cff00 00e0ff 70e0ff 46b8a0 a300ff 9900ff 47ff00 "
        "ff00a3 ffcc00 ff008f 00ffeb 85ff00 ff00eb f500ff ff007a fff500 0abed4 d6ff00 00ccff 1400ff ffff00 0099ff "
        "0029ff 00ffcc 2900ff 29ff00 ad00ff 00f5ff 4700ff 7a00ff 00ffb8 005cff b8ff00 0085ff ffd600 19c2c2 66ff00 "
        "5c00ff"
    ),
    ignore=0,
)
"""The scene-parsing benchmark's 150 classes under the benchmark's own ids, 1..150. Id 0 is void; it stays an id so that
the field's networks with 151 channels fit, but it is no class: no score counts it."""

ADE20K_150 = LabelSet("ade20k-150", ADE20K.names[1:], ADE20K.palette[1:])
"""Without void, for networks of 150 channels (mmsegmentation); the ids of the classes are one less than in ADE20K."""

COCO_STUFF = LabelSet(
    "coco-stuff",
    tuple(
        (
            "person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light, fire hydrant, stop "
            "sign, parking meter, bench, bird, cat, dog, horse, sheep, cow, elephant, bear, zebra, giraffe, backpack, "
            "umbrella, handbag, tie, suitcase, frisbee, skis, snowboard, sports ball, kite, baseball bat, baseball "
            "glove, skateboard, surfboard, tennis racket, bottle, wine glass, cup, fork, knife, spoon, bowl, banana, "
            "apple, sandwich, orange, broccoli, carrot, hot dog, pizza, donut, cake, chair, couch, potted plant, bed, "
            "dining table, toilet, tv, laptop, mouse, remote, keyboard, cell phone, microwave, oven, toaster, sink, "
            "refrigerator, book, clock, vase, scissors, teddy bear, hair drier, toothbrush, banner, blanket, branch, "
            "bridge, building-other, bush, cabinet, cage, cardboard, carpet, ceiling-other, ceiling-tile, cloth, "
            "clothes, clouds, counter, cupboard, curtain, desk-stuff, dirt, door-stuff, fence, floor-marble, "
            "floor-other, floor-stone, floor-tile, floor-wood, flower, fog, food-other, fruit, furniture-other, "
            "grass, gravel, ground-other, hill, house, leaves, light, mat, metal, mirror-stuff, moss, mountain, mud, "
            "napkin, net, paper, pavement, pillow, plant-other, plastic, platform, playingfield, railing, railroad, "
            "river, road, rock, roof, rug, salad, sand, sea, shelf, sky-other, skyscraper, snow, solid-other, stairs, "
            "stone, straw, structural-other, table, tent, textile-other, towel, tree, vegetable, wall-brick, "
            "wall-concrete, wall-other, wall-panel, wall-stone, wall-tile, wall-wood, water-other, waterdrops, "
            "window-blind, window-other, wood"
        ).split(", ")
    ),
    voc_palette(171),
)
"""The 80 things and 91 stuff classes of COCO-Stuff 164k in the order of mmsegmentation, whose converter numbers the
171 of them 0..170; the published masks number them 0..181 with gaps."""

LOVEDA = LabelSet(
    "loveda",
    ("background", "building", "road", "water", "barren", "forest", "agricultural"),
    _hex_colours("ffffff ff0000 ffff00 0000ff 9f81b7 00ff00 ffc380"),
)
"""LoveDA's land cover under the ids 0..6; its label files have each one higher, and 0 for no data."""

ISPRS = LabelSet(
    "isprs",
    ("impervious surface", "building", "low vegetation", "tree", "car", "clutter"),
    _hex_colours("ffffff 0000ff 00ffff 00ff00 ffff00 ff0000"),
)
"""The classes of the ISPRS benchmarks Potsdam and Vaihingen, in the order and colours of their label pictures."""

CITYSCAPES_LABEL_IDS = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
"""The id that each of CITYSCAPES' classes has in `*_labelIds.png` and on the benchmark's server."""

CITYSCAPES_ID_NAMES = (
    *("unlabeled", "ego vehicle", "rectification border", "out of roi", "static", "dynamic", "ground", "road"),
    *("sidewalk", "parking", "rail track", "building", "wall", "fence", "guard rail", "bridge", "tunnel", "pole"),
    *("polegroup", "traffic light", "traffic sign", "vegetation", "terrain", "sky", "person", "rider", "car"),
    *("truck", "bus", "caravan", "trailer", "train", "motorcycle", "bicycle"),
)
"""The name of each id, 0 to 33, in `*_labelIds.png`; 15 of them are no class of CITYSCAPES."""

LABEL_SETS = {
    labels.name: labels
    for labels in (
        *(VOC, CITYSCAPES, CAMVID, PASCAL_CONTEXT, PASCAL_CONTEXT_59, PERSON_PART, ADE20K, ADE20K_150),
        *(COCO_STUFF, LOVEDA, ISPRS),
    )
}


def some_of(names: Sequence[str], most: int = 10) -> str:
    """The names in words, the first few of many, such as "leaf, spot and 3 more"."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def get(name: str) -> LabelSet:
    """The label set of that name; UsageError with the nearest names otherwise."""
    if name in LABEL_SETS:
        return LABEL_SETS[name]
    raise UsageError(f"no label set is called {name!r}", nearest(name, LABEL_SETS))


def from_names(names: Sequence[str], name: str = "folder", ignore: int | None = VOID) -> LabelSet:
    """A label set with the VOC devkit's colours; UsageError on an empty, repeated or surplus name."""
    names = tuple(name.strip() for name in names)
    if not names:
        raise UsageError(f"label set {name} names no class", "Give at least one name.")
    if len(names) > VOID:
        raise UsageError(f"label set {name} names {len(names)} classes", f"At most {VOID} fit: {VOID} stands for void.")
    for index, text in enumerate(names):
        if not text or text in names[:index]:
            trouble = f"repeats {text!r}" if text else "is empty"
            raise UsageError(f"label set {name}: name {index} {trouble}", "Give each id one name of its own.")
    return LabelSet(name, names, voc_palette(len(names)), ignore)
