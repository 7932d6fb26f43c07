"""Every merger meets parts that somebody has damaged: each is named in one line, and nothing half made is left."""

import json

import numpy as np
import pytest

from segcli.errors import InputError
from segcli.images import gallery, polygons
from segcli.labels import from_names
from segcli.pipeline import label_files, objects
from segcli.pipeline.mergers import MERGERS
from segcli.pipeline.tables import table

LABELS = from_names(["background", "cat"], "pets")
ENTRY = {"name": "a", "width": 4, "height": 4, "areas": {"cat": 4}, "uncertainty": 0.1}
PICTURE = "data:image/png;base64,AAAA"
FEATURE = '{"type": "Feature", "properties": {}, "geometry": {}}'
WHOLE = {
    "gallery": json.dumps({**ENTRY, "photo": PICTURE, "classes": PICTURE}),
    "polygons": json.dumps({"image": {"file_name": "a.jpg", "width": 4, "height": 4}, "annotations": []}),
    "label-studio": json.dumps({"data": {"image": "a.jpg"}, "predictions": []}),
    "cvat": '<image id="0" name="a.jpg" width="4" height="4"></image>',
    "geojson": f'{{"type": "FeatureCollection", "features": [\n{FEATURE}\n]}}\n',
    "objects": table(objects.HEADINGS, [["a.jpg"] * len(objects.HEADINGS)]).decode(),
}
ODD = ["", "[", "[]", "null", "{}", "[" * 100_000, "\xff", '{"name": NaN}', "<image", "<a></a>", "a,b\n1\n", '"']
LEAKS = [
    json.dumps({**ENTRY, "photo": "https://example.org/seen.png", "classes": PICTURE}),
    json.dumps({**ENTRY, "photo": PICTURE, "classes": PICTURE, "width": 0}),
    json.dumps({**ENTRY, "photo": PICTURE, "classes": PICTURE, "areas": {"cat": "<img>"}}),
]


def merged(kind, text, tmp_path):
    (tmp_path / "part").write_bytes(text.encode("latin-1"))
    name, merge = MERGERS[kind]
    merge(tmp_path / name, [tmp_path / "part"], LABELS)
    return (tmp_path / name).read_text()


@pytest.mark.parametrize("kind", WHOLE)
def test_a_whole_part_is_taken_and_any_other_is_named(kind, tmp_path):
    assert "a" in merged(kind, WHOLE[kind], tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.name != "part"}
    others = [WHOLE[kind][: len(WHOLE[kind]) // 2], *ODD, *(LEAKS if kind == "gallery" else ())]
    for text in others:
        if kind == "geojson" and not text:
            continue  # such is the part of a photo without a place
        with pytest.raises(InputError, match="part is damaged") as caught:
            merged(kind, text, tmp_path)
        assert "Delete it" in caught.value.hint
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.name != "part"} == before


def test_what_is_written_is_taken_byte_for_byte(tmp_path):
    label_map = np.array([[0, 1], [1, 1]], np.uint8)
    entry = gallery.Entry("a", np.zeros((2, 2, 3), np.uint8), label_map, {"cat": 3}, 0.25)
    gallery.write_entry(tmp_path / "g.json", entry, LABELS)
    gallery.merge(tmp_path / "g.html", [tmp_path / "g.json"], LABELS)
    part, page = json.loads((tmp_path / "g.json").read_text()), (tmp_path / "g.html").read_text()
    pictures = {key: part.pop(key) for key in ("photo", "classes")}
    assert all(json.dumps(values) in page for values in (part, pictures))
    polygons.write_polygons(tmp_path / "p.json", "a.jpg", label_map, LABELS)
    polygons.merge(tmp_path / "polygons.json", [tmp_path / "p.json"], LABELS)
    assert json.loads((tmp_path / "polygons.json").read_text())["annotations"][0]["area"] == 3


@pytest.mark.parametrize(
    "text", ["", "[]", '{"stem": "a"}', '{"stem": "a", "sha256": [3]}', '{"stem": 1, "sha256": []}']
)
def test_a_damaged_mark_of_yolo_protects_its_file_and_marks_none(tmp_path, text):
    marks = tmp_path / "yolo" / ".segcli"
    marks.mkdir(parents=True)
    (marks / "a.json").write_text(text)
    (marks / "b.json").write_text('{"stem": "b", "sha256": ["00"]}')
    assert label_files._read_mark(marks / "a.json") == {"stem": "", "sha256": []}
    label_files.merge_yolo(tmp_path / "yolo" / "data.yaml", [marks / "a.json", marks / "b.json"], LABELS)
    assert "00" in (tmp_path / "yolo" / "data.yaml").read_text()
