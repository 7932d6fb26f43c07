import errno
import io
import os
import subprocess
import sys

import pytest

from segcli.cli.streams import Stream

START = "import sys; from segcli.cli import streams; streams.begin(); "


def program(code, **streams):
    return subprocess.run(
        [sys.executable, "-c", START + code], stderr=subprocess.PIPE, text=True, check=False, **streams
    )


def full():
    if not os.path.exists("/dev/full"):  # noqa: PTH110
        pytest.skip("this system has no /dev/full")
    return open("/dev/full", "w")  # noqa: PTH123


def test_a_full_stream_is_told_of_and_breaks_nothing_off():
    with full() as device:
        done = program("print('x' * 9000); print(streams.lost().errno, file=sys.stderr)", stdout=device)
    assert (done.returncode, done.stderr) == (0, f"{errno.ENOSPC}\n")


def test_a_reader_who_has_seen_enough_has_lost_nothing():
    reader, writer = os.pipe()
    os.close(reader)
    done = program("print('x' * 9000); print(streams.lost(), file=sys.stderr)", stdout=writer)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "None\n")


@pytest.mark.skipif(os.name != "posix", reason="no POSIX shell")
def test_closed_streams_are_the_null_device_and_no_file_takes_their_numbers(tmp_path):
    code = f"print(1); a = sys.stdin.read(); f = open({str(tmp_path / 'x')!r}, 'w'); f.write(f'{{f.fileno()}} {{a!r}}')"
    done = subprocess.run(["sh", "-c", f'exec {sys.executable} -c "$0" <&- >&- 2>&-', START + code], check=False)
    assert done.returncode == 0
    number, read = (tmp_path / "x").read_text().split()
    assert int(number) > 2
    assert read == "''"


def test_a_name_that_the_encoding_lacks_is_written_with_escapes():
    done = program(
        "print('caf\\u00e9 \\u65e5 \\udce9'); print('\\u65e5', file=sys.stderr)",
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    assert (done.returncode, done.stdout) == (0, "caf\\xe9 \\u65e5 \\udce9\n")
    assert done.stderr == "\\u65e5\n"


def test_what_we_say_is_not_caught_with_what_libraries_print():
    code = """
from segcli.files.native_output import listened
import os
def work():
    print("ours", file=sys.stderr)
    os.write(2, b"LZWDecode: Bad.\\n[W] theirs\\n")
print(listened(work)[1], file=sys.stderr)
"""
    assert program(code).stderr == "ours\n[W] theirs\n['LZWDecode: Bad.']\n"


def test_a_stream_is_else_what_it_was():
    text = io.StringIO()
    stream = Stream(text)
    assert stream.write("abc") == 3
    assert (stream.getvalue(), stream.isatty(), stream.lost) == ("abc", False, None)
