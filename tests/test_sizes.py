"""The size of the code: files and functions stay short enough to be read at one go."""

import ast
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "segcli"
FOLDERS = ("segcli", "tests", "benchmarks", "docs", "examples")
MOST_LINES = 350


def lines_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """The lines from `def` to the end, the docstring left out; blank lines, comments and inner functions count."""
    first = function.body[0]
    docstring = first.end_lineno - first.lineno + 1 if ast.get_docstring(function) is not None else 0
    return function.end_lineno - function.lineno + 1 - docstring


def function_lengths(source: str) -> Iterator[int]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield lines_of(node)


def test_functions_are_counted_without_decorators_and_docstrings():
    source = '@cache\ndef a(x):\n    """One.\n\n    Two.\n    """\n\n    return x\n\nclass B:\n    def c(self): pass\n'
    assert list(function_lengths(source)) == [3, 1]


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_file_is_too_long(folder):
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in (ROOT / folder).rglob("*.py")}
    assert lengths
    assert not {str(path.relative_to(ROOT)): length for path, length in lengths.items() if length > MOST_LINES}


def test_most_functions_are_short():
    lengths = sorted(x for path in PACKAGE.rglob("*.py") for x in function_lengths(path.read_text(encoding="utf-8")))
    assert statistics.median(lengths) <= 8
    assert statistics.quantiles(lengths, n=10)[-1] <= 25


def test_few_files_stand_beside_the_rooms():
    beside = sorted(path.name for path in PACKAGE.iterdir() if path.is_file() and not path.name.startswith("."))
    assert len(beside) <= 9, beside
