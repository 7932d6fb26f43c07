"""docs/tables.md: every row can be built, its counts are the paper's, and its commands say what they should."""

import importlib
from pathlib import Path

import pytest
import torch

from segcli.models import limits
from segcli.models.networks.deeplab import build
from segcli.models.variants import get
from segcli.training import packaged, recipe
from segcli.weights import manifest

DOCS = Path(__file__).parents[1] / "docs"


@pytest.fixture(scope="module")
def page():
    """docs/tables_md.py as a module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(DOCS)
        return importlib.import_module("tables_md")


@pytest.fixture(scope="module")
def rows(page):
    return [(table, row) for table in page.TABLES for row in table.rows]


def test_every_table_is_whole(page):
    """The number of rows in the papers; v3's Tables 2 and 3 have four networks a line."""
    assert {table.title.partition(":")[0]: len(table.rows) for table in page.TABLES} == {
        "v1, Table 1 (a)": 10,
        "v1, Table 2, and v2, Table 1": 4,
        "v2, Table 2": 5,
        "v2, Table 3": 3,
        "v2, Table 4": 7,
        "v2, Table 6": 6,
        "v2, Table 7": 5,
        "v2, Table 9": 6,
        "v3, Table 1": 6,
        "v3, Table 2": 8,
        "v3, Table 3": 20,
        "v3, Table 4": 4,
        "v3, Table 5": 5,
        "v3, Table 6": 5,
        "v3, Table 8": 4,
        "v3, Table 9": 4,
        "v3, Table 10": 6,
        "v3, Table 12": 2,
        "v3+, Table 1": 5,
        "v3+, Table 2": 6,
        "v3+, Table 3": 14,
        "v3+, Table 5": 24,
        "v3+, Table 7 (a)": 4,
    }


def test_every_row_builds(page, rows):
    """On the meta device, at the output strides that it is trained and evaluated at; counting builds it too."""
    evaluated = {(row.model, row.eval_stride or row.train_stride) for _, row in rows}
    for _, row in rows:
        limits.check(get(row.model))
        assert page.cost(get(row.model), row.eval_stride or row.train_stride, row.scales).parameters > 0
    for model, stride in {(row.model, row.train_stride) for _, row in rows} - evaluated:
        with torch.device("meta"):
            build(get(model), 21, stride)


def test_multiply_adds_are_the_papers_within_half_a_per_cent(page, rows):
    off = {row: page.in_its_way(row) for _, row in rows if row.billions}
    assert len(off) == 14 + 24
    assert {row: count for row, count in off.items() if abs(count / row.billions - 1) > 0.005} == {}


def test_the_two_rows_without_multi_grid_would_be_off_with_it(page, rows):
    odd = [row for _, row in rows if row.billions and "mg=1,1,1" in row.model]
    assert [row.billions for row in odd] == [101.28, 101.28]
    with_it = page.in_its_way(odd[0]._replace(model="v3plus-resnet101-beta"))
    assert with_it > 1.01 * odd[0].billions
    assert any(f"the count is {with_it:.2f} B" in table.note for table in page.TABLES)


def test_parameters_are_the_papers(page, rows):
    stated = {row.model: row.millions for _, row in rows if row.millions}
    ours = {model: page.cost(get(model), 8, False).parameters / 1e6 for model in stated}
    assert len(stated) == 4
    assert {model for model in stated if abs(ours[model] - stated[model]) > 0.1} == set()


def test_each_row_is_trained_as_it_says(page, rows):
    for table, row in rows:
        words = page.training(table, row).replace('"', "").split()
        read = recipe.read(packaged.find(words[words.index("--config") + 1]), words[words.index("--set") + 1 : -2 : 2])
        asked = read.model.asked()
        assert asked == get(row.model)
        assert (read.model.output_stride or asked.output_stride) == row.train_stride


def test_what_begins_with_coco_learns_at_the_rate_of_its_paper(page, rows):
    """v3 takes a smaller one then (section 4.3), and v3+ follows v3; v2 does not say so."""
    rates = {table.title[:3].rstrip(","): set() for table, _ in rows}
    for table, row in rows:
        if any(change.startswith("model.init=coco") for change in row.changes):
            read = recipe.read(packaged.find(table.recipe), row.changes)
            rates[table.title[:3].rstrip(",")].add(read.schedule.rate)
    assert rates == {"v1": set(), "v2": {2.5e-4}, "v3": {1e-4}, "v3+": {1e-4}}


def test_vgg_is_never_scaled_in_training_and_resnets_are_at_several_scales(page, rows):
    """As in v2's Tables 2 to 4, which say so."""
    for table, row in rows:
        if row.train_stride == 8 and table.title.startswith(("v1", "v2")):
            read = recipe.read(packaged.find(table.recipe), (*row.changes, f"model.name={row.model}"))
            vgg, several = "vgg16" in row.model, bool(get(row.model).scales)
            scaled = read.augment.scale == (0.5, 1.5)
            assert scaled or read.augment.scale == (1.0, 1.0)
            assert not (vgg and scaled)
            if "Cityscapes" in table.title:
                assert not several  # "we do not exploit multi-scale inputs" (v2, section 4.4)


def test_a_row_counts_what_it_names(page, rows):
    row = next(row for _, row in rows if row.scales and row.flip)
    assert page.counting(row) == f"segcli models {row.model} --size 513 --output-stride 8 --ms --flip"


def test_weights_are_named_where_they_were_scored_as_the_row_says(rows):
    named = {row.weights: row for _, row in rows if row.weights}
    assert set(named) == {"v2-resnet101@voc2012", "v3plus-xception@voc2012", "v3plus-xception@cityscapes"}
    for name, row in named.items():
        entry = manifest.resolve(name)
        assert entry.variant == row.model
        assert f"output stride {row.eval_stride or row.train_stride}" in entry.reported_setting or row.train_stride == 8
        assert (row.scales, row.flip) == (False, False)


def test_the_file_is_up_to_date(page):
    assert page.TARGET.read_text(encoding="utf-8") == page.render(), "run: python docs/tables_md.py"
