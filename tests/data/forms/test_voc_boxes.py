import numpy as np
import pytest

from segcli.data.forms import voc_boxes
from segcli.data.forms.shapes import draw
from segcli.errors import DatasetError

BOX = "<object><name>leaf</name><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>9</xmax><ymax>8</ymax></bndbox>{}</object>"
SIZED = "<size><width>30</width><height>20</height><depth>3</depth></size><segmented>0</segmented>"


@pytest.fixture
def load(tmp_path):
    """Loads files of these contents of an `annotation`."""

    def read(*contents):
        files = []
        for index, content in enumerate(contents):
            files.append(tmp_path / f"{index}.xml")
            files[-1].write_text(f"<annotation><filename>x.jpg</filename>{content}</annotation>")
        return voc_boxes.load(files)

    return read


def test_boxes_are_counted_and_never_drawn(load):
    annotations = load(SIZED + BOX.format("") * 2)
    (record,) = annotations.records
    assert (record.photo, record.size, record.drawn, record.boxes) == ("0", (20, 30), 0, 0)
    assert record.skipped == {"box": 2}
    assert list(record.shapes((20, 30))) == []
    assert annotations.names == ()


def test_outlines_of_the_older_labelme_are_drawn(load):
    points = "".join(f"<pt><x> {x} </x><y>{y}</y></pt>" for x, y in ((1, 2), (9, 2), (9, 8), (1, 8)))
    head = "<object><name>\nleaf\n</name><deleted>{}</deleted><type>{}</type>"
    shape = f"{head}<polygon><username>me</username>{points}</polygon></object>"
    size = "<imagesize><nrows>20</nrows><ncols>30</ncols></imagesize>"
    annotations = load(size + shape.format(0, "") + shape.format(1, "") + shape.format(0, "bounding_box"))
    (record,) = annotations.records
    assert annotations.names == ("leaf",)
    assert (record.size, record.drawn, record.boxes, record.skipped) == ((20, 30), 2, 1, {})
    expected = np.zeros((20, 30), int)
    expected[2:8, 1:9] = 1
    assert np.array_equal(draw(record.shapes((20, 30)), (20, 30), {"leaf": 1}), expected)


def test_numbered_corners_beside_a_box_are_an_outline(load):
    corners = "".join(
        f"<x{i}>{x}</x{i}><y{i}>{y}</y{i}>" for i, (x, y) in enumerate([(1, 2), (9, 2), (9, 8), (1, 8)] * 3, 1)
    )
    (record,) = load(BOX.format(f"<polygon>{corners}</polygon>")).records
    assert record.drawn == 1
    assert record.skipped == {}
    assert record.shapes((20, 30))[0].rings[0][:4].tolist() == [[1, 2], [9, 2], [9, 8], [1, 8]]


def test_a_stated_size_of_0_is_none(load):
    assert load("<size><width>0</width><height>0</height></size>").records[0].size is None


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("<object>", "cannot be read: mismatched tag"),
        ("<size><width>1e9</width><height>7</height></size>", "not a coordinate or a size"),
        ("<size><width>999999</width><height>999999</height></size>", "states a photo of"),
        ("<object><polygon><pt><x>nan</x><y>1</y></pt></polygon></object>", "'nan' is not a coordinate"),
        ("<object><polygon><pt><x>1</x></pt></polygon></object>", "'' is not a coordinate"),
        ("<object><polygon><x1>1</x1><x2>1</x2><y1>1</y1></polygon></object>", "as many x as y"),
    ],
)
def test_a_broken_file_says_why_and_hides_no_other(load, content, told):
    broken, good = load(content, BOX.format("")).records
    assert good.skipped == {"box": 1}
    with pytest.raises(DatasetError, match=told) as caught:
        broken.shapes((20, 30))
    assert "0.xml" in caught.value.message


def test_boxes_are_drawn_where_that_is_wished(tmp_path):
    """Pixels of VOC's boxes count from 1, the last included."""
    (tmp_path / "0.xml").write_text(f"<annotation>{BOX.format('')}</annotation>")
    (record,) = voc_boxes.load([tmp_path / "0.xml"], fill_boxes=True).records
    (shape,) = record.shapes((20, 30))
    assert (record.drawn, record.boxes, record.skipped) == (1, 1, {})
    assert shape.rings[0].tolist() == [[0, 1], [9, 1], [9, 8], [0, 8]]
