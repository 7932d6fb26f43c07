"""The options that commands share: their text becomes values once, where it is read."""

import os
import threading
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from segcli.cli.app import app
from segcli.cli.options.network import averaged_scales
from segcli.cli.options.parsing import (
    Parsed,
    choice,
    choices,
    colour,
    scale_list,
    value_range,
    words,
    working_size,
)
from segcli.crf.params import CRFParams
from segcli.errors import UsageError
from segcli.inference.options import ENGINES


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (working_size("--size", 33), "513", 513),
        (working_size("--size", 33), "full", 0),
        (scale_list, "0.5,1, 2", (0.5, 1.0, 2.0)),
        (choice("--engine", ENGINES), "onnx", "onnx"),
        (value_range, "auto", "auto"),
        (value_range, "0:4095", (0.0, 4095.0)),
        (value_range, "-1.5:2e3", (-1.5, 2000.0)),
        (words, "a, b,,c ", ("a", "b", "c")),
        (choices("--save", ("mask", "probs")), "probs,mask,probs", frozenset({"mask", "probs"})),
        (colour("--cutout-background"), "#36f", (51, 102, 255)),
    ],
)
def test_values(parse, text, value):
    assert parse(text) == value


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (working_size("--size", 33), "32"),
        (working_size("--size", 33), "big"),
        (working_size("--size", 33), "-40"),
        (scale_list, "0.5,x"),
        (scale_list, "0.05"),
        (scale_list, "nan"),
        (choice("--engine", ENGINES), "tensorrt"),
        (value_range, "5:5"),
        (value_range, "7"),
        (value_range, "0:inf"),
        (value_range, "nan:nan"),
        (choices("--save", ("mask",)), "mask,smell"),
        (choices("--save", ("mask",)), " , "),
        (colour("--cutout-background"), "reddish"),
    ],
)
def test_what_is_no_value_is_refused(parse, text):
    with pytest.raises(UsageError):
        parse(text)


def test_ms_and_scales():
    assert averaged_scales(None, False) == (1.0,)
    assert averaged_scales((0.5, 1.0), False) == (0.5, 1.0)
    assert len(averaged_scales(None, True)) == 6
    with pytest.raises(UsageError, match="cannot be used together"):
        averaged_scales((0.5,), True)


def test_no_option_of_a_run_is_parsed_twice(segcli, photos, monkeypatch):
    """Every option with a parser, each given once on one command line."""
    seen = []
    plain = Parsed.__call__

    def counted(self, text):
        if isinstance(text, str):
            seen.append(self.option)
        return plain(self, text)

    monkeypatch.setattr(Parsed, "__call__", counted)
    given = {
        "--engine": "torch",
        "--size": "65",
        "--scales": "1",
        "--range": "auto",
        "--bands": "1",
        "--alpha": "ignore",
        "--geojson-crs": "wgs84",
        "--films": "auto",
        "--save": "mask",
        "--classes": "cat",
        "--cutout-background": "white",
        "--legend": "off",
        "--palette": "distinct",
        "--crf-set": "iterations=1",
        "--crf-size": "64",
        "--crf-backend": "torch",
    }
    result = segcli(photos / "b.png", "-o", "out", *(word for pair in given.items() for word in pair))
    assert result.exit_code == 0, result.output
    assert sorted(seen) == sorted(given)
    options = tomllib.loads(Path("out/run.toml").read_text())["options"]
    assert options["scales"] == "1"  # as typed, which `--from` reads again
    assert options["crf_set"] == "iterations=1"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_settings_from_a_pipe_are_read_once_and_used(segcli, photos, tmp_path):
    pipe = tmp_path / "settings"
    os.mkfifo(pipe)
    text = CRFParams(w1=7, iterations=1).to_toml()
    writer = threading.Thread(target=pipe.write_text, args=(text,), daemon=True)
    writer.start()
    result = segcli(photos / "b.png", "-o", "out", "--crf-config", pipe, "--crf-size", "64")
    writer.join(5)
    assert result.exit_code == 0, result.output
    assert tomllib.loads(Path("out/run.toml").read_text())["crf"]["w1"] == 7


def test_a_wrong_value_is_one_line_before_anything_is_loaded():
    result = CliRunner().invoke(app, ["predict", "nowhere.jpg", "--size", "big"])
    assert result.exit_code == 2
    assert "--size big: not a size" in result.stderr
