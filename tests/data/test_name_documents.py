"""JSON, YAML and XML that name classes, as tools and frameworks write them."""

import json

import pytest

from segcli.data.classes import Named
from segcli.data.name_documents import read_json, read_python, read_xml, read_yaml
from segcli.errors import DatasetError, UsageError

IDS = (Named("background", 0), Named("leaf", 1), Named("spot", 2))
PLAIN = (Named("background"), Named("leaf"), Named("spot"))
PAINTED = (Named("background", None, (0, 0, 0)), Named("leaf", None, (1, 2, 3)))


@pytest.fixture
def saved(tmp_path):
    def save(name, content):
        (tmp_path / name).write_text(content if isinstance(content, str) else json.dumps(content))
        return tmp_path / name

    return save


@pytest.mark.parametrize(
    ("content", "table"),
    [
        (["background", "leaf", "spot"], PLAIN),
        ({"0": "background", "2": "spot", "1": "leaf"}, IDS),
        ({"background": 0, "leaf": 1, "spot": 2}, IDS),
        ({"architectures": ["X"], "id2label": {"0": "background", "1": "leaf", "2": "spot"}, "label2id": {}}, IDS),
        ({"classes": ["_background_", "leaf"], "palette": [[0, 0, 0], [1, 2, 3]]}, PAINTED),
        ({"METAINFO": {"CLASSES": ["background", "leaf"], "PALETTE": [[0, 0, 0], [1, 2, 3]]}}, PAINTED),
        ({"background": [0, 0, 0], "leaf": [1, 2, 3]}, PAINTED),
        ({"background": "#000000", "leaf": "#010203"}, PAINTED),
        (
            [{"class_name": "leaf", "png_index": 1, "color": "#010203"}],
            (Named("background", 0), Named("leaf", 1, (1, 2, 3))),
        ),
        ({"labels": [{"name": "leaf", "id": 7}, {"name": "void", "id": 0}]}, (Named("void", 0), Named("leaf", 7))),
        # Tools that draw shapes: their ids are no values of masks, and nobody draws a background.
        (
            {"images": [], "annotations": [], "categories": [{"id": 3, "name": "leaf"}, {"id": 17, "name": "spot"}]},
            PLAIN,
        ),
        ({"classes": [{"title": "leaf", "shape": "bitmap", "color": "#010203"}], "tags": []}, None),
        ([{"name": "leaf", "color": "#010203", "attributes": []}], None),
        (
            {
                "name": "set",
                "dataset": {"task_attributes": {"categories": [{"id": 1, "name": "leaf", "color": [1, 2, 3]}]}},
            },
            None,
        ),
    ],
)
def test_json(saved, content, table):
    assert read_json(saved("a.json", content)) == (table or (Named("background"), Named("leaf", None, (1, 2, 3))))


def test_roboflows_class_that_is_called_like_the_set_is_none_of_coco_unless_a_shape_has_it(saved):
    above = {"id": 0, "name": "plants", "supercategory": "none"}
    leaf = {"id": 1, "name": "leaf", "supercategory": "plants"}
    content = {"categories": [above, leaf], "annotations": [{"category_id": 1, "segmentation": [[1, 2]]}]}
    assert [named.name for named in read_json(saved("a.json", content))] == ["background", "leaf"]
    assert [named.name for named in read_json(saved("a.json", content | {"annotations": []}))][1] == "plants"
    content["annotations"].append({"category_id": 0})
    assert [named.name for named in read_json(saved("a.json", content))] == ["background", "plants", "leaf"]


def test_yolos_names_have_a_background_only_where_there_are_masks(saved, tmp_path):
    text = "path: ../gone\nnc: 2\nnames: {1: spot, 0: leaf}\n"
    assert read_yaml(saved("data.yaml", text)) == PLAIN
    assert read_yaml(saved("data.yaml", "names: ['no', leaf]\nmasks_dir: masks\n")) == (
        Named("no", 0),
        Named("leaf", 1),
    )
    (tmp_path / "masks").mkdir()
    assert read_yaml(saved("data.yaml", text)) == (Named("leaf", 0), Named("spot", 1))


def test_a_label_mapping_says_what_stands_in_the_masks(saved):
    mapping = "label_mapping: {-1: ignore_label, 0: ignore_label, 24: 1, 7: 0, 8: 0}\n"
    text = f"names: {{0: road, 1: person, 2: sky}}\nmasks_dir: m\n{mapping}"
    named = (Named("road", 7), Named("road", 8), Named("person", 24), Named("sky"), Named("void", 0))
    assert read_yaml(saved("data.yaml", text)) == named
    with pytest.raises(UsageError, match="label_mapping is no table"):
        read_yaml(saved("data.yaml", "names: [a]\nlabel_mapping: {7: 5}\n"))


MMSEG = """
import torch
@DATASETS.register_module()
class Plants(BaseSegDataset):
    METAINFO = dict(classes=('background', 'leaf'), palette=[[0, 0, 0], [1, 2, 3]])
    def __init__(self, **kwargs):
        super().__init__(img_suffix='.jpg', **kwargs)
"""


@pytest.mark.parametrize(
    "text",
    [
        MMSEG,
        "CLASSES = ['background', 'leaf']\nPALETTE = ((0, 0, 0), (1, 2, 3))",
        "m = {'classes': ['bg'], 'palette': x}",
    ],
)
def test_mmsegmentations_datasets_are_read_and_never_run(saved, text):
    assert read_python(saved("plants.py", text)) in (PAINTED, (Named("bg"),))


@pytest.mark.parametrize(
    "text", ["classes =", "x = 1", "classes = names()", "(" * 5000, "classes = [1, 2]", "\0", f"classes = [{10**30}]"]
)
def test_other_python_is_refused(saved, text):
    with pytest.raises((UsageError, DatasetError)) as caught:
        read_python(saved("a.py", text))
    assert caught.value.hint


def test_other_yaml(saved):
    assert read_yaml(saved("a.yaml", "- background\n- leaf\n- spot\n")) == PLAIN
    assert read_yaml(saved("a.yaml", "0: background\n1: leaf\n2: spot\n")) == IDS


def test_cvats_labels_and_label_studios_config(saved):
    labels = "<labels><label><name>leaf</name><color>#010203</color></label><label><name>void</name></label></labels>"
    for task in ("task", "project", "job"):
        path = saved("annotations.xml", f"<annotations><meta><{task}>{labels}</{task}></meta></annotations>")
        assert read_xml(path) == (Named("background"), Named("leaf", None, (1, 2, 3)))
    drawn = '<BrushLabels name="t"><Label value="leaf"/><Label value="x" alias="spot"/></BrushLabels>'
    said = '<Image name="i"/><Choices><Choice value="good"/></Choices>'
    assert read_xml(saved("config.xml", f"<View>{said}{drawn}</View>")) == PLAIN


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "cannot be read"),
        ("[" * 100_000, "cannot be read"),
        ('{"names":' * 500 + "[]" + "}" * 500, "names no class"),
        ({}, ""),
        (3, "names no class"),
        ([1, 2], "does not only hold names"),
        ({"a": "b"}, "'a' stands for no class"),
        ({"a": -1}, "'a' stands for no class"),
        ({"1": {"size": 3}}, "has no name"),
        ({"0": "a", "99999999": "b"}, "is no value of masks"),
        ({"classes": ["a"], "palette": []}, ""),
        ({"classes": ["a"], "palette": [[1, 2, 3], [4, 5, 6]]}, "not a list of 1 colours"),
        ({"a": [1, 2]}, "is no colour"),
        ({"categories": [{"id": {}, "supercategory": [], "name": 3}], "annotations": [{"category_id": []}]}, "no name"),
        ({"a": [1, 2, 3e9]}, "is no colour"),
        ({"version": "5.5.0", "shapes": [], "imagePath": "x.jpg"}, "'version' stands for no class"),
    ],
)
def test_other_json_is_refused_in_one_line(saved, content, message):
    path = saved("a.json", content)
    if not message:
        assert read_json(path) in ((), (Named("a"),))
        return
    with pytest.raises((UsageError, DatasetError), match=message) as caught:
        read_json(path)
    assert "\n" not in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<annotation><object><name>leaf</name></object></annotation>", "names no class"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><annotations/>', "DOCTYPE"),
        ("<annotations>", "cannot be read"),
        ("<a><meta><labels><label><color>#zz</color></label></labels></meta></a>", "is no colour"),
    ],
)
def test_other_xml_is_refused(saved, text, message):
    with pytest.raises((UsageError, DatasetError), match=message):
        read_xml(saved("a.xml", text))
