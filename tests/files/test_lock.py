"""The lock of a folder: other processes are kept out, children that live on are not in the way."""

import os
import signal
import subprocess
import sys

import pytest

from segcli.files.lock import locked

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing is locked on Windows")
ASK = """
import sys
from pathlib import Path
from segcli.files.lock import locked
with locked(Path(sys.argv[1])) as got:
    print(got)
"""


def asked_elsewhere(folder):
    return subprocess.run(
        [sys.executable, "-c", ASK, folder], capture_output=True, text=True, check=True
    ).stdout.strip()


def test_one_process_alone_has_a_folder(tmp_path):
    with locked(tmp_path) as mine, locked(tmp_path) as again:
        assert (mine, again) == (True, True)
        assert asked_elsewhere(tmp_path) == "False"
    assert asked_elsewhere(tmp_path) == "True"
    assert list(tmp_path.iterdir()) == []


def test_a_child_that_lives_on_holds_no_lock(tmp_path):
    with locked(tmp_path):
        child = os.fork()
        if not child:
            signal.pause()
    try:
        assert asked_elsewhere(tmp_path) == "True"
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
