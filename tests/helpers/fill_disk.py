"""Gives commands on a small file system whose free space grows from nothing to enough, and looks at what they leave.

    sudo python tests/helpers/fill_disk.py --steps 40

At each step the output folder is empty and the disk a little larger. A command ends with one line, or is done; no file
under its final name is torn, and no record tells of one that is not there. `train` would refuse a disk that is too
small before its first step; so it is kept from looking. It takes Linux, and the right to mount.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import kill_commands
from kill_commands import Command

from segcli.training.planning import foretold

PAGE = 4096
SPARE = 1.5
"""What the largest disk has for what a command wrote, since files half written are there too."""


@contextmanager
def small_disk(place: Path) -> Iterator[Path]:
    """A file system of its own at a folder."""
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1g", "tmpfs", place], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


def sweep(command: Command, home: Path, steps: int) -> Counter:
    """Give a command on disks of `steps` sizes; returns how often it ended with which code.

    Raises:
        AssertionError: A file was torn, a record tells of none, or the end was no single line.
    """
    codes = Counter()
    with small_disk(home / "disk") as disk:
        assert kill_commands.waited(kill_commands.started(command, disk)) == 0
        expected, most = command.kept(disk), _used(disk) * SPARE
        for step in range(steps + 1):
            for path in disk.iterdir():
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            size = max(PAGE, int(most * step / steps))
            subprocess.run(["mount", "-o", f"remount,size={size}", disk], check=True)
            code = kill_commands.waited(kill_commands.started(command, disk))
            told = kill_commands.said(disk).read_text()
            assert code in (0, 1, 3), (size, code, told)
            assert "Traceback" not in told, (size, told)
            assert "SEGCLI_DEBUG" not in told, (size, told)
            command.check(disk, expected)
            codes[code] += 1
        assert command.kept(disk) == expected
    return codes


def _used(disk: Path) -> int:
    """The bytes that the files of a disk take, in pages."""
    return sum(-(-path.stat().st_size // PAGE) * PAGE + PAGE for path in disk.rglob("*"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--only", choices=("predict", "export", "train"), action="append")
    given = parser.parse_args()
    kill_commands.import_what_takes_long()
    foretold.require_fit = lambda *_: None
    makers = {
        "predict": kill_commands.predicting,
        "export": kill_commands.exporting,
        "train": kill_commands.training,
    }
    for make in (makers[name] for name in given.only or makers):
        with tempfile.TemporaryDirectory() as home:
            command = make(Path(home))
            codes = sweep(command, Path(home), given.steps)
        ways = ", ".join(f"{count} with exit code {code}" for code, count in sorted(codes.items()))
        sys.stdout.write(f"{command.name}: {codes.total()} disks, {ways}; nothing torn\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
