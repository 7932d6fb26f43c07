"""Polygons: regions of a label map, exactly along the pixels' edges, and as COCO's JSON.

A library would bring what is not needed: OpenCV's contours run through pixel centres, half a pixel inside, and
contourpy cuts corners. Following the edges themselves takes a page, and pycocotools draws the very same pixels again.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from msgspec import defstruct

from segcli.files import parts as parts_of
from segcli.files.atomic import write_whole
from segcli.files.encoding import to_json
from segcli.images.loops import simple
from segcli.labels import BACKGROUND, LabelSet

UNCORRECTED = {"segcli": "predictions that nobody has corrected"}
"""What `info` says in a file of predictions, so that nobody takes them for labels that a person made."""


_IMAGE = defstruct("Image", [("file_name", str), ("width", int), ("height", int)])
_ANNOTATION = defstruct("Annotation", [("category_id", int), ("segmentation", list[list[float]]), ("area", float)])
_PART = defstruct("Part", [("image", _IMAGE), ("annotations", list[_ANNOTATION])])
"""What `write_polygons` writes and `merge` reads."""


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


@dataclass(frozen=True)
class Area:
    """One connected region as maps know it: no ring touches itself, and two meet in single points at most.

    Attributes:
        outer: int (n, 2) of x, y, clockwise on the screen, in pixels from the photo's top left corner, not closed.
        holes: The same of each hole, counter-clockwise.
        pixels: Its size, holes left out.
    """

    outer: np.ndarray
    holes: tuple[np.ndarray, ...]
    pixels: int


def outlines(mask: np.ndarray) -> Iterator[Polygon]:
    """The regions of a bool (H, W) mask; pixels that touch at a corner only belong to different ones."""
    for part, corner in _parts(mask):
        for points, area in _Borders(part).regions():
            yield Polygon(points + corner, area)


def with_holes(mask: np.ndarray) -> Iterator[Area]:
    """The same regions, their holes apart."""
    for part, corner in _parts(mask):
        for outer, holes, pixels in _Borders(part).rings():
            yield Area(outer + corner, tuple(hole + corner for hole in holes), pixels)


def _parts(mask: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The rectangle that holds all that is set, and the x, y of its corner; nothing where there is none."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if rows.size:
        yield mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], np.array([columns[0], rows[0]])


class _Borders:
    """The borders between inside and outside in straight pieces, directed so that inside lies on their right.

    Attributes:
        starts: The pixel corner where each piece starts; corners are counted row by row. The pieces that go right come
            first, in the order of their starts.
        following: The next piece of each piece's loop.
        before: The previous piece of each piece's loop.
    """

    def __init__(self, mask: np.ndarray):
        self.mask, self.width = mask, mask.shape[1] + 1
        padded = np.pad(mask, 1)
        inside, above, left = padded[1:, 1:], padded[:-1, 1:], padded[1:, :-1]
        self.right_starts, right_ends = run_bounds(inside & ~above)
        left_ends, left_starts = run_bounds(~inside & above)
        down_starts, down_ends = map(self._by_rows, run_bounds((~inside & left).T))
        up_ends, up_starts = map(self._by_rows, run_bounds((inside & ~left).T))
        across = Starts(self.right_starts, left_starts, 0)
        self.along = Starts(down_starts, up_starts, len(self.right_starts) + len(left_starts))
        # Where two loops meet at a corner each turns right, so that pixels touching there belong to different regions.
        following = np.concatenate(
            [
                self.along.first(right_ends),
                self.along.second(left_ends),
                across.second(down_ends),
                across.first(up_ends),
            ]
        )
        before = np.empty_like(following)
        before[following] = np.arange(len(following))
        self.following, self.before = following.tolist(), before.tolist()
        self.starts = np.concatenate([self.right_starts, left_starts, down_starts, up_starts]).tolist()

    def _by_rows(self, corners: np.ndarray) -> np.ndarray:
        """Corners that were counted column by column, counted row by row."""
        column, row = np.divmod(corners, self.mask.shape[0] + 1)
        return row * self.width + column

    def regions(self) -> Iterator[tuple[np.ndarray, int]]:
        """The outline of each region, holes joined to it, as int (n, 2) of x, y where it turns; and its pixels."""
        loops = self._loops()
        areas = self._corners(loops).areas()
        self._join([loop for loop, area in zip(loops, areas, strict=True) if area < 0])
        outlines = self._corners([self._loop(loop[0]) for loop, area in zip(loops, areas, strict=True) if area > 0])
        yield from zip(outlines.turns(), outlines.areas(), strict=True)

    def rings(self) -> Iterator[tuple[np.ndarray, list[np.ndarray], int]]:
        """The outer ring of each region, its holes, as int (n, 2) of x, y where they turn; and its pixels."""
        loops = self._loops()
        owners = self._owners(loops, self._corners(loops).areas())
        pieces = [
            (owner, ring) for owner, loop in zip(owners, loops, strict=True) for ring in simple(loop, self.starts)
        ]
        corners = self._corners([ring for _, ring in pieces])
        outer, holes, pixels = {}, defaultdict(list), defaultdict(int)
        for (owner, _), points, area in zip(pieces, corners.turns(), corners.areas(), strict=True):
            pixels[owner] += area
            if area > 0:
                outer[owner] = points
            else:
                holes[owner].append(points)
        for owner, points in outer.items():
            yield points, holes[owner], pixels[owner]

    def _owners(self, loops: list[list[int]], areas: list[int]) -> list[int]:
        """The number of the loop around each loop's region: its own, unless it is a hole."""
        of_piece = np.empty(len(self.starts), np.int64)
        for number, loop in enumerate(loops):
            of_piece[loop] = number
        owners = list(range(len(loops)))
        tops = {
            number: min(self.starts[piece] for piece in loops[number]) for number, area in enumerate(areas) if area < 0
        }
        for number, corner in sorted(tops.items(), key=lambda hole: hole[1]):  # those above a hole come before it
            above = int(np.searchsorted(self.right_starts, self._met(corner), "right")) - 1
            owners[number] = owners[of_piece[above]]
        return owners

    def _loops(self) -> list[list[int]]:
        """The pieces of each loop, which begins with the first that goes right; every loop has one."""
        seen, loops = [False] * len(self.starts), []
        for first in range(len(self.right_starts)):
            if not seen[first]:
                loops.append(self._loop(first))
                for piece in loops[-1]:
                    seen[piece] = True
        return loops

    def _loop(self, first: int) -> list[int]:
        loop, piece = [first], self.following[first]
        while piece != first:
            loop.append(piece)
            piece = self.following[piece]
        return loop

    def _corners(self, loops: list[list[int]]) -> "_Corners":
        order = np.fromiter(chain.from_iterable(loops), np.int64)
        rows, columns = np.divmod(np.array(self.starts)[order], self.width)
        return _Corners(columns, rows, [len(loop) for loop in loops])

    def _join(self, holes: list[list[int]]) -> None:
        """Lead each hole's loop up, from the left end of its top, to the border that is met first, and back."""
        corners = [min(self.starts[piece] for piece in hole) for hole in holes]
        latest: dict[int, int] = {}  # the last piece that a piece of a border was divided into
        for met, corner in sorted((self._met(corner), corner) for corner in corners):
            whole = int(np.searchsorted(self.right_starts, met, "right")) - 1
            border = latest[whole] = self._divided(latest.get(whole, whole), met)
            inner = int(self.along.first(corner))
            outer, last = self.before[border], self.before[inner]
            down = self._add(met, outer, inner)
            self._add(corner, last, border)
            self.before[inner] = down

    def _met(self, corner: int) -> int:
        """The corner on the border that is met first on the way up from a hole."""
        row, column = divmod(corner, self.width)
        outside = np.flatnonzero(~self.mask[:row, column])
        return corner - (row - int(outside[-1]) - 1 if outside.size else row) * self.width

    def _divided(self, piece: int, corner: int) -> int:
        """The part from a corner on of a piece that goes right, which is the piece itself if it starts there."""
        return piece if self.starts[piece] == corner else self._add(corner, piece, self.following[piece])

    def _add(self, start: int, before: int, following: int) -> int:
        """Put a new piece between two; its number."""
        self.starts.append(start)
        self.following.append(following)
        self.before.append(before)
        self.following[before] = self.before[following] = len(self.starts) - 1
        return len(self.starts) - 1


def run_bounds(edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first corner, and the last, of each run of edges along the rows; no row ends with one."""
    bounds = np.flatnonzero(np.diff(edges.ravel(), prepend=False))
    return bounds[0::2], bounds[1::2]


class Starts:
    """The pieces of two opposite directions, to be found by where they start.

    Args:
        first: The corners where the pieces of one direction start.
        second: The same of the other direction.
        number: The number of the first piece.
    """

    def __init__(self, first: np.ndarray, second: np.ndarray, number: int):
        keys = np.concatenate([2 * first, 2 * second + 1])
        self.numbers = np.argsort(keys)
        self.keys = keys[self.numbers]
        self.numbers += number

    def first(self, corners: np.ndarray | int) -> np.ndarray:
        """The piece that starts at each corner: of two, that of the first direction."""
        return self.numbers[np.searchsorted(self.keys, 2 * corners)]

    def second(self, corners: np.ndarray) -> np.ndarray:
        """The piece that starts at each corner: of two, that of the second direction."""
        return self.numbers[np.searchsorted(self.keys, 2 * corners + 1, "right") - 1]


class _Corners:
    """The corners of loops, one loop after the other.

    Args:
        x: The corners' columns.
        y: The corners' rows.
        lengths: The number of corners of each loop.
    """

    def __init__(self, x: np.ndarray, y: np.ndarray, lengths: list[int]):
        self.points = np.stack([x, y], 1)
        self.ends = np.cumsum(lengths)
        self.begins = self.ends - lengths
        following = np.arange(1, len(x) + 1)
        following[self.ends - 1] = self.begins
        self.steps = self.points[following] - self.points
        self.before = np.arange(-1, len(x) - 1)
        self.before[self.begins] = self.ends - 1

    def areas(self) -> list[int]:
        """The pixels inside each loop; negative for one that runs counter-clockwise, as holes do."""
        (x, _), (_, step_y) = self.points.T, self.steps.T
        return np.add.reduceat(x * step_y, self.begins).tolist()

    def turns(self) -> Iterator[np.ndarray]:
        """The x, y of each loop's points where it turns."""
        signs = np.sign(self.steps)
        turning = np.any(signs != signs[self.before], axis=1)
        for begin, end in zip(self.begins, self.ends, strict=True):
            yield self.points[begin:end][turning[begin:end]]


def regions(label_map: np.ndarray, classes: Iterable[int]) -> Iterator[tuple[int, Polygon]]:
    """The outlines of classes in a label map (H, W), class by class, each with the id of its class."""
    pixels = np.bincount(label_map.ravel())
    for label in classes:
        if label < len(pixels) and pixels[label]:
            yield from ((label, polygon) for polygon in outlines(label_map == label))


def categories(labels: LabelSet) -> dict[int, str]:
    """COCO's categories, id -> name: all classes but background."""
    return {label: name for label, name in enumerate(labels.names) if name != BACKGROUND}


def annotation(label: int, polygon: Polygon) -> dict:
    """COCO's annotation of a region; `merge` gives it its `id` and `image_id`."""
    return {
        "category_id": label,
        "segmentation": [polygon.points.ravel().tolist()],
        "area": polygon.area,
        "bbox": polygon.box(),
        "iscrowd": 0,
    }


def annotations(label_map: np.ndarray, labels: LabelSet) -> list[dict]:
    """COCO's annotations of a label map (H, W), one a region."""
    return [annotation(label, polygon) for label, polygon in regions(label_map, categories(labels))]


def write_polygons(path: Path, file_name: str, label_map: np.ndarray, labels: LabelSet) -> None:
    """Write one photo's part of a COCO file as JSON, for `merge` to collect."""
    write_part(path, file_name, label_map.shape, regions(label_map, categories(labels)))


def write_part(path: Path, file_name: str, size: tuple[int, int], found: Iterable[tuple[int, Polygon]]) -> None:
    """Write the same of the regions, with their classes, of a photo of (height, width), one after the other."""
    image = {"file_name": file_name, "width": size[1], "height": size[0]}
    with write_whole(path) as file:
        file.write(to_json({"image": image, "annotations": []}).encode().removesuffix(b"]}"))
        for number, (label, polygon) in enumerate(found):
            file.write((", " if number else "").encode() + to_json(annotation(label, polygon)).encode())
        file.write(b"]}")


def merge(path: Path, parts: Iterable[Path], labels: LabelSet) -> None:
    """Write one COCO file of many photos, a photo at a time in memory; the categories' ids are those of the masks.

    Raises:
        InputError: A part is damaged.
    """
    images, count = [], 0
    with write_whole(path) as file:
        file.write(b'{"annotations": [')
        for number, part in enumerate(parts, 1):
            data = parts_of.load(part, _PART)
            images.append(to_json({"id": number, **data["image"]}).encode())  # as text, which takes less memory
            for annotation in data["annotations"]:
                file.write(b",\n" if count else b"\n")
                count += 1
                file.write(to_json({"id": count, "image_id": number, **annotation}).encode())
        listed = [{"id": label, "name": name} for label, name in categories(labels).items()]
        file.write(b"],\n" + to_json({"info": UNCORRECTED}).encode()[1:-1] + b', "images": [')
        file.writelines(b", " + image if number else image for number, image in enumerate(images))
        file.write(b"], " + to_json({"categories": listed}).encode()[1:])
