"""A photo is known by another name that it had, whatever way leads to it."""

from pathlib import Path, PurePosixPath

import pytest

from segcli.files.listing import Source
from segcli.pipeline.earlier import earlier_names
from segcli.pipeline.records import Record


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "real").mkdir()
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / "real" / name).write_bytes(b"")
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "to_a.jpg").symlink_to("real/a.jpg")
    return tmp_path


@pytest.mark.parametrize("more", [0, 9])
def test_records_of_the_files(folder, more):
    inputs = ["link/a.jpg", "real/c.jpg", "to_a.jpg", "link/../real/b.jpg", "s3://bucket/b.jpg", ""]
    records = [Record(f"old{number}", str(folder / text), "done") for number, text in enumerate(inputs)]
    files = [Source(folder / name, PurePosixPath(name)) for name in ("real/a.jpg", "link/b.jpg")]
    files += [Source(folder / f"none{number}.jpg", PurePosixPath(str(number))) for number in range(more)]
    assert earlier_names(records, files) == {0, 2, 3}


def test_a_link_in_a_circle_is_no_other_file(folder):
    (folder / "circle").symlink_to("circle")
    records = [Record("old", str(folder / "circle"), "done")]
    assert earlier_names(records, [Source(folder / "real/a.jpg", PurePosixPath("a"))]) == set()
