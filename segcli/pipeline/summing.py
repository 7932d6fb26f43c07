"""Summing up: which records of an output folder count at the end of a run, and the files that are made of them all."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from segcli.files.listing import Source, trees_of
from segcli.pipeline import run_files
from segcli.pipeline.earlier import earlier_names
from segcli.pipeline.kept import Chosen, KeptRecords
from segcli.pipeline.kinds import JOINED
from segcli.pipeline.ledger import Ledger
from segcli.pipeline.outputs import Outputs
from segcli.pipeline.records import Record
from segcli.pipeline.run_files import RunSettings
from segcli.pipeline.tables import by_uncertainty, write_areas, write_review

IN_MEMORY = 10_000
"""So many records of a run, at most, are in memory at its end; those of more photos are read as they are needed."""


@dataclass(frozen=True)
class Outcome:
    """What became of the photos of a run.

    Attributes:
        records: One for each that was done or failed, in order; a tuple where they are few, else each is read from
            manifest.jsonl as it is asked for.
        failed: How many failed.
        specks: How many regions are left out of their label files.
        with_objects: Those of the records of which objects were asked for.
    """

    records: Sequence[Record]
    failed: int
    specks: int
    with_objects: Sequence[Record]


class _Counted(NamedTuple):
    """The numbers of the records that count, whether their names are in order, and how many were not given."""

    numbers: array
    is_in_order: bool
    others: int = 0


class Written(NamedTuple):
    """What was summed up.

    Attributes:
        apart: File of the whole run -> how many photos of other settings, which do not fit into it, it lacks.
        others: How many photos the tables list that this run was not given.
    """

    apart: Mapping[str, int]
    others: int


@dataclass(frozen=True)
class Results:
    """The results of a recipe in an output folder.

    Attributes:
        ledger: The folder's records.
        files: The photos that the run was given.
        fingerprints: Those of the recipe, for photos and for films.
    """

    ledger: Ledger
    files: Sequence[Source]
    fingerprints: tuple[str, ...]

    @property
    def known(self) -> KeptRecords:
        """All records of the folder."""
        return self.ledger.records

    def of_files(self, left: Container[str]) -> Outcome:
        """What became of the photos given, but for those of the names in `left`."""
        known, failed, specks = self.known, 0, 0
        numbers, with_objects = array("I"), array("I")
        for number in map(known.number, (name for name in trees_of(self.files) if name not in left)):
            if number is None or (facts := known.facts(number)).settings not in self.fingerprints:
                continue
            numbers.append(number)
            if facts.has_objects:
                with_objects.append(number)
            failed += not facts.is_done
            specks += self._specks(number) if facts.has_specks else 0
        found = self._chosen(numbers)
        few = len(found) <= IN_MEMORY
        return Outcome(tuple(found) if few else found, failed, specks, self._chosen(with_objects))

    def _specks(self, number: int) -> int:
        record = self.known.at(self.known.place(number))
        return (record.specks or 0) if record is not None else 0

    def counted(self) -> Chosen:
        """The records that areas.csv sums up: all whose results are in the folder, each once by its present name.

        They are in the photos' order, whichever run did which, and then those of photos that this run was not given.
        """
        return self._chosen(self._counted().numbers)

    def _chosen(self, numbers: Iterable[int]) -> Chosen:
        return Chosen(self.known, map(self.known.place, numbers))

    def _counted(self) -> _Counted:
        numbers, is_given, before, in_order = array("I"), bytearray(len(self.known)), "", True
        for name in trees_of(self.files):
            if (number := self.known.number(name)) is not None:
                is_given[number] = True
                if self._counts(number, is_given=True):
                    in_order, before = in_order and before <= name, name
                    numbers.append(number)
        others = array("I", (number for number, given in enumerate(is_given) if not given and self._counts(number)))
        if not others:
            return _Counted(numbers, in_order)
        again, given = earlier_names(self._chosen(others), self.files), len(numbers)
        numbers.extend(number for index, number in enumerate(others) if index not in again)
        return _Counted(numbers, is_in_order=False, others=len(numbers) - given)

    def _counts(self, number: int, *, is_given: bool = False) -> bool:
        """Whether a photo's results are in the folder; those of this run have just been made or looked for."""
        facts = self.known.facts(number)
        if not facts.is_done or (is_given and facts.settings in self.fingerprints):
            return facts.is_done
        record = self.known.at(self.known.place(number))
        return record is not None and self.ledger.holds(record)

    def write(self, folder: Path, outputs: Outputs) -> Written:
        """Write what sums up the folder: the tables, and the files that are made of the photos' parts."""
        numbers, is_in_order, others = self._counted()
        done = self._chosen(numbers)
        used = {self.known.facts(number).settings for number in numbers}
        run_files.tidy(folder, used)
        runs = run_files.all_of(folder) if used.difference(self.fingerprints) else {}
        told = self._told(used, runs)
        write_areas(folder / "areas.csv", done, told)
        known = (self.known.facts(number).uncertainty for number in numbers)
        write_review(folder / "review.csv", done, by_uncertainty(known, None if is_in_order else done.name), told)
        apart = self._join(folder, outputs, done, self._joined(used, runs)) if outputs.kinds & JOINED else {}
        return Written(apart, others)

    def _told(self, used: Iterable[str], runs: Mapping[str, RunSettings]) -> dict[str, str] | None:
        """What the tables call each fingerprint: its run file, or itself; None where the settings measure the same."""
        kinds = {runs[one].measured if one in runs else one for one in used}
        return {one: runs[one].name if one in runs else one for one in used} if len(kinds) > 1 else None

    def _joined(self, used: Iterable[str], runs: Mapping[str, RunSettings]) -> set[str]:
        """The fingerprints of the results that can stand in one file with this run's."""
        ours = {runs[one].joined for one in self.fingerprints if one in runs}
        return {one for one in used if one in self.fingerprints or (one in runs and runs[one].joined in ours)}

    def _join(self, folder: Path, outputs: Outputs, done: Chosen, alike: set[str]) -> dict[str, int]:
        """Write the files that are made of the parts of the results with these fingerprints."""
        from segcli.pipeline.mergers import MERGERS, part_of

        apart: Counter[str] = Counter()

        def parts(kind: str) -> Iterator[Any]:
            for record in done:
                if (file := self.ledger.file(record, kind)) is None:
                    continue
                if record.settings in alike:
                    yield part_of(kind, file, record)
                else:
                    apart[MERGERS[kind][0]] += 1

        for kind in sorted(outputs.kinds & JOINED):
            name, merge_parts = MERGERS[kind]
            merge_parts(folder / name, parts(kind), outputs.labels)
        return dict(apart)
