"""The range and bands of a training: the recipe's, the first weights', or measured on the photos to learn from."""

from pathlib import Path

import numpy as np
import pytest
from blobs import blob_recipe
from heard import Heard
from PIL import Image

from segcli.data.dataset import Dataset, Sample
from segcli.errors import UsageError
from segcli.images.reading import RGB_8_BIT, PhotoValues
from segcli.labels import from_names
from segcli.pipeline.photo_values import trained_on
from segcli.training import photos
from segcli.training.output import run_folder
from segcli.training.recipe import Data

FIRST = PhotoValues((100.0, 2000.0), "uint16")


@pytest.fixture
def dataset(tmp_path):
    """Makes a dataset of one photo of two values for each name."""

    def made(*names: str, values=(200, 3000), dtype=np.uint16) -> Dataset:
        for name in names:
            Image.fromarray(np.array([values], dtype)).save(tmp_path / name)
        samples = tuple(Sample(name, tmp_path / name, None) for name in names)
        return Dataset("folder", "train", from_names(["a", "b"]), samples, {0: 0})

    return made


def resolved(train, val=None, first=RGB_8_BIT, **keys):
    heard = Heard()
    return photos.resolved(Data(**keys), train, val or train, first, heard), heard


@pytest.mark.parametrize(
    ("keys", "first", "bounds", "said"),
    [
        (
            {},
            RGB_8_BIT,
            (0, 4095),
            ["range 0 to 4095 of uint16, because the values are 200 to 3000; data.range sets another range"],
        ),
        ({"range": (0.0, 3000.0)}, RGB_8_BIT, (0, 3000), ["range 0 to 3000 of uint16, as data.range says"]),
        ({"range": "0:3000"}, RGB_8_BIT, (0, 3000), ["range 0 to 3000 of uint16, as data.range says"]),
        ({}, FIRST, (100, 2000), ["range 100 to 2000 of uint16, as for the first weights"]),
        (
            {"range": "0:3000"},
            FIRST,
            (0, 3000),
            [
                "range 0 to 3000 of uint16, as data.range says",
                "the first weights were trained on the range 100 to 2000 of uint16",
            ],
        ),
    ],
)
def test_the_recipe_counts_first_then_the_first_weights_then_the_photos(dataset, keys, first, bounds, said):
    reading, heard = resolved(dataset("a.png", "b.png"), first=first, **keys)
    assert trained_on(reading) == PhotoValues(bounds, "uint16")
    assert (heard.notes, heard.warnings) == (said, [])
    assert photos.recorded(Data(**keys), reading).range == bounds


def test_auto_leaves_out_the_last_thousandths(dataset):
    reading, _ = resolved(dataset("a.png", values=range(10_000)), range="auto")
    assert reading.ranges["uint16"] == pytest.approx((10, 9989), abs=1)


def test_photos_of_another_kind_than_the_first_weights_are_measured(dataset):
    reading, heard = resolved(dataset("a.tif", values=(0.0, 1.0), dtype=np.float32), first=FIRST)
    assert reading.ranges == {"float32": (0, 1)}
    assert heard.notes[-1] == "the first weights were trained on the range 100 to 2000 of uint16"


def test_of_ordinary_photos_nothing_is_said_or_kept(dataset):
    ordinary = dataset("a.png", values=(3, 200), dtype=np.uint8)
    reading, heard = resolved(ordinary)
    assert (trained_on(reading), heard.notes, photos.recorded(Data(), reading)) == (RGB_8_BIT, [], Data())
    _, heard = resolved(ordinary, first=FIRST, range="0:9")
    assert [note.partition(",")[0] for note in heard.notes] == [
        "the photos to learn from have 8 bits",
        "the first weights were trained on the range 100 to 2000 of uint16; these photos have 8 bits",
    ]


def test_bands_are_those_of_the_recipe_or_of_the_first_weights(dataset):
    ordinary = dataset("a.png", values=(3, 200), dtype=np.uint8)
    first = PhotoValues(bands=("3", "2", "1"))
    assert trained_on(resolved(ordinary, first=first)[0]) == first
    reading, heard = resolved(ordinary, first=first, bands=(1, 2, 3))
    assert photos.recorded(Data(), reading).bands == ("1", "2", "3")
    assert heard.notes[0] == "the first weights were trained on the bands 3, 2, 1, but data.bands names others"


def test_several_kinds_are_refused_and_a_mixture_with_8_bits_is_told(dataset):
    deep, ordinary = dataset("a.png"), dataset("b.png", values=(3, 200), dtype=np.uint8)
    floats = dataset("c.tif", values=(0.0, 1.0), dtype=np.float32)
    with pytest.raises(UsageError, match="several kinds: float32, uint16"):
        resolved(joined(deep, floats))
    _, heard = resolved(joined(deep, ordinary), floats)
    assert heard.warnings == [
        "photos to validate on have values of float32, unlike the photos to learn from",
        "1 of the photos to learn from have 8 bits: their values 0 to 255 count as 0 to 4095 of the other photos",
    ]


def joined(*parts):
    first = parts[0]
    return Dataset(first.name, first.split, first.labels, sum((part.samples for part in parts), ()), first.ids)


def test_a_run_goes_on_as_it_was_begun(tmp_path):
    assert photos.as_begun(Data(range="auto"), tmp_path) == Data(range="auto")
    begun = {"data": {"range": [5.0, 9.0], "bands": ["nir"]}}
    run_folder.write_recipe(tmp_path, blob_recipe(tmp_path, begun))
    assert photos.as_begun(Data(range="auto"), tmp_path) == Data(range=(5, 9), bands=("nir",))
    assert photos.as_begun(Data(range=(0.0, 1.0), bands="1,2,3"), tmp_path) == Data(range=(0, 1), bands="1,2,3")


@pytest.mark.parametrize("init", ["random", "imagenet", "street", "strete", "gone.safetensors"])
def test_first_weights_that_say_nothing_are_of_ordinary_photos(init, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    Path("broken.safetensors").write_bytes(b"broken")
    assert photos.first_values(init) == photos.first_values("broken.safetensors") == RGB_8_BIT
