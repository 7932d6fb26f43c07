import errno

import numpy as np
import pytest
import torch
from small_runs import records, smooth, tree
from tiny import tiny_model

from segcli.errors import InputError
from segcli.images.photo import Photo
from segcli.inference import oom
from segcli.inference.segmenter import Segmenter
from segcli.inference.transform import to_array
from segcli.pipeline.stages import network


@pytest.fixture
def photos():
    return [Photo(smooth(index, 60 + index, 50)) for index in range(5)]


def labels(outcomes):
    return [outcome.prediction.labels() for outcome in outcomes]


def with_room_for(most, predict, calls):
    """A predict stage that runs out of memory with more than `most` photos."""

    def limited(photos):
        calls.append(len(photos))
        if len(photos) > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return predict(photos)

    return limited


@pytest.mark.parametrize(
    ("error", "is_one"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory"), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 1 GB)"), True),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory"), True),
        (RuntimeError("shape mismatch"), False),
        (OSError(errno.ENOSPC, "No space left on device"), False),
    ],
)
def test_what_a_shortage_is(error, is_one):
    assert oom.is_shortage(error) is is_one


def test_a_real_shortage_is_one():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**55)
    assert oom.is_shortage(caught.value)


def test_without_a_shortage_nothing_is_said(photos):
    stage = network(Segmenter(tiny_model()))
    assert [outcome.note for outcome in oom.predict(photos, stage)] == [""] * 5


@pytest.mark.parametrize("most", [1, 2, 4])
def test_a_batch_is_divided_until_it_fits_and_labels_stay(photos, most):
    stage, calls = network(Segmenter(tiny_model())), []
    outcomes = oom.predict(photos, with_room_for(most, stage, calls))
    assert sum(count for count in calls if count <= most) == 5
    assert {outcome.note for outcome in outcomes} == {oom.SMALLER}
    for mine, theirs in zip(labels(outcomes), labels(oom.predict(photos, stage)), strict=True):
        assert np.array_equal(mine, theirs)


def test_a_photo_that_is_too_much_goes_to_the_cpu(photos):
    """The CPU's Segmenter uses the model's own network, which lies there; the device's keeps its own."""
    model = tiny_model()
    expected = labels(oom.predict(photos, network(Segmenter(model))))
    elsewhere = Segmenter(model, "meta")
    outcomes = oom.predict(photos, with_room_for(0, network(elsewhere), []), oom.on_cpu(elsewhere, network))
    assert [outcome.note for outcome in outcomes] == [oom.ON_CPU] * 5
    assert all(np.array_equal(mine, theirs) for mine, theirs in zip(labels(outcomes), expected, strict=True))
    assert elsewhere.device == next(elsewhere.network.parameters()).device == torch.device("meta")


def test_the_cpu_has_no_fallback_and_another_device_makes_it_once(photos, monkeypatch):
    assert oom.on_cpu(Segmenter(tiny_model()), network) is None
    elsewhere, made, on = Segmenter(tiny_model(), "meta"), [], Segmenter.on
    monkeypatch.setattr(Segmenter, "on", lambda segmenter, device: made.append(device) or on(segmenter, device))
    fallback = oom.on_cpu(elsewhere, network)
    assert not made
    for photo in photos[:2]:
        fallback([photo])
    assert made == [torch.device("cpu")]


def test_a_photo_that_is_too_much_everywhere_is_that_photos_error(photos):
    (outcome,) = oom.predict(photos[:1], with_room_for(0, None, []), with_room_for(0, None, []))
    assert outcome.prediction is None
    assert "not enough memory" in outcome.note


def test_other_errors_stay_what_they_are(photos):
    def broken(_):
        raise RuntimeError("shape mismatch")

    with pytest.raises(RuntimeError, match="shape mismatch"):
        oom.predict(photos, broken)


def test_work_on_a_prediction_moves_too(photos):
    prediction = Segmenter(tiny_model()).predict([photos[0].rgb])[0]
    assert oom.near(lambda here: here.labels().shape, prediction) == (50, 60)

    def short(_):
        raise MemoryError

    with pytest.raises(InputError, match="not enough memory"):
        oom.near(short, prediction)


def test_a_run_with_too_little_memory_has_the_same_masks_and_says_so(segcli, tmp_path, monkeypatch):
    from PIL import Image

    (tmp_path / "in").mkdir()
    for index in range(4):
        Image.fromarray(smooth(index, 80, 60)).save(tmp_path / f"in/{index}.png")
    segcli("in", "-o", "roomy", "--batch", "4", "--engine", "torch")
    predict = Segmenter.predict_inputs

    def limited(segmenter, inputs):
        if len(inputs) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        if np.array_equal(inputs[0][0], to_array(smooth(3, 80, 60), segmenter.preprocessing)[0]):
            raise MemoryError
        return predict(segmenter, inputs)

    monkeypatch.setattr(Segmenter, "predict_inputs", limited)
    result = segcli("in", "-o", "tight", "--batch", "4", "--engine", "torch")
    assert result.exit_code == 3
    done = records(tmp_path / "tight")
    assert done["3"]["status"] == "failed"
    assert "not enough memory" in done["3"]["error"]
    for name in ("0", "1", "2"):
        assert done[name]["notes"] == [oom.SMALLER]
        path = f"masks/{name}.png"
        assert (tmp_path / "tight" / path).read_bytes() == (tmp_path / "roomy" / path).read_bytes()
    assert "masks/3.png" not in tree(tmp_path / "tight")


def test_a_photo_that_cannot_be_predicted_does_not_stop_its_batch():
    def network(photos):
        if "thin" in photos:
            raise InputError("too thin")
        return [photo.upper() for photo in photos]

    outcomes = oom.predict(["a", "thin", "b"], network)
    assert [(outcome.prediction, outcome.note) for outcome in outcomes] == [("A", ""), (None, "too thin"), ("B", "")]
