"""The user's word, the model's, and what is measured."""

import numpy as np
import pytest
from heard import Heard
from PIL import Image

from segcli.data.dataset import Dataset, Sample
from segcli.errors import UsageError
from segcli.images.reading import PLAIN, RGB_8_BIT, PhotoReading, PhotoValues
from segcli.labels import VOC
from segcli.pipeline.photo_values import as_before, for_dataset, resolved, stated, to_dict, trained_on, words

MODEL = PhotoValues((0.0, 4095.0), "uint16", ("3", "2", "1"))


@pytest.fixture
def photos(tmp_path):
    Image.fromarray(np.uint16([[0, 900]])).save(tmp_path / "a.png")
    return [(tmp_path / "a.png", None)]


def test_the_model_decides_unless_told_otherwise(photos):
    reading = resolved(PLAIN, photos, MODEL)
    assert (reading.ranges, reading.bands, reading.trained) == ({"uint16": (0, 4095)}, ("3", "2", "1"), "uint16")


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (PhotoReading((0.0, 100.0)), "the model was trained on uint16 from 0 to 4095; --range takes another"),
        (PhotoReading(bands=("1",)), "the model was trained on the bands 3, 2, 1; --bands takes others"),
    ],
)
def test_another_word_than_the_models_is_said(photos, wanted, said):
    heard = Heard()
    reading = resolved(wanted, photos, MODEL, listener=heard)
    assert reading.value_range == wanted.value_range
    assert reading.bands == (wanted.bands or MODEL.bands)
    assert heard.notes == [said]


def test_what_the_model_does_not_know_is_measured_over_all_photos(tmp_path):
    """Two thermal pictures 40 K apart: one stretch for each would make them alike."""
    for name, low in (("cold", 250), ("hot", 290)):
        Image.fromarray(np.float32([[low, low + 10]])).save(tmp_path / f"{name}.tif")
    photos = [(tmp_path / f"{name}.tif", None) for name in ("cold", "hot")]
    reading = resolved(PLAIN, photos, PhotoValues((0.0, 4095.0), "uint16"))
    assert reading.ranges["float32"] == pytest.approx((250, 300), abs=0.1)
    assert (reading.ranges["uint16"], reading.trained) == ((0, 4095), "uint16")


def test_without_a_model_the_photos_are_measured(photos):
    heard = Heard()
    assert resolved(PLAIN, photos, listener=heard).ranges == {"uint16": (0, 1023)}
    said = (
        "1 photo of uint16: the values, 0 to 900, are taken for 10 bits, 0 to 1023; --range 0:65535 takes them for 16"
    )
    assert heard.notes == [said]


def test_a_run_goes_on_with_the_range_it_was_begun_with(photos):
    """One brighter photo more must not make all masks anew."""
    earlier = {"range": "auto", "ranges": {"uint16": [0, 777]}}
    assert resolved(PhotoReading("auto"), photos, earlier=earlier).ranges == {"uint16": (0, 777)}
    assert resolved(PLAIN, photos, earlier=earlier).ranges == {"uint16": (0, 1023)}


@pytest.mark.parametrize("ranges", [{"uint16": [9, 1]}, {"uint16": ["a", 1]}, {"uint16": 3}, [1], {"uint16": [1]}])
def test_an_edited_range_is_measured_again(photos, ranges):
    assert resolved(PLAIN, photos, earlier={"ranges": ranges}).ranges == {"uint16": (0, 1023)}


def test_photos_of_another_kind_than_the_models_are_told(photos, tmp_path):
    Image.fromarray(np.uint8([[0, 90]])).save(tmp_path / "b.png")
    Image.fromarray(np.float32([[0, 1]])).save(tmp_path / "c.tif")
    paths = [photos[0][0], tmp_path / "b.png", tmp_path / "c.tif"]
    samples = tuple(Sample(path.stem, path, None) for path in paths)
    data, heard = Dataset("folder", "all", VOC, samples, {}), Heard()
    assert for_dataset(data, PhotoValues((0.0, 4095.0), "uint16"), heard).photos.trained == "uint16"
    assert heard.warnings == [
        "1 photos hold float32; the model was trained on uint16 from 0 to 4095",
        "1 photos hold uint8; the model was trained on uint16 from 0 to 4095",
    ]
    heard = Heard()
    assert for_dataset(data, listener=heard).photos.ranges == {"uint16": (0, 1023), "float32": (0, 1)}
    assert heard.warnings == []


def test_a_models_photos_in_words():
    assert words(MODEL) == "photos of uint16 from 0 to 4095, bands 3, 2, 1"
    assert (words(RGB_8_BIT), words(PhotoValues(bands=("nir",)))) == ("", "bands nir")


def test_plain_values_leave_no_trace_in_the_settings():
    """Settings of earlier versions had the range only: what was done by them stays done."""
    assert to_dict(PhotoReading(ranges={"uint16": (0, 65535), "float32": (0, 1)})) == {"range": None}
    assert stated(PhotoReading(bands=("5", "3", "2"), alpha="mask")) == {"bands": ["5", "3", "2"], "alpha": "mask"}


@pytest.mark.parametrize(
    ("earlier", "read"),
    [
        (None, PLAIN),
        ({"range": "0:4095"}, PhotoReading((0.0, 4095.0))),
        ({"range": "auto", "ranges": {"uint16": [5, 9]}}, PhotoReading(ranges={"uint16": (5.0, 9.0)})),
        ({"bands": ["2"], "alpha": "ignore"}, PhotoReading(bands=("2",), alpha="ignore")),
        ({"range": "7", "bands": ["2"]}, PLAIN),
        ({"bands": 7}, PhotoReading(bands=("7",))),
        ({"alpha": "often"}, PLAIN),
    ],
)
def test_the_crf_reads_photos_as_the_network_did(earlier, read):
    assert as_before(PLAIN, earlier) == read


def test_a_model_is_trained_on_one_kind_of_values():
    assert trained_on(PhotoReading(ranges={"uint16": (0, 4095)}, bands=("2",))) == PhotoValues(
        (0, 4095), "uint16", ("2",)
    )
    assert trained_on(PLAIN) == RGB_8_BIT
    with pytest.raises(UsageError, match="several kinds: float32, uint16"):
        trained_on(PhotoReading(ranges={"uint16": (0, 4095), "float32": (0, 1)}))
