"""Writes `docs/reference_files.md`: how commands end, and every file that they leave, by the names that the code has.

Run `python docs/reference_files_md.py` after a change to these files; tests compare the page with what this writes, and
with the files that the commands of all pages leave.
"""

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from segcli import errors
from segcli.data import convert, parts
from segcli.files import workplaces
from segcli.films.workshop import FRAMES
from segcli.pipeline import kinds, run_files
from segcli.pipeline.mergers import MERGERS
from segcli.pipeline.records import RUN_FILE
from segcli.storage import lease
from segcli.storage.trouble import StoreError
from segcli.training import folds
from segcli.training.output import run_folder as run
from segcli.weights import cache
from segcli.weights.reference import BEST, CHECKPOINT_SUFFIX, LAST, RECIPE

TARGET = Path(__file__).with_name("reference_files.md")
HEAD = """\
# Exit codes and files

Written by `python docs/reference_files_md.py` from the program itself; do not edit.

## How a command ends

A script can read the exit code. With `--json` the code is also in the object that is printed, as `exit_code`.

| exit code | meaning |
|---:|---|
"""
CODES = {
    errors.EXIT_OK: "everything is done",
    errors.EXIT_FAILED: "it failed; one line says why, and the next line what to do",
    errors.EXIT_USAGE: "the command line or a file of settings asks for something that cannot be",
    errors.EXIT_SOME_FAILED: "it is done, but some photos failed; `manifest.jsonl` has the reason for each",
    130: "it was stopped with Ctrl-C; give the same command again and it goes on. "
    "Other signals give 128 and their number: 143 for TERM",
}
"""What each exit code means to whoever reads it."""
UNDER_TORCHRUN = """
torchrun ends with 1 if one of its processes ends with anything but 0. Read `exit_code` in the object of `--json` there.

The kinds of errors, and the code of each. Python users catch them by these names:

| error | exit code | when |
|---|---:|---|
"""
RULES = """
## Rules for all files

- A file with its final name is complete. While it is written it is called `.segcli-….part`. After a crash you can
  remove such files; segcli removes them too.
- NAME stands for the photo's name without its suffix, with the folders that it lies in: `photos/a/b.jpg` gives
  `masks/a/b.png`. Two photos that differ in their suffix alone keep it: `masks/b.jpg.png` and `masks/b.tif.png`.
- Files whose names begin with a dot are for segcli alone.
"""

Rows = dict[str, str]

BY_KIND: dict[str, Rows] = {
    "mask": {
        "masks/NAME.png": "the class of every pixel, as a number, with a palette, the classes and the model",
        "masks/NAME.tif": "the same of a photo that is a GeoTIFF, at the same place on earth",
        "masks/NAME.tif.aux.xml": "the names of the classes, for QGIS",
        "masks/NAME.pgw": "where on earth the mask lies, if the photo has such a file (also `.prj` and `.png.aux.xml`)",
        "masks/NAME.mkv": "of a film: the mask of every frame, as a film",
    },
    "overlay": {
        "overlays/NAME.jpg": "the photo with its classes in colour, and a legend",
        "overlays/NAME.mp4": "of a film: the same as a film, with the film's sound",
    },
    "cutout": {"cutouts/NAME.png": "the photo without background, or with the classes of `--classes` only"},
    "classes": {"classes/NAME.CLASS.png": "a mask of one class: 255 where the photo shows it, 0 elsewhere"},
    "polygons": {"polygons/NAME.json": "the photo's part of `polygons.json`"},
    "labelme": {
        "labelme/NAME.json": "outlines for LabelMe, to be corrected",
        "labelme/NAME.jpg": "a copy of the photo, as LabelMe opens it (or `.png`, `.bmp`, `.webp`)",
    },
    "label-studio": {
        "label-studio/NAME.json": "the photo's part of `label-studio.json`",
        "label_config.xml": "the labels, for the settings of a Label Studio project",
    },
    "cvat": {"cvat/NAME.xml": "the photo's part of `cvat.xml`"},
    "yolo": {
        "yolo/images/NAME.jpg": "a copy of the photo",
        "yolo/labels/NAME.txt": "its outlines",
        "yolo/.classes": "the classes with which the folder was begun",
        "yolo/.marks/NAME.json": "which text files segcli wrote, so that it never overwrites those that you corrected",
    },
    "geojson": {"geojson/NAME.geojson": "the photo's outlines on the map"},
    "objects": {"objects/NAME.csv": "the photo's part of `objects.csv`"},
    "gallery": {"gallery/NAME.json": "the photo's part of `gallery.html`"},
    "probs": {"probs/NAME.npz": "the probability of every class; `segcli crf` reads them with `--probs`"},
    "frames": {
        "masks/NAME/NUMBER.png": "of a film: the mask of each frame",
        "masks/NAME/frames.csv": "the time of each frame, in seconds",
    },
}
"""What each kind of `--save` writes of one photo or film."""
OF_ALL = {
    "polygons": "outlines of all photos, as COCO",
    "label-studio": "outlines of all photos, to be imported in Label Studio",
    "cvat": "outlines of all photos, to be uploaded to CVAT",
    "yolo": "what YOLO's tools read first: classes and folders",
    "geojson": "outlines of all photos on the map",
    "objects": "one line for each object of all photos: class, pixels, place, size, certainty",
    "gallery": "a page to look through the results ([gallery.md](gallery.md))",
}
"""What the file of a whole run is, by its kind."""
ALWAYS = {
    "areas.csv": "pixels and per cent of every class in every photo; square metres where they are known",
    "review.csv": "all photos that were done; those of which the model is least sure come first",
    "areas/NAME.csv": "of a film: pixels of every class in every frame",
    "manifest.jsonl": "one JSON object a line: what was done with a photo, its files, how long it took, or why it "
    "failed; while a run works a photo may have several lines, of which the last counts",
    RUN_FILE: "all settings of the last run; `--from` repeats it",
    run_files.EARLIER.format(
        "CODE"
    ): "the settings of an earlier run whose results are still in the folder; `review.csv` and "
    "`manifest.jsonl` name the CODE",
}
UNFINISHED = {
    "manifest.N.jsonl": "under torchrun: the lines of one process, until they are in `manifest.jsonl`",
    "manifest/NUMBER.jsonl": "in a store: the same, in parts",
    f"{lease.FOLDER}/NAME": "in a store: says that a run is writing there",
    ".film-CODE/NAME": f"the finished parts of a film, {FRAMES} frames each, until the film is done",
    f"{workplaces.GIANTS}/NAME": "how far a picture larger than memory is, until it is done",
}
RUN = {
    BEST: "the model: the checkpoint with the highest mIOU on the held-out photos, with recipe and scores inside",
    LAST: "the newest checkpoint",
    f"{run.NUMBERED}/NUMBER{CHECKPOINT_SUFFIX}": "with `run.keep_every`: the checkpoint after so many iterations",
    run.STATE: "what `--resume` needs: weights, optimizer, progress, averages; no code",
    RECIPE: "all settings, defaults included; with the reasons of the plan at its head",
    parts.SPLIT: "which photos it learned from and which were held out, with the SHA-256 of each file and of its label",
    run.METRICS: "loss, rate and mIOU by iteration; at each validation IOU (`iou NAME`) and Dice (`dice NAME`) of "
    "every class",
    run.CURVE: "loss and mIOU as a picture, and the IOU of each class where they are at most 12",
    run.GALLERY: "photo, truth and prediction of the best model side by side, the lowest IOU first: the first "
    "`run.overlays` photos and as many of the worst",
    f"{run.OVERLAYS}/NUMBER/NAME.jpg": "the first validation photos with their classes in colour, by iteration",
    f"{run.TENSORBOARD}/NAME": "for TensorBoard, where that package is installed",
    f"{folds.FOLD.format('N')}/NAME": "with `--folds`: the run of each fold, with all files above",
    folds.SCORES: "with `--folds`: the scores of all folds",
}
EVALUATION = {
    "scores.json": "all scores, as `--json` prints them",
    "confusion.png": "which class was taken for which",
    "trimap.png": "with `--trimap`: the scores near outlines",
    "worst/NAME.jpg": "overlays of the photos with the lowest scores",
}
DATASET = {
    f"{convert.IMAGES}/NAME.jpg": "copies of the photos, with their own suffix",
    f"{convert.MASKS}/NAME.png": "the labels: the class of every pixel, as a number",
    convert.NAMES: "the classes and their colours ([the label set](labels.md#the-label-set))",
    convert.GALLERY: "a page to look at the labels",
}
COMPARED = {"NAME.png": "a picture of where the two results differ, for each photo with a difference"}
CACHE = {
    f"MODEL/{cache.RECORD_FILE}": "where the weights came from, and their SHA-256",
    f"MODEL/CODE{CHECKPOINT_SUFFIX}": "the weights as segcli uses them",
    "MODEL/lock": "keeps two processes from writing the same weights",
    "onnx/CODE.onnx": "a model as onnxruntime computes it on the CPU; 1 GB together at most, the oldest go first",
    "onnx/lock": "as above",
}


def whole_runs() -> Rows:
    """The files of a whole run, by the names that the mergers give them."""
    return {MERGERS[kind][0]: OF_ALL[kind] for kind in kinds.KINDS if kind in kinds.JOINED}


def tables() -> Iterator[tuple[str, str, Rows]]:
    """Each table: its title, what stands above it, and its rows."""
    yield "The results of `predict` and `crf`", "In the folder of `--output`, whatever `--save` says:", ALWAYS
    yield (
        "What `--save` adds for each photo",
        "",
        {name: text for kind in kinds.KINDS for name, text in BY_KIND[kind].items()},
    )
    yield "What `--save` adds for the whole run", "", whole_runs()
    yield (
        "What a run needs until it is done",
        "A run that is done has removed them. Leave them there, and a stopped run goes on.",
        UNFINISHED,
    )
    yield "The folder of a training", "`segcli train … -o mine` writes into `mine/`:", RUN
    yield "The results of `eval --output`", "", EVALUATION
    yield "The results of `data convert`", "", DATASET
    yield "The results of `compare --output`", "", COMPARED
    yield "The cache", f"In `SEGCLI_CACHE_DIR`, or else {CACHE_FOLDERS}. `segcli weights list` shows it.", CACHE


CACHE_FOLDERS = "`~/.cache/segcli` (Windows: `%LOCALAPPDATA%\\segcli\\cache`; macOS: `~/Library/Caches/segcli`)"


def render() -> str:
    """The whole page."""
    codes = (f"| {code} | {text} |\n" for code, text in CODES.items())
    kinds_of_errors = (f"| `{one.__name__}` | {one.exit_code} | {described(one)} |\n" for one in error_classes())
    return "".join(chain((HEAD,), codes, (UNDER_TORCHRUN,), kinds_of_errors, (RULES,), map(table, tables())))


def error_classes() -> Iterable[type]:
    """The errors that Python users catch, the general one first."""
    named = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, errors.SegcliError)]
    return [*named, StoreError]


def described(error: type) -> str:
    """The first sentence of an error's docstring."""
    return " ".join(error.__doc__.split("\n\n")[0].split()).rstrip(".")


def table(part: tuple[str, str, Rows]) -> str:
    """A section with its table."""
    title, above, rows = part
    head = f"\n## {title}\n\n" + (f"{above}\n\n" if above else "") + "| file | what it is |\n|---|---|\n"
    return head + "".join(f"| `{name}` | {text} |\n" for name, text in rows.items())


if __name__ == "__main__":
    TARGET.write_text(render(), encoding="utf-8", newline="\n")
