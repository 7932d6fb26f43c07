"""A plan that is made to fit the memory that is free."""

from types import SimpleNamespace

import pytest

from segcli.training.planning import rules, tried
from segcli.training.planning.rules import Reason
from segcli.training.recipe import Recipe


def drafted(asked):
    """Makes recipes of decisions, as a plan does."""

    def draft(reasons):
        keys = {key: value for reason in reasons for key, value in reason.keys.items()} | asked
        tables = {"model": {"init": "street"}}
        for key, value in keys.items():
            table, _, name = key.partition(".")
            tables.setdefault(table, {})[name] = value
        return Recipe.from_dict(tables)

    return draft


@pytest.mark.parametrize(
    ("free", "asked", "taken"),
    [
        (10_000, {}, (4, 257)),
        (1200, {}, (2, 257)),
        (700, {}, (2, 193)),
        (1, {}, (2, 129)),
        (700, {"schedule.batch": 8}, (8, 129)),
        (700, {"augment.crop": 257}, (2, 257)),
        (None, {}, (4, 257)),
    ],
)
def test_memory_that_is_short_lowers_the_batch_and_then_the_crops(free, asked, taken):
    """Here a run needs as many bytes as a step has rows of pixels, and may take six tenths of what is free."""
    facts = SimpleNamespace(asked=asked, is_fresh=False, machine=SimpleNamespace(memory=free, has_gpu=False, cores=2))
    reasons = (Reason("crop", "", "", rules.crop_keys(257)), rules.batch_of(facts, 4, ""))
    needs = SimpleNamespace(
        available=lambda: free, bytes=lambda recipe: recipe.schedule.batch * max(recipe.augment.crop_size)
    )
    recipe = drafted(asked)(tried.fitted(facts, reasons, drafted(asked), needs))
    assert (recipe.schedule.batch, recipe.augment.crop) == taken
