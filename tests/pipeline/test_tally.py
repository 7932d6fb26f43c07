"""A network on a small dataset: what is counted, stored and reused, before and after a refinement."""

import threading
from dataclasses import replace

import numpy as np
import pytest
import torch
from dataset_files import write_mask
from PIL import Image
from sklearn.metrics import confusion_matrix
from small_runs import smooth
from tiny import tiny_model

from segcli.data.dataset import Dataset, Sample, ids_of
from segcli.distributed import Processes
from segcli.errors import InputError
from segcli.evaluation.predictions import Predictions
from segcli.evaluation.scoring import ImageScore
from segcli.inference.prediction import from_probabilities
from segcli.inference.segmenter import Segmenter
from segcli.inference.transform import to_array
from segcli.labels import VOC, VOID
from segcli.pipeline.tally import Tally, score

ALONE = Processes()


class Apart(Processes):
    """Two processes, the other of which has counted the same and is asked nothing."""

    def all_reduce_sum(self, counts):
        return 2 * counts

    def all_gather(self, value):
        return [value, value]


@pytest.fixture
def data(tmp_path):
    """Four photos with labels of random classes and a little void."""
    samples = []
    for index in range(4):
        image = tmp_path / f"photos/{index}.png"
        image.parent.mkdir(exist_ok=True)
        Image.fromarray(smooth(index, 50, 40)).save(image)
        ids = np.random.default_rng(index).choice(np.append(np.arange(21), VOID), (40, 50))
        samples.append(Sample(str(index), image, write_mask(tmp_path / f"masks/{index}.png", ids)))
    return Dataset("folder", "photos", VOC, tuple(samples), ids_of(VOC))


@pytest.fixture(scope="module")
def segmenter():
    return Segmenter(tiny_model())


def scored(data, segmenter, *, processes=ALONE, refined=False, **options):
    tally = Tally.empty(len(data.labels), trimap=True, refined=refined)
    images = list(score(data, segmenter, tally, processes, **options))
    assert images == tally.images
    return tally


def upside_down(photo, prediction):
    """A refinement that changes nearly every label."""
    probabilities = torch.nn.functional.one_hot(torch.from_numpy(prediction.labels()[::-1].astype(np.int64)), 21)
    return from_probabilities(probabilities.permute(2, 0, 1).float(), photo.shape[:2])


def test_every_labelled_pixel_is_counted_once(data, segmenter):
    tally = scored(data, segmenter, batch=3)
    truths = np.concatenate([data.read_label(sample).ravel() for sample in data.samples])
    guesses = [segmenter.labels(smooth(index, 50, 40)).ravel() for index in range(4)]
    known = truths != VOID
    expected = confusion_matrix(truths[known], np.concatenate(guesses)[known], labels=range(21))
    np.testing.assert_array_equal(tally.matrix.counts[:, :21], expected)
    assert [image.name for image in tally.images] == ["0", "1", "2", "3"]
    assert (tally.before, tally.reused) == (None, 0)
    assert tally.seconds > 0


def test_shares_add_up_to_the_whole(data, segmenter):
    whole = scored(data, segmenter)
    shares = [scored(data, segmenter, processes=Processes(rank, 2)) for rank in (0, 1)]
    assert [image.name for image in shares[1].images] == ["1", "3"]
    np.testing.assert_array_equal(shares[0].matrix.counts + shares[1].matrix.counts, whole.matrix.counts)
    np.testing.assert_array_equal(shares[0].trimap.counts + shares[1].trimap.counts, whole.trimap.counts)


def test_a_total_is_the_teams_in_every_part():
    tally = Tally.empty(3, trimap=True, refined=True)
    for part in (tally, tally.before):
        part.matrix.counts[0, 1] = 5
        part.trimap.counts[0, 0, 1] = 7
        part.images.append(ImageScore("a", 0.5, 0.5))
    tally.reused, tally.seconds = 3, 1.5
    tally.all_reduce(Apart(0, 2))
    for part in (tally, tally.before):
        assert (part.matrix.counts[0, 1], part.trimap.counts[0, 0, 1], len(part.images)) == (10, 14, 2)
    assert (tally.reused, tally.seconds) == (6, 1.5)


def test_stored_label_maps_are_read_instead_of_computed(data, segmenter, tmp_path, monkeypatch):
    store = Predictions(tmp_path / "stored", data, "run")
    first = scored(data, segmenter, store=store)
    torn = store.path(data.samples[2])
    torn.write_bytes(torn.read_bytes()[:-40])
    computed = []
    monkeypatch.setattr(Segmenter, "predict_inputs", spying(Segmenter.predict_inputs, computed))
    second = scored(data, segmenter, store=store)
    assert (first.reused, second.reused, len(computed)) == (0, 3, 1), "the torn one is computed again"
    np.testing.assert_array_equal(second.matrix.counts, first.matrix.counts)
    assert scored(data, segmenter, store=replace(store, run="other")).reused == 0


def spying(predict, calls):
    def spy(self, inputs):
        calls.extend(inputs)
        return predict(self, inputs)

    return spy


def test_with_a_refinement_both_are_counted_and_the_refined_one_is_stored(data, segmenter, tmp_path):
    plain = scored(data, segmenter)
    store = Predictions(tmp_path / "stored", data, "run")
    for _ in range(2):  # what is before a refinement is not stored, so that nothing can be reused
        tally = scored(data, segmenter, refined=True, refine=upside_down, store=store)
        np.testing.assert_array_equal(tally.before.matrix.counts, plain.matrix.counts)
        assert [image.name for image in tally.before.images] == ["0", "1", "2", "3"]
        assert tally.reused == 0
    assert (tally.matrix.counts != plain.matrix.counts).any()
    np.testing.assert_array_equal(store.read(data.samples[0]), segmenter.labels(smooth(0, 50, 40))[::-1])


def test_the_network_the_refinement_and_the_counting_work_at_the_same_time(data, segmenter, monkeypatch):
    """Each of the three waits until the others are at work on other photos."""
    meeting, met = threading.Barrier(3), set()

    def attend(what):
        if what not in met:
            meeting.wait(20)
            met.add(what)

    def predict(self, inputs, plain=Segmenter.predict_inputs):
        if np.array_equal(inputs[0][0], to_array(smooth(3, 50, 40), self.preprocessing)[0]):
            attend("network")
        return plain(self, inputs)

    def refine(photo, prediction):
        if np.array_equal(photo, smooth(2, 50, 40)):
            attend("refinement")
        return prediction

    def read_truth(self, sample, plain=Dataset.read_truth):
        if sample.name == "0":
            attend("counting")
        return plain(self, sample)

    monkeypatch.setattr(Segmenter, "predict_inputs", predict)
    monkeypatch.setattr(Dataset, "read_truth", read_truth)
    tally = scored(data, segmenter, refined=True, refine=refine)
    assert met == {"network", "refinement", "counting"}
    np.testing.assert_array_equal(tally.matrix.counts, tally.before.matrix.counts)


def test_who_stops_early_leaves_no_thread_behind(data, segmenter):
    before = threading.active_count()
    images = score(data, segmenter, Tally.empty(21, trimap=False, refined=False), ALONE)
    next(images)
    images.close()
    assert threading.active_count() == before


def test_a_photo_that_cannot_be_refined_stops_with_its_name(data, segmenter):
    def refine(photo, prediction):
        raise InputError("too wide", "Shrink it.")

    with pytest.raises(InputError, match=r"0\.png: too wide. Shrink it.") as caught:
        scored(data, segmenter, refined=True, refine=refine)
    assert caught.value.hint == "Shrink it."


def test_a_photo_that_cannot_be_read_stops_with_its_name(data, segmenter):
    data.samples[1].image.write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"1\.png.*no picture of a format") as caught:
        scored(data, segmenter)
    assert "--skip-bad" in caught.value.hint
