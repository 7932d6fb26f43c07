"""Addresses of a scheduler: what they may be, and which of them others can reach."""

import json

import pytest

from segcli.errors import UsageError
from segcli.pipeline.cluster.address import parse


@pytest.mark.parametrize(
    ("text", "is_open"),
    [
        ("tcp://127.0.0.1:8786", False),
        ("tcp://[::1]:8786", False),
        ("tcp://localhost:8786", False),
        ("tcp://10.0.0.5:8786", True),
        ("tcp://head-node:1", True),
        ("tls://10.0.0.5:8786", False),
    ],
)
def test_an_address_stays_as_it_was_given(text, is_open):
    assert (str(parse(text)), parse(text).is_open) == (text, is_open)


def test_the_file_of_a_scheduler_holds_its_address(tmp_path):
    path = tmp_path / "scheduler.json"
    path.write_text(json.dumps({"type": "Scheduler", "address": "tls://10.0.0.5:8786", "workers": {}}))
    assert str(parse(str(path))) == "tls://10.0.0.5:8786"


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"address": 7}', '{"address": "inproc://10.0.0.5/1/2"}', "\xff"])
def test_another_file_is_refused(tmp_path, content):
    path = tmp_path / "scheduler.json"
    path.write_text(content, encoding="latin-1")
    with pytest.raises(UsageError, match=r"--cluster .*scheduler\.json: n"):
        parse(str(path))


@pytest.mark.parametrize(
    "text",
    ["tcp://host", "tcp://:8786", "tcp://host:0", "tcp://host:99999", "tcp://me:secret@host:1/", "ucx://host:1", ""],
)
def test_what_is_no_address_is_refused(text):
    with pytest.raises(UsageError):
        parse(text)


def test_no_file_is_said_so(tmp_path):
    with pytest.raises(UsageError, match="no such file"):
        parse(str(tmp_path / "none.json"))
