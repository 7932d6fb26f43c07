"""StoredRun: a run of photos in stores, each copied to this computer when it is its turn, or with outputs in one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import chain, groupby
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segcli.files.listing import Source, chosen
from segcli.files.sources import Found
from segcli.pipeline.ahead import ahead, threads
from segcli.pipeline.ledger import Ledger
from segcli.pipeline.records import FAILED, Record
from segcli.pipeline.run import FolderRun
from segcli.pipeline.stored.destination import Destination
from segcli.pipeline.stored.ledger import StoreLedger, Transit
from segcli.pipeline.stored.staging import Staged, Staging
from segcli.pipeline.summary import Summary
from segcli.storage.address import Address
from segcli.storage.scratch import Scratch
from segcli.storage.store import THREADS

if TYPE_CHECKING:
    from segcli.pipeline.estimate import Forecast

SAMPLE = 16
"""So many photos in a store, at most, are looked at for a forecast."""


class StoredRun(FolderRun):
    """A run of photos in stores, or with an output folder in one; see FolderRun.

    Args:
        found: The photos.
        rest: As for FolderRun.
        scratch: The folder of this computer for what is on its way.
        staging: Copies them to this computer; None where they are there.
        destination: The output folder, where it lies in a store; its files are made in `folder`.
        options: As for FolderRun.
    """

    def __init__(
        self,
        found: Found,
        *rest: Any,
        scratch: Scratch,
        staging: Staging | None = None,
        destination: Destination | None = None,
        **options: Any,
    ):
        super().__init__(found, *rest, **options)
        self._scratch, self._staging, self._destination = scratch, staging, destination
        self._in_hand: dict[str, Source] = {}
        self._refused: list[Record] = []
        self._again = self._strange = 0

    @property
    def place(self) -> Path | Address:
        """The output folder as people know it."""
        return self.folder if self._destination is None else self._destination.address

    @cached_property
    def ledger(self) -> Ledger:
        """The folder's records as they stood when the run began, and this run's own."""
        return Ledger(self.folder) if self._destination is None else StoreLedger(self._destination)

    def _take(self) -> None:
        if self._destination is None:
            super()._take()
        else:
            self._destination.take()

    def _write_run_file(self) -> None:
        super()._write_run_file()
        if self._destination is not None:
            self._destination.begin()

    def __iter__(self) -> Iterator[Record]:
        """Do what is left, one record a photo; what is done is not done again."""
        share = self.begin()
        if self._taken:
            self._look_again()
            share = self._unproved(share)
        self._taken = True
        in_order = chain(chosen(share, lambda source: not source.film), chosen(share, lambda source: source.film))
        for is_film, group in groupby(self._staged(in_order), attrgetter("film")):
            for record in self._work(group, is_film):
                if source := self._in_hand.pop(record.name, None):
                    self._staging.release(source)
                yield from self._told()
                yield record
        yield from self._told()

    def _work(self, sources: Iterable[Source], is_film: bool) -> Iterator[Record]:
        if self._destination is None:
            return self._worked(sources, is_film, self.ledger)
        return self._put(self._worked(sources, is_film, Transit(self.folder)))

    def _worked(self, sources: Iterable[Source], is_film: bool, ledger: Ledger | Transit) -> Iterator[Record]:
        if is_film:
            return self.film_run().records(sources, ledger)
        return self.plan.work(sources, self.stages, ledger, self.batch, self.watch)

    def _put(self, records: Iterator[Record]) -> Iterator[Record]:
        """Records whose files are in the store, and which the ledger has."""

        def put(record: Record) -> Record:
            return self._destination.publish(record, self.ledger.records.get(record.name))

        with threads(THREADS) as pool:
            for record in ahead(pool, put, records, THREADS):
                self.ledger.append(record)
                yield record

    def _staged(self, sources: Iterable[Source]) -> Iterator[Source]:
        """The photos to do, copied; those that cannot be had, or are none, go their own ways."""
        if self._staging is None:
            yield from sources
            return
        for staged in self._staging.staged(sources):
            if self._is_to_do(staged):
                self._in_hand[staged.source.tree.as_posix()] = staged.source
                yield staged.source
            else:
                self._staging.release(staged.source)

    def _is_to_do(self, staged: Staged) -> bool:
        source = staged.source
        if staged.error is not None:
            settings = self.plan.settings_for(source)
            record = Record(source.tree.as_posix(), source.input, FAILED, settings, error=str(staged.error))
            self.ledger.append(record)
            self._refused.append(record)
        elif not staged.is_picture:
            self._strange += 1
        elif self.ledger.proves_done(source, self.plan.settings_for(source), self.verify):
            self._again += 1  # its bytes are those of before, whatever the store calls their state
            self.ledger.append(replace(self.ledger.records[source.tree.as_posix()], etag=source.origin.etag or None))
        else:
            return True
        return False

    def _told(self) -> Iterator[Record]:
        """The records of photos that could not be had meanwhile."""
        while self._refused:
            yield self._refused.pop(0)

    def finish(self) -> Summary | None:
        """Write what sums up the folder, and give the summary, whose records can be read until the run is closed."""
        try:
            return super().finish()
        finally:
            self._release()

    def close(self) -> None:
        """Remove all copies, and let others have the output folder; what is done is kept. Raises StoreError."""
        try:
            self._release()
        finally:
            self._scratch.close()

    def _release(self) -> None:
        if self._destination is not None:
            self._destination.release()

    def _finished(self) -> Summary | None:
        self._look_again()
        summary = super()._finished()
        if self._destination is not None:
            self._destination.finish()
        done, before = summary.segmented - self._again, summary.skipped + self._again
        return replace(summary, segmented=done, skipped=before, ignored=summary.ignored + self._strange)

    def forecast(self, sources: Sequence[Source], max_pixels: int) -> Forecast:
        """The same as of a folder; of photos in stores by a few of them, evenly taken, and without their way here."""
        if self._staging is None:
            return super().forecast(sources, max_pixels)
        count = len(sources)
        few = [sources[number * count // SAMPLE] for number in range(SAMPLE)] if count > SAMPLE else sources
        staged = [one.source for one in self._staging.staged(few) if one.error is None and one.is_picture]
        found = super().forecast([source for source in staged if not self.stages.is_giant(source)], max_pixels)
        for source in staged:
            self._staging.release(source)
        return found.scaled(count, sum(source.origin.size or 0 for source in sources))

    def _look_again(self) -> None:
        if isinstance(self.ledger, StoreLedger):
            self.ledger.look_again()
