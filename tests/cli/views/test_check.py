"""How the check of a dataset looks."""

import json
from pathlib import Path

import numpy as np

from segcli.cli.display import Display
from segcli.cli.views.check import folded, report
from segcli.data.census import Census
from segcli.data.check import Problem
from segcli.data.dataset import Dataset, ids_of
from segcli.data.doubts import Doubt
from segcli.images.measure import Measured
from segcli.labels import from_names

LABELS = from_names(["soil", "leaf"])


def missing(name):
    path = Path(f"masks/{name}.png")
    return Problem("missing", name, path, f"{path} is not there", "Add the label of its photo.")


def size(name, width):
    path = Path(f"masks/{name}.png")
    return Problem("size", name, path, f"{path} is {width} x 3 pixels, its photo 4 x 3", "Export it again.")


def test_many_problems_of_a_kind_are_told_once_with_their_number():
    names = ["frog", "a/toad", *map(str, range(38))]
    lines = folded([*map(missing, names), size("newt", 9)])
    assert lines == [
        "missing   40 times, such as: masks/frog.png is not there  Add the label of its photo.",
        "size      masks/newt.png is 9 x 3 pixels, its photo 4 x 3  Export it again.",
    ]


def test_those_that_differ_in_numbers_are_alike_and_those_of_other_kinds_are_not():
    other = Problem("label", "x", Path("masks/x.png"), "masks/x.png is damaged", "Fetch or export it again.")
    lines = folded([size("a", 1), missing("a"), size("b", 2), other, size("c", 33), size("d", 4)])
    assert [line.split()[0] for line in lines] == ["size", "missing", "label"]
    assert "4 times" in lines[0]


def test_a_few_are_told_one_by_one():
    assert len(folded([missing("a"), missing("b"), missing("c")])) == 3


def counted():
    census = Census(2)
    census.add(np.array([[0, 0, 1]], np.uint8))
    return census


def test_the_verdict_counts_problems_and_warnings(capsys):
    data = Dataset("folder", "photos", LABELS, (), ids_of(LABELS))
    doubt = Doubt("void", "a", Path("masks/a.png"), "60 % of the label of a are void", "See --void.")
    report(Display(), [data], [missing("a")], [doubt], counted(), Measured())
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("missing   masks/a.png is not there")
    assert lines[1].startswith("warning: void      60 % of the label")
    assert lines[-1] == "folder: 0 samples in photos; 1 problem, 1 warning"
    report(Display(), [data], [], [], counted(), Measured())
    assert capsys.readouterr().out.splitlines()[-1] == "folder: 0 samples in photos; no problems"


def test_json_lists_every_one(capsys):
    data = Dataset("folder", "photos", LABELS, (), ids_of(LABELS))
    doubt = Doubt("absent", "", Path("masks"), "no label holds a pixel of leaf", "See --names.")
    report(Display(as_json=True), [data], [missing(str(i)) for i in range(9)], [doubt], counted(), Measured())
    found = json.loads(capsys.readouterr().out)
    assert [problem["sample"] for problem in found["problems"]] == [str(i) for i in range(9)]
    assert found["warnings"] == [
        {
            "kind": "absent",
            "sample": "",
            "file": "masks",
            "detail": "no label holds a pixel of leaf",
            "hint": "See --names.",
        }
    ]
    assert found["pixels"] == {"soil": 2, "leaf": 1, "void": 0}
    assert "reading" not in found
