"""Which photos are scored for a model that a run has trained."""

import pytest
from heard import Heard

from segcli.data import parts
from segcli.data.dataset import Dataset, Sample
from segcli.data.parts import Parts
from segcli.distributed import Processes
from segcli.errors import DatasetError, UsageError
from segcli.labels import VOC
from segcli.pipeline import scored


@pytest.fixture
def photos(tmp_path):
    """Five photos: t1 and t2 were learned from, h1 and h2 held out, n is new; all have other names by now."""
    samples = []
    for name in ("t1", "t2", "h1", "h2", "n"):
        path = tmp_path / f"renamed-{name}.png"
        path.write_bytes(name.encode())
        samples.append(Sample(f"renamed-{name}", path, None))
    return Dataset("folder", "all", VOC, tuple(samples), {})


@pytest.fixture
def model(tmp_path, photos):
    sides = [Dataset("folder", "x", VOC, photos.samples[a:b], {}) for a, b in ((0, 2), (2, 4))]
    parts.write(tmp_path / "run", Parts.of(*sides, ""))
    (tmp_path / "run" / "best.safetensors").touch()
    return tmp_path / "run" / "best.safetensors"


def chosen(photos, model, part, heard=None):
    data, found = scored.choose(photos, model, part, Processes(), heard or Heard())
    return [sample.name.removeprefix("renamed-") for sample in data.samples], found


@pytest.mark.parametrize(
    ("part", "names"),
    [
        (None, ["h1", "h2", "n"]),
        ("unseen", ["h1", "h2", "n"]),
        ("held-out", ["h1", "h2"]),
        ("new", ["n"]),
        ("train", ["t1", "t2"]),
        ("all", ["t1", "t2", "h1", "h2", "n"]),
    ],
)
def test_photos_are_known_again_under_other_names(photos, model, part, names):
    assert chosen(photos, model, part)[0] == names


def test_it_says_how_many_of_which_kind(photos, model):
    heard = Heard()
    _, found = chosen(photos, model, None, heard)
    assert heard.notes == ["photos scored: 2 held out, 1 new; left out: 2 learned from (--part chooses)"]
    assert heard.warnings == []
    assert found.to_dict(photos.without({"renamed-t1", "renamed-t2", "renamed-h1"})) == {
        "part": "unseen",
        "scored": {"held_out": 1, "new": 1, "train": 0},
        "left_out": {"held_out": 0, "new": 0, "train": 2},
    }


def test_it_warns_of_scores_that_are_too_good_and_of_photos_that_are_gone(photos, model):
    heard = Heard()
    chosen(photos, model, "train", heard)
    photos.samples[2].image.write_bytes(b"saved again")
    chosen(photos, model, "held-out", heard)
    assert heard.warnings == [
        "the scores of photos that the model learned from are too good",
        "1 of the photos that the run held out are not here, or their files have changed",
    ]
    assert chosen(photos, model, "new")[0] == ["h1", "n"]


def test_nothing_left_is_an_error_with_a_next_step(photos, model):
    learned = photos.without({"renamed-h1", "renamed-h2", "renamed-n"})
    with pytest.raises(DatasetError, match=r"no photo is left to score as unseen: .* 2 learned from") as caught:
        chosen(learned, model, None)
    assert "--part all" in caught.value.hint


def test_models_of_no_run_are_scored_on_everything(photos, tmp_path):
    for model in (None, tmp_path / "v3-mobilenetv2@voc2012", tmp_path / "renamed-n.png"):
        heard = Heard()
        assert scored.choose(photos, model, None, Processes(), heard) == (photos, None)
        assert scored.choose(photos, model, "all", Processes(), heard) == (photos, None)
        assert heard.notes == []
        with pytest.raises(UsageError, match="nothing tells which photos the model learned from"):
            chosen(photos, model, "held-out")


def test_an_unknown_part_is_refused(photos, model):
    with pytest.raises(UsageError, match="part cannot be 'val'"):
        chosen(photos, model, "val")


def test_two_processes_get_the_same_answer(photos, model):
    class Second(Processes):
        def all_gather(self, value):
            first = parts.contents(photos.samples[0::2])
            return [{sample.name: content for sample, content in first.items()}, value]

    data, found = scored.choose(photos, model, None, Second(1, 2), Heard())
    assert [sample.name for sample in data.samples] == ["renamed-h1", "renamed-h2", "renamed-n"]
    assert len(found.kinds) == 5


@pytest.mark.parametrize(
    ("weights", "dataset", "split", "warned"),
    [
        ("v3plus-xception@voc2012-trainval", "voc2012", "val", True),
        ("v3plus-xception@voc2012-trainval", "voc2012", "trainval", True),
        ("v3plus-xception@voc2012-trainval", "voc2012", "trainaug+val", True),
        ("v3plus-xception@voc2012-trainval", "coco-voc", "val+voc2012:val", True),
        ("v3plus-xception@voc2012-trainval", "coco-voc", "train+val", False),
        ("v3plus-xception@voc2012-trainval", "voc2012", "test", False),
        ("v3plus-xception@voc2012-trainval", "coco-voc", "val", False),
        ("v3plus-xception@voc2012", "voc2012", "val", False),
        ("runs/best.safetensors", "voc2012", "val", False),
    ],
)
def test_weights_that_learned_from_val_are_doubted_there(weights, dataset, split, warned):
    heard = Heard()
    scored.warn_of_training(weights, Dataset(dataset, split, VOC, (), {}), heard)
    assert [f"{weights} learned from the photos of {dataset} {split} too" in text for text in heard.warnings] == (
        [True] if warned else []
    )
