import numpy as np
import pytest
from PIL import Image

from segcli.images.distinct import distinct
from segcli.images.overlay import film_overlay, overlay, write_overlay
from segcli.images.overlay_style import OverlayStyle
from segcli.labels import ADE20K, CAMVID, CITYSCAPES, VOC, LabelSet

PLACES = ("corner", "below", "off")
PERSON, CAR = VOC.names.index("person"), VOC.names.index("car")


def photo(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(60, 200, (height, width, 3), np.uint8)


def drawn(rgb: np.ndarray, label_map: np.ndarray, labels: LabelSet = VOC, **options) -> np.ndarray:
    return np.asarray(overlay(rgb, label_map, labels, OverlayStyle(**options))).astype(int)


def legend_box(before: np.ndarray, after: np.ndarray) -> tuple[int, int, int, int] | None:
    """Left, top, right, bottom of what differs between two pictures."""
    return Image.fromarray(np.abs(before.astype(int) - after).max(2).astype(np.uint8)).getbbox()


class TestTint:
    @pytest.mark.parametrize("opacity", [0.0, 0.3, 1.0])
    def test_mixes_class_colour_and_photo(self, opacity):
        rgb = photo(30, 30)
        label_map = np.full((30, 30), PERSON, np.uint8)
        expected = (1 - opacity) * rgb + opacity * np.array(VOC.palette[PERSON])
        assert np.abs(drawn(rgb, label_map, opacity=opacity) - expected).max() <= 1

    @pytest.mark.parametrize("plain", [0, 255], ids=["background", "void"])
    def test_leaves_background_and_void_alone(self, plain):
        rgb = photo(40, 40)
        label_map = np.full((40, 40), plain, np.uint8)
        label_map[10:20, 10:20] = CAR
        result = drawn(rgb, label_map)
        assert np.array_equal(result[label_map == plain], rgb[label_map == plain])
        assert not np.any(np.all(result[label_map == CAR] == rgb[label_map == CAR], axis=1))

    def test_tints_class_0_where_it_is_no_background(self):
        rgb = photo(30, 30)
        assert np.abs(drawn(rgb, np.zeros((30, 30), np.uint8), CITYSCAPES) - rgb).max() > 10

    def test_borders_are_brighter_than_the_class_colour_and_a_pixel_wide_on_each_side(self):
        label_map = np.full((30, 40), PERSON, np.uint8)
        label_map[:, 20:] = CAR
        rgb = photo(30, 40)
        difference = drawn(rgb, label_map) - drawn(rgb, label_map, opacity=0.0)
        plain = drawn(rgb, label_map, opacity=0.0)
        for column, label in ((19, PERSON), (20, CAR)):
            colour = np.array(VOC.palette[label])
            assert np.all(plain[:, column] == 255 - (255 - colour) // 3)
        assert np.array_equal(plain[:, :19], rgb[:, :19])
        assert np.array_equal(plain[:, 21:], rgb[:, 21:])
        assert not difference[:, 19:21].any()

    def test_of_16_bit_label_maps_is_the_same(self):
        rgb, label_map = photo(60, 80), np.random.default_rng(1).integers(0, 21, (60, 80), np.uint8)
        assert np.array_equal(drawn(rgb, label_map), drawn(rgb, label_map.astype(np.uint16)))

    def test_leaves_the_arguments_alone(self):
        rgb, label_map = photo(200, 300), np.full((200, 300), CAR, np.uint8)
        before = rgb.copy(), label_map.copy()
        overlay(rgb, label_map, VOC)
        assert np.array_equal(rgb, before[0])
        assert np.array_equal(label_map, before[1])


class TestSize:
    @pytest.mark.parametrize(
        ("shape", "expected"),
        [((600, 1000), (200, 120)), ((1000, 333), (67, 200)), ((150, 200), (200, 150)), ((2, 5000), (200, 1))],
    )
    def test_is_limited_and_never_enlarged(self, shape, expected):
        assert overlay(photo(*shape), np.zeros(shape, np.uint8), VOC, OverlayStyle(size=200)).size == expected

    def test_labels_stay_on_their_pixels_when_shrunk(self):
        label_map = np.zeros((800, 800), np.uint8)
        label_map[400:, 400:] = CAR
        rgb = np.where(label_map[..., None] == CAR, np.uint8(0), np.uint8(255)).repeat(3, 2)
        result = drawn(rgb, label_map, size=100)
        assert np.all(result[:49, :49] == 255)
        assert np.all(result[52:98, 52:98] == np.array(VOC.palette[CAR]) // 2)

    def test_labels_are_taken_from_the_middle_of_each_new_pixel(self):
        label_map = np.zeros((800, 800), np.uint8)
        label_map[4::8] = PERSON
        label_map[4::8, 4::8] = CAR
        result = drawn(np.zeros((800, 800, 3), np.uint8), label_map, opacity=1.0, size=100)
        assert np.all(result[:40, :40] == VOC.palette[CAR])


class TestLegend:
    def test_lists_the_classes_present_by_area(self):
        label_map = np.zeros((480, 640), np.uint8)
        label_map[:60] = VOC.names.index("sofa")
        label_map[60:200] = CAR
        label_map[200:210] = PERSON
        rgb = np.full((480, 640, 3), 128, np.uint8)
        left, top, right, bottom = legend_box(rgb[230:], drawn(rgb, label_map)[230:])
        panel = drawn(rgb, label_map)[230 + top : 230 + bottom, left:right]
        places = {}
        for name in ("car", "sofa", "person"):
            found = np.all(panel == VOC.palette[VOC.names.index(name)], axis=2)
            assert found.sum() > 40
            places[name] = np.argwhere(found)[:, 0].mean()
        assert places["car"] < places["sofa"] < places["person"]

    def test_names_and_shares_are_drawn(self):
        # Equal but for the name, or the share, two legends differ; equal in both they do not.
        label_map = np.zeros((480, 640), np.uint8)
        label_map[:100, :100] = 1
        more = label_map.copy()
        more[100:200, :100] = 1
        rgb = photo(480, 640)

        def panel(labels: tuple[str, str], ids: np.ndarray) -> np.ndarray:
            return drawn(rgb, ids, LabelSet("x", labels, ((0, 0, 0), (255, 0, 0))))[300:]

        cat = panel(("background", "cat"), label_map)
        assert np.array_equal(cat, panel(("background", "cat"), label_map))
        assert not np.array_equal(cat, panel(("background", "dog"), label_map))
        assert not np.array_equal(cat, panel(("background", "cat"), more))

    @pytest.mark.parametrize("free", ["bottom left", "bottom right", "top left", "top right"])
    def test_stands_where_it_hides_least(self, free):
        label_map = np.full((300, 400), CAR, np.uint8)
        rows = slice(150, None) if "bottom" in free else slice(150)
        columns = slice(200) if "left" in free else slice(200, None)
        label_map[rows, columns] = 0
        rgb = photo(300, 400)
        assert legend_box(rgb[rows, columns], drawn(rgb, label_map)[rows, columns])

    def test_of_a_crowded_picture_stands_where_few_borders_are(self):
        label_map = np.random.default_rng(0).integers(0, 11, (360, 480)).astype(np.uint8)
        label_map[:260, 240:] = 3
        rgb = np.full((360, 480, 3), 128, np.uint8)
        result = drawn(rgb, label_map, CAMVID)
        assert legend_box(np.broadcast_to(result[8, 400], (250, 200, 3)), result[5:255, 270:470])

    @pytest.mark.parametrize("labels", [VOC, CITYSCAPES, ADE20K], ids=lambda labels: labels.name)
    @pytest.mark.parametrize("shape", [(33, 33), (100, 100), (240, 320), (375, 500), (200, 1200), (1500, 300)])
    def test_covers_at_most_a_fifth(self, labels, shape):
        # One id a row: the photo below stays visible in each, so that what the panel darkens can be measured.
        ids = np.arange(len(labels), dtype=np.uint8)
        label_map = ids[np.arange(shape[0]) * len(ids) // shape[0]][:, None].repeat(shape[1], 1)
        rgb = np.full((*shape, 3), 255, np.uint8)
        named = drawn(rgb, label_map, labels, opacity=0.0)
        empty = named[:, shape[1] // 2 : shape[1] // 2 + 1].repeat(shape[1], 1)  # no panel reaches the middle
        box = legend_box(empty, named)
        if shape == (33, 33):
            assert box is None
        elif box is not None:
            assert (box[2] - box[0]) * (box[3] - box[1]) <= 0.21 * shape[0] * shape[1]

    def test_is_there_on_a_photo_of_common_size(self):
        rgb = photo(375, 500)
        label_map = np.zeros((375, 500), np.uint8)
        label_map[:100, :100] = CAR
        assert legend_box(rgb[200:], drawn(rgb, label_map)[200:])

    def test_of_nothing_but_background_says_so(self):
        rgb = photo(375, 500)
        assert legend_box(rgb, drawn(rgb, np.zeros((375, 500), np.uint8)))
        assert legend_box(rgb, drawn(rgb, np.full((375, 500), 255, np.uint8))) is None

    @pytest.mark.parametrize("name", ["two\nlines", "x" * 500, "", "道路 🐈", "\x00\x1b[31m", "\udce9"])
    def test_survives_odd_names(self, name):
        odd = LabelSet("odd", ("background", name), ((0, 0, 0), (9, 9, 9)))
        rgb = photo(375, 500)
        label_map = np.zeros((375, 500), np.uint8)
        label_map[:50] = 1
        assert legend_box(rgb[200:], drawn(rgb, label_map, odd)[200:])


class TestStyle:
    def test_outlines_alone_leave_all_else_alone(self):
        rgb, label_map = photo(60, 80), np.zeros((60, 80), np.uint8)
        label_map[20:40, 20:60] = PERSON
        result = drawn(rgb, label_map, outline_only=True, legend="off")
        inside = np.zeros((60, 80), bool)
        inside[21:39, 21:59] = True
        assert np.array_equal(result[inside | (label_map == 0)], rgb[inside | (label_map == 0)])
        edge = 255 - (255 - np.array(VOC.palette[PERSON])) * 2 // 3
        assert np.all(result[20, 20:60] == edge)

    def test_no_legend_and_a_legend_below_hide_nothing(self):
        rgb, label_map = photo(300, 400), np.full((300, 400), CAR, np.uint8)
        off, below = (drawn(rgb, label_map, opacity=0.0, legend=where) for where in ("off", "below"))
        assert np.array_equal(off, rgb)
        assert np.array_equal(below[:300], rgb)
        assert below.shape[0] > 300

    def test_the_legend_of_a_film_stays_on_it(self):
        rgb, label_map = photo(300, 400), np.full((300, 400), CAR, np.uint8)
        sizes = {where: film_overlay(rgb, label_map, VOC, [CAR], OverlayStyle(legend=where)).size for where in PLACES}
        assert set(sizes.values()) == {(400, 300)}

    def test_distinct_colours_are_those_of_the_legend_too(self):
        rgb, label_map = photo(300, 400), np.zeros((300, 400), np.uint8)
        label_map[:, 200:] = CAR
        result = drawn(rgb, label_map, opacity=1.0, palette="distinct")
        colour = distinct(VOC).palette[CAR]
        assert np.all(result[50, 300] == colour)
        assert np.all(result[:, :195] == colour, axis=2).sum() > 40


def test_overlays_are_written_as_jpeg_close_to_what_was_drawn(tmp_path):
    rgb = np.asarray(Image.fromarray(photo(6, 8)).resize((640, 480), Image.Resampling.BICUBIC))
    picture = overlay(rgb, np.full((480, 640), CAR, np.uint8), VOC)
    write_overlay(tmp_path / "new" / "x.jpg", picture)
    read = Image.open(tmp_path / "new" / "x.jpg")
    assert (read.format, read.size, read.mode) == ("JPEG", (640, 480), "RGB")
    assert np.abs(np.asarray(read).astype(int) - np.asarray(picture)).mean() < 2
