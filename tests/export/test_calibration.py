"""The photos that an 8-bit form is calibrated on: those that come with segcli, or a folder's."""

import tomllib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_int8 import model
from small_runs import smooth

from segcli.errors import InputError, UsageError
from segcli.export import calibration, export
from segcli.images.reading import PLAIN
from segcli.inference.transform import to_input

ROOT = Path(__file__).parents[2]


@pytest.fixture
def photos(tmp_path):
    for index in range(5):
        Image.fromarray(smooth(index, 70, 60)).save(tmp_path / f"{index}.png")
    return tmp_path


def test_without_a_folder_they_are_those_of_the_examples_which_the_wheel_brings_along():
    found = calibration.of(None)
    shipped = sorted((ROOT / "examples" / "photos").glob("*.jpg"))
    assert [(path.name, path.read_bytes()) for path in found.photos] == [(p.name, p.read_bytes()) for p in shipped]
    assert found.facts.photos == len(found.photos) == 6
    targets = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]
    assert targets["wheel"]["force-include"]["examples/photos"] == "segcli/export/photos"


def test_many_photos_are_thinned_out_evenly(photos, monkeypatch):
    assert [path.name for path in calibration.of(photos).photos] == [f"{index}.png" for index in range(5)]
    monkeypatch.setattr(calibration, "MOST", 2)
    assert [path.name for path in calibration.of(photos).photos] == ["0.png", "2.png"]


def test_other_contents_are_another_calibration(photos):
    before = calibration.of(photos).facts
    assert calibration.of(photos).facts == before
    Image.fromarray(smooth(9, 70, 60)).save(photos / "3.png")
    after = calibration.of(photos).facts
    assert (after.photos, before.photos) == (5, 5)
    assert after.calibration != before.calibration


def test_they_are_prepared_as_predict_would(photos):
    given = next(calibration.of(photos).inputs(model().preprocessing, export.prepare(model()), PLAIN))
    assert np.array_equal(given, to_input(smooth(0, 70, 60), model().preprocessing)[0].numpy())


def test_what_is_no_photo_is_told(photos, tmp_path):
    (photos / "4.png").write_bytes((photos / "4.png").read_bytes()[:200])
    with pytest.raises(InputError, match=r"4\.png cannot be calibrated on: "):
        list(calibration.of(photos).inputs(model().preprocessing, export.prepare(model()), PLAIN))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"no photos in .*empty"):
        calibration.of(tmp_path / "empty")
    with pytest.raises(UsageError, match="nowhere is not there"):
        calibration.of(tmp_path / "nowhere")
