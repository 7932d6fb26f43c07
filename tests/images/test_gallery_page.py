"""The gallery's page in a browser, from the disk: what it shows, and the list that it saves."""

import shlex
import time
from pathlib import Path

import browser
import numpy as np
import pytest
from small_runs import smooth

from segcli.files.sources import list_from
from segcli.images.gallery import Entry, Part, merge, write_entry
from segcli.labels import from_names

pytestmark = pytest.mark.skipif(browser.PROGRAM is None, reason=browser.NO_BROWSER)

LABELS = from_names(["background", "cat", "constructor", "<b>dog</b>"])
HEIGHT, WIDTH = 60, 80
PHOTOS = {  # name -> uncertainty, and the pixels of cat and of dog
    "photo 10": (0.1, 40, 1),
    "photo 9": (0.7, 10, 3),
    "</script><img src=x onerror=document.title='bad'>\n\"'&": (None, 0, 4),
    "__proto__": (0.3, 20, 0),
}
PATHS = dict(zip(PHOTOS, ("photos/a.jpg", "photos/two\nlines.jpg", "ü <odd>.jpg", "caf\udce9.jpg"), strict=True))


def label_map(cats, dogs):
    ids = np.zeros((HEIGHT, WIDTH), np.uint8)
    ids[:, :cats], ids[:, WIDTH - dogs :] = 1, 3
    return ids


@pytest.fixture(scope="module")
def gallery(tmp_path_factory):
    folder = tmp_path_factory.mktemp("a 'folder' of ü")
    parts = []
    for index, (name, (unsure, cats, dogs)) in enumerate(PHOTOS.items()):
        areas = {LABELS.names[1]: cats * HEIGHT, LABELS.names[3]: dogs * HEIGHT}
        found = {name: pixels for name, pixels in areas.items() if pixels}
        parts.append(Part(folder / f"{index}.json", PATHS[name], {"overlay": "overlays/a #1.jpg"}))
        entry = Entry(name, smooth(index, WIDTH, HEIGHT), label_map(cats, dogs), found, unsure)
        write_entry(parts[-1].path, entry, LABELS)
    merge(folder / "gallery.html", parts, LABELS)
    return folder / "gallery.html"


@pytest.fixture(scope="module")
def opened(gallery):
    with browser.opened(gallery) as page:
        yield page


@pytest.fixture
def page(opened):
    """The page as it is at first, without marks."""
    opened.value("clearTimeout(seeing); clearTimeout(due); due = 0; kept.clear(); localStorage.clear()")
    opened.reload()
    opened.wait("view.colours !== null")
    return opened


def order(page):
    return page.value("order.map((entry) => entry.name)")


def coloured(page):
    """How many pixels of each class's colour the page shows over the photo."""
    shown = """(() => {
      const canvas = $("classes"), counts = {};
      const values = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
      for (let at = 0; at < values.length; at += 4) {
        if (values[at + 3]) { const key = values.slice(at, at + 3).join(); counts[key] = (counts[key] ?? 0) + 1; }
      }
      return counts;
    })()"""
    colours = {",".join(map(str, LABELS.palette[index])): name for index, name in enumerate(LABELS.names)}
    return {colours[key]: count for key, count in page.value(shown).items()}


def choose(page, what, value):
    page.value(f"$('{what}').value = {value!r}; $('{what}').dispatchEvent(new Event('change'))")


def test_it_orders_by_name_certainty_and_share_and_chooses_by_class(page):
    by_name = order(page)
    assert by_name.index("photo 9") < by_name.index("photo 10")
    page.press("s")
    assert order(page)[:3] == ["photo 9", "__proto__", "photo 10"]  # of the last nothing is known
    page.press("r")
    assert order(page)[1:] == ["photo 10", "__proto__", "photo 9"]
    page.press("r")
    choose(page, "sort", "class cat")
    assert order(page)[:3] == ["photo 10", "__proto__", "photo 9"]
    assert page.value("document.querySelector('#row-0 span').textContent") == "50.0 % cat"
    choose(page, "present", "class <b>dog</b>")
    assert set(order(page)) == PHOTOS.keys() - {"__proto__"}


def test_names_stay_text_and_the_browser_complains_of_nothing(page):
    for place in range(len(PHOTOS)):
        page.value(f"show({place})")
        page.wait("view.colours !== null")
    assert page.value("document.title") == "segcli gallery"
    assert page.value("document.querySelectorAll('b b, #title *, img[onerror]').length") == 0
    page.value("show(order.findIndex((entry) => entry.name.startsWith('<')))")
    assert page.value("$('title').textContent").startswith(r"</script><img src=x onerror=document.title='bad'>\n")
    assert page.value("$('about').querySelector('a').href").endswith("/overlays/a%20%231.jpg")
    assert page.complaints == []


def test_a_class_that_is_switched_off_vanishes_on_every_photo(page):
    choose(page, "sort", "class cat")
    page.wait("view.colours !== null")
    assert coloured(page) == {"cat": 40 * HEIGHT, "<b>dog</b>": HEIGHT}
    page.press("1")  # the largest
    assert coloured(page) == {"<b>dog</b>": HEIGHT}
    assert page.value("$('legend').querySelector('button').getAttribute('aria-pressed')") == "false"
    page.press("ArrowRight")
    page.wait("view.colours !== null")
    assert coloured(page) == {}
    page.press("a")
    assert coloured(page) == {"cat": 20 * HEIGHT}
    page.press("b")  # of the outlines of an area that ends within the photo
    assert coloured(page) == {"cat": 2 * HEIGHT}


def test_wrong_photos_are_kept_and_saved_as_a_list_that_predict_reads(page):
    page.press("w")
    page.press("End")
    page.press("w")
    page.wait("entries.filter((entry) => entry.seen).length === 2")
    page.press("Home")
    page.press("w")
    page.press("w")  # the mark is taken away and set again
    assert page.value("$('progress').textContent") == "2 of 4 seen, 2 wrong"
    wrong = page.value("order.filter((entry) => entry.wrong).map((entry) => entry.name)")
    page.value("keep()")
    page.reload()
    assert page.value("order.filter((entry) => entry.wrong).map((entry) => entry.name)") == wrong
    choose(page, "filter", "wrong")
    assert order(page) == wrong


@pytest.mark.parametrize("most", [1, 4])
def test_the_saved_list_is_what_predict_reads(page, most):
    """A line each; NUL between the paths where one holds a line break; bytes that are no text as they are."""
    for file in page.downloads.iterdir():
        file.unlink()
    page.value(f"entries.slice(0, {most}).forEach((entry) => mark(entry, true))")
    page.press("l")
    assert page.value("$('export-box').open && !$('save').disabled")
    page.value("$('save').click()")
    saved = page.downloads / "wrong.txt"
    for _ in range(1000):
        if saved.is_file() and saved.stat().st_size:
            break
        time.sleep(0.02)
    with saved.open("rb") as file:
        assert list_from(file) == list(PATHS.values())[:most]
    assert (b"\0" in saved.read_bytes()) == (most == 4)


def test_the_command_for_the_list_takes_the_settings_of_the_run_of_this_page(gallery, page):
    page.press("l")
    program, command, option, run, *rest = shlex.split(page.value("$('export-command').textContent"))
    assert (program, command, option) == ("segcli", "predict", "--from")
    assert Path(run) == gallery.with_name("run.toml")
    assert rest == ["--from-list", "wrong.txt", "--save", "labelme", "-o", "relabel"]


def test_a_photo_whose_result_is_another_has_no_mark(page):
    page.press("w")
    page.value("keep()")
    page.value("clearTimeout(seeing); order[0].areas.set('cat', 7); recall(); tell()")
    assert page.value("$('progress').textContent") == "0 of 4 seen, 0 wrong"


def test_it_zooms_about_a_point_and_never_shows_beside_the_photo(page):
    page.value("zoom(4, 0, 0)")
    assert page.value("[view.scale, view.x]") == [4, 0]
    page.value("view.x = -1e6; place()")
    assert page.value("Math.round(view.x + view.width * view.scale - $('frame').clientWidth)") == 0
    page.press("0")
    assert page.value("view.scale") == 1


def test_a_phone_has_all_of_it_in_view(page):
    page.size(360, 740, phone=True)
    assert page.value("document.documentElement.scrollWidth") <= 360
    outside = """[...document.querySelectorAll('main button, main input')].filter((one) => {
      const box = one.getBoundingClientRect();
      return box.width && (box.left < 0 || box.right > innerWidth || box.bottom > innerHeight);
    }).map((one) => one.id)"""
    assert page.value(outside) == []
    page.size(1280, 800)


def test_photos_that_come_later_change_nothing_in_view(page):
    """While a large file is read, what a person looks at stays, seen or not; nobody has seen the others."""
    page.wait("view.entry.seen")
    choose(page, "filter", "unseen")
    page.wait("view.entry.seen && view.colours !== null")
    before = page.value("[view.turn, $('title').textContent]")
    page.value("entries.push({ ...entries[0], name: '!', seen: false }); takeArrived()")
    assert page.value("[view.turn, $('title').textContent]") == before
    assert page.value("[order.length, order[current] === view.entry]") == [4, True]


def test_of_many_photos_only_those_in_view_have_a_picture(page):
    page.value("entries.push(...Array.from({ length: 2000 }, (_, i) => ({ ...entries[0], name: 'more ' + i })))")
    page.value("fill(true)")
    assert page.value("order.length") == 2004
    assert page.value("document.images.length") < 40
    page.press("End")
    assert page.value("document.querySelector('[aria-selected=true]').getAttribute('aria-posinset')") == "2004"
    assert page.value("document.images.length") < 60
