"""A dataset of any form, written as photos, palette masks, names and a gallery."""

import tomllib

import numpy as np
import pytest
from dataset_files import write_mask, write_photo
from PIL import Image

from segcli.data import convert
from segcli.data.dataset import Dataset, Sample
from segcli.data.names import parse
from segcli.data.reading import Reading
from segcli.errors import UsageError

CLASSES = parse("background,leaf").labels


@pytest.fixture
def dataset(tmp_path):
    samples = []
    for name, ids in (("train/a", [[7, 9, 255]]), ("val/b", [[7, 7, 9]])):
        photo, mask = tmp_path / "images" / f"{name}.png", tmp_path / "masks" / f"{name}.png"
        write_photo(photo, (3, 1))
        write_mask(mask, ids)
        samples.append(Sample(name, photo, mask))
    reading = Reading("class ids", "ids", (255,), ("took 7, 9 for background, leaf",))
    return Dataset("folder", "images", CLASSES, tuple(samples), {7: 0, 9: 1, 255: 255}, reading=reading)


def ids(path) -> list:
    with Image.open(path) as image:
        assert image.mode == "P"
        return np.array(image).tolist()


def test_photos_stay_as_they_are_and_masks_hold_ids_in_the_order_of_the_names(dataset, tmp_path):
    done = list(convert.convert(dataset, tmp_path / "out"))
    assert [one.error for one in done] == [None, None]
    assert ids(tmp_path / "out/masks/a.png") == [[0, 1, 255]]
    assert ids(tmp_path / "out/masks/b.png") == [[0, 0, 1]]
    assert (tmp_path / "out/images/a.png").read_bytes() == dataset.samples[0].image.read_bytes()
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "gallery.html",
        "images",
        "masks",
        "names.toml",
    ]


def test_the_names_say_how_the_labels_were_read_and_are_read_again(dataset, tmp_path):
    list(convert.convert(dataset, tmp_path / "out"))
    text = (tmp_path / "out/names.toml").read_text()
    assert text.startswith("# class ids\n# took 7, 9 for background, leaf\n")
    assert tomllib.loads(text) == {"names": ["background", "leaf"], "palette": [[0, 0, 0], [128, 0, 0]], "ignore": 255}
    assert parse(str(tmp_path / "out/names.toml")).labels.names == CLASSES.names


def test_the_gallery_speaks_of_no_uncertainty(dataset, tmp_path):
    list(convert.convert(dataset, tmp_path / "out"))
    page = (tmp_path / "out/gallery.html").read_text()
    assert page.count('class="entry"') == 2
    assert '"predicted": false' in page
    assert '"uncertainty": null' in page
    assert f'"input": "{dataset.samples[0].image}"' in page


def test_photos_of_one_name_keep_their_folders(dataset, tmp_path):
    photo = tmp_path / "images/val/a.png"
    write_photo(photo, (3, 1))
    twin = Sample("val/a", photo, dataset.samples[1].label)
    both = Dataset(*("folder", "images", CLASSES, (dataset.samples[0], twin), dataset.ids), reading=dataset.reading)
    list(convert.convert(both, tmp_path / "out"))
    assert sorted(path.parent.name for path in (tmp_path / "out/masks").rglob("*.png")) == ["train", "val"]


def test_what_cannot_be_read_fails_alone(dataset, tmp_path):
    write_mask(dataset.samples[0].label, [[7, 3, 7]])
    write_photo(dataset.samples[1].image, (1, 3))
    done = list(convert.convert(dataset, tmp_path / "out"))
    assert "holds id 3 (1 pixel)" in str(done[0].error)
    assert "is for 3 x 1 pixels, but its photo has 1 x 3" in str(done[1].error)
    assert not list((tmp_path / "out").glob("*")), "no names of a dataset that has no sample"


def test_a_folder_that_holds_something_is_never_written_to(dataset, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="holds something already"):
        list(convert.convert(dataset, tmp_path / "out"))
    with pytest.raises(UsageError, match="holds something already"):
        list(convert.convert(dataset, tmp_path / "images"))
