"""The gallery of a validation: photo, truth and prediction, the worst first; safe and alone in its file."""

import base64
import re
from html.parser import HTMLParser
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from small_runs import smooth

from segcli.labels import VOID, from_names
from segcli.training.output.gallery import Entry, write

EVIL = "</h2><script>alert(1)</script><img src=x onerror=alert(2)>\n\"'&amp;"
LABELS = from_names(["soil", "leaf", EVIL])


def entry(name, rank, width=50, height=80):
    truth = np.zeros((height, width), np.uint8)
    truth[: height // 2] = 1
    truth[:, : width // 5] = VOID
    predicted = np.where(truth == VOID, 2, truth).astype(np.uint8)
    predicted[: height // 4] = 0
    return Entry.of(name, rank, smooth(rank, width, height), truth, predicted, LABELS)


class Page(HTMLParser):
    """The elements of a page: tags with their attributes, and texts."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.texts = [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.texts.append(data)

    def pictures(self):
        addresses = [found["src"].partition(",") for tag, found in self.tags if tag == "img"]
        return [Image.open(BytesIO(base64.b64decode(data))) for _, _, data in addresses]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    path = tmp_path_factory.mktemp("gallery") / "validation.html"
    entries = [entry("void everywhere", 0), entry(EVIL, 3), entry("photos/a", 1, 800, 480)]
    write(path, f"Validation of {EVIL}", entries, 7, LABELS)
    return path.read_text(encoding="utf-8")


def test_the_worst_photo_comes_first_and_one_without_a_rank_last(page):
    shown = [text for text in Page(page).texts if "number" in text or "no labelled" in text]
    assert [re.sub(r"[^\d]+", " ", text).split() for text in shown] == [["1", "7"], ["3", "7"], []]
    assert "3 of 7 photos, the lowest IOU first" in page


def test_truth_and_prediction_have_the_photos_size_and_void_is_striped_grey(page):
    pictures = Page(page).pictures()
    assert [picture.size for picture in pictures] == [(640, 384)] * 3 + [(50, 80)] * 6
    photo, truth, predicted = (np.asarray(picture.convert("RGB")).astype(int) for picture in pictures[3:6])
    assert abs(photo - smooth(3, 50, 80)).mean() < 4
    void = truth[:, :10]
    assert {tuple(colour) for colour in void.reshape(-1, 3)} == {(120,) * 3, (165,) * 3}
    assert (truth[60, 30] == LABELS.palette[0]).all()
    assert (truth[30, 30] == LABELS.palette[1]).all()
    assert (predicted[10, 30] == LABELS.palette[0]).all()
    assert (predicted[60, 5] == LABELS.palette[2]).all()


def test_each_photo_has_its_own_ious(page):
    """Of 80 labelled rows 40 are leaf, of which 20 are found; all 40 of soil are, and the other 20 besides."""
    texts = " ".join(Page(page).texts)
    assert "IOU 58.3" in " ".join(texts.split())  # (1/2 + 2/3) / 2
    assert texts.count("66.7") == texts.count("50.0") == 3


def test_names_cannot_break_out_of_their_place_and_nothing_is_fetched(page):
    tags = Page(page).tags
    assert {tag for tag, _ in tags} <= set(
        "html head meta title style body h1 h2 p b i section div figure img".split()
    ) | {*("figcaption", "ul", "li")}
    assert all(found["src"].startswith("data:image/") for tag, found in tags if tag == "img")
    assert not any(name.startswith("on") for _, found in tags for name in found)
    assert "default-src 'none'; img-src data:" in page
    assert not re.search(r"https?://|<link|@import|url\(|<script", page)
    assert page.count("&lt;script&gt;") == 1 + 1 + 4  # title, heading, a photo's heading and its three pictures
