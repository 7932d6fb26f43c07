"""What is refused or warned of before a training is planned."""

from types import SimpleNamespace

import numpy as np
import pytest
from heard import Heard
from PIL import Image

from segcli.data.folder import open_folder
from segcli.data.names import parse
from segcli.errors import DatasetError
from segcli.labels import VOID
from segcli.training.planning import doubtful, fingerprint
from segcli.training.planning.rules import Facts


def looked(folder, labels, allow_missing=False, names="field,blob"):
    """What was heard of photos with these labels."""
    for kind in ("photos", "labels"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    for index, label in enumerate(labels):
        Image.new("RGB", label.shape[::-1]).save(folder / "photos" / f"{index}.png")
        Image.fromarray(label).save(folder / "labels" / f"{index}.png")
    data = open_folder(folder / "photos", folder / "labels", parse(names))
    heard = Heard()
    doubtful.look(data, fingerprint.of(data), allow_missing, heard)
    return heard.warnings


def blobs(count):
    found = np.zeros((count, 20, 30), np.uint8)
    for index, label in enumerate(found):
        label[5 : 10 + index % 5, 3 : 12 + index] = 1
    return list(found)


def test_photos_without_a_label_stop_it_or_are_left_out(tmp_path):
    looked(tmp_path, blobs(5))
    for index in (1, 2):
        (tmp_path / "labels" / f"{index}.png").unlink()
    data, heard = open_folder(tmp_path / "photos", tmp_path / "labels", parse("field,blob")), Heard()
    with pytest.raises(DatasetError, match=r"2 of 5 photos have no label, such as .*1\.png") as caught:
        doubtful.labelled(data, False, heard)
    assert "--skip-bad" in caught.value.hint
    assert [sample.name for sample in doubtful.labelled(data, True, heard).samples] == ["0", "3", "4"]
    assert heard.warnings == ["2 of 5 photos have no label and are left out"]


def test_sound_labels_pass_without_a_word(tmp_path):
    assert looked(tmp_path, blobs(5)) == []


def test_labels_that_are_one_and_the_same_are_refused(tmp_path):
    with pytest.raises(DatasetError, match="4 of 5 labels do not belong to their photos"):
        looked(tmp_path, blobs(1) * 5)


def test_two_that_are_alike_are_told(tmp_path):
    (said,) = looked(tmp_path, [*blobs(5), blobs(1)[0]])
    assert "holds the same label" in said


@pytest.mark.parametrize(
    ("labels", "names", "said"),
    [
        ([np.zeros((20, 30), np.uint8)] * 5, "field,blob", "hold only field"),
        (blobs(5), "field,blob,moss", "no label holds a pixel of moss"),
    ],
)
def test_labels_that_teach_nothing_are_refused(tmp_path, labels, names, said):
    with pytest.raises(DatasetError, match=said):
        looked(tmp_path, labels, names=names)


def test_a_class_that_is_missing_passes_where_it_may(tmp_path):
    (said,) = looked(tmp_path, blobs(5), allow_missing=True, names="field,blob,moss")
    assert "moss" in said


def test_few_labels_and_much_void_are_told(tmp_path):
    labels = blobs(3)
    for label in labels:
        label[:, 13:] = VOID
    said = looked(tmp_path, labels)
    assert said[0].startswith("3 labels are very few")
    assert said[1].startswith("57% of the labels' pixels are void")


@pytest.mark.parametrize(("share", "said"), [(0.5, 0), (0.9, 1)])
def test_more_photos_held_out_than_learned_from_are_told(share, said):
    heard = Heard()
    doubtful.look_at_parts(facts_of(photos=12, asked={"data.holdout": share}), heard)
    assert len(heard.warnings) == said
    assert all(text.startswith("11 of 12 photos are held out, and only 1 are left") for text in heard.warnings)


def test_more_folds_than_photos_are_refused():
    with pytest.raises(DatasetError, match="2 photos cannot be divided into 3 folds"):
        doubtful.look_at_parts(facts_of(photos=2, folds=3), Heard())
    doubtful.look_at_parts(facts_of(photos=3, folds=3), Heard())


def facts_of(photos, folds=0, asked=()):
    """Facts of which nothing but the numbers is asked for."""
    return Facts(SimpleNamespace(photos=photos), None, None, folds, asked=dict(asked))
