"""Makes examples/rough and the picture at the top of the README: run it again when the example photos change.

    python docs/first_look.py

The rough labels are the exact ones at a sixteenth of the resolution, as a person with a broad brush or a coarse network
would give them; `segcli crf` makes outlines of them.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from segcli.images import read_rgb
from segcli.labels import CAMVID, VOID
from segcli.masks import read_label_map, write_label_map
from segcli.overlay import overlay

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
BLOCK = 16
SHOWN = "avenue"
SETTINGS = ["--gt-prob", "0.6", "--crf-set", "w1=6,sigma_alpha=40,sigma_beta=6"]


def roughened(labels: np.ndarray) -> np.ndarray:
    """Each block of 16 x 16 pixels as its commonest class; void where the blocks do not fill the picture."""
    height, width = (side // BLOCK * BLOCK for side in labels.shape)
    blocks = labels[:height, :width].reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK)
    votes = [(blocks == label).sum((1, 3)) for label in range(len(CAMVID))]
    rough = np.full_like(labels, VOID)
    rough[:height, :width] = np.kron(np.argmax(votes, 0), np.ones((BLOCK, BLOCK))).astype(np.uint8)
    return rough


def main() -> None:
    """Write the rough labels, refine one photo with the command line, and lay the three pictures side by side."""
    for path in sorted((EXAMPLES / "labels").glob("*.png")):
        write_label_map(EXAMPLES / "rough" / path.name, roughened(read_label_map(path)), CAMVID)
    photo = EXAMPLES / "photos" / f"{SHOWN}.jpg"
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "segcli", "crf", str(photo), "--labels", str(EXAMPLES / "rough")]
        subprocess.run([*command, *SETTINGS, "-o", folder, "--quiet"], check=True)
        refined = read_label_map(Path(folder) / "masks" / f"{SHOWN}.png")
    rgb = read_rgb(photo)
    rough = read_label_map(EXAMPLES / "rough" / f"{SHOWN}.png")
    panels = [Image.fromarray(rgb), overlay(rgb, rough, CAMVID), overlay(rgb, refined, CAMVID)]
    picture = Image.new("RGB", (1452, 360), "white")
    for index, panel in enumerate(panels):
        picture.paste(panel.resize((480, 360), Image.Resampling.LANCZOS), (index * 486, 0))
    picture.save(ROOT / "docs" / "images" / "first-look.jpg", quality=88)


if __name__ == "__main__":
    main()
