"""The split.toml that a run keeps."""

from dataclasses import replace

import pytest
from blobs import blob_recipe, write_blobs
from heard import Heard

from segcli.data import parts
from segcli.distributed import Processes
from segcli.errors import DatasetError, UsageError
from segcli.training.output import record
from segcli.training.partition import split


@pytest.fixture
def begun(tmp_path):
    """(recipe, train, val) of a run on eight photos."""
    recipe = blob_recipe(write_blobs(tmp_path / "blobs"))
    return recipe, *split.choose(recipe.data)


def test_a_run_writes_down_its_photos(begun, tmp_path):
    recipe, train, val = begun
    record.write(tmp_path, recipe, train, val, "how", heard := Heard())
    found = parts.read(tmp_path)
    assert (len(found.train), len(found.held_out), found.how, found.before) == (6, 2, "how", ())
    record.check(found, train, val, Processes(), heard)
    assert heard.warnings == []


def test_a_split_of_other_photos_is_refused(begun, tmp_path):
    recipe, train, val = begun
    record.write(tmp_path, recipe, train, val, "how", Heard())
    with pytest.raises(UsageError, match=r"split\.toml names other photos"):
        record.check(parts.read(tmp_path), val, train, Processes(), Heard())


def test_other_photos_under_the_same_names_are_refused(begun, tmp_path):
    """`eval` would take the new one for a photo that the run has never met."""
    recipe, train, val = begun
    record.write(tmp_path, recipe, train, val, "how", Heard())
    first, second = (sample.image for sample in train.samples[:2])
    first.write_bytes(second.read_bytes())
    with pytest.raises(UsageError, match=rf"1 photo of .* changed since it began: {train.samples[0].name}\."):
        record.check(parts.read(tmp_path), train, val, Processes(), Heard())


def test_other_labels_of_the_same_photos_are_refused(begun, tmp_path):
    """Scores from before and after would not compare; runs of versions that kept no hash of labels go on."""
    recipe, train, val = begun
    record.write(tmp_path, recipe, train, val, "how", Heard())
    written = parts.read(tmp_path)
    first, second = (sample.label for sample in val.samples[:2])
    first.write_bytes(second.read_bytes())
    with pytest.raises(UsageError, match=rf"1 label of .* changed since it began: {val.samples[0].name}\."):
        record.check(written, train, val, Processes(), Heard())
    record.check(replace(written, labels_of_train={}, labels_of_held_out={}), train, val, Processes(), Heard())


def test_photos_that_the_first_weights_learned_from_are_told(begun, tmp_path):
    """A second run begins with the first one's weights, and holds out what those have learned from."""
    recipe, train, val = begun
    record.write(tmp_path / "one", recipe, train, val, "how", Heard())
    (tmp_path / "one" / "best.safetensors").touch()
    second = blob_recipe(tmp_path / "blobs", {"model": {"init": str(tmp_path / "one")}})
    record.write(tmp_path / "two", second, val, train, "how", heard := Heard())
    assert heard.warnings[0].startswith("6 of 6 photos to validate on were learned from too, as copies or by the first")
    assert set(parts.read(tmp_path / "two").before) == set(parts.read(tmp_path / "one").train.values())
    (tmp_path / "one" / "split.toml").write_text("train = 1")
    with pytest.raises(DatasetError, match="is damaged"):
        record.write(tmp_path / "three", second, val, train, "how", heard)
