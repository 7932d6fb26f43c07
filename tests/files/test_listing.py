"""A listing gives the sources that a tuple of them would, in a tenth of the memory."""

import pickle
import tracemalloc
from pathlib import Path, PurePosixPath

import pytest

from segcli.files import glance
from segcli.files.listing import Listing, Source, chosen, inputs_of, trees_of

ROOT = "/photos"
NAMES = {"a": ["x.png", "b.c.jpg"], "a b": ["y.png"], "a/b": ["x.png", "x.jpg"], ".": ["a.png", "z"]}


@pytest.fixture
def listing() -> Listing:
    return Listing.of([(Path(ROOT, folder), names) for folder, names in NAMES.items()], [ROOT])


def test_sources_come_in_the_order_of_their_trees_parts(listing):
    trees = [source.tree for source in listing]
    assert trees == sorted(trees, key=lambda tree: tree.parts)
    assert [str(tree) for tree in trees] == ["a", "a/b/x.jpg", "a/b/x.png", "a/b.c", "a/x", "a b/y", "z"]
    assert listing[5] == Source(Path("/photos/a b/y.png"), PurePosixPath("a b/y"))


def test_it_is_a_sequence_like_a_tuple_of_sources(listing):
    same = tuple(listing)
    assert listing == same
    assert listing != same[:-1]
    assert listing != (*same[:-1], same[0])
    assert (len(listing), listing[-1], list(listing[1:6:2])) == (7, same[-1], list(same[1:6:2]))
    assert same[3] in listing
    with pytest.raises(IndexError):
        listing[7]
    assert pickle.loads(pickle.dumps(listing)) == listing


def test_parts_and_marks(listing):
    films = listing.marked(lambda source: source.path.suffix == ".jpg")
    assert [str(source.tree) for source in films.of_kind(film=True)] == ["a/b/x.jpg", "a/b.c"]
    assert all(source.film for source in films.of_kind(film=True))
    assert not any(source.film for source in films.of_kind(film=False))
    assert len(films.of_kind(film=False)) == 5
    assert len(listing.of_kind(film=True)) == 0
    assert [source.path.name for source in chosen(films[2:], lambda source: source.film)] == ["b.c.jpg"]
    assert [source.path.name for source in chosen(tuple(films), lambda source: source.film)] == ["x.jpg", "b.c.jpg"]


def test_a_photo_takes_few_bytes():
    names = [(Path(ROOT, f"{folder:03}"), [f"{number:06}.jpg" for number in range(1000)]) for folder in range(5)]
    tracemalloc.start()
    listing = Listing.of(((folder, [str(name) for name in found]) for folder, found in names), [ROOT])
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held / len(listing) < 60


def test_trees_and_inputs_are_those_of_the_sources():
    odd = [(Path(), ["a.png", ".b", "caf\udce9.jpg"]), (Path("/"), ["z"]), (Path("b/c"), ["x.y.png", "x.y.jpg"])]
    listing = Listing.of(odd, [str(Path.cwd()), "/"])
    for sources in (listing, listing[1:4], tuple(listing)):
        assert list(trees_of(sources)) == [source.tree.as_posix() for source in sources]
        assert list(inputs_of(sources)) == [source.input for source in sources]


def test_only_those_that_may_be_films_are_asked():
    names = ["a.mp4", "b.png", "c"]
    glances = bytes([glance.of(b"....ftypisom"), glance.of(b"\x89PNG\r\n\x1a\n"), glance.UNSEEN])
    listing = Listing.of([(Path(ROOT), names)], [ROOT], glances)
    asked = []
    films = listing.marked(lambda source: asked.append(source.path.name) or True, lambda seen: seen != glances[1])
    assert asked == ["a.mp4", "c"]
    assert [source.path.name for source in films.of_kind(film=False)] == ["b.png"]
    assert [films[1:].glance(number) for number in range(2)] == [glances[1], glance.UNSEEN]
