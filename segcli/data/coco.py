"""COCO: its instances drawn as label maps of VOC's 21 classes, the way torchvision's references do it.

pycocotools draws the polygons. It trusts what it is given: no number gets to its C code that could lead it out of the
mask's memory, or make it take the machine's.
"""

import json
from pathlib import Path

import numpy as np

from segcli.data.dataset import Sample
from segcli.data.forms import coco_rle
from segcli.errors import DatasetError, UsageError
from segcli.images.reading import MAX_PIXELS
from segcli.labels import VOID

VOC_CATEGORIES = (5, 2, 16, 9, 44, 6, 3, 17, 62, 21, 67, 18, 19, 4, 1, 64, 20, 63, 7, 72)
"""The COCO category of each VOC class, from aeroplane, 1, on."""
MOST_STEPS = 4_000_000
"""The longest outline of a polygon in pixels; drawing one takes some 80 bytes a pixel of it."""


class Instances:
    """The instances of VOC's classes in one annotation file.

    Args:
        path: `instances_*2017.json`.
        min_area: Photos whose instances of VOC's classes have no more pixels together are left out; torchvision trains
            on photos with more than 1000 and evaluates on all.

    Attributes:
        photos: The photos' file names, in the file's order.

    Raises:
        DatasetError: The file cannot be read or is no such file.
        UsageError: pycocotools is not installed.
    """

    def __init__(self, path: Path, min_area: float = 0):
        _drawing()  # so that a missing package is told at once, not at the first photo
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            found = {image["id"]: [] for image in data["images"]}
            for entry in data["annotations"]:
                if entry["category_id"] in VOC_CATEGORIES:
                    found[entry["image_id"]].append(entry)
            self._images = {_plain_name(image["file_name"]): image for image in data["images"]}
            self._instances = {photo: found[image["id"]] for photo, image in self._images.items()}
            areas = {photo: sum(entry["area"] for entry in entries) for photo, entries in self._instances.items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
            raise DatasetError(f"{path} is not a file of COCO instances: {error!r}", "Unpack it again.") from error
        self.photos = tuple(photo for photo in self._images if not min_area or areas[photo] > min_area)

    def read_ids(self, sample: Sample) -> np.ndarray:
        """Draw the sample's classes, uint8 (H, W): 0 for background, VOID where instances overlap."""
        image = self._images[sample.image.name]
        try:
            height, width = int(image["height"]), int(image["width"])
            if not (0 < height <= MAX_PIXELS and 0 < width <= MAX_PIXELS // height):
                raise DatasetError(f"it states {width} x {height} pixels, which cannot be")
            classes, cover = np.zeros((2, height, width), np.uint8)
            for entry in self._instances[sample.image.name]:
                mask = _draw(entry["segmentation"], height, width)
                classes[mask] = VOC_CATEGORIES.index(entry["category_id"]) + 1
                cover[mask] = np.minimum(cover[mask] + 1, 2)
        except Exception as error:  # pycocotools raises whatever its C code meets
            reason = error.message if isinstance(error, DatasetError) else repr(error)
            raise DatasetError(f"{sample.label}: the instances of {sample.image.name} are broken: {reason}") from error
        classes[cover > 1] = VOID
        return classes


def _draw(segmentation: list | dict, height: int, width: int) -> np.ndarray:
    """The mask, bool (H, W), that polygons or a run-length code describe."""
    if isinstance(segmentation, dict):
        return _decoded(segmentation, height, width)
    polygons = _checked(segmentation, height, width)
    drawing = _drawing()
    codes = drawing.frPyObjects(polygons, height, width)
    return drawing.decode(codes).reshape(height, width, -1).any(axis=2)


def _decoded(code: dict, height: int, width: int) -> np.ndarray:
    """The mask of a run-length code, which must be of the photo's size."""
    stated = tuple(map(int, code["size"]))
    if stated != (height, width):
        raise DatasetError(
            f"a mask is {' x '.join(map(str, stated[::-1]))} pixels, but its photo is {width} x {height}"
        )
    part, (row, column) = coco_rle.decode(code["counts"], height, width)
    mask = np.zeros((height, width), bool)
    mask[row : row + part.shape[0], column : column + part.shape[1]] = part
    return mask


def _checked(polygons: list, height: int, width: int) -> list[list[float]] | np.ndarray:
    """Polygons whose points are numbers near the photo and make no endless outline; boxes of four numbers as (n, 4)."""
    loops = [np.array(polygon, np.float64) for polygon in polygons]
    are_boxes = all(loop.shape == (4,) for loop in loops)
    if not loops or not all(
        loop.ndim == 1 and (are_boxes or (len(loop) >= 6 and len(loop) % 2 == 0)) for loop in loops
    ):
        raise DatasetError("a segmentation is not a list of polygons (x, y, x, y, ...)")
    for loop in loops:
        points, far = loop.reshape(-1, 2), np.array([width, height])
        if not np.all((points >= -far) & (points <= 2 * far)):  # nor NaN
            raise DatasetError("a polygon has points far outside its photo, or points that are not numbers")
        if np.abs(points - np.roll(points, 1, 0)).max(1).sum() > MOST_STEPS:
            raise DatasetError(f"a polygon's outline is longer than {MOST_STEPS} pixels")
    return np.stack(loops) if are_boxes else [loop.tolist() for loop in loops]  # it takes boxes as an array only


def _drawing():
    try:
        from pycocotools import mask
    except ImportError as error:
        raise UsageError(
            "coco-voc needs pycocotools", 'Install segcli\'s extra "coco": pip install pycocotools'
        ) from error
    return mask


def _plain_name(name: str) -> str:
    if Path(name).name != name:
        raise ValueError(f"photo name {name!r}")
    return name
