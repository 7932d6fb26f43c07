import base64
import json
import re
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from small_runs import smooth

from segcli.images.gallery import Entry, merge, write_entry
from segcli.labels import CITYSCAPES, VOC, from_names


def entries(page: str) -> list[dict]:
    return [
        json.loads(text) for text in re.findall(r'<script type="application/json" class="entry">(.*?)</script>', page)
    ]


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
    assert not re.search(r"https?://|src=[\"'](?!data:)|<link|@import|url\(", page)
    assert "default-src 'none'" in page


def test_names_cannot_break_out_of_their_place(tmp_path):
    name = "</script><script>alert(1)</script>&amp;<!--"
    labels = from_names([name, "cat"])
    entry = Entry(name, smooth(0, 40, 40), np.zeros((40, 40), np.uint8), {name: 1600}, 0.5)
    write_entry(tmp_path / "a.json", entry, labels)
    merge(tmp_path / "gallery.html", [tmp_path / "a.json"], labels)
    page = (tmp_path / "gallery.html").read_text(encoding="utf-8")
    assert "alert(1)</script>" not in page
    assert page.count("<script") == page.count("</script>") == 2
    assert entries(page)[0]["name"] == name


def test_more_than_256_classes_and_no_background(tmp_path):
    entry = Entry("a", smooth(0, 40, 40), np.full((40, 40), 300, np.uint16), {}, 0.5)
    write_entry(tmp_path / "a.json", entry, CITYSCAPES)  # an id that is no class is drawn as none
    assert not np.asarray(picture(json.loads((tmp_path / "a.json").read_text())["classes"])).any()
