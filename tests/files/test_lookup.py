"""Numbers by keys."""

from array import array

import pytest

from segcli.files import lookup as lookups
from segcli.files.lookup import Lookup


@pytest.mark.parametrize("few", [0, lookups.FEW], ids=["numpy", "plain"])
def test_every_number_of_a_key_is_found(few, monkeypatch):
    monkeypatch.setattr(lookups, "FEW", few)
    keys, values = array("Q", [5, 2**64 - 1, 0, 5]), array("q", [1, -1, 7, 2])
    lookup = Lookup(keys, values)
    assert [lookup.of(key) for key in (5, 2**64 - 1, 0, 6)] == [[1, 2], [-1], [7], []]
    assert Lookup(array("Q"), array("q")).of(5) == []
