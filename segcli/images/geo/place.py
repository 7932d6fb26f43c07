"""Place: where on earth a picture lies, as its tags or the files beside it say."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

import numpy as np

from segcli.errors import InputError
from segcli.images.decoders.tiff.directory import Directory, directories
from segcli.images.decoders.tiff.layout import ORIENTATION, size_of
from segcli.images.geo import affine, geotags, sidecars
from segcli.images.geo.affine import Transform
from segcli.images.geo.crs import Crs
from segcli.images.geo.geotags import RPC, Tags
from segcli.images.geo.sidecars import Sidecars
from segcli.images.opening import opened, opened_file
from segcli.images.orientation import SIDEWAYS, orientation

_NOT_USED = "so that where the photo lies is not known"


@dataclass(frozen=True)
class Place:
    """The place of an upright picture on earth.

    Attributes:
        size: The (height, width) of the picture whose pixels are meant.
        crs: The coordinate system.
        transform: From pixels to its coordinates; None where there are only control points, or camera models.
        points: Control points, float64 (n, 6) of column, row, level, x, y, z; (0, 6) with a transform.
        tags: The geotags of a GeoTIFF, as its pixels are upright; empty for pictures that are none.
        world: The lines of a world file of the same meaning; () where there is none.
        prj: The bytes of the .prj; empty without one.
    """

    size: tuple[int, int]
    crs: Crs = field(default_factory=Crs)
    transform: Transform | None = None
    points: np.ndarray = field(default_factory=lambda: np.zeros((0, 6)), compare=False)
    tags: Tags = field(default_factory=dict, compare=False)
    world: tuple[str, ...] = ()
    prj: bytes = b""

    def of_size(self, size: tuple[int, int]) -> "Place":
        """The place of the same picture at another (height, width): width and height scale apart."""
        if size == self.size:
            return self
        down, across = (before / after for before, after in zip(self.size, size, strict=True))
        return replace(self._moved((across, 0.0, 0.0, 0.0, down, 0.0)), size=size)

    def turned(self, turn: int) -> "Place":
        """The place of the picture turned upright by an EXIF orientation, 1..8; this one is that as it is stored."""
        if turn not in range(2, 9):
            return self
        size = self.size[::-1] if turn in SIDEWAYS else self.size
        return replace(self._moved(affine.to_stored(turn, self.size)), size=size)

    def _moved(self, back: Transform) -> "Place":
        """The same with pixels that `back` leads to those here."""
        transform = self.transform and affine.composed(self.transform, back)
        points = self.points.copy()
        points[:, :2] = affine.applied(affine.inverse(back), points[:, :2])
        tags = geotags.replaced(self.tags, self.crs, transform, points) if self.tags else self.tags
        world = sidecars.world_lines(transform) if transform else ()
        return replace(self, transform=transform, points=points, tags=tags, world=world)


def read_place(path: Path, page: int | None = None) -> tuple[Place | None, tuple[str, ...]]:
    """Where a picture lies, and remarks on what was not understood; None where it does not say.

    Nothing that is wrong with what is said is an error: the picture itself can be used.

    Args:
        path: The picture's file.
        page: The number of a page of it; files beside it speak of the first only.
    """
    beside = Sidecars() if page else sidecars.read(path)
    try:
        with opened_file(path) as (file, known):
            if known.name == "TIFF":
                directory = next(islice(directories(file), page or 0, None), None)
                return (None, ()) if directory is None else _of_tiff(directory, beside)
        if beside.transform is None:
            return None, beside.notes
        with opened(path, max_pixels=2**62) as (image, _):
            width, height = image.size
            return _of_sidecars((height, width), beside).turned(orientation(image, [])), beside.notes
    except (InputError, ValueError, OSError):  # whoever reads the picture itself says what is wrong with it
        return None, beside.notes


def _of_sidecars(size: tuple[int, int], beside: Sidecars) -> Place:
    world = beside.world or sidecars.world_lines(beside.transform)
    return Place(size, Crs(wkt=beside.wkt), beside.transform, world=world, prj=beside.prj)


def _of_tiff(directory: Directory, beside: Sidecars) -> tuple[Place | None, tuple[str, ...]]:
    width, height = size_of(directory)
    notes = list(beside.notes)
    place = _tagged((height, width), directory, beside, notes)
    if place is None and beside.transform is not None:
        place = _of_sidecars((height, width), beside)
    if place is None:
        return None, tuple(notes)
    turn = directory.number(ORIENTATION, 1)
    if turn in range(2, 9) and RPC in place.tags:
        notes.append("It is turned upright; its RPC camera model speaks of the photo as it is stored and is left out.")
    return place.turned(turn), tuple(notes)


def _tagged(size: tuple[int, int], directory: Directory, beside: Sidecars, notes: list[str]) -> Place | None:
    """The place by the tags of a TIFF; None where it has none.

    As GDAL has it, an .aux.xml goes before them, and a world file fills in for them.
    """
    try:
        tags = geotags.read(directory)
        crs = geotags.crs_of(tags)
        transform, points = geotags.transform_of(tags, crs), geotags.points_of(tags, crs)
    except ValueError as error:
        notes.append(f"Its geotags are damaged ({error}), {_NOT_USED}.")
        return None
    stated = transform is not None or len(points) > 0
    if tags and beside.transform not in (None, transform) and not (beside.world and stated):
        transform, points = beside.transform, np.zeros((0, 6))
        tags = geotags.replaced(tags, crs, transform, points)
    if transform is None and not len(points) and RPC not in tags:
        return None
    return Place(size, replace(crs, wkt=beside.wkt), transform, points, tags)


def written_beside(place: Place) -> Iterator[tuple[str, bytes]]:
    """The endings and contents of the world file and the .prj that lie beside a PNG of that place."""
    if place.world:
        yield ".pgw", "".join(f"{line}\n" for line in place.world).encode()
    if place.prj:
        yield ".prj", place.prj
