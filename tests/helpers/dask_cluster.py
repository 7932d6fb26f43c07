"""A Dask cluster on this computer: in threads of the test's own process, or of real processes that can be killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

QUIET = {"distributed.logging.distributed": "critical", "distributed.worker.profile.enabled": False}


@contextmanager
def in_threads(workers: int = 2) -> Iterator:
    """A cluster of this process; its `scheduler_address` is on the loopback."""
    import dask
    from distributed import LocalCluster

    options = {"processes": False, "threads_per_worker": 2, "dashboard_address": "127.0.0.1:0", "memory_limit": 0}
    with (
        dask.config.set(QUIET),
        LocalCluster(n_workers=workers, host="127.0.0.1", protocol="tcp://", silence_logs=50, **options) as cluster,
    ):
        yield cluster


class Processes:
    """A scheduler and workers, each a process with a nanny that starts it again.

    Attributes:
        file: The file that holds the scheduler's address.
        scheduler: Its process.
    """

    def __init__(self, folder: Path, workers: int, options: Sequence[str] = ()):
        self._folder, self.file = folder, folder / "scheduler.json"
        self._environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        self._options = options
        self._log = (folder / "dask.log").open("ab")
        self.scheduler = self._start("scheduler", "--port", "0", "--scheduler-file", str(self.file), "--no-dashboard")
        while not (self.file.exists() and self.file.stat().st_size):
            time.sleep(0.05)
        self._workers = [self.add() for _ in range(workers)]

    def add(self) -> subprocess.Popen:
        """Start one more worker."""
        options = ("--nthreads", "2", "--nworkers", "1", "--memory-limit", "0", "--no-dashboard")
        place = ("--local-directory", str(self._folder), "--death-timeout", "30")
        return self._start("worker", "--scheduler-file", str(self.file), *options, *place, *self._options)

    def kill_worker(self, number: int) -> bool:
        """Kill a worker's process, which its nanny starts again; False where it is not there just now."""
        parents = self._client.run(os.getppid, on_error="ignore")
        pids = self._client.run(os.getpid, on_error="ignore")
        for address, parent in parents.items():
            if parent == self._workers[number].pid and address in pids:
                os.kill(pids[address], signal.SIGKILL)
                return True
        return False

    @cached_property
    def _client(self):
        from distributed import Client

        return Client(scheduler_file=str(self.file), set_as_default=False)

    def _start(self, what: str, *options: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "dask", what, "--host", "127.0.0.1", *options]
        return subprocess.Popen(command, env=self._environment, stdout=self._log, stderr=self._log, cwd=self._folder)

    def close(self) -> None:
        """End all of them."""
        if client := self.__dict__.get("_client"):
            client.close()
        for process in (*self._workers, self.scheduler):
            process.terminate()
        for process in (*self._workers, self.scheduler):
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
        self._log.close()


@contextmanager
def of_processes(folder: Path, workers: int, **options) -> Iterator[Processes]:
    """A cluster of processes, whose files are in a folder, ended with the block."""
    folder.mkdir(parents=True, exist_ok=True)
    cluster = Processes(folder, workers, **options)
    try:
        yield cluster
    finally:
        cluster.close()
