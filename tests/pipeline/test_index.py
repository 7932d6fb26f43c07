"""Names have the numbers in which they came."""

from segcli.pipeline import index
from segcli.pipeline.index import Index


def test_numbers_of_many_names():
    names, found = [f"n{number}" for number in range(5000)], Index()
    for name in names:
        assert found.number(name) is None
        found.add(name)
    assert [found.number(name) for name in names] == list(range(5000))
    assert len(found) == 5000


def test_names_whose_hashes_end_alike_are_parted(monkeypatch):
    monkeypatch.setattr(index, "_FEWEST", 8)
    monkeypatch.setattr(index, "hashed", lambda text: int(text) << 40)
    found = Index()
    for number in range(100):
        found.add(str(number))
    assert [found.number(str(number)) for number in range(101)] == [*range(100), None]
