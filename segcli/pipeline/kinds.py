"""Kinds: what can be written of photos and films, by the names that `--save` takes."""

from collections.abc import Iterable
from typing import Annotated

from segcli.decoding import at_least
from segcli.errors import UsageError

LABEL_FILES = ("polygons", "labelme", "label-studio", "cvat", "yolo")
"""The kinds that labelling tools open."""
GEOJSON = "geojson"
"""The kind of polygons on a map, which `place_files` writes; they are without specks too."""
OBJECTS = "objects"
"""The kind that is a table of the objects."""
OF_PHOTOS = ("mask", "overlay", "cutout", "classes", *LABEL_FILES, GEOJSON, OBJECTS, "gallery", "probs")
"""The kinds that photos have, in the order in which they are written."""
FRAME_FILES = "frames"
"""The kind that is a mask for each frame, which only films have."""
OF_FILMS = frozenset({"mask", "overlay", FRAME_FILES})
"""The kinds that films have."""
KINDS = (*OF_PHOTOS, FRAME_FILES)
"""What can be written of photos and films."""
DEFAULT_KINDS = ("mask", "overlay")
"""What is written where nothing else is asked for."""
JOINED = frozenset({"polygons", "label-studio", "cvat", "yolo", OBJECTS, GEOJSON, "gallery"})
"""The kinds with a file for the whole run, which is made of the photos' parts."""
SEVERAL = ("label-studio", "cvat", "yolo")
"""Those that are of use only when that file is there."""
MinArea = Annotated[int, at_least(0)]
"""The fewest pixels of a region in label files and among objects."""


def check_tidying(min_area: int, fill_holes: bool, kinds: Iterable[str]) -> None:
    """Refuse a smallest region, or filled holes, where no file would differ by it. Raises UsageError."""
    of_regions = (*LABEL_FILES, GEOJSON, OBJECTS)
    if not (min_area or fill_holes) or set(of_regions) & set(kinds):
        return
    hint = f"Add one of {', '.join(of_regions)} to --save; masks always hold every pixel."
    if min_area:
        raise UsageError("--min-area works only on label files and objects, and --save names none", hint)
    raise UsageError("--fill-holes works only on label files and objects, and --save names none", hint)
