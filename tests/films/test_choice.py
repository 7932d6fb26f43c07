import films
import pytest
from extras import extra
from PIL import Image

from segcli.files.sources import find
from segcli.films.choice import is_film, marked
from segcli.images.pages import expand


@pytest.fixture
def folder(tmp_path):
    films.write_gif(tmp_path / "moving.gif", films.cards(3), [100] * 3)
    films.write_gif(tmp_path / "moving.webp", films.cards(3), [100] * 3)
    for name in ("still.gif", "still.webp", "photo.jpg"):
        Image.fromarray(films.card()).save(tmp_path / name)
    (tmp_path / "clip").write_bytes(b"\0\0\0\x20ftypisom" + bytes(200))
    return tmp_path


@pytest.mark.parametrize(
    ("kinds", "expected"), [("none", []), ("auto", ["clip"]), ("all", ["clip", "moving.gif", "moving.webp"])]
)
def test_the_content_decides_what_a_film_is(folder, kinds, expected):
    named = sorted(folder.iterdir())
    assert [source.path.name for source in marked(find(named), kinds).films] == expected
    assert len(marked(find(named), kinds).photos) == 6 - len(expected)


def test_videos_inside_folders_are_found_where_they_are_asked_for_and_can_be_read(folder, monkeypatch):
    extra("av")
    assert find([folder]).unread == {"video": 1}
    assert "clip" in [source.path.name for source in find([folder], films=True).files]
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    found = find([folder], films=True)
    assert (found.unread, len(found.files)) == ({"film": 1}, 5)


def test_a_moving_picture_has_pages_unless_it_is_a_film(folder):
    found = find([folder / "moving.gif"])
    assert len(expand(found.files)) == 3
    assert len(expand(marked(found, "all").files)) == 1


def test_what_cannot_be_opened_is_no_film(tmp_path):
    assert not is_film(tmp_path / "nothing.mp4")
