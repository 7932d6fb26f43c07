"""A folder of a store is kept for one run; whoever stood still for long notices that it has lost it."""

import fsspec
import pytest

from segcli.errors import UsageError
from segcli.storage import lease
from segcli.storage.address import parse
from segcli.storage.lease import FOLDER, OLD, Lease
from segcli.storage.store import Store
from segcli.storage.trouble import StoreError

OUT = parse("memory://b/out")


@pytest.fixture
def store():
    fsspec.filesystem("memory").store.clear()
    yield Store(OUT)
    fsspec.filesystem("memory").store.clear()


def left(store):
    return [one.address.name for one in store.listed(OUT / FOLDER)]


def test_a_second_run_is_refused_until_the_first_ends(store):
    first, second = Lease(store, OUT), Lease(store, OUT)
    first.take()
    assert first.is_kept_apart
    with pytest.raises(UsageError, match="another process is writing to memory://b/out"):
        second.take()
    first.release()
    assert left(store) == []
    second.take()
    second.release()


def test_a_killed_runs_lease_grows_old(store, monkeypatch):
    killed, second = Lease(store, OUT), Lease(store, OUT)
    killed.take()
    now = Lease._now
    monkeypatch.setattr(Lease, "_now", lambda self: now(self) + OLD + 1)
    second.take()
    assert left(store) == ["00000002"]
    killed._renew()
    with pytest.raises(StoreError, match="another run writes"):
        killed.require()
    second.require()
    second.release()
    killed.release()


def test_a_lease_is_renewed_under_the_next_number(store):
    one = Lease(store, OUT)
    one.take()
    one._renew()
    assert left(store) == ["00000002"]
    one.require()
    one.release()
    assert left(store) == []


def test_a_store_that_breaks_its_word_is_noticed(store, monkeypatch):
    monkeypatch.setattr(Store, "create", lambda self, address, data: self.put(address, data) or True)
    one = Lease(store, OUT)
    one.take()
    assert not one.is_kept_apart
    assert b"run" in store.read(OUT / FOLDER / "00000001")
    one.release()


def test_renewals_come_well_before_a_lease_is_old():
    assert lease.RENEWED * 3 < OLD
