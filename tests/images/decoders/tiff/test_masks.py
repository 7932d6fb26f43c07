import io

import numpy as np
import pytest
import tiffs

from segcli.images.decoders.tiff.directory import directories
from segcli.images.decoders.tiff.masks import valid_of

VALUES = np.zeros((9, 11, 3), np.uint8)
VALID = np.random.default_rng(0).integers(0, 2, (9, 11), np.uint8)


def mask(kind: int = 4, values: np.ndarray = VALID, bits: int = 1, **options) -> tiffs.Page:
    """A mask of that subfile type."""
    tags = {254: (tiffs.LONG, [kind])}
    return tiffs.page(np.atleast_3d(values), photometric=4, bits=bits, tags=tags, **options)


def smaller(kind: int) -> tiffs.Page:
    return mask(kind, VALID[::2, ::2])


def found(tmp_path, *pages: tiffs.Page, page: int | None = None):
    path = tiffs.write(tmp_path / "x.tif", tiffs.page(VALUES), *pages)
    first, *after = directories(io.BytesIO(path.read_bytes()))
    return valid_of(path, first, after, page)


def assert_valid(result, expected: np.ndarray = VALID) -> None:
    valid, notes = result
    assert notes == ()
    assert valid.dtype == bool
    assert np.array_equal(valid, expected)


def test_no_mask(tmp_path):
    assert found(tmp_path) == (None, ())
    assert found(tmp_path, tiffs.page(VALUES), mask()) == (None, ())  # that of the second picture


@pytest.mark.parametrize("compression", [tiffs.NONE, tiffs.DEFLATE, tiffs.PACKBITS, tiffs.LZW])
def test_inside_the_file(tmp_path, compression):
    assert_valid(found(tmp_path, mask(compression=compression)))
    assert_valid(found(tmp_path, mask(values=VALID * 255, bits=8, compression=compression)))


def test_among_smaller_copies(tmp_path):
    assert_valid(found(tmp_path, smaller(1), smaller(5), mask()))
    assert found(tmp_path, smaller(1), smaller(4)) == (None, ())


def test_beside_the_file(tmp_path):
    tiffs.write(tmp_path / "x.tif.msk", mask(kind=0, values=VALID * 255, bits=8))
    assert_valid(found(tmp_path))
    assert_valid(found(tmp_path, page=0))
    assert found(tmp_path, page=1) == (None, ())
    assert_valid(found(tmp_path, mask(values=1 - VALID)), 1 - VALID)  # the one inside goes first


def test_of_several_bands_has_data_where_one_has(tmp_path):
    bands = np.stack([VALID, 1 - VALID, VALID], axis=2)
    tiffs.write(tmp_path / "x.tif.msk", tiffs.page(bands, separate=True))
    assert_valid(found(tmp_path), np.ones_like(VALID))


def test_of_another_size_is_left_out(tmp_path):
    tiffs.write(tmp_path / "x.tif.msk", smaller(0))
    valid, [note] = found(tmp_path)
    assert valid is None
    assert note == "The mask x.tif.msk has another size, 6 x 5, and is left out."


def test_that_is_damaged_is_left_out(tmp_path):
    one = mask(compression=tiffs.DEFLATE)
    one.segments = [b"no zlib"]
    valid, [note] = found(tmp_path, one)
    assert valid is None
    assert note.startswith("Its mask cannot be read, and is left out: ")
    for content in (b"", b"no TIFF", b"II*\0"):
        (tmp_path / "x.tif.msk").write_bytes(content)
        assert "cannot be read" in found(tmp_path)[1][0]


def test_that_is_no_mask_is_left_out(tmp_path):
    tiffs.write(tmp_path / "x.tif.msk", tiffs.page(VALUES.astype(np.float32)))
    assert "3 bands of float32" in found(tmp_path)[1][0]


def test_what_is_no_file_is_no_mask(tmp_path):
    (tmp_path / "x.tif.msk").mkdir()
    assert found(tmp_path) == (None, ())
