import pickle

import numpy as np
import pytest
from mask_files import as_file, read_masks, scenes
from PIL import Image, PngImagePlugin

from segcli.data import names
from segcli.data.classes import Named
from segcli.data.pictures.decide import FORMS, decide
from segcli.data.pictures.survey import survey
from segcli.data.reading import Choice
from segcli.errors import DatasetError, InputError, UsageError
from segcli.images.masks import write_label_map
from segcli.labels import VOC, VOID, from_names

NAMES = ("background", "leaf", "spot")
LEAVES, PLANTS, MARKED = scenes(classes=2), scenes(), scenes(void=True)
WHITE = as_file(lambda ids: (ids * 255).astype(np.uint8))
PLAIN = as_file(lambda ids: ids)
FILES = {
    "ids": (PLAIN, MARKED, NAMES),
    "one-based": (as_file(lambda ids: ids + 1), PLANTS, NAMES),
    "binary": (WHITE, LEAVES, NAMES[:2]),
    "colours": (as_file(lambda ids: VOC.colours()[ids]), MARKED, NAMES),
    "objects": (as_file(lambda ids: ids.astype(np.uint16) * (np.arange(64, dtype=np.uint16) + 300)), LEAVES, NAMES[:2]),
    "trimap": (as_file(lambda ids: 2 - ids), LEAVES, NAMES[:2]),
    "spread": (as_file(lambda ids: np.uint8([0, 127, 255])[ids]), PLANTS, NAMES),
}


@pytest.mark.parametrize("form", FILES)
def test_each_form_can_be_asked_for_and_is_told_by_its_word(tmp_path, form):
    write, truths, classes = FILES[form]
    words = ("trimaps",)
    assert form in FORMS
    for as_ in ("", form):
        masks = read_masks(tmp_path, write, truths, classes, words=words, as_=as_)
        assert masks.are(truths)
        assert masks.pictures.reading.as_ == form


@pytest.mark.parametrize("form", FILES)
def test_a_decision_can_be_sent_to_another_process(tmp_path, form):
    write, truths, classes = FILES[form]
    masks = read_masks(tmp_path, write, truths, classes, words=("trimaps",))
    again = pickle.loads(pickle.dumps(masks.pictures))
    assert np.array_equal(again.read(masks.paths[0]), masks.pictures.read(masks.paths[0]))


def test_one_file_does_not_decide_for_itself(tmp_path):
    """The first mask alone is black and white; the others hold ids, so that its 255 is void."""
    truths = [np.where(LEAVES[0] == 1, VOID, 0).astype(np.uint8), *PLANTS]
    masks = read_masks(tmp_path, PLAIN, truths)
    assert masks.are(truths)
    assert masks.notes == ()


def test_one_mask_in_colours_among_many_with_ids_is_a_problem_of_its_own(tmp_path):
    masks = read_masks(tmp_path, PLAIN, PLANTS)
    Image.new("RGB", (64, 48), (1, 2, 3)).save(tmp_path / "colours.png")
    seen = survey([*masks.paths, tmp_path / "colours.png"])
    for as_ in ("", "ids"):
        pictures = decide(seen, names.parse(NAMES), (), Choice(as_=as_), frozenset())
        assert np.array_equal(pictures.read(masks.paths[0]), masks.pictures.read(masks.paths[0]))
        with pytest.raises(InputError, match="holds colours, not class ids"):
            pictures.read(tmp_path / "colours.png")


def test_colours_are_not_read_as_values(tmp_path):
    with pytest.raises(DatasetError, match="hold colours, which --as ids cannot read"):
        read_masks(tmp_path, FILES["colours"][0], MARKED, as_="ids")


@pytest.mark.parametrize(
    ("write", "held"),
    [(PLAIN, "values 0, 1, 2, 255"), (FILES["colours"][0], r"colours \(0, 0, 0\), \(224, 224, 192\)")],
)
def test_masks_that_nobody_named_are_refused_with_what_they_hold(tmp_path, write, held):
    with pytest.raises(UsageError, match=f"nothing names the classes of the masks, which hold the {held}"):
        read_masks(tmp_path, write, MARKED, None)


def test_a_file_of_colours_names_the_background_first(tmp_path):
    table = (Named("leaf", None, (51, 221, 255)), Named("background", None, (0, 0, 0)))
    write = as_file(lambda ids: np.uint8([(0, 0, 0), (51, 221, 255)])[ids])
    masks = read_masks(tmp_path, write, LEAVES, None, table)
    assert masks.pictures.labels.names == ("background", "leaf")
    assert masks.are(LEAVES)


class TestMasksOfSegcli:
    CLASSES = from_names(("spot", "leaf", "background"))

    def write(self, ids, path, _):
        path = path.with_suffix(".png")
        write_label_map(path, ids, self.CLASSES)
        return path

    def test_name_their_classes_themselves(self, tmp_path):
        masks = read_masks(tmp_path, self.write, MARKED, None)
        assert masks.are(MARKED)
        assert masks.pictures.labels == self.CLASSES

    def test_are_read_by_name(self, tmp_path):
        masks = read_masks(tmp_path, self.write, MARKED, NAMES)
        turned = np.append(np.uint8([2, 1, 0]), np.full(253, VOID, np.uint8))
        assert np.array_equal(masks.ids[0], turned[MARKED[0]])


def test_broken_masks_do_not_decide(tmp_path):
    paths = [PLAIN(ids, tmp_path / str(number), 0) for number, ids in enumerate(PLANTS)]
    paths[0].write_bytes(paths[0].read_bytes()[:-30])
    seen = survey(paths)
    assert seen.broken.keys() == {paths[0]}
    assert decide(seen, names.parse(NAMES), None, Choice(), frozenset()).reading.form == "class ids"


def test_no_mask_at_all_is_read_as_plain_ids():
    pictures = decide(survey([]), names.parse(NAMES), None, Choice(), frozenset())
    assert pictures.ids == {0: 0, 1: 1, 2: 2, VOID: VOID}


def test_predictions_are_counted(tmp_path):
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text("segcli:model", "v3")
    Image.fromarray(PLANTS[0]).save(tmp_path / "a.png", pnginfo=chunks)
    Image.fromarray(PLANTS[0]).save(tmp_path / "b.png")
    ticks = []
    seen = survey([tmp_path / "a.png", tmp_path / "b.png", tmp_path / "none.png"], lambda: ticks.append(1))
    assert seen.predictions == (tmp_path / "a.png",)
    assert len(ticks) == 3


def test_the_users_values_come_first(tmp_path):
    (tmp_path / "set.toml").write_text('names = ["a", "b"]\nids = {a = [0, 2], b = 1}\n')
    masks = read_masks(tmp_path, PLAIN, MARKED, str(tmp_path / "set.toml"), tuple(map(Named, ("x", "b", "a"))))
    assert masks.are([np.where(ids == 2, 0, ids) for ids in MARKED])
    assert masks.notes == ()
