import numpy as np

from segcli.images.strips.buffer import RowBuffer


def test_rows_come_and_go():
    rows = np.arange(60).reshape(20, 3).astype(np.uint8)
    buffer = RowBuffer((3,))
    buffer.add(rows[:7])
    buffer.drop(5)
    buffer.add(rows[7:20])
    assert (buffer.top, buffer.bottom) == (5, 20)
    assert np.array_equal(buffer.rows(0, 9), rows[5:9])
    assert np.array_equal(buffer.rows(18, 30), rows[18:])
    assert not len(buffer.rows(2, 4))
    buffer.drop(100)
    assert (buffer.top, buffer.bottom) == (20, 20)
