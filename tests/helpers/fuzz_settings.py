"""Readers of settings and lists, for tests/fuzz.py: TOML, label files of every tool, lists of names, COCO."""

import io
import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import label_files
import label_fuzz
import tomli_w
from extras import installed
from fuzz_engine import Reader, Seed, each
from label_damage import OWN_DAMAGES
from label_files import LabelFile

from segcli.crf.params import CRFParams
from segcli.data import coco, layouts, names, parts
from segcli.data.dataset import Sample
from segcli.data.folder import open_folder
from segcli.files.sources import list_from
from segcli.pipeline import records
from segcli.training import folds, recipe
from segcli.weights import manifest

ROOT = Path(__file__).parents[2]
OLD_WORK = ROOT / "tests" / "old_work"
ABSURD = ("nan", "inf", "-1", "0", "1e400", "99999999999999999999", "[]", "{}", "true", '""', '"\\u0000"', "2026-01-01")


def absurd(text: bytes, chance: random.Random) -> bytes:
    """A value of a TOML file is replaced by one that makes no sense."""
    lines = text.decode(errors="replace").splitlines()
    places = [index for index, line in enumerate(lines) if "=" in line]
    if not places:
        return text + b"x = [" * 2000
    index = chance.choice(places)
    key, _, _ = lines[index].partition("=")
    lines[index] = f"{key}= {chance.choice(ABSURD)}"
    return "\n".join(lines).encode()


def nested(text: bytes, chance: random.Random) -> bytes:
    """Brackets without an end in place of a value."""
    depth = chance.choice((50, 3000, 100_000))
    return text[: chance.randrange(len(text) + 1)] + chance.choice((b"[", b'{"a":', b"x = {a = ", b"x = [")) * depth


def json_absurd(data: bytes, chance: random.Random) -> bytes:
    """`label_damage`'s damages of a JSON document, also of a line of several."""
    lines = data.splitlines() or [b"{}"]
    index = chance.randrange(len(lines)) if data.startswith(b"{") and len(lines) > 1 else None
    try:
        if index is None:
            return chance.choice(OWN_DAMAGES["JSON"])(data, chance)
        lines[index] = chance.choice(OWN_DAMAGES["JSON"])(lines[index], chance)
        return b"\n".join(lines) + b"\n"
    except (ValueError, IndexError):  # two damages in one, or nothing to exchange
        return nested(data, chance)


def _of(content: bytes | str, path: str) -> Callable[[Path], Sequence[Seed]]:
    data = content.encode() if isinstance(content, str) else content
    return lambda folder: [Seed(path, data)]


def _stated(tables: dict) -> dict:
    """TOML has no null."""
    return {
        key: _stated(value) if isinstance(value, dict) else value for key, value in tables.items() if value is not None
    }


def _recipes(folder: Path) -> Sequence[Seed]:
    whole = tomli_w.dumps(_stated(recipe.Recipe().to_dict())).encode()
    texts = [path.read_bytes() for path in sorted((ROOT / "segcli/training/recipes").glob("*.toml"))]
    return [Seed("fold1/recipe.toml", text) for text in (whole, *texts)]


def _read_recipe(folder: Path, seed: Seed) -> None:
    each(lambda: recipe.read(folder / seed.path), lambda: folds.begun(folder))


def _runs(folder: Path) -> Sequence[Seed]:
    return [Seed("run.toml", path.read_bytes()) for path in sorted(OLD_WORK.glob("*/run.toml"))]


def _read_run(folder: Path, seed: Seed) -> None:
    each(
        lambda: records.read_run(folder / seed.path),
        lambda: records.engine_of(folder),
        lambda: records.int8_of(folder),
    )


def _splits(folder: Path) -> Sequence[Seed]:
    digests = [f"{number:064x}" for number in range(6)]
    names_of = [f"photos/{number}.jpg" for number in range(6)]
    made = parts.Parts(
        dict(zip(names_of[:4], digests[:4], strict=True)),
        dict(zip(names_of[4:], digests[4:], strict=True)),
        "by chance",
    )
    parts.write(folder, made)
    return [Seed("split.toml", (folder / "split.toml").read_bytes())]


def _read_split(folder: Path, seed: Seed) -> None:
    """Whatever is read is what was written: the file has a checksum."""
    found = parts.read(folder)
    if found is not None and (list(found.train), found.how) != ([f"photos/{i}.jpg" for i in range(4)], "by chance"):
        raise AssertionError(f"split.toml is read otherwise than it was written: {found}")


def _lists(folder: Path) -> Sequence[Seed]:
    """Lists of VOC, and of which mask belongs to which photo."""
    jpeg, mask = label_files.png(label_fuzz.PHOTO), label_files.png(label_files.whole_mask().astype("uint8"))
    tree = {"VOC2012/JPEGImages/a.jpg": jpeg, "VOC2012/SegmentationClass/a.png": mask}
    pictures = {"images/a.png": jpeg, "other/b.png": mask}
    table = b"file_name,label_file_name\nimages/a.png,other/b.png\n"
    lines = b'{"file_name": "images/a.png", "mask": "other/b.png"}\n'
    return [
        Seed("VOC2012/ImageSets/Segmentation/val.txt", b"a\na\nb\n", tree, "voc"),
        Seed("metadata.csv", table, pictures, "folder"),
        Seed("metadata.jsonl", lines, pictures, "folder"),
        Seed("paths.txt", b"photos/a.jpg\nphotos/b.jpg\n", form="stdin"),
    ]


def _read_list(folder: Path, seed: Seed) -> None:
    if seed.form == "voc":
        layouts.load("voc2012", folder, "val")
    elif seed.form == "folder":
        open_folder(folder)
    else:
        list_from(io.BytesIO((folder / seed.path).read_bytes()))


def _coco(folder: Path) -> Sequence[Seed]:
    images = [{"id": number, "file_name": f"{number}.jpg", "width": 8, "height": 6} for number in (1, 2)]
    outlines = ([[1, 1, 5, 1, 5, 4, 1, 4]], [[0, 0, 3, 3]], {"size": [6, 8], "counts": [5, 7, 36]})
    outlines += ({"size": [6, 8], "counts": "57T1"},)
    annotations = [
        {"id": i, "image_id": 1 + i % 2, "category_id": 1, "segmentation": outline, "area": 9.0, "iscrowd": 0}
        for i, outline in enumerate(outlines)
    ]
    return [Seed("instances.json", json.dumps({"images": images, "annotations": annotations}).encode())]


def _read_coco(folder: Path, seed: Seed) -> None:
    path = folder / seed.path
    found = coco.Instances(path)
    each(*(lambda name=name: found.read_ids(Sample(name, Path(name), path)) for name in found.photos[:4]))


def _labels(kind: str) -> Reader:
    """The reader of a kind of label files, each of which is read as `label_fuzz` does."""
    files: dict[str, LabelFile] = {}

    def make(folder: Path) -> Sequence[Seed]:
        for number, file in enumerate(label_files.every_form()):
            files[f"{number} {file.form}"] = file
        return [
            Seed(
                file.path,
                file.content,
                {label_fuzz.photo_place(file): label_files.png(label_fuzz.PHOTO), **file.beside},
                form,
            )
            for form, file in files.items()
            if file.kind == kind
        ]

    return Reader(
        f"labels in {kind}", make, lambda folder, seed: label_fuzz.read(folder, files[seed.form]), OWN_DAMAGES[kind], 2
    )


_JSON = (json_absurd, json_absurd, nested)
_LABEL_SET = 'name = "two"\nnames = ["background", "cat"]\npalette = [[0, 0, 0], [255, 0, 0]]\nignore = 255\n'
SETTINGS = (
    Reader("recipe.toml", _recipes, _read_recipe, (absurd, nested), 2),
    Reader(
        "crf.toml", _of(CRFParams().to_toml(), "a.toml"), lambda f, s: CRFParams.from_toml(f / s.path), (absurd, nested)
    ),
    Reader("labels.toml", _of(_LABEL_SET, "a.toml"), lambda f, s: names.read(f / s.path), (absurd, nested)),
    Reader("run.toml", _runs, _read_run, (absurd, nested)),
    Reader("split.toml", _splits, _read_split, (absurd, nested)),
    Reader(
        "manifest.toml",
        _of((ROOT / "weights_manifest.toml").read_bytes()[:6000].rpartition(b"\n\n")[0] + b"\n", "a.toml"),
        lambda f, s: manifest.parse((f / s.path).read_bytes().decode(errors="replace")),
        (absurd,),
    ),
    Reader("lists", _lists, _read_list, (nested,)),
    *([Reader("COCO", _coco, _read_coco, _JSON, 2)] if installed("pycocotools") else []),
    *map(_labels, label_fuzz.KINDS),
)
"""The readers of settings, lists and labels."""
