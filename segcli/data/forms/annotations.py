"""Annotations: what label files of shapes hold, photo by photo, whichever tool wrote them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from segcli.data.forms.shapes import Order, Shape
from segcli.errors import DatasetError
from segcli.files.paths import shown
from segcli.images.reading import MAX_PIXELS

ONLY_CLASS = "object"
"""The class of shapes where no shape of any file has one, as people leave it who label a sole class."""


@dataclass(frozen=True)
class Record:
    """The shapes of one photo.

    Attributes:
        photo: The photo as the label file names it: a name or a path with "/", perhaps without a suffix. It is only
            ever compared with photos that were found, and opens no file.
        file: The file that holds the shapes.
        shapes: Makes the shapes for a photo of that (height, width), in the order of the file; raises DatasetError
            where one of them is broken.
        size: (height, width) of the photo as the file states it; None where it does not.
        drawn: The number of shapes that enclose pixels, boxes among them.
        boxes: The number of upright rectangles, which may be meant as boxes around objects.
        skipped: Kind -> number, of what encloses no pixels, such as {"point": 3, "line": 1}; "box" is a box that has
            no shape of its own (COCO's bbox, YOLO's five numbers).
        corrected: Whether a person made or changed the labels; False for predictions that nobody has touched.
        others: Further files that hold some of the shapes.
    """

    photo: str
    file: Path
    shapes: Callable[[tuple[int, int]], Sequence[Shape]]
    size: tuple[int, int] | None = None
    drawn: int = 0
    boxes: int = 0
    skipped: Mapping[str, int] = field(default_factory=dict)
    corrected: bool = True
    others: tuple[Path, ...] = ()

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file that holds some of the shapes."""
        return (self.file, *self.others)


@dataclass(frozen=True)
class Annotations:
    """The labels of many photos, as the files of one tool hold them.

    Attributes:
        names: The classes, in the order of the files: those that are listed, then others that shapes have.
        records: One for each photo, in the order of the files.
        order: Which shape lies on top.
        notes: One line for each decision that was taken in reading.
        origin: What reads the same again, and its files; None for what holds no file open and can be pickled as it is.
    """

    names: tuple[str, ...]
    records: tuple[Record, ...]
    order: Order = "list"
    notes: tuple[str, ...] = ()
    origin: tuple[Callable[[Sequence[Path]], "Annotations"], tuple[Path, ...]] | None = None


def broken(file: Path, error: Exception | str, hint: str = "Export it again.") -> DatasetError:
    """The error for a label file that cannot be read as what it seems to be."""
    if isinstance(error, DatasetError):
        return DatasetError(f"{shown(file)}: {error.message}", error.hint or hint)
    return DatasetError(f"{shown(file)} cannot be read: {error}", hint)


def check_size(height: int, width: int) -> tuple[int, int]:
    """(height, width) as a file states it; DatasetError where no photo has that size."""
    if not (0 < height <= MAX_PIXELS and 0 < width <= MAX_PIXELS and height * width <= MAX_PIXELS):
        raise DatasetError(f"it states a photo of {width} x {height} pixels, which cannot be")
    return height, width
