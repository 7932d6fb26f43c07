import numpy as np
import pytest

from segcli.data.forms import cvat
from segcli.data.forms.shapes import draw
from segcli.errors import DatasetError
from segcli.labels import VOID, LabelSet

SIZE = (12, 16)
META = "<meta><task><labels><label><name>leaf</name></label><label><name>spot</name></label></labels></task></meta>"


def image(*shapes, name="a.jpg", height=SIZE[0], width=SIZE[1], more=""):
    return f'<image id="0" name="{name}" {more} width="{width}" height="{height}">{"".join(shapes)}</image>'


def box(x0, y0, x1, y1, label="leaf", source="manual", more=""):
    return f'<box label="{label}" source="{source}" xtl="{x0}" ytl="{y0}" xbr="{x1}" ybr="{y1}" {more}></box>'


def polygon(points, more="", label="leaf"):
    return f'<polygon label="{label}" source="manual" points="{points}" {more}></polygon>'


def mask(rle, left, top, width, height, label="leaf", source="manual"):
    place = f'left="{left}" top="{top}" width="{width}" height="{height}"'
    return f'<mask label="{label}" source="{source}" rle="{rle}" {place}></mask>'


@pytest.fixture
def load(tmp_path):
    """Loads files of these images, with the two labels of META."""

    def read(*images, meta=META):
        text = f"<annotations><version>1.1</version>{meta}{''.join(images)}</annotations>"
        (tmp_path / "annotations.xml").write_text(text, encoding="utf-8")
        return cvat.load([tmp_path / "annotations.xml"])

    return read


def drawn(annotations, place=0):
    numbers = {name: number for number, name in enumerate(annotations.names, 1)}
    record = annotations.records[place]
    return draw(record.shapes(record.size), record.size, numbers, annotations.order)


def filled(*boxes, size=SIZE):
    """Labels (H, W) of boxes of (number, x0, y0, x1, y1), the last on top."""
    canvas = np.zeros(size, int)
    for number, x0, y0, x1, y1 in boxes:
        canvas[y0:y1, x0:x1] = number
    return canvas


def test_polygons_boxes_and_what_encloses_nothing(load):
    shapes = [polygon("1,1;5,1;5,4.5;1,4.5"), box(8, 2, 10, 6, "spot"), '<polyline label="leaf" points="1,1;2,2"/>']
    annotations = load(
        image(*shapes, '<tag label="leaf"/>', '<points label="leaf" points="1,1"/>', name="x\\y/a b.jpg")
    )
    record = annotations.records[0]
    assert annotations.names == ("leaf", "spot")
    assert (record.photo, record.size, record.drawn, record.boxes) == ("x/y/a b.jpg", SIZE, 2, 1)
    assert record.skipped == {"line": 1, "tag": 1, "point": 1}
    assert record.corrected
    assert np.array_equal(drawn(annotations), filled((1, 1, 1, 5, 4), (2, 8, 2, 10, 6)))


def test_the_layer_decides_before_the_order_of_the_file(load):
    lower, upper = box(1, 1, 9, 9, more='z_order="-1"'), box(3, 3, 7, 7, "spot", more='z_order="2"')
    last = box(5, 5, 9, 9, more='z_order="2"')
    expected = filled((1, 1, 1, 9, 9), (2, 3, 3, 7, 7), (1, 5, 5, 9, 9))
    assert np.array_equal(drawn(load(image(upper, last, lower))), expected)


def test_boxes_and_ellipses_turn_around_their_centre(load):
    turned = box(2, 4, 10, 6, more='rotation="90.00"')  # 8 x 2 around (6, 5) becomes 2 x 8
    annotations = load(image(turned))
    assert annotations.records[0].boxes == 0
    assert np.array_equal(drawn(annotations), filled((1, 5, 1, 7, 9)))
    ellipse = '<ellipse label="leaf" cx="6" cy="5" rx="4" ry="2" rotation="90"/>'
    y, x = np.mgrid[: SIZE[0], : SIZE[1]] + 0.5
    assert np.array_equal(drawn(load(image(ellipse))), ((x - 6) / 2) ** 2 + ((y - 5) / 4) ** 2 < 1)


def test_masks_run_row_by_row_with_what_is_empty_first(load):
    expected = np.zeros(SIZE, int)
    expected[5, 4:6] = expected[6, 3] = 1
    assert np.array_equal(drawn(load(image(mask("1, 3, 2", 3, 5, 3, 2)))), expected)


def test_masks_of_cvats_own_encoder(load):
    """Made by `encode_mask` of cvat-sdk 2.80.0, which appends the box's corners."""
    counts = [8, 6, 2, 7, 1, 7, 1, 3, 1, 3, 1, 7, 1, 7, 2, 5, 2, 3, 0, 10, 7]
    bits = np.frombuffer(bytes.fromhex("00007e01fc07f01dc07f01fc03e00000"), np.uint8)
    expected = np.unpackbits(bits)[:126].reshape(9, 14)
    text = ", ".join(map(str, counts))
    assert np.array_equal(drawn(load(image(mask(text, 3, 0, 8, 8), height=9, width=14))), expected)


@pytest.mark.parametrize(
    ("sources", "corrected"),
    [
        ([], True),
        (["auto"], False),
        (["auto", "file"], False),
        (["auto", "semi-auto"], True),
        (["auto", "manual"], True),
        (["consensus"], True),
    ],
)
def test_images_that_nobody_has_touched_are_uncorrected(load, sources, corrected):
    other = image(box(1, 1, 2, 2), name="other.jpg")
    annotations = load(image(*(box(1, 1, 2, 2, source=source) for source in sources)), other)
    assert [record.corrected for record in annotations.records] == [corrected, True]


def test_imported_shapes_are_predictions_only_beside_others(load):
    """CVAT calls whatever is imported "file", so that a prediction that came and went is like others' labels."""
    imported = image(box(1, 1, 2, 2, source="file"))
    annotations = load(imported, image(box(1, 1, 2, 2), name="b.jpg"))
    assert [record.corrected for record in annotations.records] == [False, True]
    assert "1 photos have only shapes that were imported" in annotations.notes[0]
    annotations = load(imported)
    assert annotations.records[0].corrected
    assert "all shapes were imported into CVAT" in annotations.notes[0]


def test_labels_of_projects_and_jobs_without_those_that_have_no_pixels(load):
    leaf = "<label><name>leaf</name><type>any</type></label>"
    pose = "<label><name>pose</name><type>skeleton</type></label><label><name>1</name><parent>pose</parent></label>"
    kind = "<label><name>sunny</name><type>tag</type></label>"
    for root in ("project", "job"):
        meta = f"<meta><{root}><labels>{leaf}{pose}{kind}</labels></{root}></meta>"
        assert load(image(box(1, 1, 2, 2, "new")), meta=meta).names == ("leaf", "new")


def test_images_of_one_name_in_two_subsets_are_told_apart(load):
    shapes = box(1, 1, 2, 2)
    annotations = load(image(shapes, more='subset="train"'), image(shapes, more='subset="val"'), image(name="b.jpg"))
    assert [record.photo for record in annotations.records] == ["train/a.jpg", "val/a.jpg", "b.jpg"]
    with pytest.raises(DatasetError, match=r"lists 2 images called 'a\.jpg'"):
        load(image(shapes), image(shapes))


def test_several_files_are_joined_by_the_names_of_classes(tmp_path):
    files = []
    for name, labels in (("1.xml", ("leaf", "spot")), ("2.xml", ("spot", "leaf"))):
        meta = "".join(f"<label><name>{label}</name></label>" for label in labels)
        files.append(tmp_path / name)
        content = image(box(1, 1, 3, 3, "spot"), name=f"{name}.jpg") + image(box(4, 4, 5, 5), name="both.jpg")
        files[-1].write_text(f"<annotations><meta><task><labels>{meta}</labels></task></meta>{content}</annotations>")
    annotations = cvat.load(files)
    assert annotations.names == ("leaf", "spot")
    assert np.array_equal(drawn(annotations, 0), drawn(annotations, 2))
    assert annotations.notes == ("1 photos have shapes in several files, which are drawn together",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('<track id="0" label="leaf"/>' + image(), "was exported for video"),
        ("", "lists no image"),
        (image(name=""), "an image has no name"),
        (image(width=10**6, height=10**6), "a.jpg: it states a photo of 1000000 x 1000000"),
        (image(width="wide"), "<image> has the width 'wide'"),
        (image(width="1e400"), "<image> has the width '1e400'"),
        ("<image", "cannot be read"),
    ],
)
def test_files_that_are_no_export_of_images_are_refused(load, content, message):
    with pytest.raises(DatasetError, match=message):
        load(content)


def test_entities_are_refused(tmp_path):
    bomb = '<!DOCTYPE a [<!ENTITY b "b"><!ENTITY c "&b;&b;">]><annotations><image name="&c;"/></annotations>'
    (tmp_path / "annotations.xml").write_text(bomb)
    with pytest.raises(DatasetError, match="DOCTYPE"):
        cvat.load([tmp_path / "annotations.xml"])


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (polygon("1,1;2"), "not pairs of numbers"),
        (polygon("1,1;2,x"), "not pairs of numbers"),
        (polygon("1,1,1;2,2,2"), "not pairs of numbers"),
        (polygon("1,1;1e300,2;3,3"), "a point outside any photo"),
        (polygon("1,1;nan,2;3,3"), "a point outside any photo"),
        ('<polygon label="leaf"/>', "has no points"),
        ('<polygon points="1,1;2,2;3,1"/>', "has no label"),
        (polygon("1,1;2,2;3,1", 'z_order="high"'), "the z_order 'high'"),
        (polygon("1,1;2,2;3,1", f'z_order="{"9" * 5000}"'), "the z_order '9999"),
        (box(1, 1, "1e999", 2), "the xbr '1e999'"),
        ('<ellipse label="leaf" cx="6" cy="5" rx="inf" ry="2"/>', "the rx 'inf'"),
        (mask("1, 2", 0, 0, 2, 2), "have 3 pixels, not the 4"),
        (mask("1, x", 0, 0, 2, 2), "not whole numbers"),
        (mask("5, -1", 0, 0, 2, 2), "not the 4 of its box"),
        (mask("", 0, 0, 2, 2), "not whole numbers"),
        (mask(f"0, {10**12}", 0, 0, 10**6, 10**6), "a mask states 1000000 x 1000000 pixels"),
        (mask("1", 0, 0, 0.5, 2), "the width '0.5'"),
    ],
)
def test_broken_shapes_are_refused_when_they_are_drawn(load, shape, message):
    record = load(image(box(1, 1, 2, 2), shape)).records[0]
    with pytest.raises(DatasetError, match=message) as caught:
        record.shapes(SIZE)
    assert caught.value.message.startswith("a.jpg: ")


LABELS = LabelSet("x", ("background", 'leaf & "big" <b>', "spöt"), ((0, 0, 0), (60, 130, 50), (250, 20, 3)))


def maps():
    """Label maps with and without regions, specks and void."""
    chance = np.random.default_rng(3)
    yield np.zeros((4, 5), np.uint8)
    yield np.ones((4, 5), np.uint8)
    y, x = np.mgrid[:40, :50]
    yield ((np.sin(x / 5) + np.cos(y / 4) > 0.3) + (np.sin(x / 7) * np.cos(y / 3) > 0.5)).astype(np.uint8)
    for _ in range(20):
        yield chance.choice([0, 1, 2, VOID], chance.integers(1, 30, 2), p=[0.4, 0.3, 0.2, 0.1]).astype(np.uint8)


def test_what_is_written_is_read_back_as_uncorrected(tmp_path):
    path = tmp_path / "cvat.xml"
    written = {f"a b/'{number}' & <ü>.jpg": label_map for number, label_map in enumerate(maps())}
    images = [cvat.image(number, *entry, LABELS) for number, entry in enumerate(written.items())]
    path.write_text("".join(cvat.document(images, LABELS)), encoding="utf-8")
    annotations = cvat.load([path])
    assert annotations.names == LABELS.names[1:]
    assert [record.photo for record in annotations.records] == list(written)
    for place, (record, label_map) in enumerate(zip(annotations.records, written.values(), strict=True)):
        assert np.array_equal(drawn(annotations, place), np.where(label_map == VOID, 0, label_map))
        assert not record.corrected


def test_a_mask_is_written_for_each_region():
    """Datumaro 1.13.12 reads these very pixels from it, and from 2225 masks of 30 random label maps."""
    label_map = np.array([[0, 1, 1, 0], [1, 0, 1, 2], [1, 1, 0, 2]], np.uint8)
    head, *masks, tail = cvat.image(7, "a.png", label_map, LABELS).splitlines()
    assert (head, tail) == ('<image id="7" name="a.png" width="4" height="3">', "</image>")
    leaf, spot = "'leaf &amp; \"big\" &lt;b&gt;'", '"spöt"'
    places = [
        (leaf, 'rle="0, 2, 1, 1" left="1" top="0" width="2" height="2"'),
        (leaf, 'rle="0, 1, 1, 2" left="0" top="1" width="2" height="2"'),
        (spot, 'rle="0, 2" left="3" top="1" width="1" height="2"'),
    ]
    expected = [f'<mask label={name} source="auto" occluded="0" {place} z_order="0"></mask>' for name, place in places]
    assert masks == expected


def test_names_that_xml_cannot_hold_do_not_spoil_the_file(tmp_path):
    element = cvat.image(0, "a\x01\udcff.jpg", np.ones((1, 1), np.uint8), LABELS)
    (tmp_path / "cvat.xml").write_text("".join(cvat.document([element], LABELS)), encoding="utf-8")
    assert cvat.load([tmp_path / "cvat.xml"]).records[0].photo == "a\ufffd\ufffd.jpg"
