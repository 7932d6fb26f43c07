"""What labelling tools open: it holds the label map that it was made of, and no person's work is lost."""

import json
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
import torch
from PIL import Image
from small_runs import records, smooth, tree

from segcli.data.forms import coco, cvat, label_studio, labelme, shapes, yolo
from segcli.data.pairing import Photos
from segcli.errors import UsageError
from segcli.files.atomic import write_whole
from segcli.files.sources import Source
from segcli.images.masks import read_label_map
from segcli.inference.prediction import from_probabilities
from segcli.labels import CITYSCAPES, VOC, from_names
from segcli.pipeline.label_files import WRITERS
from segcli.pipeline.mergers import MERGERS
from segcli.pipeline.outputs import Outputs

ODD = from_names(["background", "leaf", 'a, "b"; c', "<&> ]]>", "Äpfel & Öl", "it's 100 %", "日本", "0", "x" * 190])
LOAD = {
    "polygons": lambda out: coco.load([out / "polygons.json"]),
    "labelme": lambda out: labelme.load(sorted((out / "labelme").rglob("*.json"))),
    "label-studio": lambda out: label_studio.load([out / "label-studio.json"]),
    "cvat": lambda out: cvat.load([out / "cvat.xml"]),
    "yolo": lambda out: yolo.load([out / "yolo/data.yaml", *sorted((out / "yolo/labels").rglob("*.txt"))]),
}
"""Kind -> what reads it back."""


def predicted(label_map, labels):
    """What a network says that is sure of this label map."""
    sure = torch.nn.functional.one_hot(torch.from_numpy(label_map.astype(np.int64)), len(labels))
    return from_probabilities(sure.permute(2, 0, 1).float() * 0.9 + 0.05, label_map.shape)


def write(folder, label_map, labels, kinds, *, name="a", merge=True, **options):
    """The files of a run of one photo, and what its record keeps."""
    photo = np.zeros((*label_map.shape, 3), np.uint8)
    path = folder.parent / "photos" / f"{name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(photo).save(path)
    outputs = Outputs(folder, labels, frozenset(kinds), {"model": "tiny"}, **options)
    written = outputs.write(Source(path, PurePosixPath(name)), photo, predicted(label_map, labels))
    for kind in MERGERS.keys() & set(kinds) if merge else ():
        file, merge_parts = MERGERS[kind]
        merge_parts(folder / file, [folder / written.files[kind]["path"]], labels)
    return written


def drawn(annotations, record, labels, size):
    """The label map of a record: the class ids, and 0 where no shape is."""
    numbers = {name: label or len(labels) for label, name in enumerate(labels.names)}
    back = shapes.draw(record.shapes(size), size, numbers, annotations.order)
    return np.where(back == len(labels), 0, back)


def blobs(labels, shape, seed=0):
    """Soft regions of all classes, with holes and one-pixel regions."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (7, 9), dtype=np.uint8)).resize(shape[::-1], Image.Resampling.BICUBIC)
    label_map = np.asarray(coarse).astype(int) * len(labels) // 256
    lone = rng.random(shape) < 0.05
    return np.where(lone, rng.integers(0, len(labels), shape), label_map)


def noise(labels, shape, seed=0):
    return np.random.default_rng(seed).integers(0, len(labels), shape)


def corners(labels, shape):
    """A chequered board: every pixel touches those of its class at corners only."""
    y, x = np.indices(shape)
    return (y + x) % 2 * (1 + x % (len(labels) - 1))


MAPS = {
    "blobs": blobs(ODD, (37, 51)),
    "noise": noise(ODD, (24, 17)),
    "two": noise(ODD, (31, 40), seed=1) % 2,
    "corners": corners(ODD, (9, 14)),
    "full": np.full((5, 7), 3),
    "one pixel": np.full((1, 1), 1),
    "a row": noise(ODD, (1, 50), seed=2),
    "a column": noise(ODD, (50, 1), seed=3),
}


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("form", MAPS)
def test_the_label_map_comes_back_to_the_pixel(kind, form, tmp_path):
    label_map = MAPS[form]
    write(tmp_path / "out", label_map, ODD, [kind])
    annotations = LOAD[kind](tmp_path / "out")
    (record,) = annotations.records
    assert np.array_equal(drawn(annotations, record, ODD, label_map.shape), label_map)
    assert set(annotations.names) <= set(ODD.names[1:])
    assert record.size in (None, label_map.shape)
    assert not record.corrected


@pytest.mark.parametrize("kind", WRITERS)
def test_many_classes_come_back_too(kind, tmp_path):
    labels = from_names(["background", *(f"class {number}" for number in range(254))])
    label_map = np.arange(255 * 2).reshape(2, 255) % 255
    write(tmp_path / "out", label_map, labels, [kind])
    annotations = LOAD[kind](tmp_path / "out")
    assert np.array_equal(drawn(annotations, annotations.records[0], labels, label_map.shape), label_map)


@pytest.mark.parametrize("kind", WRITERS)
def test_nothing_but_background_is_an_uncorrected_prediction_too(kind, tmp_path):
    write(tmp_path / "out", np.zeros((6, 8), int), VOC, [kind])
    annotations = LOAD[kind](tmp_path / "out")
    assert [(record.drawn, record.corrected) for record in annotations.records] == [(0, False)]


@pytest.mark.parametrize("kind", WRITERS)
def test_void_is_no_shape(kind, tmp_path):
    """Without a class called background, what is not kept is void."""
    label_map = noise(CITYSCAPES, (12, 16))
    write(tmp_path / "out", label_map, CITYSCAPES, [kind], classes=frozenset({0, 13}))
    annotations = LOAD[kind](tmp_path / "out")
    numbers = {"road": 1, "car": 2}
    back = shapes.draw(annotations.records[0].shapes(label_map.shape), label_map.shape, numbers, annotations.order)
    assert np.array_equal(back, np.select([label_map == 0, label_map == 13], [1, 2], 0))


@pytest.mark.parametrize("kind", WRITERS)
def test_specks_are_left_out_of_label_files_and_counted(kind, tmp_path):
    label_map = np.zeros((20, 20), int)
    label_map[2:6, 2:6], label_map[10, 10], label_map[11, 11], label_map[15:17, 3] = 3, 3, 3, 5
    written = write(tmp_path / "out", label_map, VOC, [kind, "mask"], min_area=3)
    assert written.specks == 3
    assert np.array_equal(read_label_map(tmp_path / "out/masks/a.png"), label_map)
    annotations = LOAD[kind](tmp_path / "out")
    large = np.zeros_like(label_map)
    large[2:6, 2:6] = 3
    assert np.array_equal(drawn(annotations, annotations.records[0], VOC, label_map.shape), large)
    assert write(tmp_path / "all", label_map, VOC, [kind]).specks is None


def array(path):
    return np.asarray(Image.open(path))


@pytest.fixture
def trip(tmp_path):
    """Photos with odd names, two called alike, one turned by EXIF, some that not every tool opens, one of two pages."""
    folder = tmp_path / "trip"
    (folder / "day 2").mkdir(parents=True)
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.fromarray(smooth(1, 60, 40)).save(folder / "turned.JPG", "JPEG", exif=turned)
    for number, name in enumerate(["same.jpg", "same.png", "day 2/ü & <b>, #1 100%.bmp", "day 2/same.webp", "old.gif"]):
        Image.fromarray(smooth(2 + number, 50 + 4 * number, 40)).save(folder / name)
    Image.fromarray(np.arange(2400, dtype=np.uint16).reshape(40, 60)).save(folder / "deep.png")
    pages = [Image.fromarray(smooth(9 + number, 50, 70 + number)) for number in range(2)]
    pages[0].save(folder / "scan.tif", save_all=True, append_images=pages[1:])
    return folder


COPIED = {"turned.JPG", "same.jpg.jpg", "same.png.png", "day 2/ü & <b>, #1 100%.bmp", "day 2/same.webp"}
"""The photos of `trip` that lie as they are beside their label files, under the names of their outputs."""


def test_every_photo_of_a_run_comes_back(segcli, trip, tmp_path):
    options = ("-o", "out", "--save", ",".join(("mask", *WRITERS)), "--pages", "--min-area", 20)
    told = json.loads(segcli("trip", *options, "--json").stdout)
    assert (told["segmented"], told["min_area"]) == (9, 20)
    assert told["specks"] == sum(record["specks"] for record in told["images"]) > 0
    out = tmp_path / "out"
    for folder in (out / "labelme", out / "yolo/images"):
        pictures = {name for name in tree(folder) if not name.endswith(".json")}
        assert pictures == COPIED | {"old.png", "deep.png", "scan-p0001.png", "scan-p0002.png"}
        for name in COPIED - {"same.jpg.jpg", "same.png.png"}:
            assert (folder / name).read_bytes() == (trip / name).read_bytes()
        assert array(folder / "deep.png").shape == (40, 60, 3)
        assert array(folder / "scan-p0002.png").shape == (71, 50, 3)
    check_records(out, trip, {record["name"] for record in told["images"]})
    check_again(segcli, out, options, told["specks"])


def check_records(out, trip, names):
    """Each form names every photo once, and draws what its mask holds but for specks."""
    for kind, load in LOAD.items():
        annotations, found = load(out), {}
        place = {"labelme": out / "labelme", "yolo": out / "yolo/images"}.get(kind, trip)
        known = Photos([path for path in place.rglob("*") if path.is_file() and path.suffix != ".json"], place)
        for record in annotations.records:
            assert not record.corrected
            photo = known.recorded(record.photo, record.file)
            path = PurePosixPath(record.photo if photo is None else photo.relative_to(place).as_posix())
            found[str(path if str(path) in names else path.with_suffix(""))] = record
        scanned = {"scan-p0001", "scan-p0002"}  # of which polygons.json knows the TIFF only
        assert found.keys() >= names - scanned, kind
        for name in names - scanned:
            mask = read_label_map(out / "masks" / f"{name}.png")
            back = drawn(annotations, found[name], VOC, mask.shape)
            assert (back == mask)[back > 0].all()
            assert (back != mask).mean() < 0.3


def check_again(segcli, out, options, specks):
    """A second run does nothing, writes what sums up the run with the same bytes, and tells of the specks."""
    merged = ("polygons.json", "label-studio.json", "label_config.xml", "cvat.xml", "yolo/data.yaml")
    before = {path: path.read_bytes() for path in out.rglob("*") if path.suffix in (".json", ".txt", ".xml", ".yaml")}
    for name in merged:
        (out / name).unlink()
    lines = segcli("trip", *options).stdout.splitlines()
    assert lines[-2] == f"left out {specks} regions below 20 pixels, only from the label files"
    assert lines[-1].startswith("0 segmented, 9 done before")
    assert {path: path.read_bytes() for path in before} == before


def corrected(kind, out):
    """Photo -> whether its labels count as a person's."""
    return {Path(record.photo).stem: record.corrected for record in LOAD[kind](out).records}


LEAVES = blobs(VOC, (30, 40))


def test_what_a_person_corrected_is_never_written_over(tmp_path):
    out = tmp_path / "out"
    for name in ("a", "b"):
        write(out, LEAVES, VOC, ["labelme", "yolo"], name=name)
    document = json.loads((out / "labelme/b.json").read_text())
    document["shapes"][0]["points"][0][0] += 1
    (out / "labelme/b.json").write_text(json.dumps(document, indent=2))
    (out / "yolo/labels/b.txt").write_text("0 0 0 0.5 0 0.5 0.5\n")
    files = {path: path.read_bytes() for path in (out / "labelme/b.json", out / "yolo/labels/b.txt")}
    written = [write(out, LEAVES.T, VOC, ["labelme", "yolo"], name=name) for name in ("a", "b")]
    assert {path: path.read_bytes() for path in files} == files
    assert [one.notes for one in written] == [
        (),
        (
            "Its labelme labels stay as a person corrected them.",
            "Its yolo labels stay as a person corrected them.",
        ),
    ]
    assert corrected("labelme", out) == corrected("yolo", out) == {"a": False, "b": True}
    assert json.loads((out / "labelme/a.json").read_text())["imageHeight"] == 40
    write(out, LEAVES, VOC, ["labelme"], name="b")
    assert (out / "labelme/b.json").read_bytes() == files[out / "labelme/b.json"]


def test_a_run_names_what_a_person_corrected_and_then_counts_it_as_done(segcli, photos, tmp_path):
    options = (photos / "b.png", "-o", "out", "--save", "yolo")
    segcli(*options)
    (tmp_path / "out/yolo/labels/b.txt").write_text("")
    again = segcli(*options)
    assert "b.png: Its yolo labels stay as a person corrected them." in again.stderr
    assert "1 segmented" in again.stdout
    assert "0 segmented, 1 done before" in segcli(*options).stdout


def test_a_file_that_nobody_can_read_stays_too(tmp_path):
    write(tmp_path / "out", LEAVES, VOC, ["labelme"])
    (tmp_path / "out/labelme/a.json").write_text('{"shapes": [')
    write(tmp_path / "out", LEAVES, VOC, ["labelme"])
    assert (tmp_path / "out/labelme/a.json").read_text() == '{"shapes": ['


def test_a_killed_run_leaves_no_prediction_that_passes_for_a_persons(tmp_path, monkeypatch):
    """Before its end, when data.yaml has the marks of an earlier run; and between a text file and its mark."""
    out = tmp_path / "out"
    write(out, LEAVES, VOC, ["yolo"])
    write(out, LEAVES.T, VOC, ["yolo"], merge=False)
    assert not (out / "yolo/data.yaml").exists()

    def killed(path):
        if path.suffix == ".txt":
            raise KeyboardInterrupt
        return write_whole(path)

    with monkeypatch.context() as patch:
        patch.setattr("segcli.pipeline.label_files.write_whole", killed)
        with pytest.raises(KeyboardInterrupt):
            write(out, LEAVES[::-1], VOC, ["yolo"])
    write(out, LEAVES[::-1], VOC, ["yolo"])
    assert corrected("yolo", out) == {"a": False}
    assert np.array_equal(drawn(LOAD["yolo"](out), LOAD["yolo"](out).records[0], VOC, (30, 40)), LEAVES[::-1])


def test_marks_of_earlier_photos_stay(tmp_path):
    for name in ("a", "b"):
        write(tmp_path / "out", LEAVES, VOC, ["yolo"], name=name)
    assert corrected("yolo", tmp_path / "out") == {"a": False, "b": False}


def test_numbers_of_other_classes_are_not_mixed_in(tmp_path):
    write(tmp_path / "out", LEAVES, VOC, ["yolo"])
    with pytest.raises(UsageError, match="holds labels of other classes"):
        write(tmp_path / "out", MAPS["blobs"], ODD, ["yolo"], name="b")


def test_without_the_option_nothing_of_it_is_written(segcli, photos, tmp_path):
    told = json.loads(segcli(photos / "b.png", "-o", "out", "--save", "polygons", "--json").stdout)
    assert {"specks", "min_area"}.isdisjoint(told)
    assert all("specks" not in record for record in (*told["images"], *records(tmp_path / "out").values()))
    assert "min_area" not in (tmp_path / "out/run.toml").read_text()


@pytest.mark.parametrize("arguments", [["--min-area", "9"], ["--min-area", "9", "--save", "mask,classes"]])
def test_specks_without_label_files_are_refused(segcli, photos, arguments):
    result = segcli(photos, "-o", "out", *arguments)
    assert result.exit_code == 2
    assert "--min-area works only on label files and objects" in result.stderr


def test_a_result_writes_what_is_of_one_photo(tmp_path):
    import segcli

    photo = smooth(3, 40, 30)
    said = np.asarray(blobs(from_names(["background", "leaf"]), (30, 40)), np.uint8)
    result = segcli.refine(photo, said, classes=["background", "leaf"], crf=False)
    files = result.save(tmp_path, ["labelme"], min_area=4)
    assert tree(tmp_path) == {"labelme/photo.json", "labelme/photo.png"}
    assert np.array_equal(array(files["labelme photo"]), photo)
    for kind in ("cvat", "label-studio", "yolo"):
        with pytest.raises(UsageError, match=f"save {kind}: that is a file of many photos"):
            result.save(tmp_path, [kind])
    with pytest.raises(UsageError, match="min_area cannot be -1"):
        result.save(tmp_path, ["labelme"], min_area=-1)
