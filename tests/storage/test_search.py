"""Photos found by listings: the same names, places and counts as in a folder of this computer."""

from pathlib import Path, PurePosixPath

import fsspec
import pytest
from PIL import Image
from small_runs import smooth

from segcli.errors import UsageError
from segcli.files import sources
from segcli.files.exclusion import Exclusion
from segcli.storage.address import parse
from segcli.storage.search import Stores, find
from segcli.storage.store import Store


@pytest.fixture
def bucket():
    """A store in memory: a function that puts objects of these names."""
    files = fsspec.filesystem("memory")
    files.store.clear()

    def put(*names):
        for name in names:
            files.pipe_file(name, name.encode())

    yield put
    files.store.clear()


def found(*inputs, copies=Path("copies"), **options):
    return find([parse(text) for text in inputs], Stores(), copies, **options)


def trees(listing):
    return [source.tree.as_posix() for source in listing.files]


def test_places_and_counts_are_those_of_a_folder(bucket, tmp_path):
    names = [
        "a.jpg",
        "a.png",
        "A.jpg",
        "b.JPG",
        "trip/a.jpg",
        "trip.png",
        "trip/day.1/c.webp",
        "deep/x.b.tif",
        "d/.x/y.jpg",
    ]
    others = ["notes.txt", "trip/a.jgw", ".hidden.jpg", "paper.pdf"]
    for name in [*names, *others]:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(smooth(0, 8, 8)).save(path) if name in names else path.write_bytes(
            b"%PDF-" * (name == "paper.pdf")
        )
    bucket(*(f"b/in/{name}" for name in [*names, *others]))
    here, there = sources.find([str(tmp_path)]), found("memory://b/in")
    assert trees(there) == trees(here)
    assert (there.ignored, there.unread, there.results) == (here.ignored, here.unread, here.results)


def test_a_source_tells_its_object_and_where_its_copy_will_be(bucket):
    bucket("b/in/trip/a.jpg")
    (source,) = found("memory://b/in", copies=Path("copies")).files
    assert source.input == "memory://b/in/trip/a.jpg"
    assert (source.tree, source.path.name, source.origin.size) == (PurePosixPath("trip/a"), "a.jpg", 15)
    assert source.path.is_relative_to("copies")
    assert source.origin.etag


def test_results_and_the_output_folder_are_never_read(bucket):
    bucket("b/out/masks/a.png", "b/out/manifest.jsonl", "b/out/run.toml", "b/a.jpg", "b/new/masks/a.png")
    assert trees(found("memory://b", output=parse("memory://b/new"))) == ["a"]
    assert found("memory://b/a.jpg", "memory://b/out/masks/a.png").results == 1
    with pytest.raises(UsageError, match="folder for results"):
        found("memory://b/out/masks")


def test_patterns_match_and_names_are_met_once(bucket):
    bucket("b/x/a.jpg", "b/x/b.jpg", "b/y/a.jpg", "b/x/note.txt")
    assert trees(found("memory://b/*/a.jpg")) == ["x/a", "y/a"]
    assert trees(found("memory://b/**")) == ["x/a", "x/b", "y/a"]
    assert len(found("memory://b/x", "memory://b/x/a.jpg", "memory://b/x").files) == 2


@pytest.mark.parametrize("text", ["memory://b/none", "memory://b/*.tif", "memory://c"])
def test_what_is_not_there_is_one_line(bucket, text):
    bucket("b/a.jpg")
    with pytest.raises(UsageError, match=r"is not there|nothing matches"):
        found(text)


def test_keys_that_no_folder_can_hold_have_places_below_it(bucket, monkeypatch):
    from segcli.storage.store import Entry

    keys = ["b/../../etc/x.jpg", "b//x.jpg", "b/./x.jpg", f"b/{'n' * 300}.jpg", "b/..jpg"]
    monkeypatch.setattr(
        Store,
        "pages",
        lambda self, folder: iter(
            [
                [
                    Entry(parse("memory://b"))._replace(address=type(folder)("memory", key), size=1, etag="e")
                    for key in keys
                ]
            ]
        ),
    )
    monkeypatch.setattr(Store, "find", lambda self, address: None)
    sources_found = found("memory://b").files
    assert len({source.tree for source in sources_found}) == len(sources_found)
    for source in sources_found:
        assert ".." not in source.tree.parts
        assert not source.tree.is_absolute()
        assert len(source.path.name.encode()) < 250


def test_two_signed_addresses_of_one_name_are_refused(monkeypatch):
    monkeypatch.setattr(Store, "__init__", lambda self, address: None)
    monkeypatch.setattr(Store, "find", lambda self, address: None)
    assert len(found("https://h/a.jpg?s=1", "https://h/a.jpg?s=1", "https://h/b/c.jpg").files) == 2
    with pytest.raises(UsageError, match="differ in what follows"):
        found("https://h/a.jpg?s=1", "https://h/a.jpg?s=2")


def test_a_listing_keeps_little_of_each_object(bucket):
    """A million of them must fit into a gigabyte with all else."""
    import tracemalloc

    from segcli.storage.objects import Gathering
    from segcli.storage.store import Entry

    tracemalloc.start()
    objects = Gathering()
    for number in range(5000):
        objects.add(Entry(parse(f"s3://b/in/{number:07}.jpg"), number, f"{number:032x}"))
    listing = objects.listing(Path("copies"), parse("s3://b/in"))
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held / len(listing) < 500


@pytest.mark.parametrize("names", [[""], ["/**/*.*"], ["/a.jpg", "/a_mask.png", "/d"]])
def test_what_is_left_out_is_left_out_however_it_is_reached(bucket, names):
    inputs = [f"memory://b/in{name}" for name in names]
    bucket("b/in/a.jpg", "b/in/a_mask.png", "b/in/d/b.jpg", "b/in/d/masks/b.png", "b/in/d/masks/deep/c.png")
    listing = found(*inputs, exclude=Exclusion(["masks", "*_mask.png", "day"]))
    assert trees(listing) == ["a", "d/b"]
    assert listing.remarks == ["--exclude day left out nothing: is the name right?"]
