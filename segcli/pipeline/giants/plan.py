"""Plan: which pictures are done in parts, in which windows, and how much memory that takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from segcli.crf.settings import CRFSettings
from segcli.errors import InputError, UsageError
from segcli.files import headroom
from segcli.files.paths import shown
from segcli.files.sources import Source
from segcli.images import headers
from segcli.images.reading import PhotoReading
from segcli.inference.options import ModelOptions
from segcli.models.preprocessing import at_size, corner, fitting
from segcli.pipeline.kinds import FRAME_FILES

if TYPE_CHECKING:
    from segcli.images.geo.place import Place
    from segcli.images.strips.extent import Extent
    from segcli.inference.transform import Geometry
    from segcli.inference.windows import Windows
    from segcli.weights.facts import ModelFacts
    from segcli.weights.reference import ModelReference

IN_FLOATS = "pictures that are too large for memory are computed in floats: their windows need torch"
"""What is said of such pictures in a run in 8 bits."""
KINDS = ("mask", "overlay", "cutout", "classes", "polygons", "geojson", "objects", "gallery", "probs")
"""The kinds of output that are made of pictures that are done in parts."""
SMALL = 20_000_000
"""The pixels up to which a picture is done as a whole, whatever memory is free."""
INPUT, ACTIVATIONS = 40, 500
"""The bytes of each pixel of a network's input: what windows are cut from, and about what a network makes of it."""
TILE = 769
"""The side of a window, in pixels, where nobody says another. One of street's takes 0.3 GB, and one of 1025 0.6 GB."""


@dataclass(frozen=True)
class GiantPlan:
    """How pictures that are done in parts are done.

    Attributes:
        options: How the model is applied.
        photos: How photos are read.
        crf: The CRF's settings; None leaves the network's outlines.
        gsd: The centimetres of ground that a pixel shows the network; None leaves the size to the options.
        kinds: What is written of each.
        fill_holes: Whether holes in regions are filled.
    """

    options: ModelOptions
    photos: PhotoReading
    crf: CRFSettings | None = None
    gsd: float | None = None
    kinds: frozenset[str] = frozenset()
    fill_holes: bool = False

    def wants(self, source: Source) -> bool:
        """Whether a picture is done in parts, by its header.

        It is where it has more pixels or values than `photos` allow, or takes more memory than is free.
        """
        small = headers.pixels(source.path) if source.page is None else None
        if small is not None and small <= min(SMALL, self.photos.max_pixels):
            return False
        from segcli.images.strips.extent import extent

        found = extent(source.path, source.page)
        if found is None:
            return False
        return found.is_beyond(self.photos.max_pixels) or (found.pixels > SMALL and self._is_too_much(source, found))

    def _is_too_much(self, source: Source, found: Extent) -> bool:
        """Whether a picture takes more memory as a whole than is free, about."""
        room = headroom.of_host()
        seen = self._seen(source, found) * (INPUT if self.options.tile else ACTIVATIONS)
        return room is not None and room.free < 4 * found.pixels + found.nbytes + seen

    def _seen(self, source: Source, found: Extent) -> int:
        """The pixels of the network's input, where that grows with the picture."""
        if self.gsd is None:
            return found.pixels if self.options.size == 0 else 0
        from segcli.images.geo.ground import working_size
        from segcli.images.geo.place import read_place

        place, _ = read_place(source.path, source.page)
        try:
            height, width = working_size(None if place is None else place.of_size(found.size), self.gsd)
        except InputError:  # whoever does it says why
            return 0
        return height * width

    def options_for(self, reference: ModelReference | None, sources: Sequence[Source]) -> ModelOptions:
        """The options for a run of these pictures: under torch where all are done in parts, if nobody named an engine.

        Raises:
            UsageError: All are done in parts, and something is asked for that is not done of such pictures.
        """
        if not sources or not all(map(self.wants, sources)):
            return self.options
        free = self.options.engine == "auto" and reference is not None and not reference.is_exported
        options = self.options.under_torch() if free else self.options
        try:
            replace(self, options=options).check()
        except InputError as error:
            raise UsageError(f"{shown(sources[0].path)}: {error.message}", error.hint) from error
        return options

    def check(self) -> None:
        """Refuse what is not done of such pictures; raises InputError."""
        if self.fill_holes:
            message = "it is too large for memory, and --fill-holes is not possible for such pictures"
            raise InputError(message, "Leave it out for it, or cut it into parts.")
        if others := sorted(self.kinds - {*KINDS, FRAME_FILES}):
            message = f"it is too large for memory, and --save {','.join(others)} is not possible for such pictures"
            raise InputError(message, f"Choose among {', '.join(KINDS)} for it, or cut it into parts.")
        if self.options.scales != (1.0,) or self.options.flip:
            message = "it is too large for memory, and --scales and --flip are not done on parts of pictures"
            raise InputError(message, "Leave them out for it, or cut it into parts.")
        if self.options.precision == "int8":
            message = "it is too large for memory, and --precision int8 is not done on parts of pictures"
            raise InputError(message, "Leave it out for it, or cut it into parts.")

    def windows(self, photo: tuple[int, int], place: Place | None, facts: ModelFacts) -> Windows:
        """The windows of a photo of (height, width): at its full size, unless `gsd` or the options say another.

        Raises:
            InputError: It is not known how large its pixels are, or a row of windows has more pixels than are allowed.
        """
        from segcli.inference.windows import Windows

        edge = corner(facts.spec)
        windows = Windows(self._geometry(photo, place, facts), fitting(self.options.tile or TILE, edge), edge)
        pixels = windows.size[0] * windows.place.padded[1]
        if pixels > self.photos.max_pixels:
            message = f"a row of its windows has {pixels / 1e6:.0f} megapixels, more than the limit of "
            hint = "Take a smaller --tile, or if you trust the file, raise the limit with --max-pixels."
            raise InputError(f"{message}{self.photos.max_pixels / 1e6:g}", hint)
        return windows

    def _geometry(self, photo: tuple[int, int], place: Place | None, facts: ModelFacts) -> Geometry:
        from segcli.inference.transform import geometry, geometry_at

        full, size = at_size(facts.preprocessing, 0), self.options.size
        if self.gsd is not None:
            from segcli.images.geo.ground import working_size

            where = None if place is None else place.of_size(photo)
            return geometry_at(photo, working_size(where, self.gsd), full)
        if size is None and photo[0] * photo[1] > self.photos.max_pixels:
            size = 0
        return geometry(photo, at_size(facts.preprocessing, size))


def said(extents: Extent, windows: Windows) -> str:
    """The line that tells how a picture is done."""
    height, width = extents.size
    at = "full size" if windows.place.resized == extents.size else "{1} x {0} pixels".format(*windows.place.resized)
    side = max(windows.size)
    pixels = f"{extents.pixels / 1e6:.0f} megapixels ({width} x {height})"
    return f"{pixels}, done in parts: {len(windows)} windows of {side} at {at}"


def memory(windows: Windows, classes: int, stride: int, band: int, value_bytes: int) -> int:
    """The most bytes that a picture takes beside the network itself, whatever its height.

    Args:
        windows: Its windows.
        classes: The number of classes, K.
        stride: Input pixels a score.
        band: The rows of the picture that are read together.
        value_bytes: The bytes of a pixel's values in the file.
    """
    from segcli.inference.windows import ENLARGED, WIDE

    (tall, _), wide = windows.size, windows.place.padded[1]
    photo = windows.place.photo[1]
    ring = 4 * (classes + 1) * (tall // stride + 2) * (wide // stride + 2)
    rows = 3 * wide * (tall + band) + photo * band * (2 * value_bytes + 12)
    return 3 * ring + rows + 2 * WIDE + 2 * ENLARGED + 16 * photo * 128
