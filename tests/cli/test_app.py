"""The program as a whole: version, errors as lines, and no traceback unless asked for."""

import json
import subprocess
import sys
import threading

import pytest
from typer.testing import CliRunner

import segcli
from segcli.cli.app import _of_main_thread, app
from segcli.errors import SegcliError


def run(*arguments):
    return CliRunner().invoke(app, arguments)


def test_version_is_data():
    assert run("--version").stdout == f"{segcli.__version__}\n"


def test_the_module_is_the_same_program():
    result = subprocess.run([sys.executable, "-m", "segcli", "--version"], capture_output=True, text=True, check=True)
    assert result.stdout == f"{segcli.__version__}\n"


def test_a_reader_who_has_seen_enough_gets_no_complaint():
    command = [sys.executable, "-m", "segcli", "models", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as program:
        program.stdout.close()
        assert b"error" not in program.stderr.read()


def test_help_fills_the_lines_of_a_narrow_terminal():
    shown = CliRunner().invoke(app, ["predict", "--help"], env={"COLUMNS": "80", "TERM": "dumb"}).stdout
    assert "A second run does only what is missing or has" in shown  # the source breaks this sentence
    assert max(map(len, shown.splitlines())) <= 80


def test_a_mistyped_command_gets_the_nearest():
    result = run("predcit")
    assert result.exit_code == 2
    assert "predict" in result.stderr


@pytest.mark.parametrize(
    ("command", "example"),
    [
        (["predict"], "segcli predict photos/"),
        (["crf"], "segcli crf photos/ --probs plain -o refined"),
        (["data", "convert"], "segcli data convert labelled/ -o plants"),
        (["weights", "pull"], "segcli weights pull v3-mobilenetv2"),
        (["weights", "halve"], "segcli weights halve mine -o small.safetensors"),
    ],
)
def test_what_is_missing_comes_with_the_whole_command(command, example):
    result = run(*command, "--json")
    assert result.exit_code == 2
    assert json.loads(result.stdout)["error"].endswith(f"For example: {example}")


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (SegcliError("it broke", "Mend it."), 1, "error: it broke"),
        (MemoryError(), 1, "error: out of memory"),
        (RuntimeError("CUDA out of memory. Tried to allocate"), 1, "error: out of memory"),
        (OSError(28, "No space left on device", "out/a.png"), 1, "error: OSError: No space left on device: out/a.png"),
        (KeyError("surprise"), 1, "SEGCLI_DEBUG=1"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_error_is_a_line(monkeypatch, error, code, line):
    def fail():
        raise error

    monkeypatch.setattr("segcli.weights.manifest.entries", fail)
    result = run("models", "--json")
    assert result.exit_code == code
    assert line in result.stderr
    assert "Traceback" not in result.stderr
    assert json.loads(result.stdout)["exit_code"] == code


@pytest.mark.parametrize("rank", [0, 1])
def test_of_several_processes_the_first_writes_the_json(monkeypatch, rank):
    monkeypatch.setenv("RANK", str(rank))
    result = run("models", "no-such-model", "--json")
    assert result.exit_code == 2
    assert "no-such-model" in result.stderr
    assert bool(result.stdout) == (rank == 0)


def test_a_traceback_on_request(monkeypatch):
    def fail():
        raise KeyError("surprise")

    monkeypatch.setattr("segcli.weights.manifest.entries", fail)
    monkeypatch.setenv("SEGCLI_DEBUG", "1")
    assert isinstance(run("models").exception, KeyError)


def test_an_error_of_a_thread_shows_no_traceback_and_one_of_the_program_does(capfd):
    thread = threading.Thread(target=lambda: _of_main_thread(EOFError, EOFError("in the thread"), None))
    thread.start()
    thread.join()
    assert capfd.readouterr().err == ""
    _of_main_thread(EOFError, EOFError("at the end"), None)
    assert "at the end" in capfd.readouterr().err
