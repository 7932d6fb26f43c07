"""The pages that are written from the code: every command and option, and every exit code and file."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest

from segcli import errors
from segcli.pipeline import kinds

DOCS = Path(__file__).parents[1] / "docs"


def module(name):
    """A script of docs/ as a module."""
    found = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    loaded = sys.modules[name] = importlib.util.module_from_spec(found)
    found.loader.exec_module(loaded)
    return loaded


@pytest.mark.parametrize("name", ["commands_md", "reference_files_md"])
def test_the_page_is_up_to_date(name):
    page = module(name)
    assert page.TARGET.read_text(encoding="utf-8") == page.render(), f"run: python docs/{name}.py"


def test_an_option_is_told_with_its_limits_and_default():
    text = module("commands_md").render()
    assert "| `--batch N` | Photos per step on a GPU; this never changes a mask. 1 to 1024. | `1` |" in text
    assert "| `--steady`, `--no-steady` |" in text
    assert "segcli weights pull NAME[@LABELS]... [OPTIONS]" in text


def test_every_kind_and_every_exit_code_is_told():
    page = module("reference_files_md")
    assert set(page.BY_KIND) == set(kinds.KINDS)
    assert set(page.OF_ALL) == set(kinds.JOINED)
    assert {code for name, code in vars(errors).items() if re.match("EXIT_", name)} <= set(page.CODES)
