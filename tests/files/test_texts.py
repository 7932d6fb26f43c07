"""Texts come back as they went in."""

import pickle

import pytest

from segcli.files.texts import Texts

ODD = ["a", "", "\u00fc\u6f22", "caf\udce9", "\ud800", "x" * 300, "a\0b"]


def test_any_text_comes_back():
    texts = Texts(ODD)
    texts.append("last")
    assert list(texts) == [*ODD, "last"]
    assert [texts[number] for number in (7, 0, 3)] == ["last", "a", "caf\udce9"]
    assert list(pickle.loads(pickle.dumps(texts))) == [*ODD, "last"]
    with pytest.raises(IndexError):
        texts[8]
