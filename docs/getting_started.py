"""Makes the pictures of docs/getting_started.md, and puts what its commands print in there.

    python docs/getting_started.py

A block of text on the page that follows a command on the examples holds what that command prints; one that begins with
"$" holds its own command; one that begins with "image," holds the first lines of areas.csv.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "getting_started.md"
IMAGES = ROOT / "docs" / "images"
SHOWN = "avenue"
CUTOUT = "segcli predict examples/photos/avenue.jpg --model street --classes car --save cutout -o cut"
CUT_SHORT = 20_000
"""The bytes that are left of the photo that was copied in part."""
LINES = 5
"""So many lines of areas.csv are shown."""
AFTER_COMMAND = re.compile(r"(?<=^```\n)(segcli predict examples/[^\n]*)\n```\n\n```text\n(.*?)```", re.M | re.S)
OWN_COMMAND = re.compile(r"(?<=^```text\n)\$ (segcli [^\n]*)\n(.*?)```", re.M | re.S)
AREAS = re.compile(r"(?<=^```text\n)image,.*?```", re.M | re.S)


def main() -> None:
    """Run the page's commands on a copy of the examples, rewrite the page, and make its pictures."""
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        shutil.copytree(ROOT / "examples" / "photos", home / "examples" / "photos")
        _mixed(home)
        text = PAGE.read_text(encoding="utf-8")
        text = AFTER_COMMAND.sub(lambda found: f"{found[1]}\n```\n\n```text\n{printed(found[1], home)}```", text)
        text = OWN_COMMAND.sub(lambda found: f"$ {found[1]}\n{printed(found[1], home)}```", text)
        areas = (home / "segmented" / "areas.csv").read_text(encoding="utf-8").splitlines()
        text = AREAS.sub(lambda _: "\n".join([*areas[:LINES], "```"]), text)
        PAGE.write_text(text, encoding="utf-8", newline="\n")
        printed(CUTOUT, home)
        _draw(home)


def printed(command: str, home: Path) -> str:
    """What a command of segcli leaves on the screen: its progress is gone at the end."""
    arguments = [sys.executable, "-m", *command.split()]
    ended = subprocess.run(
        arguments, cwd=home, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    lines = [line for line in ended.stdout.splitlines() if not line.startswith("segmenting ")]
    return "".join(f"{line}\n" for line in lines)


def _mixed(home: Path) -> None:
    """A folder with a whole photo and one that was copied in part."""
    photos = home / "examples" / "photos"
    (home / "mixed").mkdir()
    shutil.copyfile(photos / "dusk.jpg", home / "mixed" / "dusk.jpg")
    (home / "mixed" / f"{SHOWN}.jpg").write_bytes((photos / f"{SHOWN}.jpg").read_bytes()[:CUT_SHORT])


def _draw(home: Path) -> None:
    """Lay photo, mask and overlay side by side, and the cutout on white."""
    results = home / "segmented"
    made = (results / "masks" / f"{SHOWN}.png", results / "overlays" / f"{SHOWN}.jpg")
    panels = [Image.open(path).convert("RGB") for path in (home / "examples" / "photos" / f"{SHOWN}.jpg", *made)]
    picture = Image.new("RGB", (1452, 360), "white")
    for index, panel in enumerate(panels):
        picture.paste(panel.resize((480, 360), Image.Resampling.LANCZOS), (index * 486, 0))
    picture.save(IMAGES / "getting-started.jpg", quality=88)
    cut = Image.open(home / "cut" / "cutouts" / f"{SHOWN}.png").convert("RGBA").resize((640, 480))
    white = Image.new("RGBA", cut.size, "white")
    Image.alpha_composite(white, cut).convert("RGB").save(IMAGES / "getting-started-cutout.jpg", quality=88)


if __name__ == "__main__":
    main()
