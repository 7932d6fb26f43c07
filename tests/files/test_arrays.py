"""Arrays of a stopped run: read again, or nothing where a disk has damaged their file."""

import numpy as np
import pytest

from segcli.files import arrays


@pytest.fixture
def path(tmp_path):
    np.savez(tmp_path / "state.npz", rows=np.arange(300), mean=np.ones(3))
    return tmp_path / "state.npz"


def test_what_was_written_is_read(path):
    found = arrays.read(path)
    assert found["rows"].tolist() == list(range(300))
    assert found["mean"].tolist() == [1, 1, 1]


@pytest.mark.parametrize("place", [5, 30, 140, 300, 2000, -30, -5])
def test_a_changed_byte_is_noticed_or_does_no_harm(path, place):
    content = bytearray(path.read_bytes())
    content[place] ^= 255
    path.write_bytes(content)
    found = arrays.read(path)
    assert found is None or found["rows"].tolist() == list(range(300))


@pytest.mark.parametrize("content", [b"", b"PK damaged", b"\x93NUMPY", b"\x80\x04K\x01."])
def test_what_is_no_such_file_is_nothing(path, content):
    path.write_bytes(content)
    assert arrays.read(path) is None


def test_a_missing_file_and_objects_that_would_run_code_are_nothing(path, tmp_path):
    assert arrays.read(tmp_path / "none.npz") is None
    np.savez(path, rows=np.array([{}], object))
    assert arrays.read(path) is None
