import errno
import io
import os
from pathlib import Path

import pytest

from segcli.errors import InputError, SegcliError
from segcli.files import atomic
from segcli.files.atomic import append_lines, sha256, sync, write_whole, writing
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

    def test_hides_no_error_behind_one_of_a_library(self, tmp_path, full_after):
        full_after(10)
        path = tmp_path / "x.pt"

        def save(file):
            try:
                file.write(bytes(100_000))
            except OSError:
                raise RuntimeError("enforce fail at inline_container.cc") from None

        with pytest.raises(OSError, match="No space left") as caught, write_whole(path) as file:
            save(file)
        assert caught.value.filename == str(path)
        assert not list(tmp_path.iterdir())

    def test_gives_no_descriptor_to_code_that_would_lose_a_short_write(self, tmp_path):
        with write_whole(tmp_path / "x") as file, pytest.raises(io.UnsupportedOperation):
            file.fileno()

    def test_brings_a_durable_file_to_the_disk_before_it_takes_its_name(self, tmp_path, monkeypatch):
        path, seen = tmp_path / "x", []
        monkeypatch.setattr(atomic, "_sync", lambda descriptor: seen.append((os.fstat(descriptor), path.exists())))
        with write_whole(path, durable=True) as file:
            file.write(b"abc")
        assert seen[0][0].st_size == 3
        assert [there for _, there in seen] == [False, True]  # the second is the folder


@pytest.fixture
def full_after(monkeypatch):
    """Makes a disk that takes that many more bytes, the last ones in a short write as a real one does."""

    def limit(free):
        left = [free]

        def write(descriptor, data):
            taken = min(left[0], len(data))
            if not taken and len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            left[0] -= taken
            return real(descriptor, data[:taken])

        real = os.write
        monkeypatch.setattr(atomic.os, "write", write)

    return limit


class TestAppendLines:
    def test_ends_a_torn_line_first(self, tmp_path):
        path = tmp_path / "x.jsonl"
        append_lines(path, b"one\n")
        append_lines(path, b"to")
        append_lines(path, b"three\n")
        assert path.read_bytes() == b"one\nto\nthree\n"

    @pytest.mark.parametrize("free", [0, 1, 5])
    def test_appends_all_or_nothing(self, tmp_path, full_after, free):
        path = tmp_path / "x.jsonl"
        path.write_bytes(b"one\n")
        full_after(free)
        with pytest.raises(OSError, match="No space left") as caught:
            append_lines(path, b"second\n")
        assert path.read_bytes() == b"one\n"
        assert caught.value.filename == str(path)


def test_sync_tells_of_a_file_that_is_gone(tmp_path):
    (tmp_path / "here").touch()
    sync([tmp_path / "here"])
    with pytest.raises(FileNotFoundError):
        sync([tmp_path / "here", tmp_path / "gone"])


def test_what_is_half_written_can_be_cleared_at_once(tmp_path):
    with pytest.raises(FileNotFoundError), write_whole(tmp_path / "x"):
        atomic.clear_unfinished()
    assert not list(tmp_path.iterdir())


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
    [
        (errno.ENOSPC, "Free some space"),
        (errno.EDQUOT, "Free some space"),
        (errno.EFBIG, "ulimit -f"),
        (errno.ENOENT, "removed"),
        (errno.EACCES, "--output"),
    ],
)
def test_a_folder_that_cannot_be_written_to_is_one_line_and_a_next_step(number, next_step):
    with pytest.raises(SegcliError, match=r"cannot write to out: .*\. .*" + next_step), writing(Path("out")):
        raise OSError(number, os.strerror(number))


def test_hashes_are_of_what_is_written_and_those_of_archives_are_left_out(tmp_path):
    with atomic.write_whole(tmp_path / "before") as file:
        file.write(b"x")
    with atomic.hashing() as hashes:
        with atomic.write_whole(tmp_path / "text") as file:
            for piece in (b"a" * 10_000, b"b", b"c" * 100_000):
                file.write(piece)
                assert file.tell()
        with atomic.write_whole(tmp_path / "archive") as file:
            file.write(b"00000000")
            file.seek(0)
            file.write(b"1")
            file.seek(0, 2)
            file.write(b"2")
        with pytest.raises(RuntimeError), atomic.write_whole(tmp_path / "none") as file:
            raise RuntimeError
    assert hashes == {tmp_path / "text": atomic.sha256(tmp_path / "text")}
