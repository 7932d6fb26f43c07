"""What a process does when it is told to end; the processes here are small ones, which only watch."""

import json
import os
import signal
import subprocess
import sys

import pytest

from segcli.cli.display import Display
from segcli.cli.signals import WATCH

pytestmark = pytest.mark.skipif(os.name != "posix", reason="Windows has no SIGINT for other processes")

BEGIN = "import os, signal, sys, time; from segcli.cli.signals import WATCH; WATCH.begin()\n"
ORDERLY = """
try:
    with WATCH.orderly():
        os.kill(os.getpid(), signal.{name})
        time.sleep(9)
except KeyboardInterrupt:
    print("tidied up", flush=True)
    {then}
"""


def _hearing():
    """Undo what tests that run in the background are born with: deafness to some signals."""
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_DFL)


def ended(code, **options):
    options = {"preexec_fn": _hearing, **options}
    done = subprocess.run([sys.executable, "-c", BEGIN + code], capture_output=True, text=True, check=False, **options)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_where_nothing_is_in_hand_the_end_is_at_once_and_in_silence(name, code):
    assert ended(f"os.kill(os.getpid(), signal.{name}); time.sleep(9)") == (code, "", "")


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_json_tells_of_the_end_too(name, code):
    said = ended(f"WATCH.owes_json = True; os.kill(os.getpid(), signal.{name}); time.sleep(9)")
    assert (said[0], json.loads(said[1])["error"], json.loads(said[1])["exit_code"]) == (code, "interrupted", code)


def test_json_owes_nothing_once_its_object_is_printed(capsys, monkeypatch):
    monkeypatch.setattr(WATCH, "owes_json", True)
    Display().json({})
    assert WATCH.owes_json
    Display(as_json=True).json({})
    assert not WATCH.owes_json


def test_what_is_in_hand_is_tidied_up():
    assert ended(ORDERLY.format(name="SIGTERM", then="WATCH.leave()")) == (143, "tidied up\n", "")


def test_a_second_signal_ends_at_once():
    again = "os.kill(os.getpid(), signal.SIGINT); time.sleep(9)"
    assert ended(ORDERLY.format(name="SIGINT", then=again)) == (130, "tidied up\n", "")


def test_a_signal_in_a_place_that_cannot_pass_it_on_is_not_lost():
    code = """
class Last:
    def __del__(self): os.kill(os.getpid(), signal.SIGINT); time.sleep(9)
with WATCH.orderly():
    Last()
    time.sleep(9)
"""
    assert ended(code) == (130, "", "")


def test_what_nohup_has_ignored_stays_ignored():
    ignored = {"preexec_fn": lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)}
    assert ended("os.kill(os.getpid(), signal.SIGHUP); print('on')", **ignored) == (0, "on\n", "")


def test_a_process_that_reads_for_another_leaves_the_end_to_it():
    code = """
child = os.fork()
if not child:
    os.kill(os.getpid(), signal.SIGINT)
    os.kill(os.getpid(), signal.SIGTERM)
print(os.waitpid(child, 0)[1] == signal.SIGTERM)
"""
    assert ended(code) == (0, "True\n", "")


def test_what_is_half_written_goes_with_the_process(tmp_path):
    code = f"""
from pathlib import Path
from segcli.files.atomic import write_whole
with write_whole(Path({str(tmp_path)!r}) / "x") as file:
    file.write(b"half")
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(9)
"""
    assert ended(code) == (130, "", "")
    assert not list(tmp_path.iterdir())
