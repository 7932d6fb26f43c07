import importlib.util
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "docs" / "models_md.py"


@pytest.fixture(scope="module")
def page():
    """docs/models_md.py as a module."""
    found = importlib.util.spec_from_file_location("models_md", SCRIPT)
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def test_the_papers_counts_are_met_within_half_a_per_cent(page):
    off = {row: page.counted(row)[0] for row in page.TABLE_3 + page.TABLE_5}
    assert {row: count for row, count in off.items() if abs(count / row.billions - 1) > 0.005} == {}


def test_both_tables_are_whole(page):
    assert (len(page.TABLE_3), len(page.TABLE_5)) == (14, 24)


def test_the_two_rows_without_multi_grid_would_be_off_with_it(page):
    odd = [row for row in page.TABLE_3 if not row.multi_grid]
    assert [row.billions for row in odd] == [101.28, 101.28]
    assert all(page.counted(row._replace(multi_grid=True))[0] > 1.01 * row.billions for row in odd)


def test_the_file_is_up_to_date(page):
    assert page.TARGET.read_text(encoding="utf-8") == page.render(), "run: python docs/models_md.py"
