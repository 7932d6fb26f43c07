"""Forecast: the time, memory and disk of a run, from the headers of its photos and two of them tried out."""

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from segcli.errors import InputError
from segcli.files.paths import nearest_existing
from segcli.files.sources import Source
from segcli.images.read import upright_size
from segcli.images.reading import MAX_PIXELS
from segcli.pipeline.ledger import Ledger
from segcli.pipeline.outputs import Outputs
from segcli.pipeline.records import DONE, Record
from segcli.pipeline.stages import Stages, segment


@dataclass(frozen=True)
class Forecast:
    """A run's needs.

    Attributes:
        photos: How many can be opened.
        unreadable: How many cannot.
        bytes: The size of their files.
        pixels: The pixels of all photos together.
        size: (height, width) of the photo in the middle by its pixels; (0, 0) where there is none.
        seconds: On this machine, as it was when one photo was timed; 0 where none could be segmented.
        memory: The most bytes that this process has held, the largest photo in it; 0 where the system does not tell.
        disk: Bytes that the outputs will take.
        free: Bytes that the output's disk has left.
        by: How many photos this was reckoned by, where not all of them could be looked at; 0 where they were.
    """

    photos: int
    unreadable: int
    bytes: int
    pixels: int
    size: tuple[int, int]
    seconds: float
    memory: int
    disk: int
    free: int
    by: int = 0

    def scaled(self, photos: int, size: int) -> "Forecast":
        """The same for so many photos of so many bytes, of which these are some, evenly taken."""
        share = photos / max(self.photos + self.unreadable, 1)
        unreadable, pixels = round(self.unreadable * share), round(self.pixels * share)
        more = {"pixels": pixels, "seconds": self.seconds * share, "disk": round(self.disk * share), "bytes": size}
        return replace(self, photos=photos - unreadable, unreadable=unreadable, by=self.photos, **more)


def forecast(sources: Sequence[Source], stages: Stages, outputs: Outputs, max_pixels: int = MAX_PIXELS) -> Forecast:
    """Segment the largest photo and then the middle one into a folder that is thrown away, and scale up.

    Reading and writing are taken to grow with the pixels, the network with the number of photos; the stages' times
    are added though they overlap in a run, so that it is rather faster.

    Args:
        sources: What the run would do.
        stages: How it would.
        outputs: Where to; nothing is written there.
        max_pixels: Larger photos count as unreadable.
    """
    sizes = _sizes(sources, max_pixels)
    pixels = sum(entry[0] for entry in sizes)
    middle = sizes[len(sizes) // 2] if sizes else (0, (0, 0), None)
    tried = _trial([sizes[-1][2], middle[2]], stages, outputs) if sizes else None
    seconds, disk = _scaled(tried, len(sizes), pixels) if tried and tried.status == DONE else (0.0, 0)
    return Forecast(
        photos=len(sizes),
        unreadable=len(sources) - len(sizes),
        bytes=sum(source.path.stat().st_size for _, _, source in sizes),
        pixels=pixels,
        size=middle[1],
        seconds=seconds,
        memory=_most_memory(),
        disk=disk,
        free=shutil.disk_usage(nearest_existing(outputs.folder)).free,
    )


def counted(sources: Sequence[Source], max_pixels: int = MAX_PIXELS) -> dict[str, int]:
    """What their headers alone tell of photos: "photos", "unreadable", "bytes" and "pixels".

    Photos in stores are not opened: of these, listings tell all but "pixels".
    """
    if sources and sources[0].origin is not None:
        return {"photos": len(sources), "unreadable": 0, "bytes": sum(one.origin.size or 0 for one in sources)}
    sizes = _sizes(sources, max_pixels)
    return {
        "photos": len(sizes),
        "unreadable": len(sources) - len(sizes),
        "bytes": sum(source.path.stat().st_size for _, _, source in sizes),
        "pixels": sum(pixels for pixels, _, _ in sizes),
    }


def _sizes(sources: Sequence[Source], max_pixels: int) -> list[tuple[int, tuple[int, int], Source]]:
    """The pixels and the (height, width) of each photo that can be opened, the smallest first."""
    sizes = [
        (height * width, (height, width), source) for source in sources for height, width in _size(source, max_pixels)
    ]
    return sorted(sizes, key=lambda entry: entry[0])


def _size(source: Source, max_pixels: int) -> list[tuple[int, int]]:
    """(height, width) by the file's header; empty where it cannot be opened."""
    try:
        return [upright_size(source.path, max_pixels)]
    except InputError:
        return []


def _trial(sources: Sequence[Source], stages: Stages, outputs: Outputs) -> Record:
    """The record of the last of the sources, the others being there to warm up."""
    with tempfile.TemporaryDirectory(prefix="segcli-") as name:
        folder = Path(name)
        return [
            record
            for source in sources
            for record in segment([source], stages, replace(outputs, folder=folder), Ledger(folder), "")
        ][-1]


def _scaled(record: Record, photos: int, pixels: int) -> tuple[float, int]:
    """Seconds and bytes for all, by one."""
    share = pixels / (record.width * record.height)
    by_pixels = sum(record.seconds.get(stage, 0) for stage in ("read", "write"))
    by_photos = sum(record.seconds.get(stage, 0) for stage in ("predict", "refine"))
    written = sum(output["bytes"] for output in record.outputs.values())
    return by_pixels * share + by_photos * photos, round(written * share)


def _most_memory() -> int:
    try:
        import resource
    except ImportError:  # Windows
        return 0
    import sys

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
