"""Threads that wait: the number is there before torch reads it, and the user's word goes before it."""

import os
import subprocess
import sys

import pytest

from segcli.cli import threads


@pytest.fixture
def environment(monkeypatch):
    for name in threads.SETTINGS:
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_threads_that_wait_leave_the_core_soon(environment):
    environment.setenv("GOMP_SPINCOUNT", "")  # so that what `begin` sets is taken back
    environment.delenv("GOMP_SPINCOUNT")
    threads.begin()
    assert os.environ["GOMP_SPINCOUNT"] == "1000"


@pytest.mark.parametrize("name", threads.SETTINGS)
def test_what_the_user_has_set_stays(environment, name):
    environment.setenv(name, "active")
    threads.begin()
    assert {key: os.environ.get(key) for key in threads.SETTINGS} == {**dict.fromkeys(threads.SETTINGS), name: "active"}


def test_the_program_sets_it_before_anything_that_computes_is_imported(environment):
    told = (
        "import os, sys\nfrom segcli import __main__\nfrom segcli.cli import app\n"
        "sys.argv = ['segcli', '--version']\n"
        "try: __main__.main()\nexcept SystemExit: pass\n"
        "print(os.environ['GOMP_SPINCOUNT'], 'torch' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert result.stdout.split()[-2:] == ["1000", "False"]
