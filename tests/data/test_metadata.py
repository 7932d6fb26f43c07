"""Which mask belongs to which photo, where a file says so."""

import json

import pytest
from dataset_files import write_photo

from segcli.data import metadata, tree
from segcli.errors import DatasetError


@pytest.fixture
def root(tmp_path):
    for name in ("train/images/a.png", "train/labels/7.png"):
        write_photo(tmp_path / name)
    return tmp_path


@pytest.mark.parametrize(
    "columns",
    [
        ("image_file_name", "label_file_name"),
        ("file_name", "mask_file_name"),
        ("image", "annotation"),
        ("file_name", "mask"),
    ],
)
def test_rows_pair_files_whatever_they_are_called(root, columns):
    row = dict(zip(columns, ("images/a.png", "labels/7.png"), strict=True))
    (root / "train/metadata.jsonl").write_text(json.dumps(row) + "\n\n")
    assert metadata.pairs(tree.walk(root)) == {root / "train/labels/7.png": root / "train/images/a.png"}
    (root / "train/metadata.jsonl").unlink()
    (root / "train/metadata.csv").write_text(",".join(row) + "\n" + ",".join(row.values()) + "\n")
    assert metadata.pairs(tree.walk(root)) == {root / "train/labels/7.png": root / "train/images/a.png"}


def test_rows_without_masks_say_nothing(root):
    (root / "train/metadata.jsonl").write_text('{"file_name": "images/a.png", "text": "a leaf"}\n')
    assert metadata.pairs(tree.walk(root)) == {}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"image": "images/a.png", "mask": "labels/8.png"}', "names labels/8.png, which is not there"),
        ('{"image": "../../../etc/passwd", "mask": "labels/7.png"}', "which is not there"),
        ('{"image": ', "cannot be read"),
        ("[1]", "cannot be read"),
    ],
)
def test_what_is_damaged_or_absent_is_refused(root, line, said):
    (root / "train/metadata.jsonl").write_text(line)
    with pytest.raises(DatasetError, match=said):
        metadata.pairs(tree.walk(root))
