"""usable: every file of a dataset is read before it is used."""

import numpy as np
import pytest
from PIL import Image

from segcli.data import layouts
from segcli.errors import DatasetError
from segcli.labels import from_names
from segcli.pipeline.listener import Listener
from segcli.pipeline.usable import SHOWN_PROBLEMS, usable

CLASSES = from_names(["background", "cat"])


class Heard(Listener):
    def __init__(self):
        self.warnings = []

    def warn(self, text):
        self.warnings.append(text)


@pytest.fixture
def data(tmp_path):
    """A sound sample, and more bad ones than are told one by one."""
    for name in ("photos", "masks"):
        (tmp_path / name).mkdir()
    for index in range(SHOWN_PROBLEMS + 3):
        Image.fromarray(np.full((8, 8, 3), index, np.uint8)).save(tmp_path / f"photos/{index:02}.png")
        Image.fromarray(np.full((8, 8), 0 if index == 0 else 9, np.uint8)).save(tmp_path / f"masks/{index:02}.png")
    return layouts.folder(tmp_path / "photos", tmp_path / "masks", CLASSES)


def test_problems_are_refused_and_told(data):
    heard = Heard()
    with pytest.raises(DatasetError, match=f"{SHOWN_PROBLEMS + 2} of {SHOWN_PROBLEMS + 3} samples"):
        usable(data, skip_bad=False, listener=heard)
    assert len(heard.warnings) == SHOWN_PROBLEMS + 1
    assert heard.warnings[-1].startswith("and 2 more")


def test_or_left_out(data):
    assert [sample.name for sample in usable(data, skip_bad=True).samples] == ["00"]
