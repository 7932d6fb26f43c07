"""segcli from Python: labels the photos beside this file, and sums up what is in them.

    python examples/from_python.py [FOLDER]

writes masks and overlays of `examples/photos` to FOLDER (`segmented` unless named), and one picture of them all.
Run it again: what is done is not done again. docs/python.md explains each function.
"""

import sys
from pathlib import Path

from PIL import Image

import segcli

PHOTOS = Path(__file__).parent / "photos"
TILE = (480, 360)


def main(folder: Path) -> None:
    run = segcli.predict_folder(PHOTOS, folder, model="street")
    for record in run:
        largest = max(record.areas, key=record.areas.get)
        share = record.areas[largest] / (record.width * record.height)
        print(f"{record.name:10} most of it is {largest}, {100 * share:.0f} %")
    summary = run.finish()
    print(f"{summary.segmented} labelled now, {summary.skipped} before: {folder}")
    contact_sheet(summary).save(folder / "all.jpg", quality=90)


def contact_sheet(summary: segcli.Summary) -> Image.Image:
    """Every photo beside its overlay, a row each."""
    rows = [(record.input, summary.output / record.outputs["overlay"]["path"]) for record in summary.records]
    width, height = TILE
    sheet = Image.new("RGB", (2 * width, height * len(rows)))
    for row, pair in enumerate(rows):
        for column, path in enumerate(pair):
            sheet.paste(Image.open(path).resize(TILE), (column * width, row * height))
    return sheet


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "segmented"))
