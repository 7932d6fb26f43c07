"""ClusterRun: a run whose photos the workers of a cluster do, and whose ledger this process alone writes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from segcli.errors import SegcliError
from segcli.files.atomic import writing
from segcli.files.listing import Source
from segcli.files.sources import Found
from segcli.pipeline.cluster.driver import Driver
from segcli.pipeline.cluster.errand import Errand
from segcli.pipeline.job import Job
from segcli.pipeline.records import Record
from segcli.pipeline.run import FolderRun
from segcli.pipeline.summary import Summary


class ClusterRun(FolderRun):
    """A run on a cluster; see FolderRun. Records come in the order in which photos become done.

    Args:
        found: The photos.
        folder: The output folder, which all workers reach by the same path.
        prepare: Connects, and gives the job; called once, where anything is to do.
        driver: Gives out the work.
        options: As for FolderRun.
    """

    def __init__(self, found: Found, folder: Path, prepare: Callable[[], Job], *, driver: Driver, **options: Any):
        super().__init__(found, folder, prepare, **options)
        self._driver = driver
        self._job: Job | None = None

    def _load(self) -> None:
        if self._job is None:
            self._job = self._prepare()
            self.plan = self._job.plan

    def _photos(self, photos: Sequence[Source]) -> Iterator[Record]:
        for record in self._driver.records(self._errand(photos), photos):
            with writing(self.folder):
                self.ledger.append(record)
            yield record

    def _errand(self, photos: Sequence[Source]) -> Errand:
        """The job as workers get it, with a photo that is there to show that they see it."""
        for source in photos:
            try:
                return Errand.of(self._job, source)
            except OSError:  # it has gone meanwhile, which its record will say
                continue
        raise SegcliError("all photos were removed after the run began", "Give the same command again.")

    def finish(self) -> Summary | None:
        """Write what sums up the folder, part from the cluster, and give the summary."""
        try:
            return super().finish()
        finally:
            self.close()

    def close(self) -> None:
        """Part from the cluster; what is done is kept."""
        self._driver.scheduler.close()
