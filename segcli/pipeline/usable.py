"""The samples of a dataset that can be used: every file is read before hours are spent on it."""

from dataclasses import replace

from segcli.data import check
from segcli.data.dataset import Dataset
from segcli.distributed import Processes
from segcli.errors import DatasetError
from segcli.pipeline.listener import SILENT, Listener

SHOWN_PROBLEMS = 10
"""The number of problems that are told one by one."""


def usable(data: Dataset, skip_bad: bool, processes: Processes | None = None, listener: Listener = SILENT) -> Dataset:
    """The dataset once every file of it has been read: with problems it is refused, or taken without them.

    Args:
        data: The dataset as it was listed.
        skip_bad: Leave out samples with problems instead of refusing them.
        processes: Who shares the reading; each gets the same answer.
        listener: Hears of the progress and of the first problems.

    Raises:
        DatasetError: Samples have problems and `skip_bad` is not set.
    """
    problems = _problems(data, processes or Processes(), listener)
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
    return data.without(bad)


def _problems(data: Dataset, processes: Processes, listener: Listener) -> list[check.Problem]:
    """The problems of all samples, duplicates left out; the same list in every process."""
    mine = replace(data, samples=tuple(processes.shard(data.samples)), strays=())
    problems: list[check.Problem] = []
    with listener.counting(len(mine.samples), f"checking {data.split}") as counter:
        for _, found in check.check(mine):
            counter.advance()
            problems += [problem for problem in found if problem.kind != "duplicate"]
    return [problem for share in processes.all_gather(problems) for problem in share]
