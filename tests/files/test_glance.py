"""A glance tells of a file what its first bytes tell."""

import pytest

from segcli.files import formats, glance

PNG = b"\x89PNG\r\n\x1a\n" + bytes(16)


@pytest.mark.parametrize("head", [b"", b"text", b"\xff\xd8\xff", PNG + b"\x08", PNG + b"\x10", b"%PDF-", b"FLV\x01"])
def test_it_tells_the_format(tmp_path, head):
    (tmp_path / "file").write_bytes(head)
    seen = glance.at(str(tmp_path / "file"))
    assert glance.format_of(seen) == formats.sniff(head)
    assert glance.is_wide_png(seen) == (head[24:] == b"\x10")
    assert glance.UNSEEN < seen < glance.COUNT < 256


def test_what_cannot_be_opened_is_an_error(tmp_path):
    for name in ("", "nothing"):
        with pytest.raises(OSError, match="tory"):
            glance.at(str(tmp_path / name))
    assert glance.format_of(glance.UNSEEN) is None


def test_no_more_than_the_first_bytes_are_read(tmp_path):
    (tmp_path / "file").write_bytes(b"x" * 1000)
    assert glance.first_bytes(str(tmp_path / "file")) == b"x" * formats.HEAD
