"""One process alone, and two real processes that share items, sum counts and gather values."""

import os
import socket
from pathlib import Path

import numpy as np
import pytest
import torch

from segcli import distributed
from segcli.distributed import Processes
from segcli.errors import SegcliError


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_shares_are_disjoint_and_whole(size):
    items = list(range(11))
    shares = [Processes(rank, size).shard(items) for rank in range(size)]
    assert sorted(item for share in shares for item in share) == items
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_alone_everything_is_ones_own(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with distributed.join() as alone:
        counts = np.array([1, 2], np.int64)
        assert (alone, alone.is_main) == (Processes(0, 1), True)
        assert alone.shard("abc") == "abc"
        assert alone.all_gather("mine") == ["mine"]
        assert alone.all_reduce_sum(counts).tolist() == [1, 2]
    assert not torch.distributed.is_initialized()


def member(rank: int, port: int, folder: str) -> None:
    """One of two processes, as torchrun would start it; leaves what it got in a file."""
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "RANK": str(rank), "WORLD_SIZE": "2"}
    torch.set_num_threads(1)
    with distributed.join() as processes:
        import torchvision  # noqa: F401  (what an ordinary run imports only now)

        counts = np.array([[2**53 + 1, rank], [2**24 + 1, 1]], np.int64)  # floating point has no such numbers
        total = processes.all_reduce_sum(counts)
        names = processes.all_gather([f"of {rank}"] * (rank + 1))
        kept = counts[0, 1] == rank
        np.savez(f"{folder}/{rank}.npz", total=total, names=str(names), is_main=processes.is_main, kept=kept)
    assert not torch.distributed.is_initialized()
    threads = [thread.read_text() for thread in Path("/proc/self/task").glob("*/comm")]
    assert not [name for name in threads if "gloo" in name], "threads of the group would meet the end of Python"


def left_alone(rank: int, port: int, folder: str) -> None:
    """One of two processes, of which the second ends where the first waits for it."""
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "RANK": str(rank), "WORLD_SIZE": "2"}
    with distributed.join() as processes:
        processes.all_gather(rank)
        if rank:
            os._exit(0)
        try:
            processes.all_gather(rank)
        except SegcliError as error:
            Path(folder, "said").write_text(error.message)


def test_a_process_that_is_gone_is_told_in_words(tmp_path):
    torch.multiprocessing.spawn(left_alone, (free_port(), str(tmp_path)), nprocs=2)
    assert (tmp_path / "said").read_text() == "another process of this run has ended"


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def test_two_processes_sum_exactly_and_gather_by_rank(tmp_path):
    torch.multiprocessing.spawn(member, (free_port(), str(tmp_path)), nprocs=2)
    for rank in (0, 1):
        got = np.load(tmp_path / f"{rank}.npz")
        assert got["total"].tolist() == [[2**54 + 2, 1], [2**25 + 2, 2]]
        assert str(got["names"]) == str([["of 0"], ["of 1", "of 1"]])
        assert (bool(got["is_main"]), bool(got["kept"])) == (rank == 0, True)
