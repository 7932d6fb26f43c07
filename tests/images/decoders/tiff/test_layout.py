import io
from dataclasses import replace

import numpy as np
import pytest
import tiffs

from segcli.images.decoders.tiff.directory import directories
from segcli.images.decoders.tiff.layout import MOST_SEGMENTS, layout_of

VALUES = np.zeros((20, 30, 3), np.uint16)


def layout(tmp_path, one: tiffs.Page):
    return layout_of(next(directories(io.BytesIO(tiffs.write(tmp_path / "x", one).read_bytes()))))


def test_strips_and_tiles(tmp_path):
    strips = layout(tmp_path, tiffs.page(VALUES, rows=8))
    assert (strips.grid, strips.segments, strips.row_bytes, strips.nbytes) == ((3, 1), 3, 180, 3600)
    tiles = layout(tmp_path, tiffs.page(VALUES, tile=(16, 16), separate=True))
    assert (tiles.grid, tiles.segments, tiles.row_bytes) == ((2, 2), 12, 32)
    assert list(tiles.places(0, 20))[7] == (7, (slice(16, 20), slice(16, 30), slice(1, 2)))
    assert [number for number, _ in tiles.places(16, 17)] == [2, 3, 6, 7, 10, 11]


def test_rows_a_strip_that_mean_all(tmp_path):
    for rows in (0, 2**32 - 1, 21):
        assert layout(tmp_path, tiffs.page(VALUES, tags={278: (tiffs.LONG, [rows])})).segments == 1


def test_packed_rows_end_with_a_whole_byte(tmp_path):
    assert layout(tmp_path, tiffs.page(VALUES[:, :3, :1], bits=12)).row_bytes == 5
    assert layout(tmp_path, tiffs.page(VALUES, bits=12)).dtype == np.uint16


SHORT, LONG = tiffs.SHORT, tiffs.LONG


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ({256: (LONG, [0])}, "no size"),
        ({277: (SHORT, [0])}, "0 bands"),
        ({258: (SHORT, [16, 8, 8])}, "different types"),
        ({339: (SHORT, [1, 3, 1])}, "different types"),
        ({339: (SHORT, [6] * 3)}, "complex numbers of 16 bits"),
        ({258: (SHORT, [24] * 3)}, "integers of 24 bits"),
        ({258: (SHORT, [12] * 3), 339: (SHORT, [2] * 3)}, "signed integers of 12 bits"),
        ({258: (SHORT, [24] * 3), 339: (SHORT, [3] * 3)}, "real numbers of 24 bits"),
        ({258: (SHORT, [0] * 3)}, "integers of 0 bits"),
        ({32997: (LONG, [4])}, "volume"),
        ({322: (LONG, [16]), 323: (LONG, [0])}, "no size"),
        ({322: (LONG, [2**31]), 323: (LONG, [2**31])}, "too many"),
        ({257: (LONG, [MOST_SEGMENTS + 1]), 278: (LONG, [1])}, "too many"),
    ],
)
def test_tags_that_contradict_each_other_are_refused(tmp_path, tags, reason):
    with pytest.raises(ValueError, match=reason):
        layout(tmp_path, tiffs.page(VALUES, tags=tags))


def test_small_pictures_may_lie_in_large_tiles(tmp_path):
    one = tiffs.page(VALUES, tags={322: (LONG, [512]), 323: (LONG, [512])})
    assert layout(tmp_path, replace(one, tiled=True)).segments == 1
