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


def test_no_line_is_lost_that_is_printed_while_others_are_read(capfd):
    """Each of three threads prints its lines while the blocks of the others end; libtiff prints them in pieces."""
    here = threading.Lock()

    def work():
        for _ in range(20):
            with here:
                for piece in (LINE[:12], LINE[12:-2], LINE[-2:]):
                    os.write(STDERR, piece)

    def often(found):
        for _ in range(50):
            found.append(listened(work)[1])

    found = [[] for _ in range(3)]
    threads = [threading.Thread(target=often, args=(each,)) for each in found]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [[len(lines) for lines in each] for each in found] == [[20] * 50] * 3
    assert capfd.readouterr().err == ""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no such system")
def test_a_forked_process_clears_nothing_of_what_its_parent_hears(capfd):
    listened(lambda: None)
    (go, start), (end, done) = os.pipe(), os.pipe()
    if not (child := os.fork()):
        os.read(go, 1)
        os._exit(listened(lambda: os.write(done, b"x"))[0])

    def work():
        os.write(STDERR, LINE)
        os.write(start, b"x")
        os.waitpid(child, 0) if not tried else None
        tried.append(True)

    tried = []
    assert listened(work)[1] == [LINE.decode().strip()]
    for pipe in (go, start, end, done):
        os.close(pipe)
    assert capfd.readouterr().err == ""


def test_a_program_without_stderr_reads_on(monkeypatch):
    monkeypatch.setattr("sys.stderr", None)
    assert listened(lambda: 5) == (5, [])
