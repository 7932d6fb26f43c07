"""Ends commands at random moments, by SIGKILL and as Ctrl-C does, until they get through, and compares what they leave.

    python tests/helpers/kill_commands.py --predict 200 --train 50 --export 50 --pull 50

The first attempt of all is left alone. Every later one begins in a folder of its own, is ended, and is given again
until it gets through. At any moment, a file under its final name is whole; at the end the files are those of the
attempt that was left alone, byte for byte. Commands run in forks of this process, which has imported what they need,
so that the end comes in their work and not in Python's start.
"""

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

import geotiffs
import kill_predict
import loopback_hub
import tomli_w
import workspace
from blobs import blob_recipe, write_blobs

from segcli import labels
from segcli.files.atomic import PARTIAL
from segcli.pipeline.writer import WRITERS
from segcli.training.output import state
from segcli.training.output.run_folder import BEST, LAST, STATE
from segcli.weights import checkpoint

ENDS = (signal.SIGKILL, signal.SIGKILL, signal.SIGINT, signal.SIGTERM)
"""How a command is ended, in these proportions."""
IMPORTS = (
    *("torch", "segcli.cli.app", "segcli.pipeline.run", "segcli.pipeline.model", "segcli.training.run"),
    *("segcli.inference.segmenter", "segcli.export.export", "onnx"),
)
"""What takes long to import, so that forks need not."""
HELD_OFF = 0.1
"""The share of ends by a second Ctrl-C behind the first."""


@dataclass(frozen=True)
class Command:
    """A command that is ended and given again.

    Attributes:
        name: What the counts call it.
        arguments: What it is given in a folder, which may hold what an attempt before has left.
        kept: Its files in a folder: place -> content; what must be the same at the end.
        check: Looks that what is there at any moment is whole, with the files that there must be at the end.
        environment: Variables, for a folder.
    """

    name: str
    arguments: Callable[[Path], list[str]]
    kept: Callable[[Path], dict[str, bytes]]
    check: Callable[[Path, dict[str, bytes]], None]
    environment: Callable[[Path], dict[str, str]] = field(default=lambda folder: {})


@dataclass
class Ended:
    """How often a command was ended, by the signal's name, and in how many folders it got through in the end."""

    ends: Counter = field(default_factory=Counter)
    folders: int = 0

    def __str__(self) -> str:
        ways = ", ".join(f"{count} by {name}" for name, count in sorted(self.ends.items()))
        return f"{self.ends.total()} ended ({ways}) in {self.folders} folders, each with the same bytes in the end"


def end(command: Command, home: Path, count: int, seed: int = 0) -> Ended:
    """End a command so many times.

    Raises:
        AssertionError: A file was torn, a command failed otherwise, or the end differs from that of one left alone.
    """
    chance, told = random.Random(f"{seed} {command.name}"), Ended()
    begin = time.monotonic()
    assert waited(started(command, home / "alone")) == 0, "the command fails by itself"
    seconds, expected = time.monotonic() - begin, command.kept(home / "alone")
    assert expected
    while told.ends.total() < count:
        folder = home / f"ended{told.folders}"
        while told.ends.total() < count and (how := _ended(command, folder, chance, seconds)):
            told.ends[how] += 1
            command.check(folder, expected)
        if told.ends.total() == count:
            assert waited(started(command, folder)) == 0
        assert command.kept(folder) == expected, f"other files in {folder}"
        told.folders += 1
    return told


def _ended(command: Command, folder: Path, chance: random.Random, seconds: float) -> str:
    """Give a command and end it; the name of the signal, or nothing where it was through before."""
    child, how = started(command, folder), chance.choice(ENDS)
    time.sleep(chance.uniform(0, 1.1 * seconds))
    code = _kill(child, how)
    if code is None and how != signal.SIGKILL and chance.random() < HELD_OFF:
        code = _kill(child, how)
    code = waited(child) if code is None else code
    assert code in (0, -how, 128 + how), f"{command.name} ended with {code} after {how.name}"
    return how.name if code else ""


def _kill(child: int, how: signal.Signals) -> int | None:
    """Send a signal to a child; its exit code where it had ended before."""
    ended, status = os.waitpid(child, os.WNOHANG)
    if ended:
        return os.waitstatus_to_exitcode(status)
    os.kill(child, how)
    return None


def started(command: Command, folder: Path) -> int:
    """The process of a fork that runs the command."""
    folder.mkdir(exist_ok=True)
    arguments, environment = command.arguments(folder), command.environment(folder)
    child = os.fork()
    if child:
        return child
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        os.environ.update(environment)
        os.dup2(os.open(said(folder), os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.argv = ["segcli", *arguments]
        from segcli.__main__ import main

        main()
    except SystemExit as error:
        os._exit(error.code or 0)
    finally:
        os._exit(99)


def said(folder: Path) -> Path:
    """The file with what the last command of a folder said on stderr."""
    return folder.with_name(f"{folder.name}.txt")


def waited(child: int) -> int:
    """The exit code of a process once it ends; below 0 the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _files(folder: Path, pattern: str) -> dict[str, bytes]:
    """The content of the files of a pattern, without those half written."""
    unfinished = PARTIAL.partition("{")[0]
    paths = (path for path in sorted(folder.glob(pattern)) if path.is_file() and not path.name.startswith(unfinished))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def _are_whole(kept: Callable[[Path], dict[str, bytes]]) -> Callable[[Path, dict[str, bytes]], None]:
    """A check that files are not there, or as they are at the end."""
    return lambda folder, expected: _refuse_torn(kept(folder), expected)


def _refuse_torn(found: dict[str, bytes], expected: dict[str, bytes]) -> None:
    torn = sorted(place for place, content in found.items() if content != expected.get(place))
    assert not torn, f"torn: {torn}"


def predicting(home: Path) -> Command:
    """`segcli predict` on sixteen photos, one of them with a place on earth, with every kind of output."""
    kill_predict.make_photos(home / "photos", 15, 160, 120)
    geotiffs.write(home / "photos" / "field.tif", geotiffs.PLACES["utm"], 60, 80)
    workspace.checkpoint(home / "small.safetensors", labels.VOC)
    save = ["--save", ",".join(sorted(set(WRITERS) - {"geojson"}))]
    given = ["predict", str(home / "photos"), "--weights", str(home / "small.safetensors"), "--engine", "torch", *save]

    def of_photos(folder: Path) -> dict[str, bytes]:
        return _files(folder, "out/*/**/*")

    def kept(folder: Path) -> dict[str, bytes]:
        found = of_photos(folder)
        for pattern in ("out/*.csv", "out/*.html", "out/*.json", "out/*.xml"):
            found |= _files(folder, pattern)
        return {**found, "records": _records(folder / "out")}

    def check(folder: Path, expected: dict[str, bytes]) -> None:
        _refuse_torn(of_photos(folder), expected)
        _refuse_records_of_none(folder / "out")

    return Command("predict", lambda folder: [*given, "-o", str(folder / "out")], kept, check)


def _records(output: Path) -> bytes:
    """The records without their times, each photo once; one that was recorded twice is an error."""
    found = [{**record, "seconds": {}} for record in _whole_records(output)]
    names = [record["name"] for record in found]
    assert len(names) == len(set(names)), "a photo was done twice"
    return "\n".join(sorted(map(json.dumps, found))).encode()


def _whole_records(output: Path) -> list[dict]:
    path = output / "manifest.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return [json.loads(line) for line in lines if line.endswith("}")]


def _refuse_records_of_none(output: Path) -> None:
    """Every record of a photo that is done tells of files that are there, as large as it says."""
    for record in _whole_records(output):
        for made in record["outputs"].values():
            assert (output / made["path"]).stat().st_size == made["bytes"], f"a record of no file: {made['path']}"


def training(home: Path) -> Command:
    """`segcli train` for forty iterations, resumed where there is a state."""
    run = {"save_every": 2, "validate_every": 10, "overlays": 0, "keep_every": 15}
    settings = blob_recipe(write_blobs(home / "blobs"), {"schedule": {"iterations": 40}, "run": run})
    (home / "recipe.toml").write_text(tomli_w.dumps(settings.to_dict()))

    def arguments(folder: Path) -> list[str]:
        resume = ["--resume"] if (folder / "run" / STATE).exists() else []
        return ["train", "--config", str(home / "recipe.toml"), "-o", str(folder / "run"), *resume]

    def check(folder: Path, expected: dict[str, bytes]) -> None:
        for path in (folder / "run").glob("*.safetensors"):
            checkpoint.read(path)
        if (folder / "run" / STATE).exists():
            state.read(folder / "run")

    def kept(folder: Path) -> dict[str, bytes]:
        return _files(folder, f"run/{BEST}") | _files(folder, f"run/{LAST}")

    return Command("train", arguments, kept, check)


def exporting(home: Path) -> Command:
    """`segcli export` of a small network."""
    workspace.checkpoint(home / "export.safetensors", labels.VOC)
    given = ["export", "--weights", str(home / "export.safetensors"), "--format", "onnx"]

    def kept(folder: Path) -> dict[str, bytes]:
        return _files(folder, "*.onnx")

    return Command("export", lambda folder: [*given, "-o", str(folder / "m.onnx")], kept, _are_whole(kept))


@contextmanager
def pulling(home: Path, hub: Path) -> Iterator[Command]:
    """`segcli weights pull` from a server on this computer, which has the Hub's files in a folder."""
    assert "huggingface_hub" not in sys.modules, "it reads HF_HOME when it is imported"

    def kept(folder: Path) -> dict[str, bytes]:
        return {**_files(folder, "cache/**/*.safetensors"), **_files(folder, "cache/**/record.json")}

    with loopback_hub.serve(hub) as server:

        def environment(folder: Path) -> dict[str, str]:
            places = {"HF_HOME": str(folder / "hf"), "SEGCLI_CACHE_DIR": str(folder / "cache")}
            return {**places, "HF_ENDPOINT": server.url, "HF_HUB_DISABLE_XET": "1"}

        yield Command("weights pull", lambda folder: ["weights", "pull", NAME], kept, _are_whole(kept), environment)


NAME = "v3-mobilenetv2@voc2012"
"""The weights that are pulled; ../shared/data/hub has a stand-in."""


def import_what_takes_long() -> None:
    """Import what forks need not import, in a process of one thread, begun anew for that.

    A fork of a process whose OpenMP has threads waits for ever for these, which it lacks.
    """
    if os.environ.get("OMP_NUM_THREADS") != "1":
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, "OMP_NUM_THREADS": "1"})
    for module in IMPORTS:
        import_module(module)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, count in (("predict", 200), ("train", 50), ("export", 50), ("pull", 50)):
        parser.add_argument(f"--{name}", type=int, default=count, help=f"ends of it; {count} without the option")
    parser.add_argument("--hub", type=Path, default=Path(__file__).parents[3] / "shared/data/hub")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    import_what_takes_long()
    for name, make in (("predict", predicting), ("train", training), ("export", exporting)):
        if count := getattr(given, name):
            with tempfile.TemporaryDirectory() as home:
                _tell(name, end(make(Path(home)), Path(home), count, given.seed))
    if given.pull:
        with tempfile.TemporaryDirectory() as home, pulling(Path(home), given.hub) as command:
            _tell(command.name, end(command, Path(home), given.pull, given.seed))


def _tell(name: str, ended: Ended) -> None:
    sys.stdout.write(f"{name}: {ended}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
