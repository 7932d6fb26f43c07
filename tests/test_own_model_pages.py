"""The commands with which pages make a model of one's own and use it: each is run as written, trainings included.

A training takes three iterations instead of minutes. What people do between the commands in a labelling tool is done
here by hand.
"""

import json
import re
import shutil

import documents
import numpy as np
import pytest
import workspace
from small_runs import smooth
from typer.testing import CliRunner

from segcli import labels
from segcli.cli.app import app
from segcli.images.masks import write_label_map

CLASSES = labels.from_names(["background", "leaf", "spot"])
SHORT = ("--set", "schedule.iterations=3", "--set", "run.validate_every=3")
OF_ONES_OWN = r"segcli (?!weights).*\b(mine\d?|(?<!-)dataset\d?|round2)\b.*|mv round2.*"
PAGES = {"README.md": 4, "docs/your_own_model.md": 8, "docs/labels.md": 6}
"""The pages, and how many of their commands are of one's own model at least."""


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    home = workspace.with_cache(tmp_path_factory.mktemp("own"))
    for folder in ("photos", "labels", "mine", "labelled"):
        shutil.rmtree(home / folder)
    (home / "labels").mkdir()
    for number in range(12):
        picture = smooth(200 + number, 80, 60)
        workspace.save(home / "photos" / f"leaf {number}.jpg", picture)
        label_map = np.digitize(picture[..., 0], (110, 200)).astype(np.uint8)
        write_label_map(home / "labels" / f"leaf {number}.png", label_map, CLASSES, {})
    return home


@pytest.fixture
def home(template, tmp_path, monkeypatch):
    """A folder of one's own with photos and labels, and no network."""
    workspace.settle(template, tmp_path, monkeypatch)
    return tmp_path


@pytest.mark.parametrize("page", PAGES)
def test_a_model_of_ones_own_is_made_and_used_as_the_page_says(page, home):
    printed = [command for command in documents.commands() if command.page == page]
    texts = dict.fromkeys(command.text for command in printed if re.fullmatch(OF_ONES_OWN, command.text))
    assert len(texts) >= PAGES[page]
    for text in texts:
        words = [word.replace("PHOTOS", "photos") for word in documents.words(text)]
        if words[:3] == ["segcli", "eval", "round2/labelme"]:
            correct(home)
        if words[0] == "mv":
            shutil.move(*words[1:])
        elif "--resume" not in words:  # the run is complete; tests/cli/commands/test_train.py goes on with others
            result = CliRunner().invoke(app, [*words[1:], *(SHORT if is_training(words) else ())])
            assert result.exit_code == 0, f"{text}\n{result.output[-800:]}"


def is_training(words):
    return words[1] == "train" and "--dry-run" not in words


def correct(home):
    """Draw a leaf in each photo, as a person does in LabelMe, and remove the tick."""
    for path in (home / "round2" / "labelme").rglob("*.json"):
        drawn = json.loads(path.read_text())
        assert drawn["flags"] == {"not corrected yet": True}
        drawn["flags"] = {"not corrected yet": False}
        leaf = {"label": "leaf", "points": [[10, 10], [60, 12], [50, 50]], "shape_type": "polygon"}
        drawn["shapes"] = [leaf, *drawn["shapes"]]
        path.write_text(json.dumps(drawn))
