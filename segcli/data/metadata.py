"""Metadata: files that say which mask belongs to which photo, as Hugging Face's image folders have them."""

import csv
import io
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from segcli.data.forms import documents
from segcli.data.forms.annotations import broken
from segcli.data.tree import Tree
from segcli.errors import DatasetError
from segcli.files.paths import shown

FILES = ("metadata.jsonl", "metadata.csv")
"""What such files are called; a dataset may have one in each folder."""
_PHOTO = re.compile(r"(image|img|photo|pixel_values)?_?(file_?names?)?|image|img|photo")
_MASK = re.compile(
    r"(label|mask|annotation|seg|segmentation|segmentation_mask|target|gt)(_(file_?name|mask|map|image))*"
)


def pairs(tree: Tree) -> dict[Path, Path]:
    """Mask -> photo, as the metadata files of a tree say; empty where there are none, or none that name masks.

    Raises:
        DatasetError: Such a file cannot be read, or names a file that the tree does not hold.
    """
    pictures = {os.path.normpath(path): path for path in tree.pictures}
    found = {}
    for file in tree.others:
        if file.name.lower() in FILES:
            for row in _rows(file):
                if (names := _names(row)) is not None:
                    photo, mask = (_picture(file, name, pictures) for name in names)
                    found[mask] = photo
    return found


def _rows(file: Path) -> Iterator[Mapping[str, Any]]:
    text = documents.read_bytes(file).decode(errors="replace")
    if file.suffix.lower() == ".csv":
        try:
            yield from csv.DictReader(io.StringIO(text, newline=""))
        except csv.Error as error:
            raise broken(file, error) from error
        return
    for line in text.splitlines():
        if line.strip():
            try:
                yield msgspec.json.decode(line, type=dict[str, Any])
            except (msgspec.MsgspecError, RecursionError) as error:
                raise broken(file, error) from error


def _names(row: Mapping[str, Any]) -> tuple[str, str] | None:
    """The names of a row's photo and mask; None where it does not name both."""
    words = {str(key).lower(): value for key, value in row.items() if isinstance(value, str)}
    photos = [value for key, value in words.items() if _PHOTO.fullmatch(key)]
    masks = [value for key, value in words.items() if _MASK.fullmatch(key)]
    return (photos[0], masks[0]) if len(photos) == len(masks) == 1 else None


def _picture(file: Path, name: str, pictures: Mapping[str, Path]) -> Path:
    path = pictures.get(os.path.normpath(file.parent / name))
    if path is None:
        message = f"{shown(file)} names {shown(name)}, which is not there"
        raise DatasetError(message, "Copy the dataset again: a file is missing.")
    return path
