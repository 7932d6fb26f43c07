"""Makes examples/rough and the picture at the top of the README: run it again when the example photos change.

    python docs/first_look.py

The rough labels are the exact ones at a sixteenth of the resolution, as a person with a broad brush or a coarse network
would give them; `segcli crf` makes outlines of them. The picture is what `segcli predict --model street` makes.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from segcli.images.masks import read_label_map, write_label_map
from segcli.labels import CAMVID, VOID

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
BLOCK = 16
SHOWN = "avenue"
CARS = ["--save", "cutout", "--classes", "car", "--cutout-background", "white"]


def roughened(labels: np.ndarray) -> np.ndarray:
    """Each block of 16 x 16 pixels as its commonest class; void where the blocks do not fill the picture."""
    height, width = (side // BLOCK * BLOCK for side in labels.shape)
    blocks = labels[:height, :width].reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK)
    votes = [(blocks == label).sum((1, 3)) for label in range(len(CAMVID))]
    rough = np.full_like(labels, VOID)
    rough[:height, :width] = np.kron(np.argmax(votes, 0), np.ones((BLOCK, BLOCK))).astype(np.uint8)
    return rough


def main() -> None:
    """Write the rough labels, predict one photo with the command line, and lay the three pictures side by side."""
    for path in sorted((EXAMPLES / "labels").glob("*.png")):
        write_label_map(EXAMPLES / "rough" / path.name, roughened(read_label_map(path)), CAMVID)
    photo = EXAMPLES / "photos" / f"{SHOWN}.jpg"
    with tempfile.TemporaryDirectory() as folder:
        for name, options in (("all", ["--save", "overlay"]), ("cars", CARS)):
            command = [sys.executable, "-m", "segcli", "predict", str(photo), "--model", "street", *options]
            subprocess.run([*command, "-o", f"{folder}/{name}", "--quiet"], check=True)
        made = (Path(folder, "all", "overlays", f"{SHOWN}.jpg"), Path(folder, "cars", "cutouts", f"{SHOWN}.png"))
        panels = [Image.open(path).convert("RGB") for path in (photo, *made)]
    picture = Image.new("RGB", (1452, 360), "white")
    for index, panel in enumerate(panels):
        picture.paste(panel.resize((480, 360), Image.Resampling.LANCZOS), (index * 486, 0))
    picture.save(ROOT / "docs" / "images" / "first-look.jpg", quality=88)


if __name__ == "__main__":
    main()
