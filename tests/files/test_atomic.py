import errno
import os
from pathlib import Path

import pytest

from segcli.errors import InputError, SegcliError
from segcli.files.atomic import sha256, write_whole, writing
from segcli.files.sources import find


class TestWriteWhole:
    def test_replaces_and_makes_folders(self, tmp_path):
        path = tmp_path / "new" / "x.txt"
        for text in (b"old", b"new"):
            with write_whole(path) as file:
                file.write(text)
        assert path.read_bytes() == b"new"
        assert list(path.parent.iterdir()) == [path]

    def test_leaves_the_old_file_when_it_fails(self, tmp_path):
        path = tmp_path / "x.txt"
        path.write_bytes(b"old")
        with pytest.raises(TypeError), write_whole(path) as file:
            file.writelines([b"half", "no bytes"])
        assert path.read_bytes() == b"old"
        assert list(tmp_path.iterdir()) == [path]

    def test_is_not_seen_before_it_is_whole_nor_read_as_input(self, tmp_path):
        path = tmp_path / "x.png"
        with write_whole(path) as file:
            file.write(b"\x89PNG\r\n\x1a\n")
            file.flush()
            assert not path.exists()
            assert find([tmp_path]).files == ()

    def test_gives_files_the_permissions_of_any_new_file(self, tmp_path):
        (tmp_path / "plain").touch()
        with write_whole(tmp_path / "whole"):
            pass
        assert (tmp_path / "whole").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_sha256_of_a_file_is_the_published_one(tmp_path):
    (tmp_path / "abc").write_bytes(b"abc")
    assert sha256(tmp_path / "abc").startswith("ba7816bf8f01cfea")  # FIPS 180-2, B.1


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_refused_before_it_is_read(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(InputError, match="pipe"):
        sha256(tmp_path / "pipe.jpg")


@pytest.mark.parametrize(
    ("number", "next_step"),
    [(errno.ENOSPC, "Free some space"), (errno.EDQUOT, "Free some space"), (errno.EACCES, "--output")],
)
def test_a_folder_that_cannot_be_written_to_is_one_line_and_a_next_step(number, next_step):
    with pytest.raises(SegcliError, match=r"cannot write to out: .*\. .*" + next_step), writing(Path("out")):
        raise OSError(number, os.strerror(number))
