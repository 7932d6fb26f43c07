import re
from pathlib import Path

import pytest

from segcli.files.encoding import to_json

PACKAGE = Path(__file__).parents[2] / "segcli"
ENCODERS = {
    "files/encoding.py",
    "data/name_documents.py",
    *(f"data/forms/{name}.py" for name in ("coco", "documents", "labelme")),
}
"""The only files that make JSON; the encoder of all but the first, msgspec's, writes null for what is no number."""


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_numbers_that_are_none_get_into_no_json(number):
    with pytest.raises(ValueError, match="JSON"):
        to_json({"scores": [1.0, {"miou": number}]})


def test_the_layout_is_that_of_the_standard_library():
    assert to_json({"b": 1.5, "a": None}, sort_keys=True) == '{"a": null, "b": 1.5}'


def test_there_is_one_encoder():
    found = set()
    for path in PACKAGE.rglob("*.py"):
        if re.search(r"\bjson\.(dumps?|encode)\(|JSONEncoder|orjson", path.read_text()):
            found.add(path.relative_to(PACKAGE).as_posix())
    assert found == ENCODERS
