"""The small table of classes: it fits a narrow terminal, and tells what matters where there are many."""

from rich.console import Console

from segcli.cli.views.classes import table
from segcli.images.plots import MOST_CLASSES


def lines(iou, before=None, width=80):
    found, rest = table(iou, before)
    console = Console(width=width)
    with console.capture() as captured:
        console.print(found)
    return [*captured.get().splitlines(), *([rest] if rest else [])]


def test_each_class_has_iou_dice_and_what_changed():
    shown = lines({"soil": 0.5, "leaf": 0.25, "moss": None}, {"soil": 0.4, "leaf": None})
    assert [line.split() for line in shown] == [
        ["class", "IOU", "Dice", "change"],
        ["soil", "50.00", "66.67", "+10.00"],
        ["leaf", "25.00", "40.00"],
    ]


def test_the_first_validation_has_no_change_and_so_have_rows_of_earlier_versions():
    for before in (None, {}):
        assert lines({"soil": 0.5}, before)[0].split() == ["class", "IOU", "Dice"]


def test_a_long_name_is_cut_and_no_number_is():
    name = "[red]a class whose name is very long and has [/brackets]\nin it"
    shown = lines({name: 0.5, "leaf": 1.0}, {name: 0.6, "leaf": 1.0}, width=40)
    assert all(len(line) <= 40 for line in shown)
    assert shown[1].startswith("[red]a class wh…")
    assert shown[1].split()[-3:] == ["50.00", "66.67", "-10.00"]
    assert len(shown) == 3


def test_of_many_classes_the_lowest_and_those_that_moved_are_shown():
    now = {f"class {index}": 0.2 + index / 40 for index in range(20)}
    before = {name: value + 0.001 for name, value in now.items()}
    before["class 13"], before["class 17"] = 0.1, 0.9
    shown = lines(now, before)
    assert [line.split()[1] for line in shown[1:-1]] == ["0", "1", "2", "3", "4", "5", "13", "17"]
    assert shown[-1] == "12 others: IOU 35.00 to 67.50"


def test_as_many_as_fit_are_all_shown():
    assert len(lines({f"class {index}": 0.5 for index in range(MOST_CLASSES)})) == 1 + MOST_CLASSES
    assert len(lines({f"class {index}": 0.5 for index in range(MOST_CLASSES + 1)})) == 1 + 8 + 1
