"""`train` for Python users: the whole run folder, everything that is wrong told by the call, and who hears what."""

import csv
import shutil
import subprocess
import sys
from contextlib import contextmanager

import numpy as np
import pytest
import threads
import tomli_w
from blobs import blob_recipe, write_blobs
from PIL import Image
from small_runs import tree

from segcli.distributed import Processes
from segcli.errors import DatasetError, DeviceError, SegcliError, UsageError
from segcli.pipeline.listener import Counter, Listener
from segcli.training import photos, recipe
from segcli.training.events import Step, Validation
from segcli.training.run import TrainingListener, train
from segcli.weights import metadata

SHORT = {"schedule": {"iterations": 4}, "run": {"log_every": 2, "validate_every": 2, "save_every": 2}}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return write_blobs(tmp_path_factory.mktemp("blobs"))


class Heard(TrainingListener):
    """Writes down what it hears."""

    def __init__(self):
        self.notes, self.warnings, self.counted, self.history = [], [], [], None

    def note(self, text):
        self.notes.append(text)

    def warn(self, text):
        self.warnings.append(text)

    @contextmanager
    def counting(self, total, verb, unit="images"):
        self.counted.append((total, verb))
        yield Counter()

    def started(self, history):
        self.history = history
        self.begins = history.iteration


@pytest.fixture(scope="module")
def trained(home, tmp_path_factory):
    """(events, what was heard, folder) of a run."""
    threads.use()  # as in every test: sums depend on it in their last bits
    folder, heard = tmp_path_factory.mktemp("run") / "run", Heard()
    return list(train(blob_recipe(home, SHORT), folder, listener=heard)), heard, folder


def test_a_library_user_gets_the_whole_folder(trained):
    _, _, folder = trained
    left = {name for name in tree(folder) if not name.startswith("tensorboard/")}
    assert left == {
        *("best.safetensors", "last.safetensors", "state.pt", "recipe.toml", "split.toml", "metrics.csv", "curve.png"),
        "validation.html",
        *("overlays/000002/2.jpg", "overlays/000004/2.jpg"),
    }
    assert any(name.startswith("tensorboard/events") for name in tree(folder))


def test_it_yields_every_step_and_every_validation(trained):
    events, _, _ = trained
    assert [(type(event), event.iteration) for event in events] == [
        *((Step, 1), (Step, 2), (Validation, 2)),
        *((Step, 3), (Step, 4), (Validation, 4)),
    ]


def test_the_recipe_in_the_folder_repeats_the_run(home, trained):
    assert recipe.read(trained[2] / "recipe.toml") == blob_recipe(home, SHORT)


def test_what_it_says_is_heard(trained):
    _, heard, _ = trained
    assert heard.notes[0] == "labels: class ids"
    assert heard.notes[1].startswith("device cpu")
    assert heard.notes[2].startswith("foretold: ")
    assert heard.notes[3:] == ["model v3-mobilenetv2-dm05, 2 classes, 6 photos to learn from, 2 to validate on"]
    assert heard.counted == [
        *((8, "looking at masks"), (6, "checking train"), (2, "checking val")),
        (8, "hashing"),
        (8, "hashing labels"),
    ]
    assert (heard.begins, heard.history.iteration) == (0, 4)


def test_files_are_written_before_their_event_is_yielded(home, tmp_path):
    for event in train(blob_recipe(home, SHORT), tmp_path):
        if event.iteration == 2:
            rows = list(csv.DictReader((tmp_path / "metrics.csv").open()))
            assert rows[-1]["iteration"] == "2"
            assert bool(rows[-1]["miou"]) == isinstance(event, Validation)
            assert (tmp_path / "overlays" / "000002").is_dir() == isinstance(event, Validation)
            if isinstance(event, Validation):
                break


def test_a_run_that_was_left_goes_on(home, trained, tmp_path):
    """By its own recipe.toml; it ends with the same bytes."""
    events = train(blob_recipe(home, SHORT), tmp_path)
    while next(events).iteration < 3:
        pass
    events.close()
    heard = Heard()
    rest = list(train(tmp_path / "recipe.toml", tmp_path, resume=True, listener=heard))
    assert [event.iteration for event in rest] == [3, 4, 4]
    assert heard.notes[-1] == "going on after iteration 2"
    counted = [(8, "looking at masks"), (8, "hashing"), (8, "hashing labels")]
    assert (heard.begins, heard.counted) == (2, counted)  # none is checked again
    for name in ("best.safetensors", "last.safetensors", "metrics.csv", "recipe.toml"):
        assert (tmp_path / name).read_bytes() == (trained[2] / name).read_bytes(), name


def test_a_run_goes_on_without_the_photos_that_it_did_not_begin_with(tmp_path):
    """One that it left out as unusable, and one that came later: every fourth photo would be another one with it."""
    folder, heard = write_blobs(tmp_path / "blobs", 9), Heard()
    (folder / "images" / "8.png").write_bytes(b"no picture")
    events = train(blob_recipe(folder, SHORT), tmp_path / "run", skip_bad=True)
    while next(events).iteration < 3:
        pass
    events.close()
    for kind in ("images", "masks"):
        shutil.copy(folder / kind / "3.png", folder / kind / "00.png")
    rest = list(train(tmp_path / "run" / "recipe.toml", tmp_path / "run", resume=True, listener=heard))
    assert [event.iteration for event in rest] == [3, 4, 4]
    assert "2 photos that this run did not begin with are left out" in heard.notes


def test_the_device_is_the_callers_where_it_names_one(home, tmp_path):
    next(train(blob_recipe(home, {"run": {"device": "cuda:99"}}), tmp_path / "run", device="cpu"))
    assert recipe.read(tmp_path / "run" / "recipe.toml").run.device == "cpu"
    with pytest.raises((DeviceError, UsageError)):
        next(train(blob_recipe(home), tmp_path / "other", device="cuda:99"))
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"loss": {"class_weights": [1, 2, 3]}}, "3 numbers, there are 2 classes"),
        ({"data": {"repeat": ["blub"]}}, "no class is called 'blub'"),
        ({"data": {"fold": [1, 2], "val_images": "a", "val_masks": "b"}}, "cannot be used together"),
    ],
)
def test_a_wrong_recipe_is_refused_by_the_call_itself(home, tmp_path, changes, said):
    with pytest.raises(UsageError, match=said):
        train(blob_recipe(home, changes), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_folder_that_cannot_be_used_is_refused_by_the_call_itself(home, trained, tmp_path):
    with pytest.raises(UsageError, match="holds a run already"):
        train(blob_recipe(home), trained[2])
    (tmp_path / "file").touch()
    with pytest.raises(SegcliError, match="cannot write to"):
        train(blob_recipe(home), tmp_path / "file")


def test_a_name_and_a_path_are_recipes_too(home, tmp_path):
    with pytest.raises(UsageError, match="no recipe is called 'finetun'"):
        train("finetun", tmp_path / "run")
    with pytest.raises(DatasetError, match="photos is no folder"):
        train("finetune", tmp_path / "run")
    (tmp_path / "mine.toml").write_text(tomli_w.dumps(blob_recipe(home, SHORT).to_dict()))
    assert isinstance(next(train(str(tmp_path / "mine.toml"), tmp_path / "run")), Step)


def test_bad_files_stop_it_or_are_left_out(tmp_path):
    folder, heard = write_blobs(tmp_path / "blobs", 5), Heard()
    (folder / "images" / "0.png").write_bytes(b"no picture")
    with pytest.raises(DatasetError, match="1 of 4 samples of folder train have problems"):
        next(train(blob_recipe(folder), tmp_path / "run", listener=heard))
    assert "0.png" in heard.warnings[0]
    assert not (tmp_path / "run").exists()
    next(train(blob_recipe(folder), tmp_path / "run", skip_bad=True, listener=heard))
    assert "3 photos to learn from" in heard.notes[-1]


def test_any_listener_will_do_and_only_the_main_process_has_one(home, tmp_path):
    assert isinstance(next(train(blob_recipe(home), tmp_path / "main", listener=Listener())), Step)
    heard = Heard()
    batch = {"schedule": {"batch": 3}}
    with pytest.raises(UsageError, match="3 photos at once cannot be shared out to 2 processes"):
        next(train(blob_recipe(home, batch), tmp_path / "run", processes=Processes(1, 2), listener=heard))
    assert heard.notes == heard.counted == []


def test_labels_that_lack_a_class_stop_it_unless_that_is_allowed(home, tmp_path):
    moss = blob_recipe(home, SHORT | {"data": {"labels": ["field", "blob", "moss"], "size": 97}})
    with pytest.raises(DatasetError, match="no label holds a pixel of moss"):
        next(train(moss, tmp_path / "run"))
    assert not (tmp_path / "run").exists()
    heard = Heard()
    next(train(moss, tmp_path / "run", allow_missing=True, listener=heard))
    assert heard.warnings == ["no label holds a pixel of moss, so the model cannot learn it"]


def test_refusals_import_no_torch(tmp_path):
    program = (
        "import sys\nfrom segcli.training.run import train\nfrom segcli.errors import SegcliError\n"
        "try: train('finetune', 'run')\n"
        "except SegcliError as error: print(error.message.endswith('photos is no folder'), 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout == "True False\n"


@pytest.fixture(scope="module")
def deep(tmp_path_factory):
    """The blobs in grey of 12 bits, of which 16 bits use a thirtieth."""
    folder = write_blobs(tmp_path_factory.mktemp("deep"))
    for path in (folder / "images").iterdir():
        grey = np.asarray(Image.open(path).convert("L"))
        Image.fromarray(grey.astype(np.uint16) * 8 + 700).save(path)
    return folder


@pytest.fixture(scope="module")
def learned(deep, tmp_path_factory):
    """(what was heard, folder) of a run on them."""
    threads.use()
    folder, heard = tmp_path_factory.mktemp("run") / "run", Heard()
    list(train(blob_recipe(deep, SHORT | {"data": {"range": "auto"}}), folder, listener=heard))
    return heard, folder


def test_the_range_of_the_photos_is_kept_with_what_was_learned(learned):
    heard, folder = learned
    kept = metadata.read(folder / "best.safetensors").photos
    low, high = kept.range
    assert (kept.kind, kept.bands) == ("uint16", ())
    assert (low, high) == pytest.approx((1100, 1800), abs=100)
    assert heard.notes[1].startswith(f"range {low:g} to {high:g} of uint16, because the values are ")
    assert recipe.read(folder / "recipe.toml").data.range == kept.range
    assert metadata.read(folder / "last.safetensors").recipe["data"]["range"] == list(kept.range)
    assert photos.first_values(str(folder / "last.safetensors")) == kept


def test_a_run_on_measured_photos_goes_on_exactly(deep, learned, tmp_path, monkeypatch):
    """By the recipe as it was written first, though the photos would be measured otherwise now."""
    settings = blob_recipe(deep, SHORT | {"data": {"range": "auto"}})
    events = train(settings, tmp_path)
    while next(events).iteration < 3:
        pass
    events.close()
    monkeypatch.setattr("segcli.images.ranges.PERCENTILES", (20, 80))
    list(train(settings, tmp_path, resume=True))
    for name in ("best.safetensors", "last.safetensors", "metrics.csv", "recipe.toml"):
        assert (tmp_path / name).read_bytes() == (learned[1] / name).read_bytes(), name
    with pytest.raises(UsageError, match=r"data.range was .* and is \(0.0, 4095.0\) now"):
        next(train(blob_recipe(deep, SHORT | {"data": {"range": "0:4095"}}), tmp_path, resume=True))
