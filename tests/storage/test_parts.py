"""Lines of a growing file of a store: parts that no two runs write, merged at the end and read at the next start."""

import fsspec
import pytest

from segcli.storage import parts
from segcli.storage.address import parse
from segcli.storage.parts import Parts
from segcli.storage.store import Store
from segcli.storage.trouble import StoreError

WHOLE = parse("memory://b/out/manifest.jsonl")


@pytest.fixture
def store():
    fsspec.filesystem("memory").store.clear()
    yield Store(WHOLE)
    fsspec.filesystem("memory").store.clear()


def names(store):
    return sorted(one.address.path for one in store.listed(WHOLE.parent))


def begun(store, path):
    one = Parts(store, WHOLE)
    one.fetch(path)
    one.begin()
    return one


def test_lines_outlast_a_run_that_was_killed(store, tmp_path):
    first = begun(store, tmp_path / "first")
    for number in range(parts.MOST + 3):  # the last three were not put yet
        first.add(b"%d\n" % number)
    assert names(store) == ["b/out/manifest.jsonl", "b/out/manifest/00000000.jsonl"]
    second = begun(store, tmp_path / "second")
    assert (tmp_path / "second").read_bytes().split() == [b"%d" % number for number in range(parts.MOST)]
    second.add(b"more\n")
    second.put()
    assert names(store)[-1] == "b/out/manifest/00000001.jsonl"


def test_the_end_makes_one_file_of_them(store, tmp_path):
    one = begun(store, tmp_path / "lines")
    one.add(b"a\n")
    one.put()
    (tmp_path / "lines").write_bytes(b"a\n")
    one.merge(tmp_path / "lines")
    assert names(store) == ["b/out/manifest.jsonl"]
    assert store.read(WHOLE) == b"a\n"


def test_a_whole_without_its_last_newline_does_not_swallow_a_line(store, tmp_path):
    store.put(WHOLE, b"torn")
    one = begun(store, tmp_path / "one")
    one.add(b"next\n")
    one.put()
    begun(store, tmp_path / "two")
    assert (tmp_path / "two").read_bytes() == b"torn\nnext\n"


def test_two_runs_never_write_one_part(store, tmp_path):
    first, second = begun(store, tmp_path / "a"), begun(store, tmp_path / "b")
    for one, line in ((first, b"a\n"), (second, b"b\n")):
        one.add(line)
    first.put()
    with pytest.raises(StoreError, match="another run writes"):
        second.put()
    assert store.read(WHOLE.parent / "manifest/00000000.jsonl") == b"a\n"
