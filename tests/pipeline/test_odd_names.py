"""Photos whose names are no text, or look like something else, are written for every tool and known again."""

import json
import os
import shutil

from segcli.data.forms import labelme, yolo

KINDS = "labelme,label-studio,cvat,yolo,polygons,gallery,objects"


def test_a_name_that_is_no_text_is_written_for_every_tool_and_known_again(segcli, photos, tmp_path):
    (tmp_path / "odd").mkdir()
    shutil.copy(photos / "a.jpg", tmp_path / "odd" / os.fsdecode(b"caf\xe9.jpg"))
    first = segcli("odd", "-o", "out", "--save", KINDS)
    assert first.exit_code == 0, first.stderr
    assert "1 done before" in segcli("odd", "-o", "out", "--save", KINDS).stdout
    (path,) = (tmp_path / "out" / "labelme").glob("*.json")
    assert json.loads(path.read_bytes())["imagePath"] == "caf\udce9.jpg"
    assert not labelme.load([path]).records[0].corrected
    texts = [*(tmp_path / "out" / "yolo").rglob("*.txt")]
    assert not yolo.load([tmp_path / "out/yolo/data.yaml", *texts]).records[0].corrected
    for written in (tmp_path / "out").rglob("*"):
        if written.suffix in (".yaml", ".xml", ".json", ".html"):
            written.read_bytes().decode()  # UTF-8 throughout


def test_markup_and_formulas_in_names_stay_names(segcli, photos, tmp_path):
    (tmp_path / "odd").mkdir()
    for name in ("<img src=x onerror=alert(1)>.jpg", "=1+1.jpg", "\x1b[31mred.jpg", "two\nlines.jpg"):
        shutil.copy(photos / "a.jpg", tmp_path / "odd" / name)
    done = segcli(tmp_path / "odd", "-o", "out", "--save", KINDS)
    assert done.exit_code == 0, done.stderr
    assert "\x1b" not in done.stderr + done.stdout
    assert b"<img src=x" not in (tmp_path / "out" / "gallery.html").read_bytes()
    for table in ("areas.csv", "review.csv", "objects.csv"):
        lines = (tmp_path / "out" / table).read_text().splitlines()
        assert all(line.startswith(("image", str(tmp_path), "'=")) for line in lines), table
