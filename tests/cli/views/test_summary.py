"""The end of a run on the terminal."""

import json
from pathlib import Path

import pytest

from segcli.cli.display import Display
from segcli.cli.views.summary import report
from segcli.training.output.history import History
from segcli.training.output.summary import Summary
from segcli.training.recipe import Model, Recipe, Run, Schedule

RECIPE = Recipe(Model("street"), schedule=Schedule(iterations=30, minutes=2.5), run=Run(patience=1))


def told(capsys, iteration, rows, **display):
    best = max((row["miou"] for row in rows if "miou" in row), default=None)
    summary = Summary.of(History(iteration, best, rows), RECIPE, Path("/nowhere"))
    report(Display(**display), summary, RECIPE)
    return capsys.readouterr()


def validation(iteration, miou):
    iou = {"[/soil]": miou, "leaf": miou + 0.1, "moss": None}
    return {"iteration": iteration, "miou": miou, "iou": iou, "worst": [[name, 0.1] for name in "abcd"]}


@pytest.mark.parametrize(
    ("iteration", "rows", "said"),
    [
        (
            30,
            [],
            "not validated, so that nobody knows how good it is: /nowhere/last.safetensors after 30 iterations",
        ),
        (30, [validation(30, 0.5)], "best val mIOU 50.00, mean Dice 70.83 at iteration 30 of 30: /nowhere"),
        (20, [validation(10, 0.5), validation(20, 0.6)], "20 of 30 iterations: no more fitted its time"),
        (
            20,
            [validation(10, 0.5), validation(20, 0.5)],
            "stopped early, after 20 of 30 iterations: 1 validation without",
        ),
        (30, [validation(0, 0.5), validation(30, 0.525)], "2.50 points better than the weights it began with, 50.00"),
        (30, [validation(0, 0.5), validation(30, 0.4)], "no better than the weights it began with"),
        (30, [{"iteration": 30, "miou": 0.5}], "best val mIOU 50.00 at iteration 30 of 30: /nowhere"),
    ],
)
def test_what_it_came_to_and_why_it_ended(capsys, iteration, rows, said):
    found = told(capsys, iteration, rows)
    assert said in found.out + found.err
    assert found.out.splitlines()[-1] == "segcli predict PHOTOS --weights /nowhere"
    assert ("20 of 30" in found.err) == (iteration < 30)


def test_the_lowest_class_comes_first_and_three_photos_are_named(capsys):
    lines = told(capsys, 30, [validation(30, 0.5)]).out.splitlines()
    assert [line.split() for line in lines[1:4]] == [
        ["class", "IOU", "Dice"],
        ["[/soil]", "50.00", "66.67"],
        ["leaf", "60.00", "75.00"],
    ]
    assert lines[4:7] == [f"worst: {name}  mIOU 10.00" for name in "abc"]


def test_json_carries_the_same_and_nothing_else_is_printed(capsys):
    found = told(capsys, 20, [validation(10, 0.5), validation(20, 0.5)], as_json=True, quiet=True)
    result = json.loads(found.out)
    assert (result["ended"], result["best_iteration"], result["iou"]["moss"]) == ("patience", 10, None)
    assert [image["name"] for image in result["worst"]] == ["a", "b", "c", "d"]
    assert found.err == ""
