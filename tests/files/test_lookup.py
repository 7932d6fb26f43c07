"""Numbers by keys."""

from array import array

from segcli.files.lookup import Lookup


def test_every_number_of_a_key_is_found():
    keys, values = array("Q", [5, 2**64 - 1, 0, 5]), array("q", [1, -1, 7, 2])
    lookup = Lookup(keys, values)
    assert [lookup.of(key) for key in (5, 2**64 - 1, 0, 6)] == [[1, 2], [-1], [7], []]
    assert Lookup(array("Q"), array("q")).of(5) == []
