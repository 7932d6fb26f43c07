"""What a cluster costs, and how it scales, with a network that only sleeps.

    PYTHONPATH=. python benchmarks/cluster.py --photos 480 --sleep 0.25 --workers 1,2,4,8

All workers are on this computer, and its processor has little to do: a photo is read, its "network" sleeps, a mask is
written. So this measures how work is shared out, not a network, and no other computer. Seconds are those from the first
photo that is given out to the last record, once every worker has done a photo. The driver speaks with the scheduler
through a port that counts bytes.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from PIL import Image

SLEEP = "SEGCLI_BENCHMARK_SLEEP"


def sleeping_model(options: Any, reference: Any, *_: Any, **__: Any) -> Any:
    """In place of `load_with`: the built-in model's facts, and a network that sleeps for each photo."""
    from segcli.inference.graph_segmenter import GraphSegmenter
    from segcli.pipeline.foresight import foresee
    from segcli.pipeline.model import Model

    facts = foresee(reference, options, None)

    def network(values: np.ndarray) -> np.ndarray:
        time.sleep(float(os.environ[SLEEP]))
        return np.zeros((len(values), len(facts.labels), values.shape[2] // 8, values.shape[3] // 8), np.float32)

    return Model(GraphSegmenter(facts, network, options.size), options)


def dask_setup(worker: Any) -> None:
    """What Dask calls in each worker, for which this file is a preload."""
    import segcli.pipeline.cluster.worker as ours

    ours.load_with = sleeping_model


def drive(cluster: str | None, photos: Path, folder: Path) -> dict[str, float]:
    """A run, in this process or on a cluster; its seconds and the most memory of this process."""
    import segcli.pipeline.model
    from segcli import predict_folder

    segcli.pipeline.model.load_with = sleeping_model
    options = {"model": "street", "engine": "onnx", "size": 64, "save": ["mask"], "cluster": cluster}
    run = predict_folder(photos, folder, **options)
    count = len(run)
    begun = time.perf_counter()
    failed = sum(record.status != "done" for record in run)
    seconds = time.perf_counter() - begun
    run.finish()
    if failed:
        raise SystemExit(f"{failed} of {count} photos failed")
    return {"seconds": seconds, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}


def driven(cluster: str | None, photos: Path, folder: Path) -> SimpleNamespace:
    """The same in a process of its own."""
    command = [sys.executable, __file__, "--drive", cluster or "", str(photos), str(folder)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    shutil.rmtree(folder)
    return SimpleNamespace(**json.loads(output))


class Counted:
    """A port of this computer that leads to another one, and counts the bytes in both directions."""

    def __init__(self, address: str):
        host, port = address.removeprefix("tcp://").rsplit(":", 1)
        self.there, self.bytes = (host, int(port)), 0
        self.server = socket.create_server(("127.0.0.1", 0))
        self.address = f"tcp://127.0.0.1:{self.server.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            near, far = self.server.accept()[0], socket.create_connection(self.there)
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=(one, other), daemon=True).start()

    def _pump(self, one: socket.socket, other: socket.socket) -> None:
        while data := one.recv(1 << 16):
            self.bytes += len(data)
            other.sendall(data)
        other.close()


def on_workers(count: int, photos: Path, few: Path, folder: Path) -> tuple[SimpleNamespace, int]:
    """A run on so many workers of this computer, and the bytes between the driver and the scheduler."""
    from distributed import LocalCluster

    options = {"threads_per_worker": 2, "dashboard_address": "127.0.0.1:0", "preload": [__file__], "silence_logs": 50}
    with LocalCluster(n_workers=count, host="127.0.0.1", **options) as cluster:
        port = Counted(cluster.scheduler_address)
        driven(port.address, few, folder)
        port.bytes = 0
        return driven(port.address, photos, folder), port.bytes


def make_photos(folder: Path, count: int) -> Path:
    """So many small photos."""
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    for number in range(count):
        pixels[0, 0] = number % 256, number // 256 % 256, 0
        Image.fromarray(pixels).save(folder / f"{number:06}.png")
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=480)
    parser.add_argument("--sleep", type=float, default=0.25, help="seconds of each photo")
    parser.add_argument("--workers", default="1,2,4,8")
    parser.add_argument("--drive", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.drive:
        cluster, photos, folder = arguments.drive
        sys.stdout.write(json.dumps(drive(cluster or None, Path(photos), Path(folder))))
        return
    os.environ[SLEEP] = str(arguments.sleep)
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        photos, few = make_photos(work / "photos", arguments.photos), make_photos(work / "few", 32)
        alone = driven(None, photos, work / "out")
        say(f"one process, no cluster: {alone.seconds:.2f} s, peak {alone.peak / 1e6:.0f} MB")
        first = None
        for count in map(int, arguments.workers.split(",")):
            found, sent = on_workers(count, photos, few, work / "out")
            first = first or found.seconds * count
            say(
                f"{count} workers: {found.seconds:.2f} s, {100 * first / count / found.seconds:.1f} % of linear, "
                f"{100 * (found.seconds * count / alone.seconds - 1):+.1f} % against one process; "
                f"driver {found.peak / 1e6:.0f} MB, {sent / arguments.photos:.0f} bytes a photo; "
                f"load {os.getloadavg()[0]:.1f}"
            )


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
