import io
import os
import shutil
import sys
from pathlib import Path, PurePosixPath
from types import ModuleType

import pytest
from PIL import Image

from segcli.errors import UsageError
from segcli.files import sources, walk
from segcli.files.exclusion import Exclusion
from segcli.files.paths import shown
from segcli.files.sieve import DAMAGED
from segcli.files.sources import RESULT_FILES, find, is_picture, list_from


def picture(path: Path, kind: str = "PNG") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (2, 2)).save(path, kind)
    return path


def trees(*inputs, output=None) -> list[str]:
    return [str(source.tree) for source in find(inputs, output).files]


@pytest.fixture
def photos(tmp_path) -> Path:
    folder = tmp_path / "photos"
    for name in ("x.jpg", "a/x.png", "a/b/y.tif"):
        picture(folder / name, {"jpg": "JPEG", "png": "PNG", "tif": "TIFF"}[name[-3:]])
    (folder / "a" / "readme.txt").write_text("no picture")
    return folder


def test_a_folder_is_mirrored_and_what_is_no_picture_is_counted(photos):
    picture(photos / "a" / "no-suffix")
    found = find([photos])
    assert [str(source.tree) for source in found.files] == ["a/b/y", "a/no-suffix", "a/x", "x"]
    assert found.ignored == 1


def test_outputs_land_in_the_mirrored_tree(photos):
    source = find([photos]).files[0]
    assert source.output(Path("out/masks"), ".png") == Path("out/masks/a/b/y.png")


def test_a_named_file_is_returned_whatever_it_is(photos):
    found = find([photos / "a" / "readme.txt"])
    assert (found.files[0].tree, found.ignored) == (PurePosixPath("readme"), 0)


def test_hidden_files_and_folders_are_skipped(photos):
    picture(photos / ".thumbnails" / "x.png")
    picture(photos / "._x.jpg")
    assert trees(photos) == trees(photos / "**") == ["a/b/y", "a/x", "x"]
    assert trees(photos / ".thumbnails") == ["x"]


def test_inputs_of_several_folders_keep_their_trees_below_the_folder_that_holds_all(tmp_path):
    for name in ("cats/x.png", "dogs/x.png", "dogs/old/x.png"):
        picture(tmp_path / name)
    assert trees(tmp_path / "cats", tmp_path / "dogs") == ["cats/x", "dogs/old/x", "dogs/x"]
    assert trees(tmp_path / "dogs/x.png", tmp_path / "cats/x.png") == ["cats/x", "dogs/x"]


def test_the_order_of_the_inputs_changes_nothing(photos):
    inputs = [photos / "a", photos / "x.jpg", photos]
    assert find(inputs) == find(inputs[::-1])


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.jpg", ["x"]),
        ("*", ["a/b/y", "a/x", "x"]),
        ("**/*.png", ["a/x"]),
        ("a/**", ["b/y", "x"]),
        ("[xyz].jp?", ["x"]),
    ],
)
def test_patterns_that_the_shell_left_alone_are_expanded(photos, pattern, expected):
    assert trees(photos / pattern) == expected


def test_a_file_whose_name_looks_like_a_pattern_is_itself(tmp_path):
    picture(tmp_path / "x[1].png")
    picture(tmp_path / "x1.png")
    assert trees(tmp_path / "x[1].png") == ["x[1]"]


def test_what_a_pattern_matches_is_judged_by_content(photos):
    found = find([photos / "a" / "*.txt"])
    assert (found.files, found.ignored) == ((), 1)


def test_masks_and_smaller_copies_beside_a_picture_are_no_pictures(photos):
    for name in ("a/b/y.tif.msk", "a/b/y.tif.ovr", "a/lone.tif.msk"):
        picture(photos / name, "TIFF")
    assert trees(photos) == trees(photos / "**") == ["a/b/y", "a/lone.tif", "a/x", "x"]
    assert find([photos]).ignored == 3
    assert trees(photos / "a/b/y.tif.msk") == ["y.tif"], "unless they are named"


HEIC, PDF, FILM = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", b"%PDF-1.7", b"\0\0\0\x20ftypisom"


class TestFormatsThatAreNotRead:
    @pytest.fixture(autouse=True)
    def no_heic(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "pillow_heif", None)

    @pytest.fixture
    def mixed(self, photos) -> Path:
        for name, content in (("1.jpg", HEIC), ("2.heic", HEIC), ("scan.pdf", PDF), ("a/film.mp4", FILM)):
            (photos / name).write_bytes(content)
        return photos

    @pytest.mark.parametrize("pattern", ["", "**"])
    def test_are_counted_by_format(self, mixed, pattern):
        found = find([mixed / pattern])
        assert [str(source.tree) for source in found.files] == ["a/b/y", "a/x", "x"]
        assert list(found.unread.items()) == [("HEIC", 2), ("PDF", 1), ("video", 1)]
        assert found.ignored == 1

    def test_are_left_to_their_reader_when_named(self, mixed):
        found = find([mixed / "2.heic", mixed / "scan.pdf"])
        assert ([str(source.tree) for source in found.files], found.unread) == (["2", "scan"], {})

    def test_are_pictures_of_a_dataset_where_an_extra_reads_them(self, mixed):
        assert is_picture(mixed / "1.jpg")
        assert not is_picture(mixed / "scan.pdf")

    def test_are_files_to_read_once_the_extra_is_there(self, mixed, monkeypatch):
        monkeypatch.setitem(sys.modules, "pillow_heif", ModuleType("pillow_heif"))
        assert len(find([mixed]).files) == 5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("phtos", r"phtos is not there\. Did you mean .*photos\?"),
        ("photos/b/x.png", r"photos/b/x.png is not there\. "),
        ("photos/*.nef", r"nothing matches .*\*\.nef\. "),
        ("photos/" + "x" * 300, "is not there"),
    ],
)
def test_what_is_not_there_is_an_error_with_a_next_step(photos, text, message):
    with pytest.raises(UsageError, match=message):
        find([photos.parent / text])


def test_an_unset_variable_of_the_shell_does_not_mean_the_working_folder():
    with pytest.raises(UsageError, match="empty name"):
        find([""])


def test_a_file_reached_twice_is_returned_once(photos):
    shutil.copy(photos / "x.jpg", photos / "copy.jpg")
    found = find([photos, photos / "a", photos / "a" / "x.png", photos / "*.jpg"])
    assert [str(source.tree) for source in found.files] == ["a/b/y", "a/x", "copy", "x"]
    assert found.ignored == 1


def test_a_folder_and_a_file_in_two_spellings_are_read_once_on_a_disk_that_ignores_case(tmp_path, monkeypatch):
    first, again, other = (picture(tmp_path / folder / "x.png") for folder in ("Trip", "trip", "other"))
    assert len(find([first.parent, again.parent]).files) == 2
    monkeypatch.setattr(walk, "number_of", lambda path: (1, hash(str(path).casefold())))
    assert trees(first.parent, again.parent, other.parent) == ["Trip/x", "other/x"]
    assert trees(first, picture(first.with_name("X.png"))) == ["x"]


def test_a_disk_whose_numbers_say_nothing_hides_no_folder(tmp_path, monkeypatch):
    for folder in ("a", "b"):
        picture(tmp_path / folder / "x.png")
    monkeypatch.setattr(walk, "number_of", lambda path: (1, 1))
    assert trees(tmp_path) == ["a/x", "b/x"]


def test_a_link_to_a_file_is_a_file_of_its_own(photos):
    (photos / "link.jpg").symlink_to(photos / "x.jpg")
    assert trees(photos) == ["a/b/y", "a/x", "link", "x"]
    assert trees(photos / "link.jpg", photos / "x.jpg") == ["link", "x"]


@pytest.mark.parametrize("inside", ["", "/**/*"])
def test_links_cannot_loop(photos, inside):
    (photos / "a" / "up").symlink_to(photos)
    (photos / "again").symlink_to(photos)
    (photos / "self").symlink_to(photos / "self")
    assert trees(f"{photos}{inside}") == ["a/b/y", "a/x", "x"]


def test_a_linked_folder_is_read_but_a_real_one_names_its_files(tmp_path):
    picture(tmp_path / "photos" / "real" / "x.png")
    picture(tmp_path / "elsewhere" / "y.png")
    (tmp_path / "photos" / "a-link").symlink_to(tmp_path / "photos" / "real")
    (tmp_path / "photos" / "more").symlink_to(tmp_path / "elsewhere")
    assert trees(tmp_path / "photos") == ["more/y", "real/x"]


def test_what_is_named_like_a_photo_and_holds_none_is_told_apart_from_other_files(tmp_path):
    for name, content in (
        ("empty.jpg", b""),
        ("ZEROS.TIF", bytes(5000)),
        ("text.png", b"hello"),
        ("notes.txt", b"hi"),
        ("film.mp4", b"hello"),
        ("mesh.svg", b"hello"),
    ):
        (tmp_path / name).write_bytes(content)
    found = find([tmp_path])
    assert (found.files, found.ignored, found.unread) == ((), 3, {DAMAGED: 3})
    assert {Path(path).name for path in found.damaged} == {"empty.jpg", "ZEROS.TIF", "text.png"}


def test_pipes_in_folders_are_passed_over(photos):
    os.mkfifo(photos / "pipe.png")
    assert trees(photos) == trees(photos / "*") == ["a/b/y", "a/x", "x"]


def test_a_folder_that_cannot_be_listed_becomes_a_file_to_fail(photos, monkeypatch):
    scandir = os.scandir

    def refuse(path):
        if Path(path).name == "b":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert trees(photos) == ["a/b", "a/x", "x"]
    with pytest.raises(UsageError, match="b cannot be listed"):
        find([photos / "a" / "b"])


class TestResults:
    @pytest.fixture
    def results(self, photos) -> Path:
        folder = photos / "segmented"
        picture(folder / "masks" / "x.png")
        for name in RESULT_FILES:
            (folder / name).touch()
        return folder

    def test_of_an_earlier_run_are_never_input(self, photos, results):
        assert trees(photos) == ["a/b/y", "a/x", "x"]
        assert trees(photos / "*") == ["a/b/y", "a/x", "x"]

    @pytest.mark.parametrize("name", [".", "masks"])
    def test_of_an_earlier_run_are_refused_by_name(self, results, name):
        with pytest.raises(UsageError, match="folder for results"):
            find([results / name])

    def test_named_one_by_one_are_counted(self, photos, results):
        found = find([results / "masks" / "x.png", photos / "x.jpg"])
        assert ([str(source.tree) for source in found.files], found.results) == (["x"], 1)

    def test_of_this_run_are_never_input(self, photos):
        output = photos / "new"
        picture(output / "masks" / "x.png")
        assert trees(photos, output=output) == ["a/b/y", "a/x", "x"]
        assert "new/masks/x" in trees(photos)

    def test_cannot_go_into_the_input_folder(self, photos):
        with pytest.raises(UsageError, match="outside"):
            find([photos], output=photos)


def test_names_that_are_no_text_survive(tmp_path):
    path = os.fsencode(tmp_path) + b"/caf\xe9.png"
    try:
        picture(tmp_path / "x.png").rename(os.fsdecode(path))
    except OSError:
        return  # a file system that takes text only cannot ask the question
    source = find([tmp_path]).files[0]
    source.output(tmp_path, ".jpg").touch()
    assert shown(source.tree) == r"caf\udce9"


def test_names_of_255_bytes_leave_room_for_a_suffix(tmp_path):
    for last in "ab":
        picture(tmp_path / ("é" * 125 + last + ".png"))
    outputs = [source.output(tmp_path, ".person.png") for source in find([tmp_path]).files]
    assert len(set(outputs)) == 2
    for output in outputs:
        assert len(os.fsencode(output.name)) <= 255
        output.touch()


def test_a_list_is_split_at_lines_or_at_nul():
    assert list_from(io.BytesIO(b"a b.jpg\r\n\nc.jpg\n")) == ["a b.jpg", "c.jpg"]
    assert list_from(io.BytesIO(b"line\nbreak.jpg\0c.jpg\0")) == ["line\nbreak.jpg", "c.jpg"]
    assert os.fsencode(list_from(io.BytesIO(b"caf\xe9.jpg"))[0]) == b"caf\xe9.jpg"


def test_a_list_without_an_end_is_refused(monkeypatch):
    monkeypatch.setattr(sources, "MOST_LISTED", 1 << 16)
    with pytest.raises(UsageError, match="more than 0 MB"), io.BytesIO(bytes(1 << 17)) as file:
        list_from(file)


def left_out(*inputs, exclude):
    exclusion = Exclusion(exclude)
    found = find(inputs, exclude=exclusion)
    return [str(source.tree) for source in found.files], found


@pytest.mark.parametrize(
    "inputs",
    [
        ["photos"],
        ["photos/**"],
        ["photos/a", "photos/x.jpg"],
        ["photos/*", "photos/a/b"],
        ["photos/x.jpg", "photos/a/x.png", "photos/a/b/y.tif", "photos/a/broken.jpg"],
    ],
)
def test_what_is_left_out_is_left_out_however_it_is_reached(photos, monkeypatch, inputs):
    monkeypatch.chdir(photos.parent)
    (photos / "a" / "broken.jpg").write_text("no picture")
    names, found = left_out(*inputs, exclude=["b", "broken*"])
    assert names == ["a/x", "x"]
    assert found.remarks == ()
    assert found.damaged == []
    assert left_out("photos/a/b/y.tif", exclude=["y.*"])[0] == []


def test_a_pattern_without_effect_and_labels_among_photos_are_told_of(photos):
    picture(photos / "masks" / "x.png")
    names, found = left_out(photos, exclude=["mask"])
    assert "masks/x" in names
    without_effect, labels = found.remarks
    assert without_effect == "--exclude mask left out nothing: is the name right?"
    assert labels.endswith("add: --exclude masks")
    names, found = left_out(photos, exclude=["masks"])
    assert (names, found.left_out, found.remarks) == (["a/b/y", "a/x", "x"], 1, ())
