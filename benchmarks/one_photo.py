"""Seconds and memory of one photo in a process of its own; `processes.at_12_megapixels` starts it.

python benchmarks/one_photo.py torch|onnx|peer WEIGHTS PHOTO THREADS

Prints the seconds, the bytes that the idle process holds, and the most that it held.
"""

import re
import sys
import tempfile
import time
from pathlib import Path

from segcli.cli import allocator


def held(what: str) -> int:
    """Bytes that this process holds: "VmRSS" now, "VmHWM" at most so far; ru_maxrss starts at what its parent held."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(rf"{what}:\s+(\d+) kB", status)[1]) * 1024


def main(kind: str, weights: str, photo: str, threads: str) -> None:
    if kind != "peer":
        allocator.keep_freed_memory()  # as `segcli predict` does before it imports torch
    import contenders
    import torch

    torch.set_num_threads(int(threads))
    small = [Path(photo).with_name("000.jpg")] * 2
    if kind == "peer":
        contender = contenders.theirs(contenders.PEERS["v3plus-mobilenetv2"][0], small)
    else:
        contender = contenders.ours(Path(weights), kind, small)
    with tempfile.TemporaryDirectory() as folder:
        idle = held("VmRSS")
        start = time.perf_counter()
        contender.segment([Path(photo)], Path(folder))
        seconds = time.perf_counter() - start
    print(seconds, idle, held("VmHWM"))


if __name__ == "__main__":
    main(*sys.argv[1:])
