"""Makes the picture of docs/gallery.md: the gallery of examples/photos in Chromium, as a person sees it.

    python docs/gallery_picture.py [--phone FILE]

Takes a Chromium on the path.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "helpers"))
import browser  # noqa: E402

PREDICT = [*("predict", "examples/photos", "--model", "street", "--save", "mask,overlay,gallery"), "--quiet"]
DRAWN = "view.colours !== null && !entries.some((entry) => entry === view.entry && !entry.seen)"


def main() -> None:
    """Predict the examples, look through three of them, mark one, and take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--phone", type=Path, metavar="FILE", help="also write what a phone shows")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "segcli", *PREDICT, "-o", folder], cwd=ROOT, check=True)
        with browser.opened(Path(folder, "gallery.html")) as page:
            page.scheme("dark")
            for key in ("s", "w", "ArrowRight", "ArrowRight"):
                page.press(key)
                page.wait(DRAWN)
            page.value("cutAt(35)")
            shoot(page, ROOT / "docs" / "images" / "gallery.jpg")
            if options.phone:
                page.size(390, 844, phone=True)
                shoot(page, options.phone)


def shoot(page: browser.Page, path: Path) -> None:
    """Write what the page shows as JPEG."""
    time.sleep(0.3)  # until what was asked for is painted
    with tempfile.NamedTemporaryFile(suffix=".png") as file:
        page.picture(Path(file.name))
        Image.open(file.name).convert("RGB").save(path, quality=88)


if __name__ == "__main__":
    main()
