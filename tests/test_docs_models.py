import importlib.util
from pathlib import Path

import pytest

from segcli.models.spec import BackboneSpec

SCRIPT = Path(__file__).parents[1] / "docs" / "models_md.py"


@pytest.fixture(scope="module")
def page():
    """docs/models_md.py as a module."""
    found = importlib.util.spec_from_file_location("models_md", SCRIPT)
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def test_every_key_is_explained_by_the_spec_s_own_words(page):
    for _, kind, example in page.GROUPS:
        assert page.keys_table(kind, example).count("\n") > 4
    assert "at stride 8" in page.attributes(BackboneSpec)["taps"], "also what stands in a second line"


def test_the_file_is_up_to_date(page):
    assert page.TARGET.read_text(encoding="utf-8") == page.render(), "run: python docs/models_md.py"
