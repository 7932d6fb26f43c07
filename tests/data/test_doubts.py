"""Doubts: what about labels is seldom meant."""

import numpy as np
import pytest
from dataset_files import write_mask, write_photo
from PIL import Image

from segcli.data import check
from segcli.data.census import Census
from segcli.data.dataset import Dataset, Sample, ids_of
from segcli.data.doubts import Doubts
from segcli.labels import ADE20K, VOID, from_names

LABELS = from_names(["soil", "leaf", "spot"])


@pytest.fixture
def look(tmp_path):
    """Gives the doubts about samples that are written as (name, ids, options of the photo)."""
    (tmp_path / "photos").mkdir()
    (tmp_path / "masks").mkdir()

    def doubts_of(*samples, labels=LABELS, write=write_mask):
        listed = []
        for grey, (name, ids, *options) in enumerate(samples):
            photo, label = tmp_path / f"photos/{name}.png", tmp_path / f"masks/{name}.png"
            size = options[0].pop("size", ids.shape[::-1]) if options else ids.shape[::-1]
            write_photo(photo, size, grey=grey, **(options[0] if options else {}))
            write(label, ids)
            listed.append(Sample(name, photo, label))
        dataset = Dataset("folder", "all", labels, tuple(listed), ids_of(labels))
        census, doubts = Census(len(labels)), Doubts()
        for _ in check.check(dataset, census, doubts=doubts):
            pass
        return doubts.all(dataset, census)

    return doubts_of


def ids(*values, shape=(4, 6)):
    """A label of these values, in equal numbers as far as they fit."""
    return np.resize(np.array(values, np.uint8), shape)


def kinds(doubts):
    return [(doubt.kind, doubt.sample) for doubt in doubts]


def test_a_dataset_that_shows_every_class_leaves_no_doubt(look):
    assert look(("a", ids(0, 1, 2)), ("b", ids(0, 1, 1, 2)), ("c", ids(0)), ("d", ids(0))) == ()


def test_a_class_without_a_pixel_is_named(look):
    (doubt,) = look(("a", ids(0, 1)))
    assert (doubt.kind, doubt.sample, doubt.file.name) == ("absent", "", "masks")
    assert "spot" in doubt.detail
    assert "leaf" not in doubt.detail
    ade = look(("a", np.arange(151, dtype=np.uint8)[None].repeat(2, 0)), labels=ADE20K)
    assert not ade  # its first channel is no class


def test_labels_of_one_class_or_none_are_doubted(look):
    absent, one = look(("a", ids(0)), ("b", ids(0)))
    assert (absent.kind, one.kind) == ("absent", "one-class")
    assert "hold only soil" in one.detail
    assert "hold only void" in {doubt.kind: doubt for doubt in look(("a", ids(VOID)))}["one-class"].detail


def test_more_than_half_void_is_doubted(look):
    assert kinds(look(("a", ids(0, 1, 2, VOID, VOID, VOID)))) == []
    (doubt,) = look(("a", ids(0, 1, 2, *[VOID] * 5)))
    assert (doubt.kind, doubt.sample) == ("void", "a")
    assert "62 % of the label" in doubt.detail


def test_illegal_ids_are_no_void(look):
    assert kinds(look(("a", ids(0, 1, 2, *[77] * 5)))) == []


def test_labels_that_equal_each_other_are_doubted_unless_they_show_one_class(look):
    found = look(("a", ids(0, 1, 2)), ("b", ids(1, 0, 2)), ("c", ids(0, 1, 2)), ("d", ids(0)), ("e", ids(0)))
    assert kinds(found) == [("same-label", "c")]
    assert "all/a" in found[0].detail
    # The same bytes in another shape are another label.
    assert kinds(look(("a", ids(0, 1, 2)), ("b", ids(0, 1, 2, shape=(6, 4))))) == []


def test_a_photo_in_place_of_its_label_is_found(look, tmp_path):
    def copied(path, label):
        path.write_bytes((tmp_path / "photos" / path.name).read_bytes())

    assert ("photo-as-label", "a") in kinds(look(("a", ids(0, 1, 2)), write=copied))

    def stored_again(path, label):
        noise = np.random.default_rng(0).integers(0, 256, (*label.shape, 3), np.uint8)
        Image.fromarray(noise).save(tmp_path / "photos" / path.name)
        Image.fromarray(noise).save(path, compress_level=0)

    assert ("photo-as-label", "b") in kinds(look(("b", ids(0, 1, 2)), write=stored_again))


def test_a_label_as_wide_as_the_photo_is_high_is_doubted(look):
    (doubt,) = look(("a", ids(0, 1, 2), {"size": (4, 6)}))
    assert (doubt.kind, doubt.sample) == ("turned", "a")
    assert "EXIF" in doubt.hint
    assert look(("a", ids(0, 1, 2, shape=(5, 5)))) == ()
