"""The photos of a run, found again by what its folder says."""

import pytest
from blobs import blob_recipe, write_blobs
from dataset_files import write_mask, write_photo
from heard import Heard

from segcli.distributed import Processes
from segcli.errors import DatasetError, UsageError
from segcli.pipeline import scored
from segcli.training.output import record, run_folder
from segcli.training.partition import own_photos, split
from segcli.training.recipe import Data, Model, Recipe


def begin(folder, recipe):
    """What a run's folder says, and a checkpoint in it."""
    run_folder.write_recipe(folder, recipe)
    record.write(folder, recipe, *split.choose(recipe.data), "how", Heard())
    (folder / "best.safetensors").touch()
    return folder / "best.safetensors"


@pytest.fixture
def home(tmp_path):
    return write_blobs(tmp_path / "blobs")


def scored_names(model, part):
    data, _ = scored.choose(own_photos.of_run(model, part, Heard()), model, part, Processes())
    return [sample.name for sample in data.samples]


def test_the_held_out_photos_are_found_by_the_recipe(home, tmp_path):
    model = begin(tmp_path / "run", blob_recipe(home))
    assert scored_names(model, "held-out") == ["2", "6"]
    assert len(scored_names(model, "train")) == 6
    data = own_photos.of_run(model, "held-out")
    assert data.read_label(data.samples[0]).max() == 255


def test_python_users_get_them_too(home, tmp_path):
    begin(tmp_path / "run", blob_recipe(home))
    heard = Heard()
    assert [sample.name for sample in own_photos.photos_of_run(tmp_path / "run", listener=heard).samples] == ["2", "6"]
    assert heard.notes[-1] == "photos scored: 2 held out; left out: 6 learned from (--part chooses)"
    assert len(own_photos.photos_of_run(str(tmp_path / "run"), "train")) == 6
    with pytest.raises(UsageError, match=f"^{tmp_path}/nowhere: no such file"):
        own_photos.photos_of_run(tmp_path / "nowhere")


def test_a_numbered_checkpoint_finds_them_too(home, tmp_path):
    begin(tmp_path / "run", blob_recipe(home))
    model = tmp_path / "run" / "checkpoints" / "000500.safetensors"
    model.parent.mkdir()
    model.touch()
    assert scored_names(model, "held-out") == ["2", "6"]


def test_photos_that_came_later_are_new_and_move_none(home, tmp_path):
    """Every n-th photo is another one by then."""
    model = begin(tmp_path / "run", blob_recipe(home))
    for index in range(3):
        write_photo(home / "images" / f"0{index}.png", (80, 64), grey=index)
        write_mask(home / "masks" / f"0{index}.png", [[0] * 80] * 64)
    assert scored_names(model, "held-out") == ["2", "6"]
    assert scored_names(model, "new") == ["00", "01", "02"]


def test_photos_that_moved_are_told_in_one_line(home, tmp_path):
    model = begin(tmp_path / "run", blob_recipe(home))
    home.rename(tmp_path / "elsewhere")
    with pytest.raises(
        DatasetError, match=r"the photos of the run .*run are not where its recipe\.toml says"
    ) as caught:
        own_photos.of_run(model, "held-out")
    assert "\n" not in caught.value.message
    assert "segcli eval photos labels" in caught.value.hint


def test_a_run_that_held_out_none_and_one_of_an_earlier_version_are_refused(home, tmp_path):
    model = begin(tmp_path / "run", blob_recipe(home, {"data": {"holdout": 0}}))
    with pytest.raises(DatasetError, match="has held out no photo"):
        own_photos.of_run(model, "held-out")
    (tmp_path / "run" / "split.toml").unlink()
    with pytest.raises(UsageError, match="does not lie in the folder of its run"):
        own_photos.of_run(model, "held-out")


def test_a_published_dataset_is_scored_by_the_split_that_is_meant(tmp_path):
    for part, count in (("train", 3), ("val", 2)):
        for index in range(count):
            write_photo(tmp_path / "camvid" / part / f"{index}.png", grey=index + 10 * count)
            write_mask(tmp_path / "camvid" / f"{part}annot" / f"{index}.png", [[0, 1, 2, 11]] * 3)
    data = Data(dataset="camvid", data_dir=str(tmp_path))
    model = begin(tmp_path / "run", Recipe(Model(init="street"), data))
    assert (len(scored_names(model, "held-out")), len(scored_names(model, "train"))) == (2, 3)
    with pytest.raises(UsageError, match="part 'all': the run learned from one dataset and was validated on another"):
        own_photos.of_run(model, "all")
