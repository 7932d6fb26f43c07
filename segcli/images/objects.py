"""Objects: the connected regions of a label map, counted and measured."""

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np

from segcli.images.regions import connected


class Object(NamedTuple):
    """One connected region of one class.

    Attributes:
        label: The id of its class.
        pixels: Its area.
        x, y: Its centroid in pixels; the middle of the photo's top left pixel is 0, 0.
        left, top, width, height: The smallest upright box around it, in pixels.
        at_border: Whether it touches the photo's border, and is perhaps larger than what is seen.
        certainty: The mean probability, 0..1, of the likeliest class over its pixels; NaN where nobody asked.
    """

    label: int
    pixels: int
    x: float
    y: float
    left: int
    top: int
    width: int
    height: int
    at_border: bool
    certainty: float

    @property
    def diameter(self) -> float:
        """The diameter in pixels of a disc of the same area."""
        return 2 * math.sqrt(self.pixels / math.pi)


@dataclass(frozen=True)
class Objects:
    """The objects of a photo, in the order of their first pixels, row after row; iterate over it for each as an Object.

    Attributes:
        labels: The ids of their classes, (n,).
        pixels: Their areas, int64 (n,).
        centroids: float64 (n, 2) of x and y.
        boxes: int64 (n, 4) of left, top, width and height.
        at_border: bool (n,).
        certainty: float64 (n,), 0..1 or NaN.
    """

    labels: np.ndarray
    pixels: np.ndarray
    centroids: np.ndarray
    boxes: np.ndarray
    at_border: np.ndarray
    certainty: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def of_size(self, pixels: int) -> "Objects":
        """Those of so many pixels or more."""
        kept = self.pixels >= pixels
        return Objects(*(getattr(self, one.name)[kept] for one in fields(self)))

    def __iter__(self) -> Iterator[Object]:
        columns = (self.labels, self.pixels, *self.centroids.T, *self.boxes.T, self.at_border, self.certainty)
        return (Object(*values) for values in zip(*(column.tolist() for column in columns), strict=True))


def measured(label_map: np.ndarray, classes: Collection[int], certainty: np.ndarray | None = None) -> Objects:
    """The objects of a label map: pixels of one class that touch along an edge, not only at a corner.

    Args:
        label_map: uint8 or uint16 (H, W).
        classes: The ids whose regions are objects; background and void are none.
        certainty: float (h, w), 0..1, how sure each part of the photo is, of any size; None: it is not known.
    """
    return Sums.of(Runs.of(label_map, classes), label_map.shape, certainty).objects(label_map.shape)


@dataclass(frozen=True)
class Sums:
    """What is summed up over the pixels of each of n objects.

    Attributes:
        labels: The ids of their classes, (n,).
        pixels: Their areas, float64 (n,).
        x, y: The sums of their pixels' columns and rows, float64 (n,).
        sure: The sums of their pixels' certainties, float64 (n,); NaN where nobody asked.
        low: Their first columns and rows, int64 (2, n).
        high: The columns and rows after their last ones, int64 (2, n).
        first: The flat index of their first pixels, int64 (n,).
    """

    labels: np.ndarray
    pixels: np.ndarray
    x: np.ndarray
    y: np.ndarray
    sure: np.ndarray
    low: np.ndarray
    high: np.ndarray
    first: np.ndarray

    @classmethod
    def of(cls, runs: "Runs", size: tuple[int, int], certainty: np.ndarray | None) -> "Sums":
        """The sums over the objects of some runs of a picture of (height, width); see `measured`."""
        pixels = runs.sums(np.ones(len(runs.lengths)))
        x, y = (runs.sums(middle) for middle in (runs.columns + (runs.lengths - 1) / 2, runs.rows))
        sure = np.full(len(pixels), np.nan) if certainty is None else runs.sums(runs.means(certainty, *size))
        first = np.full(len(pixels), size[0] * size[1])
        np.minimum.at(first, runs.number, runs.rows * size[1] + runs.columns)
        return cls(runs.labels, pixels, x, y, sure, *runs.boxes(*size), first)

    def objects(self, size: tuple[int, int]) -> Objects:
        """The objects of a picture of (height, width)."""
        (left, top), (right, bottom), (height, width) = self.low, self.high, size
        at_border = (left == 0) | (top == 0) | (right == width) | (bottom == height)
        boxes = np.stack([left, top, right - left, bottom - top], axis=1)
        centroids = np.stack([self.x / self.pixels, self.y / self.pixels], axis=1)
        sure = self.sure / self.pixels
        return Objects(self.labels, self.pixels.astype(np.int64), centroids, boxes, at_border, sure)


@dataclass(frozen=True)
class Runs:
    """The runs of equal pixels in rows that objects consist of: first column, row, length, and number of the object.

    Attributes:
        labels: The class of each object, by its number.
    """

    columns: np.ndarray
    rows: np.ndarray
    lengths: np.ndarray
    number: np.ndarray
    labels: np.ndarray

    @classmethod
    def of(cls, label_map: np.ndarray, classes: Collection[int], top: int = 0) -> "Runs":
        """The runs of classes in the rows of a picture from `top` on."""
        found = connected(label_map)
        counted = np.zeros(65536, bool)
        counted[list(classes)] = True
        kept = counted[found.values]
        first = kept & (found.region == np.arange(len(found.region)))
        number = (np.cumsum(first) - 1)[found.region[kept]]
        rows, columns = np.divmod(found.starts[kept], label_map.shape[1])
        return cls(columns, rows + top, found.lengths[kept], number, found.values[first])

    def sums(self, values: np.ndarray) -> np.ndarray:
        """The sum over each object's pixels of a value by run, float64 (n,)."""
        return np.bincount(self.number, values * self.lengths, len(self.labels))

    def numbers(self, row: int, width: int) -> np.ndarray:
        """The number of the object in each column of a row, int64 (width,); -1 where there is none."""
        here, numbers = self.rows == row, np.full(width, -1)
        lengths = self.lengths[here]
        before = np.cumsum(lengths) - lengths
        numbers[np.repeat(self.columns[here] - before, lengths) + np.arange(lengths.sum())] = np.repeat(
            self.number[here], lengths
        )
        return numbers

    def boxes(self, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
        """The left and upper edges of each object, and the right and lower ones, int64 (2, n) each."""
        count = len(self.labels)
        low, high = np.array([[width], [height]]).repeat(count, axis=1), np.zeros((2, count), np.int64)
        for axis, (start, end) in enumerate(((self.columns, self.columns + self.lengths), (self.rows, self.rows + 1))):
            np.minimum.at(low[axis], self.number, start)
            np.maximum.at(high[axis], self.number, end)
        return low, high

    def means(self, grid: np.ndarray, height: int, width: int) -> np.ndarray:
        """The mean over each run of a grid (h, w) laid over the picture of that height and width, float64 (runs,)."""
        high, wide = grid.shape
        row = np.minimum((2 * self.rows + 1) * high // (2 * height), high - 1)
        sums = np.pad(grid.cumsum(axis=1, dtype=np.float64), ((0, 0), (1, 1)), "edge")
        sums[:, 0] = 0

        def until(column: np.ndarray) -> np.ndarray:
            place = column * (wide / width)
            whole = place.astype(np.int64)
            before = sums[row, whole]
            return before + (place - whole) * (sums[row, whole + 1] - before)

        between = until(self.columns + self.lengths) - until(self.columns)
        return between * (width / wide) / self.lengths
