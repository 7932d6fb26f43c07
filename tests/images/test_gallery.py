import base64
import hashlib
import json
import re
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from small_runs import smooth

from segcli.images.gallery import Entry, Part, merge, write_entry
from segcli.labels import CITYSCAPES, VOC, from_names


def entries(page: str) -> list[dict]:
    """The facts of each photo, with its pictures."""
    facts, pictures = (
        [
            json.loads(text)
            for text in re.findall(f'<script type="application/json" class="{kind}">(.*?)</script>', page)
        ]
        for kind in ("entry", "pictures")
    )
    return [one | other for one, other in zip(facts, pictures, strict=True)]


def picture(address: str) -> Image.Image:
    return Image.open(BytesIO(base64.b64decode(address.partition(",")[2])))


def label_map(height: int, width: int) -> np.ndarray:
    result = np.zeros((height, width), np.uint8)
    result[: height // 2] = 15
    result[:, : width // 4] = 255
    return result


@pytest.fixture
def page(tmp_path):
    for index, (width, height) in enumerate([(1600, 900), (50, 80)]):
        entry = Entry(f"photo {index}", smooth(index, width, height), label_map(height, width), {"person": 7}, 0.25)
        write_entry(tmp_path / f"{index}.json", entry, VOC)
    merge(tmp_path / "gallery.html", [tmp_path / "0.json", tmp_path / "1.json"], VOC)
    return (tmp_path / "gallery.html").read_text(encoding="utf-8")


def test_it_holds_the_photos_and_their_classes(page):
    first, second = entries(page)
    assert (first["name"], first["width"], first["areas"], first["uncertainty"]) == (
        "photo 0",
        1600,
        {"person": 7},
        0.25,
    )
    assert picture(first["photo"]).size == picture(first["classes"]).size == (640, 360)
    classes = np.asarray(picture(second["classes"]))
    expected = np.zeros((80, 50, 4), np.uint8)
    expected[:40] = (192, 128, 128, 255)  # person; background and void are transparent
    expected[:, :12] = 0
    drawn = classes[..., 3:] > 0
    assert np.array_equal(classes * drawn, expected)
    assert np.abs(np.asarray(picture(second["photo"])).astype(int) - smooth(1, 50, 80)).mean() < 4


def test_it_asks_for_nothing_else(page):
    """One file, no server: no address but data, and the browser is told to refuse any."""
    assert not re.search(r"https?://|src=[\"'](?!data:)|<link|@import|url\(|fetch\(", page)
    (policy,) = re.findall(r'Content-Security-Policy" content="(.*?)"', page)
    kept = dict(rule.split(maxsplit=1) for rule in policy.split("; "))
    assert (kept.pop("img-src"), kept.pop("script-src"), kept.pop("style-src")) == (
        "data:",
        *(f"'sha256-{digest(page, tag)}'" for tag in ("script", "style")),
    )
    assert set(kept.values()) == {"'none'"}


def digest(page: str, tag: str) -> str:
    """The hash of the only script that runs, or of the styles."""
    (text,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def test_names_cannot_break_out_of_their_place(tmp_path):
    name = "</script><script>alert(1)</script>&amp;<!--"
    labels = from_names([name, "cat"])
    entry = Entry(name, smooth(0, 40, 40), np.zeros((40, 40), np.uint8), {name: 1600}, 0.5)
    write_entry(tmp_path / "a.json", entry, labels)
    merge(tmp_path / "gallery.html", [tmp_path / "a.json"], labels)
    page = (tmp_path / "gallery.html").read_text(encoding="utf-8")
    assert "alert(1)</script>" not in page
    assert page.count("<script") == page.count("</script>") == 4  # the classes, the photo's two, and what runs
    assert entries(page)[0]["name"] == name


def test_it_says_what_is_known_of_a_photo_and_shows_names_on_one_line(tmp_path):
    name = "two\nlines \u202e"
    write_entry(tmp_path / "a.json", Entry(name, smooth(0, 40, 40), np.zeros((40, 40), np.uint8), {}, 0.5), VOC)
    outputs = {kind: {"path": place} for kind, place in {"mask": "m/a.tif", "overlay": "o/a.jpg", "probs": "p"}.items()}
    parts = [Part.of_outputs(tmp_path / "a.json", "photos/two\nlines.jpg", outputs, 9), tmp_path / "a.json"]
    merge(tmp_path / "gallery.html", parts, VOC)
    known, plain = entries((tmp_path / "gallery.html").read_text(encoding="utf-8"))
    assert (known["name"], known["title"]) == (name, r"two\nlines \u202e")
    assert (known["input"], known["no_data"]) == ("photos/two\nlines.jpg", 9)
    assert known["files"] == {"overlay": "o/a.jpg"}  # no browser shows the mask of a picture that was done in parts
    assert not {"input", "files", "no_data"} & plain.keys()


def test_more_than_256_classes_and_no_background(tmp_path):
    entry = Entry("a", smooth(0, 40, 40), np.full((40, 40), 300, np.uint16), {}, 0.5)
    write_entry(tmp_path / "a.json", entry, CITYSCAPES)  # an id that is no class is drawn as none
    assert not np.asarray(picture(json.loads((tmp_path / "a.json").read_text())["classes"])).any()
