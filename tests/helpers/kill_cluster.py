"""Kills workers, the driver and the scheduler of runs on a cluster of this computer, and compares what comes out.

    python tests/helpers/kill_cluster.py --photos 2000 --kills 10

Two workers; one of them is killed again and again while a run is under way, then the driver of another run, then the
scheduler of a third, and in a fourth one photo kills whoever reads it. Each output folder must hold what a run of one
process makes, each photo must be in its manifest once, and a run after a killed one must do what is left alone.
"""

import argparse
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import dask_cluster
import workspace
from kill_predict import compare, make_photos

from segcli import labels

PRELOAD = """
import os, signal, time
from segcli.pipeline.reading import Reading

def read(self, source):
    time.sleep({seconds})
    if source.path.name == {poison!r}:
        os.kill(os.getpid(), signal.SIGKILL)
    return Reading.whole(self, source)

if not hasattr(Reading, "whole"):  # nanny and worker may both load this
    Reading.whole, Reading.read = Reading.read, read
"""
"""What workers load first: reading takes so long that there is time to kill something, or kills its process."""


class Trial:
    """Runs of the same photos.

    Attributes:
        folder: Where everything lies.
        photos: How many there are.
    """

    def __init__(self, folder: Path, photos: int):
        self.folder, self.photos = folder, photos
        make_photos(folder / "photos", photos, 96, 72)
        workspace.checkpoint(folder / "tiny.safetensors", labels.VOC)

    def start(self, name: str, *options: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "segcli", "predict", "photos", "-o", name, "--weights", "tiny.safetensors"]
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        whole = [*command, "--engine", "onnx", *options]
        return subprocess.Popen(whole, cwd=self.folder, env=os.environ, **streams)

    def preload(self, seconds: float = 0.2, poison: str = "") -> tuple[str, str]:
        """The options of a worker that reads slowly, or dies of one photo."""
        path = self.folder / ("poison.py" if poison else "preload.py")
        path.write_text(PRELOAD.format(seconds=0 if poison else seconds, poison=poison))
        return "--preload", str(path)

    def lines(self, name: str) -> int:
        """How many photos a run has recorded."""
        path = self.folder / name / "manifest.jsonl"
        return path.read_bytes().count(b"\n") if path.exists() else 0

    def wait_for(self, process: subprocess.Popen, name: str, lines: int) -> bool:
        """Until so many photos are recorded; False where the run has ended before."""
        while process.poll() is None and self.lines(name) < lines:
            time.sleep(0.02)
        return process.poll() is None

    def moments(self, count: int, chance: random.Random) -> list[int]:
        """Numbers of photos after which something is killed."""
        return sorted(chance.randint(self.photos // 50, self.photos * 9 // 10) for _ in range(count))


def ended(process: subprocess.Popen, code: int) -> tuple[str, str]:
    """What a run has said, which must end with that code."""
    said, told = process.communicate(timeout=3600)
    assert process.returncode == code, (process.returncode, said, told)
    return said, told


def kill_workers(trial: Trial, cluster: dask_cluster.Processes, kills: int, chance: random.Random) -> str:
    process, done = trial.start("workers", "--cluster", str(cluster.file)), 0
    for moment in trial.moments(kills, chance):
        while trial.wait_for(process, "workers", moment) and not cluster.kill_worker(0):
            time.sleep(0.1)  # it is not back yet
        done += process.poll() is None
        time.sleep(chance.uniform(0, 1))
    said, _ = ended(process, 0)
    compare(trial.folder / "alone", trial.folder / "workers")
    return f"a worker killed {done} times: {said.strip()}"


def kill_driver(trial: Trial, cluster: dask_cluster.Processes, chance: random.Random) -> str:
    process = trial.start("driver", "--cluster", str(cluster.file))
    assert trial.wait_for(process, "driver", trial.moments(1, chance)[0])
    process.kill()
    process.communicate()
    kept = trial.lines("driver")
    said, _ = ended(trial.start("driver", "--cluster", str(cluster.file)), 0)
    assert re.search(rf"{trial.photos - kept} segmented, {kept} done before", said), (kept, said)
    compare(trial.folder / "alone", trial.folder / "driver")
    return f"the driver killed after {kept} photos: {said.strip()}"


def kill_scheduler(trial: Trial, chance: random.Random) -> str:
    with dask_cluster.of_processes(trial.folder / "lost", 2, options=trial.preload()) as cluster:
        process = trial.start("scheduler", "--cluster", str(cluster.file))
        assert trial.wait_for(process, "scheduler", trial.moments(1, chance)[0])
        cluster.scheduler.kill()
        begun = time.monotonic()
        _, told = ended(process, 1)
        seconds = time.monotonic() - begun
    kept = trial.lines("scheduler")
    assert "the same command goes on" in told, told
    said, _ = ended(trial.start("scheduler"), 0)
    assert f"{trial.photos - kept} segmented, {kept} done before" in said, (kept, said)
    compare(trial.folder / "alone", trial.folder / "scheduler")
    line = next(line for line in told.splitlines() if line.startswith("error"))
    return f"the scheduler killed after {kept} photos: exit code 1 after {seconds:.1f} s, {line}"


def poison(trial: Trial) -> str:
    name = f"{trial.photos // 2:02}.jpg"
    with dask_cluster.of_processes(trial.folder / "poisoned", 2, options=trial.preload(poison=name)) as cluster:
        said, told = ended(trial.start("poison", "--cluster", str(cluster.file)), 3)
    assert f"{trial.photos - 1} segmented, 1 failed" in said, said
    assert f"photos/{name}: each worker that had it died" in told, told
    said, _ = ended(trial.start("poison"), 0)
    assert f"1 segmented, {trial.photos - 1} done before" in said, said
    return f"one photo that kills its worker: it alone failed, {trial.photos - 1} were done"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=2000)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    chance = random.Random(arguments.seed)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory() as name:
        os.environ |= {"OMP_NUM_THREADS": "1", "SEGCLI_CACHE_DIR": str(Path(name, "cache"))}
        trial = Trial(Path(name), arguments.photos)
        ended(trial.start("alone"), 0)
        tell(f"{arguments.photos} photos by one process")
        with dask_cluster.of_processes(Path(name) / "cluster", 2, options=trial.preload()) as cluster:
            tell(kill_workers(trial, cluster, arguments.kills, chance))
            tell(kill_driver(trial, cluster, chance))
        tell(kill_scheduler(trial, chance))
        tell(poison(trial))


def tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
