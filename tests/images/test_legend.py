import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from segcli.images import legend
from segcli.images.legend import Row


def rows(*percents: float) -> list[Row]:
    return [Row(f"class {index}", (9 * index, 200, 30), percent) for index, percent in enumerate(percents)]


def texts(found: list[Row]) -> list[tuple[str, str]]:
    return [(row.text, row.share) for row in found]


class TestMerged:
    def test_small_classes_share_a_line(self):
        found = legend.merged(rows(60, 30, 0.9, 0.5, 0.2))
        assert texts(found) == [("class 0", "60 %"), ("class 1", "30 %"), ("3 more", "2 %")]

    @pytest.mark.parametrize("percents", [(99.5, 0.5), (0.7, 0.2, 0.1), ()], ids=["one small", "all small", "none"])
    def test_a_single_small_class_and_small_ones_alone_keep_their_names(self, percents):
        assert legend.merged(rows(*percents)) == rows(*percents)

    def test_what_does_not_fit_counts_the_merged_ones(self, monkeypatch):
        monkeypatch.setattr(legend, "_MOST_ROWS", 2)
        kept = []
        monkeypatch.setattr(legend, "_panel", lambda rows, size: kept.extend(rows) or Image.new("RGBA", (9, 9)))
        legend.add(
            Image.new("RGB", (800, 600)), legend.merged(rows(50, 30, 10, 0.5, 0.5)), lambda panel, margin: (0, 0)
        )
        assert texts(kept) == [("class 0", "50 %"), ("class 1", "30 %"), ("3 more", "11 %")]


class TestBelow:
    def test_leaves_the_photo_whole_and_lists_every_class(self):
        photo = Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 640, 3), np.uint8))
        drawn = np.asarray(legend.below(photo, rows(40, 30, 20, 10)))
        assert np.array_equal(drawn[:300], np.asarray(photo))
        for row in rows(40, 30, 20, 10):
            assert np.all(drawn[300:] == row.colour, axis=2).sum() > 30

    def test_more_classes_take_more_lines(self):
        photo = Image.new("RGB", (300, 200))
        heights = [legend.below(photo, rows(*[3.0] * count)).height for count in (1, 2, 30)]
        assert 200 < heights[0] <= heights[1] < heights[2]

    def test_is_left_out_where_it_could_not_be_read(self):
        photo = Image.new("RGB", (40, 900))
        assert legend.below(photo, rows(100)) is photo
        assert legend.below(photo, []) is photo


@pytest.mark.parametrize("anchor", ["lm", "rm"])
@pytest.mark.parametrize("text", ["aeroplane", "< 1 %", "jÀg|", "", "x" * 60, "道路 \u0301"])
def test_is_written_as_pillow_writes_it(text, anchor):
    for size in (11, 17, 40):
        for x, y in ((30.0, 25.0), (30.3, 25.8), (3.5, 2.1), (117.9, 40.45)):
            ours, theirs = (Image.new("RGBA", (120, 50), (16, 18, 22, 190)) for _ in range(2))
            legend._write(ImageDraw.Draw(ours), (x, y), text, size, anchor, 200)
            ink = (255, 255, 255, 200)
            ImageDraw.Draw(theirs).text((x, y), text, ink, ImageFont.load_default(size), anchor)
            assert np.array_equal(np.asarray(ours), np.asarray(theirs)), (size, x, y)
