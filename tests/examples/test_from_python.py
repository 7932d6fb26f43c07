"""examples/from_python.py as it stands, on smaller photos."""

import importlib.util
from pathlib import Path

import pytest
from PIL import Image
from small_runs import records, smooth

SCRIPT = Path(__file__).parents[2] / "examples" / "from_python.py"


@pytest.fixture
def script(tmp_path, monkeypatch):
    specification = importlib.util.spec_from_file_location("from_python", SCRIPT)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    for index in range(2):
        path = tmp_path / f"photos/{index}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(smooth(index, 96, 64)).save(path)
    monkeypatch.setattr(module, "PHOTOS", tmp_path / "photos")
    return module


def test_it_labels_photos_once_and_shows_them(script, tmp_path, capsys):
    script.main(tmp_path / "out")
    assert "2 labelled now, 0 before" in capsys.readouterr().out
    assert len(records(tmp_path / "out")) == 2
    width, height = script.TILE
    assert Image.open(tmp_path / "out/all.jpg").size == (2 * width, 2 * height)
    script.main(tmp_path / "out")
    assert "0 labelled now, 2 before" in capsys.readouterr().out
