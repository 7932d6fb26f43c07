"""The samples of a dataset that can be used: every file is read before hours are spent on it."""

from dataclasses import replace

import numpy as np

from segcli.data import check
from segcli.data.census import Census
from segcli.data.dataset import Dataset
from segcli.distributed import Processes
from segcli.errors import DatasetError
from segcli.pipeline.listener import SILENT, Listener

NO_HARM = ("duplicate", "empty")
"""The kinds of problems that concern no single sample, and that whoever takes the dataset looks after."""
SHOWN_PROBLEMS = 10
"""The number of problems that are told one by one."""


def usable(
    data: Dataset,
    skip_bad: bool,
    processes: Processes | None = None,
    listener: Listener = SILENT,
    census: Census | None = None,
) -> Dataset:
    """The dataset once every file of it has been read: with problems it is refused, or taken without them.

    A dataset without samples, which a run that validates nothing has, is given back as it is.

    Args:
        data: The dataset as it was listed.
        skip_bad: Leave out samples with problems instead of refusing them.
        processes: Who shares the reading; each gets the same answer.
        listener: Hears of the progress and of the first problems.
        census: The count that the labels of the usable samples, whoever read them, are added to.

    Raises:
        DatasetError: Samples have problems and `skip_bad` is not set.
    """
    if not data.samples:
        return data
    processes = processes or Processes()
    counted = Census(len(data.labels))
    problems = _problems(data, processes, listener, counted)
    for problem in problems[:SHOWN_PROBLEMS]:
        listener.warn(problem.detail)
    if len(problems) > SHOWN_PROBLEMS:
        listener.warn(f"and {len(problems) - SHOWN_PROBLEMS} more: segcli data check lists them all")
    bad = {problem.sample for problem in problems}
    if bad and not skip_bad:
        raise DatasetError(
            f"{len(bad)} of {len(data)} samples of {data.name} {data.split} have problems ({problems[0].detail})",
            "Mend them (`segcli data check` lists all), or leave them out with --skip-bad.",
        )
    if census is not None:
        census.take(_summed(counted, processes))
    return data.without(bad)


def _problems(data: Dataset, processes: Processes, listener: Listener, census: Census) -> list[check.Problem]:
    """The problems of all samples, duplicates left out, in every process; sound samples of this one are counted."""
    mine = replace(data, samples=tuple(processes.shard(data.samples)), strays=())
    problems: list[check.Problem] = []
    one = Census(census.classes)
    with listener.counting(len(mine.samples), f"checking {data.split}") as counter:
        for _, found in check.check(mine, one):
            counter.advance()
            wrong = [problem for problem in found if problem.kind not in NO_HARM]
            problems += wrong
            if wrong:
                one.clear()
            census.take(one)
    return [problem for share in processes.all_gather(problems) for problem in share]


def _summed(census: Census, processes: Processes) -> Census:
    """The counts of all processes, exact, in every one of them."""
    total = Census(census.classes)
    total.pixels, total.images = processes.all_reduce_sum(np.stack([census.pixels, census.images]))
    total.labels = int(processes.all_reduce_sum(np.array([census.labels]))[0])
    return total
