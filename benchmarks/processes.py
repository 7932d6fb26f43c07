"""Measurements in processes of their own: starting up, and the memory that one photo of 12 megapixels takes."""

import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from measuring import Timings, in_turns

START: dict[str, list[str]] = {
    "Python alone": ["-c", "pass"],
    "import torch, torchvision": ["-c", "import torch, torchvision"],
    "segcli --version": ["-m", "segcli", "--version"],
    "segcli --help": ["-m", "segcli", "--help"],
}


def start_up(weights: Path, photo: Path, rounds: int) -> dict[str, Timings]:
    """The wall time from each command to its end; processor time is not counted here."""
    with tempfile.TemporaryDirectory() as folder:
        predict = ["-m", "segcli", "predict", str(photo), "-w", str(weights), "-o", folder]
        commands = {**START, "segcli predict, one photo": predict}
        works = {name: _runner(arguments, folder) for name, arguments in commands.items()}
        return in_turns(works, rounds)


def _runner(arguments: list[str], folder: str) -> Callable[[], object]:
    def run() -> None:
        for path in Path(folder).glob("manifest.jsonl"):  # the photo is to be done anew
            path.unlink()
        subprocess.run([sys.executable, *arguments], check=True, capture_output=True)

    return run


def at_12_megapixels(kind: str, weights: Path, photo: Path, threads: int) -> tuple[float, float, float]:
    """The seconds and bytes that one photo takes by "torch", "onnx", "int8" or "peer", in a process of its own.

    Returns:
        Seconds from the file to what is written; the idle process's bytes, with torch imported and the model loaded;
        and how much more it held at most.
    """
    script = Path(__file__).with_name("one_photo.py")
    command = [sys.executable, str(script), kind, str(weights), str(photo), str(threads)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds, idle, peak = map(float, done.stdout.split())
    return seconds, idle, peak - idle
