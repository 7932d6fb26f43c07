"""Reading: which photos and films a run finds, and how they are read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from segcli.decoding import check_option
from segcli.errors import InputError
from segcli.files import formats, glance, sources
from segcli.files.exclusion import Exclusion
from segcli.files.listing import Listing
from segcli.files.paths import shown
from segcli.files.sources import Found, Source
from segcli.films.choice import marked
from segcli.films.options import FilmOptions
from segcli.images.geo.units import GroundResolution
from segcli.images.measure import Glanced, Page
from segcli.images.reading import PLAIN, PhotoReading, PhotoValues
from segcli.pipeline import photo_values
from segcli.pipeline.listener import Listener

if TYPE_CHECKING:
    from segcli.films.frame import Film, Frame
    from segcli.images.photo import Photo


@dataclass(frozen=True)
class Reading:
    """The way in which photos are found and read.

    Attributes:
        photos: Which bands and values become colours.
        pages: Every page of TIFF and GIF files, or plane of a stack.
        range_text: The range as it was typed, which is part of the fingerprint; None: as numbers are written.
        gsd: The centimetres of ground that a pixel shows the network; None leaves the size to the model.
        films: Which films are read, and how.
        exclude: Patterns of the files and folders that are left out.
    """

    photos: PhotoReading = PLAIN
    pages: bool = False
    range_text: str | None = None
    gsd: GroundResolution | None = None
    films: FilmOptions = field(default_factory=FilmOptions)
    exclude: tuple[str, ...] = ()

    def __post_init__(self):
        check_option("pages", self.pages, bool)
        check_option("gsd", self.gsd, GroundResolution | None)
        Exclusion(self.exclude)

    def find(
        self, inputs: Sequence[str | Path], output: Path | None, typed: Sequence[str | Path] | None = None
    ) -> Found:
        """The photos, or their pages, among files, folders and patterns; InputError, with `typed`, for none."""
        limit = self.photos.max_pixels
        details = {"films": self.films.kinds != "none", "exclude": self.exclude}
        found = find_photos(inputs, output, typed, **details)
        found = marked(found, self.films.kinds, limit)
        if not self.pages:
            return found
        from segcli.images.pages import expand

        return replace(found, files=expand(found.files, limit))

    def for_run(self, found: Found, model: PhotoValues, folder: Path, listener: Listener) -> Reading:
        """The same with the ranges of all photos, from the model or measured; of photos in stores none is measured."""
        pages = _Pages(found.photos) if found.is_here else ()
        earlier = photo_values.begun_with(folder)
        photos = replace(self.photos, alone=not found.is_here)
        return replace(self, photos=photo_values.resolved(photos, pages, model, earlier=earlier, listener=listener))

    def read(self, source: Source | Frame) -> Photo:
        """Decode one photo or frame; InputError, with `gsd`, also where it is not known how large its pixels are."""
        from segcli.films.frame import Frame
        from segcli.images.geo.ground import working_size
        from segcli.images.read import read_placed

        if isinstance(source, Frame):
            return self._framed(source)
        photo = read_placed(source.path, self.photos, source.page)
        return photo if self.gsd is None else replace(photo, working=working_size(photo.place, self.gsd))

    def _framed(self, frame: Frame) -> Photo:
        if self.gsd is not None:
            raise InputError("nothing says how much ground a pixel of a film shows", "Leave out --gsd.")
        return frame.photo(self.photos)

    def open_film(self, path: Path) -> Film:
        """Open a film; InputError where it cannot be read."""
        from segcli.films.opening import open_film

        return open_film(path, self.photos.max_pixels)

    def to_dict(self) -> dict:
        """The settings that decide the outputs of photos, as TOML-plain values or None."""
        gsd = {} if self.gsd is None else {"gsd": self.gsd}
        return {**photo_values.to_dict(self.photos, self.range_text), **gsd}


class _Pages(Glanced):
    """The files of photos, and which of their pages; each is made as it is asked for."""

    def __init__(self, sources: Sequence[Source]):
        self._sources = sources

    def __len__(self) -> int:
        return len(self._sources)

    def __getitem__(self, index: int) -> Page:
        source = self._sources[index]
        return source.path, source.page

    def glance(self, index: int) -> int:
        return self._sources.glance(index) if isinstance(self._sources, Listing) else glance.UNSEEN

    def __iter__(self) -> Iterator[Page]:
        return ((source.path, source.page) for source in self._sources)


def find_photos(
    inputs: Sequence[str | Path],
    output: Path | None,
    typed: Sequence[str | Path] | None = None,
    films: bool = False,
    exclude: Sequence[str] = (),
) -> Found:
    """The photos, and films if wanted, among files, folders and patterns; InputError, with `typed`, for none."""
    return required(sources.find(inputs, output, films, Exclusion(exclude)), inputs if typed is None else typed)


def required(found: Found, inputs: Sequence[object]) -> Found:
    """What was found, once it is known that there is anything. Raises InputError, with the inputs, for none."""
    if not found.files:
        passed = [f"{formats.counted(found.unread)} not read"] if found.unread else []
        passed += [f"{found.ignored} other files ignored"] if found.ignored else []
        passed += [f"{found.results} results of segcli left out"] if found.results else []
        passed += [f"left out by --exclude: {found.left_out}"] if found.left_out else []
        reasons = f" ({', '.join(passed)})" if passed else ""
        named = ", ".join(map(str, inputs)) or "an empty list"
        packages = " ".join(extra.package for extra in formats.extras(found.unread))
        hint = f"Install what reads them: pip install {packages}" if packages else "Name photos or a folder of photos."
        if found.damaged:
            hint = f"Named like a photo, but none: {', '.join(map(shown, found.damaged))}."
        raise InputError(f"no photos in {named}{reasons}", hint)
    return found
