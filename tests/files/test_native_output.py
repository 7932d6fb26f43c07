"""What libtiff prints is given to whoever called it, also where several work at once; all else goes its way."""

import os
import threading

import pytest

from segcli.files.native_output import STDERR, listened

LINE = b"Fax4Decode: Bad code word at line 5 of strip 0 (x 2).\n"


def test_the_lines_of_libtiff_are_given_and_others_passed_on(capfd):
    other = b"2026-01-01 [W:onnxruntime:, x.cc:5] a warning\nno full stop\n"

    def work():
        os.write(STDERR, LINE + other)
        return 5

    assert listened(work) == (5, [LINE.decode().strip()])
    os.write(STDERR, b"after\n")
    assert capfd.readouterr().err == other.decode() + "after\n"


def test_a_line_is_given_to_the_one_of_two_threads_that_it_is_of(capfd):
    meeting, found = threading.Barrier(2, timeout=20), {}

    def work(name):
        for _ in range(2):
            try:
                meeting.wait()
            except threading.BrokenBarrierError:  # alone, in the second try
                break
            if name == "bad":
                os.write(STDERR, LINE)
        if meeting.broken and name == "bad":
            os.write(STDERR, LINE)
        meeting.abort()
        return name

    threads = [
        threading.Thread(target=lambda name=name: found.update({name: listened(lambda: work(name))}))
        for name in ("bad", "good")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {"bad": ("bad", [LINE.decode().strip()]), "good": ("good", [])}
    assert capfd.readouterr().err == ""


def test_stderr_is_what_it_was_after_an_error(capfd):
    def fail():
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011
        listened(fail)
    os.write(STDERR, b"heard\n")
    assert capfd.readouterr().err == "heard\n"
