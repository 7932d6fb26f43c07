"""Threads: how many a test computes with; two alone, one in each of the processes that share the tests."""

import os

import torch

COUNT = 1 if "PYTEST_XDIST_WORKER" in os.environ else 2
"""Sums depend on it in their last bits, so that runs to be compared must have the same."""


def use() -> None:
    """Let torch compute with COUNT threads in this process, and what it starts as well."""
    torch.set_num_threads(COUNT)
    os.environ["OMP_NUM_THREADS"] = str(COUNT)
