"""The one decoder: what becomes of plain values, what is refused with which words, and what hostile files meet."""

import json
import math
import os
import threading
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pytest

from segcli import decoding
from segcli.decoding import DecodingError, MissingKeyError, UnknownKeyError, WrongValueError, between
from segcli.errors import UsageError


@dataclass(frozen=True)
class Point:
    x: Annotated[float, between(0, 10)] = 1.0
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ring:
    radius: Annotated[int, between(1, 9)]
    x: float = 0.0


@dataclass(frozen=True)
class Picture:
    name: str
    shape: Point | Ring | None = None
    kind: Literal["a", "b"] = "a"
    pairs: tuple[tuple[Annotated[int, between(1, 9)], int], ...] = ()
    box: tuple[float, float] = (0.0, 1.0)
    sure: bool = False
    note: str | tuple[str, ...] = ""
    extra: dict[str, Any] = field(default_factory=dict)


def nested(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


def test_lists_become_tuples_and_whole_numbers_floats_where_the_field_says_so():
    made = decoding.decode(Picture, {"name": "p", "pairs": [[1, 2], [3, 4]], "box": [1, 2], "note": ["x"]})
    assert made == Picture("p", pairs=((1, 2), (3, 4)), box=(1.0, 2.0), note=("x",))
    assert list(map(repr, made.box)) == ["1.0", "2.0"]


def test_what_is_left_out_has_its_default_but_not_without_one():
    assert decoding.decode(Picture, {"name": "p"}) == Picture("p")
    with pytest.raises(MissingKeyError, match=r"lacks plan\.name"):
        decoding.decode(Picture, {"kind": "b"}, "plan")


@pytest.mark.parametrize(
    ("shape", "made"),
    [
        ({"x": 2}, Point(2.0)),
        ({"tags": ["t"]}, Point(tags=("t",))),
        ({"radius": 3}, Ring(3)),
        ({"radius": 3, "x": 1}, Ring(3, 1.0)),
        ({}, Point()),
        (None, None),
    ],
)
def test_keys_decide_which_of_two_dataclasses_is_meant(shape, made):
    assert decoding.decode(Picture, {"name": "p", "shape": shape}).shape == made


def test_an_unknown_key_of_a_union_is_told_of_the_kind_that_is_most_alike():
    with pytest.raises(UnknownKeyError, match=r"unknown shape\.raidus. Did you mean radius\?"):
        decoding.decode(Ring, {"radius": 1, "raidus": 2}, "shape")
    with pytest.raises(UnknownKeyError, match=r"unknown shape\.y"):
        decoding.decode(Picture, {"name": "p", "shape": {"radius": 3, "y": 2}})


@pytest.mark.parametrize(
    ("values", "message", "wanted"),
    [
        ({"shape": {"x": 11}}, "shape.x cannot be 11.", "a number in 0..10"),
        ({"shape": {"x": math.nan}}, "shape.x cannot be nan", "a number in 0..10"),
        ({"shape": {"x": -math.inf}}, "shape.x cannot be -inf", "a number in 0..10"),
        ({"shape": {"x": True}}, "shape.x cannot be True", "a number in 0..10"),
        ({"shape": {"radius": 2.0}}, "shape.radius cannot be 2.0", "a whole number in 1..9"),
        ({"shape": {"radius": False}}, "shape.radius cannot be False", "a whole number in 1..9"),
        ({"shape": {"radius": 10**30}}, "shape.radius cannot be 1000", "a whole number in 1..9"),
        ({"shape": 3}, "shape cannot be 3", "a table"),
        ({"kind": "c"}, "kind cannot be 'c'", "'a' or 'b'"),
        ({"kind": ["a"]}, r"kind cannot be \['a'\]", "'a' or 'b'"),
        ({"pairs": [[1, 2], [0, 2]]}, r"pairs cannot be \[\[1, 2\], \[0, 2\]\]", "a list of lists of 2 whole numbers"),
        ({"pairs": [[1]]}, r"pairs cannot be \[\[1\]\]", "a list of lists of 2 whole numbers in 1..9"),
        ({"box": [1]}, r"box cannot be \[1\]", "a list of 2 numbers"),
        ({"sure": 1}, "sure cannot be 1", "true or false"),
        ({"note": 3}, "note cannot be 3", "text in quotes or a list of names"),
        ({"name": date(2026, 1, 1)}, "name cannot be datetime.date", "text in quotes"),
        ({"extra": []}, r"extra cannot be \[\]", "a table"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_its_place_and_what_is_meant(values, message, wanted):
    with pytest.raises(WrongValueError, match=message) as caught:
        decoding.decode(Picture, {"name": "p"} | values)
    assert wanted in caught.value.hint


@pytest.mark.parametrize("values", [None, [], "text", 3])
def test_what_is_no_table_is_refused(values):
    with pytest.raises(WrongValueError, match="plan cannot be"):
        decoding.decode(Picture, values, "plan")


@pytest.mark.parametrize(
    "value",
    [nested(100_000), 1 << 100_000, -(1 << 100_000), "x" * 10**6, {"a" * 10**6: 1}, "\ud800\n\0", b"bytes", 1e308],
    ids=["deep", "huge", "hugely negative", "long", "long key", "surrogate", "bytes", "large"],
)
@pytest.mark.parametrize("name", ["name", "shape", "kind", "pairs", "box", "sure", "note", "extra"])
def test_a_hostile_value_is_taken_or_refused_in_one_short_line(name, value):
    refusals = []
    try:
        decoding.decode(Picture, {"name": "p"} | {name: value})
    except DecodingError as error:
        refusals.append(error.message)
    assert not any("\n" in message or len(message) > 1000 for message in refusals)


@pytest.mark.parametrize("key", ["a\nb", "x" * 10**6, "", "\ud800", 'quo"te', "dotted.key"])
def test_a_hostile_key_is_quoted_in_one_short_line(key):
    with pytest.raises(UnknownKeyError) as caught:
        decoding.decode(Picture, {"name": "p", key: 1})
    assert "\n" not in caught.value.message
    assert len(caught.value.message) < 1000
    if key != "x" * 10**6:
        assert repr(key) in caught.value.message


def test_keys_of_a_newer_version_are_passed_over_where_asked():
    assert decoding.decode(Point, {"x": 2, "future": 1}, ignore_unknown=True) == Point(2.0)
    assert decoding.decode_json(Point, '{"x": 2, "future": {"a": [1]}}') == Point(2.0)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "null", "3", '{"x": "2"}', '{"x": NaN}', '{"x": true}', '{"tags": [1]}', "[" * 100_000, b"\xff\xfe"],
    ids=lambda text: repr(text[:9]),
)
def test_json_that_does_not_fit_is_none(text):
    assert decoding.decode_json(Point, text) is None


def test_json_with_halves_of_surrogate_pairs_comes_back():
    """Names of files that are no UTF-8 look like this."""
    assert decoding.decode_json(Point, json.dumps({"tags": ["caf\udce9"]})) == Point(tags=("caf\udce9",))


def test_a_dataclass_is_checked_without_being_changed():
    point = Point(3)
    decoding.check(point)
    assert type(point.x) is int
    with pytest.raises(WrongValueError, match="x cannot be 11"):
        decoding.check(Point(11))


def test_numbers_of_numpy_are_numbers():
    decoding.check(Point(np.int64(3)))
    decoding.check_option("pair", (np.float32(0.5), np.int16(2)), tuple[float, float])
    with pytest.raises(UsageError, match="size cannot be True"):
        decoding.check_option("size", True, int)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a = ", "Invalid value"),
        ("a = " + "[" * 100_000, "nested too deeply"),
        ("a = " + "9" * 5000, "4300"),
        ("[a]\n[a]\n", "twice|declare"),
    ],
    ids=["cut", "deep", "digits", "twice"],
)
def test_toml_that_is_none_is_refused(text, message):
    with pytest.raises(DecodingError, match=message):
        decoding.parse_toml(text)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "9" * 5000], ids=["empty", "cut", "deep", "digits"])
def test_json_that_is_none_is_refused(text):
    with pytest.raises(DecodingError):
        decoding.parse_json(text)


def test_a_file_is_read_without_byte_order_mark_and_with_any_line_ends(tmp_path):
    path = tmp_path / "a.toml"
    path.write_bytes(b"\xef\xbb\xbfa = 1\r\nb = 2\rc = 3\n")
    assert decoding.read_toml(path) == {"a": 1, "b": 2, "c": 3}


def test_a_file_that_is_no_text_or_too_large_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "a.toml"
    path.write_bytes(b"a = '\xff'")
    with pytest.raises(DecodingError, match="utf-8"):
        decoding.read_toml(path)
    monkeypatch.setattr(decoding, "MAX_FILE_BYTES", 3)
    with pytest.raises(DecodingError, match="more than"):
        decoding.read_text(path)
    with pytest.raises(OSError, match="No such file"):
        decoding.read_text(tmp_path / "none")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
class TestPipes:
    def test_one_is_read_once_to_its_end(self, tmp_path):
        os.mkfifo(tmp_path / "pipe")
        text = "# much\n" * 20_000 + "a = 1\n"  # more than a pipe holds
        writer = threading.Thread(target=(tmp_path / "pipe").write_text, args=[text])
        writer.start()
        assert decoding.read_toml(tmp_path / "pipe") == {"a": 1}
        writer.join()

    def test_one_that_nobody_writes_to_is_refused(self, tmp_path, monkeypatch):
        monkeypatch.setattr(decoding, "PATIENCE", 0.05)
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(DecodingError, match="pipe whose end"):
            decoding.read_text(tmp_path / "pipe")

    def test_one_whose_end_does_not_come_is_refused(self, tmp_path, monkeypatch):
        monkeypatch.setattr(decoding, "PATIENCE", 0.05)
        os.mkfifo(tmp_path / "pipe")
        with (tmp_path / "pipe").open("r+b", buffering=0) as writer:
            writer.write(b"a = 1")
            with pytest.raises(DecodingError, match="pipe whose end"):
                decoding.read_text(tmp_path / "pipe")

    def test_a_device_is_refused(self):
        with pytest.raises(DecodingError, match="device"):
            decoding.read_text(Path("/dev/zero"))


@pytest.mark.parametrize(
    "text", ["a = " + "[" * 100_000, ".".join("a" * 3000) + " = 1", "[" + ".".join("a" * 3000) + "]\nx = 1"]
)
def test_toml_without_an_end_to_its_depth_is_refused(text):
    with pytest.raises(DecodingError, match=r"deeply|Expected"):
        decoding.parse_toml(text)


@pytest.mark.parametrize("text", ["NaN", "-Infinity", "1e999", '{"a": [NaN]}'])
def test_json_has_finite_numbers_only(text):
    with pytest.raises(decoding.DecodingError, match="no finite number"):
        decoding.parse_json(text)


@pytest.mark.parametrize("number", ["nan", "inf", "-inf", "1e999"])
def test_toml_numbers_are_finite_and_the_place_of_another_is_named(number):
    with pytest.raises(decoding.WrongValueError, match=r"loss\.weight cannot be .* It must be a finite number"):
        decoding.parse_toml(f"[loss]\nweight = {number}")


def test_a_field_without_limits_takes_no_infinite_number():
    @dataclass
    class Free:
        value: float | tuple[float, float] = 0.0

    for value in (float("nan"), (1.0, float("inf"))):
        with pytest.raises(decoding.WrongValueError, match="value cannot be"):
            decoding.decode(Free, {"value": value})
        with pytest.raises(decoding.WrongValueError):
            decoding.check(Free(value))
