"""How fast a gallery of many photos opens in Chromium, and how much memory it takes there.

    python benchmarks/gallery.py --count 2000

Makes a gallery of so many photos, a hundred cuts of the examples at 640 x 480 with their labels over and over, opens it
from the disk, and prints: the file's size, the processor time of making it, the time until the first photo and its
classes are drawn and until all photos are listed, the memory of the process that shows the page, and the time from a
key to the next photo. Takes a Chromium on the path, and Linux, whose /proc says how much memory a process has.
"""

import argparse
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from segcli.images.gallery import Entry, Part, merge, write_facts
from segcli.images.masks import read_label_map
from segcli.labels import CAMVID
from segcli.pipeline.writer import class_areas

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "helpers"))
import browser  # noqa: E402

SIZE = (480, 640)
CUTS = 100
FIRST = "view.colours !== null"


def entries(count: int) -> Iterator[Entry]:
    """So many photos."""
    rng = np.random.default_rng(0)
    scenes = []
    for path in sorted((ROOT / "examples" / "photos").glob("*.jpg")):
        rgb, label_map = np.asarray(Image.open(path)), read_label_map(ROOT / "examples/labels" / f"{path.stem}.png")
        scenes.append((rgb, label_map))
    for index in range(count):
        rgb, label_map = scenes[index % len(scenes)]
        top, left = (int(rng.integers(0, whole - cut + 1)) for whole, cut in zip(label_map.shape, SIZE, strict=True))
        cut = (slice(top, top + SIZE[0]), slice(left, left + SIZE[1]))
        areas = class_areas(label_map[cut], CAMVID)
        yield Entry("a cut", rgb[cut], np.ascontiguousarray(label_map[cut]), areas, 0.5)


def make(folder: Path, count: int) -> Path:
    """The gallery; what its making takes is printed."""
    parts = []
    facts = [entry.facts(CAMVID) for entry in entries(min(count, CUTS))]
    for index in range(count):
        name = f"photo {index:05}"
        parts.append(Part(folder / f"{index}.json", f"photos/{name}.jpg"))
        write_facts(parts[-1].path, facts[index % CUTS] | {"name": name, "uncertainty": index * 7919 % count / count})
    start = time.process_time()
    merge(folder / "gallery.html", parts, CAMVID)
    size = (folder / "gallery.html").stat().st_size
    print(f"{count} photos: {size / 1e6:.1f} MB, made of its parts in {time.process_time() - start:.2f} s of processor")
    return folder / "gallery.html"


def held() -> tuple[int, int]:
    """The resident bytes and the seconds of processor time of the largest process that shows a page."""
    found = [(0, 0)]
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            if b"--type=renderer" in (status.parent / "cmdline").read_bytes():
                fields = (status.parent / "stat").read_text().rpartition(")")[2].split()
                memory = int(re.search(r"VmRSS:\s+(\d+) kB", status.read_text())[1]) * 1024
                found.append((memory, (int(fields[11]) + int(fields[12])) / 100))
        except (OSError, TypeError):
            continue
    return max(found)


def main() -> None:
    """Make a gallery, open it several times, and print what it takes."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=2000, help="photos")
    parser.add_argument("--times", type=int, default=3, help="how often it is opened")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = make(Path(folder), options.count)
        for _ in range(options.times):
            with browser.opened(None) as page:
                seconds = held()[1]
                start = time.perf_counter()
                page.send("Page.navigate", url=path.as_uri())
                page.wait(FIRST)
                first, spent_first = time.perf_counter() - start, held()[1]
                page.wait(f"document.readyState === 'complete' && entries.length === {options.count}")
                opened, spent = time.perf_counter() - start, held()[1]
                moves = [move(page) for _ in range(20)]
                page.press("End")
                page.wait(FIRST)
                print(
                    f"first photo in {first:.2f} s, {spent_first - seconds:.2f} s of processor; all in {opened:.2f} s, "
                    f"{spent - seconds:.2f} s; {held()[0] / 1e6:.0f} MB of memory after 21 photos; next photo in "
                    f"{1000 * statistics.median(moves):.0f} ms; {page.value('document.images.length')} pictures"
                )


def move(page: browser.Page) -> float:
    """Seconds from a key to the next photo with its classes."""
    start = time.perf_counter()
    page.press("ArrowRight")
    page.wait(FIRST)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
