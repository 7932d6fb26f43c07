"""Which tool wrote a label file, told by what stands in it."""

import json

import pytest
from label_files import LabelFile, every_form

from segcli.data.forms import recognise

FILES = [file for file in every_form() if file.form not in ("names", "pictures") and file.kind != "PNG"]


def placed(file: LabelFile, folder):
    for place, content in {file.path: file.content, **file.beside}.items():
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_bytes(content)
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    pictures = [path for path in paths if path.suffix == ".png"]
    return [path for path in paths if path not in pictures], pictures


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.form}-{file.path}".replace("/", "-"))
def test_every_form_is_known_by_its_content(file, tmp_path):
    found = recognise.find(*placed(file, tmp_path))
    assert list(found) == [file.form]
    assert tmp_path / file.path in found[file.form]
    assert recognise.FORMS[file.form].load(found[file.form]).records


def test_files_of_other_kinds_are_none(tmp_path):
    contents = {
        "package.json": json.dumps({"name": "x", "version": "1"}),
        "list.json": "[1, 2]",
        "empty.json": "",
        "numbers.txt": "1 2 3\n4 5 6\n",
        "train.txt": "images/a.jpg\nimages/b.jpg\n",
        "README.txt": "How these were made\n",
        "page.xml": "<html><body/></html>",
        "cut.xml": "<annot",
        "table.csv": "a,b\n1,2\n",
        "other.zip": "PK",
        "lonely.txt": "",
    }
    for name, content in contents.items():
        (tmp_path / name).write_text(content)
    assert recognise.find(sorted(tmp_path.iterdir())) == {}


@pytest.mark.parametrize(
    ("name", "head", "form"),
    [
        ("a.json", '{"shapes": [{"label"', ""),
        ("a.json", '{"imagePath": "a.jpg", "shapes": [{"label"', "labelme"),
        ("a.json", '{"images": [], "annotations": [{', "coco"),
        ("a.json", '[{"id": 1, "data": {"image": "a.jpg"}, "annotations": [', "label-studio"),
        ("a.xml", "<annotations><version>1.1</ver", "cvat"),
    ],
)
def test_a_damaged_file_is_known_by_its_head_so_that_its_reader_says_what_is_wrong(name, head, form, tmp_path):
    (tmp_path / name).write_text(head)
    assert "".join(recognise.find([tmp_path / name])) == form


def test_an_empty_text_beside_yolos_is_a_photo_with_nothing_on_it(tmp_path):
    (tmp_path / "data.yaml").write_text("names: [leaf]\n")
    for name, content in (("train/a", "0 0.1 0.1 0.9 0.1 0.9 0.9\n"), ("val/b", "")):
        (tmp_path / f"labels/{name}.txt").parent.mkdir(parents=True)
        (tmp_path / f"labels/{name}.txt").write_text(content)
    found = recognise.find(sorted(path for path in tmp_path.rglob("*") if path.is_file()))
    assert [path.name for path in found["yolo"]] == ["data.yaml", "a.txt", "b.txt"]


def test_label_studios_pictures_belong_to_its_export(tmp_path):
    export, picture = tmp_path / "export.json", tmp_path / "task-1-annotation-2-by-1-tag-leaf-0.png"
    export.write_text('[{"id": 1, "data": {"image": "a.jpg"}, "annotations": []}]')
    assert recognise.find([export], [picture, tmp_path / "a.png"]) == {"label-studio-png": (export, picture)}
