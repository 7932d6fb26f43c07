"""Polygons: regions of a label map, exactly along the pixels' edges, and as COCO's JSON.

A library would bring what is not needed: OpenCV's contours run through pixel centres, half a pixel inside, and
contourpy cuts corners. Following the edges themselves takes a page, and pycocotools draws the very same pixels again.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segcli.files.atomic import write_whole
from segcli.labels import BACKGROUND, LabelSet

_RIGHT, _DOWN, _LEFT, _UP = range(4)


@dataclass(frozen=True)
class Polygon:
    """The outline of one connected region.

    Attributes:
        points: int (n, 2) of x, y, clockwise on the screen, in pixels from the photo's top left corner. A hole is
            reached by a line from the outline to it and back, since COCO's polygons know no holes.
        area: Pixels, holes left out.
    """

    points: np.ndarray
    area: int

    def box(self) -> list[int]:
        """The region's bounding box as COCO has it: [x, y, width, height] in pixels."""
        low, high = self.points.min(0), self.points.max(0)
        return [int(value) for value in (*low, *(high - low))]


def outlines(mask: np.ndarray) -> Iterator[Polygon]:
    """The regions of a bool (H, W) mask; pixels that touch at a corner only belong to different ones."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not rows.size:
        return
    part = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    edges = _Edges(part)
    corner = np.array([columns[0], rows[0]])
    for loop in edges.regions():
        yield Polygon(_corners(loop) + corner, _area(loop))


class _Edges:
    """The borders between inside and outside, each one pixel long and directed so that inside lies on its right.

    Attributes:
        following: The index of the next edge of each edge's loop.
        before: The index of the previous edge of each edge's loop.
        starts: The (row, column) of the pixel corner where each edge starts.
    """

    def __init__(self, mask: np.ndarray):
        self.mask = mask
        height, self.width = mask.shape[0] + 1, mask.shape[1] + 1
        padded = np.pad(mask, 1)
        inside, above, left = padded[1:, 1:], padded[:-1, 1:], padded[1:, :-1]
        leaving = np.zeros((4, height, self.width), bool)  # whether an edge leaves a corner in each direction
        leaving[_RIGHT] = inside & ~above
        leaving[_UP, 1:] = (inside & ~left)[:-1]
        leaving[_LEFT, :, 1:] = (~inside & above)[:, :-1]
        leaving[_DOWN] = ~inside & left
        flat = leaving.reshape(4, -1)
        self.codes = np.flatnonzero(flat)  # direction * corners + corner, ascending, so that edges can be looked up
        direction, start = np.divmod(self.codes, height * self.width)
        end = start + np.array([1, self.width, -1, -self.width])[direction]
        # Where two loops meet at a corner each turns right, so that pixels touching there belong to different regions.
        right, sharp_left = (direction + 1) % 4, (direction - 1) % 4
        turned = np.where(flat[right, end], right, np.where(flat[direction, end], direction, sharp_left))
        following = np.searchsorted(self.codes, turned * height * self.width + end)
        before = np.empty_like(following)
        before[following] = np.arange(len(following))
        self.following, self.before = following.tolist(), before.tolist()
        self.starts = list(zip(*(part.tolist() for part in np.divmod(start, self.width)), strict=True))

    def regions(self) -> Iterator[np.ndarray]:
        """The corners of each region's outline, holes joined to it: int (n, 2) of row, column."""
        seen = [False] * len(self.starts)
        outer, holes = [], []
        for first in range(len(seen)):
            if not seen[first]:
                loop = self._loop(first)
                for edge in loop:
                    seen[edge] = True
                is_hole = _area(np.array([self.starts[edge] for edge in loop])) < 0
                (holes if is_hole else outer).append(loop)
        for hole in holes:
            self._join(hole)
        for loop in outer:
            yield np.array([self.starts[edge] for edge in self._loop(loop[0])])

    def _loop(self, first: int) -> list[int]:
        loop, edge = [first], self.following[first]
        while edge != first:
            loop.append(edge)
            edge = self.following[edge]
        return loop

    def _join(self, hole: list[int]) -> None:
        """Lead a hole's loop up, from the left end of its top, to the border that is met first, and back."""
        row, column = min(self.starts[edge] for edge in hole)
        inner = next(edge for edge in hole if self.starts[edge] == (row, column) and self._goes_down(edge))
        outside = np.flatnonzero(~self.mask[:row, column])
        met = int(outside[-1]) + 1 if outside.size else 0
        # The border goes right, and the codes of such edges come first.
        border = int(np.searchsorted(self.codes, met * self.width + column))
        down, up = len(self.starts), len(self.starts) + 1
        self.starts += [(met, column), (row, column)]
        outer, last = self.before[border], self.before[inner]
        self.following += [inner, border]
        self.before += [outer, last]
        self.following[outer], self.following[last] = down, up
        self.before[inner], self.before[border] = down, up

    def _goes_down(self, edge: int) -> bool:
        return self.starts[self.following[edge]][0] > self.starts[edge][0]


def _area(loop: np.ndarray) -> int:
    """Pixels inside a loop of (row, column); negative for one that runs counter-clockwise, as holes do."""
    rows, columns = loop.astype(np.int64).T
    return int(((columns * np.roll(rows, -1)).sum() - (np.roll(columns, -1) * rows).sum()) // 2)


def _corners(loop: np.ndarray) -> np.ndarray:
    """The x, y of the points where the loop turns."""
    turns = np.any(np.sign(loop - np.roll(loop, 1, 0)) != np.sign(np.roll(loop, -1, 0) - loop), axis=1)
    return loop[turns][:, ::-1]


def annotations(label_map: np.ndarray, labels: LabelSet) -> list[dict]:
    """COCO's annotations of a label map (H, W), one a region; `merge` gives them their `id` and `image_id`."""
    found = np.flatnonzero(np.bincount(label_map.ravel(), minlength=len(labels))[: len(labels)])
    return [
        {
            "category_id": int(label),
            "segmentation": [polygon.points.ravel().tolist()],
            "area": polygon.area,
            "bbox": polygon.box(),
            "iscrowd": 0,
        }
        for label in found
        if labels.names[label] != BACKGROUND
        for polygon in outlines(label_map == label)
    ]


def write_polygons(path: Path, file_name: str, label_map: np.ndarray, labels: LabelSet) -> None:
    """Write one photo's part of a COCO file as JSON, for `merge` to collect."""
    height, width = label_map.shape
    image = {"file_name": file_name, "width": width, "height": height}
    with write_whole(path) as file:
        file.write(json.dumps({"image": image, "annotations": annotations(label_map, labels)}).encode())


def merge(path: Path, parts: Iterable[Path], labels: LabelSet) -> None:
    """Write one COCO file of many photos, a photo at a time in memory; the categories' ids are those of the masks."""
    images, count = [], 0
    with write_whole(path) as file:
        file.write(b'{"annotations": [')
        for number, part in enumerate(parts, 1):
            data = json.loads(part.read_bytes())
            images.append({"id": number, **data["image"]})
            for annotation in data["annotations"]:
                file.write(b",\n" if count else b"\n")
                count += 1
                file.write(json.dumps({"id": count, "image_id": number, **annotation}).encode())
        categories = [{"id": index, "name": name} for index, name in enumerate(labels.names) if name != BACKGROUND]
        rest = {"images": images, "categories": categories}
        file.write(b"],\n" + json.dumps(rest).encode()[1:])
