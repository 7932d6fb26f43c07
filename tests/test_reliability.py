"""What docs/reliability.md promises is held: each test that it names exists, and each limit is the one in the code."""

import ast
import re
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
REFERENCES = sorted(set(re.findall(r"`(tests/[\w/]+(?:\.py)?(?:::\w+)*)`", PAGE)))
LIMITS = re.findall(r"\| (\d+)( megapixels| MB|) \| `([\w.]+)\.([A-Z_]+)` \|", PAGE)
UNITS = {"": 1, " megapixels": 10**6, " MB": 1 << 20}


@pytest.mark.parametrize("reference", REFERENCES)
def test_each_test_that_is_named_exists(reference):
    path, *names = reference.split("::")
    assert (ROOT / path).exists()
    body = ast.parse((ROOT / path).read_text(encoding="utf-8")).body if names else []
    for name in names:
        (found,) = (node for node in body if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name)
        body = found.body


def test_every_promise_in_a_table_names_its_test():
    sections = re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]
    with_promises = [section for section in sections if "| promise | checked by |" in section]
    assert len(with_promises) >= 2
    for section in with_promises:
        rows = re.findall(r"^\| (?!promise)(?!-)(.+)\|$", section, re.MULTILINE)
        assert rows
        assert not [row for row in rows if "`tests/" not in row.rpartition("| ")[2]]


def test_every_other_section_says_what_holds_it():
    sections = re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]
    free = [section.partition("\n")[0] for section in sections if "tests/" not in section]
    assert free == ["Limits"], "whose rows name what is in the code"


@pytest.mark.parametrize(("number", "unit", "module", "name"), LIMITS, ids=lambda word: word.strip())
def test_each_limit_is_the_one_in_the_code(number, unit, module, name):
    assert getattr(import_module(f"segcli.{module}"), name) == int(number) * UNITS[unit]


def test_no_limit_is_left_out_by_its_spelling():
    assert len(LIMITS) == PAGE.partition("## Limits")[2].partition("## ")[0].count("\n| ") - 1
