"""Summing up: which records of an output folder count at the end of a run, and the files that are made of them all."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from segcli.files.listing import Source
from segcli.files.paths import folded, is_same
from segcli.pipeline.kept import Chosen, KeptRecords
from segcli.pipeline.ledger import Ledger
from segcli.pipeline.records import DONE, Record
from segcli.pipeline.tables import write_areas, write_review
from segcli.pipeline.writer import MERGERS, Outputs

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
    """

    records: Sequence[Record]
    failed: int
    specks: int


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
        names = (source.tree.as_posix() for source in self.files)
        places, failed, specks = array("Q"), 0, 0
        for place in map(self.known.place, (name for name in names if name not in left)):
            record = None if place is None else self.known.at(place)
            if record is not None and record.settings in self.fingerprints:
                places.append(place)
                failed += record.status != DONE
                specks += record.specks or 0
        found = Chosen(self.known, places)
        return Outcome(found if len(found) > IN_MEMORY else tuple(found), failed, specks)

    def counted(self) -> Chosen:
        """The records that areas.csv sums up: this recipe's results, each photo once, by its present name.

        They are in the photos' order, whichever run did which, and then those of photos that this run was not given.
        """
        places = (self.known.place(source.tree.as_posix()) for source in self.files)
        given = array("Q", (place for place in places if place is not None))
        counted = array("Q", filter(self._counts, given))
        if len(given) < len(self.known):
            counted.extend(self._of_others(set(given)))
        return Chosen(self.known, counted)

    def write(self, folder: Path, outputs: Outputs) -> None:
        """Write what sums up the folder: the tables, and the files that are made of the photos' parts."""
        done = self.counted()
        write_areas(folder / "areas.csv", done)
        write_review(folder / "review.csv", done)
        for kind in outputs.kinds & MERGERS.keys():
            name, merge_parts = MERGERS[kind]
            parts = (self.ledger.file(record, kind) for record in done)
            merge_parts(folder / name, (part for part in parts if part is not None), outputs.labels)

    def _counts(self, place: int) -> bool:
        record = self.known.at(place)
        return record is not None and record.settings in self.fingerprints and record.status == DONE

    def _of_others(self, given: Container[int]) -> Iterator[int]:
        """The places of the records that count beside the given ones, but for those of a given photo's earlier name."""
        others = [place for place in map(self.known.place, self.known) if place not in given and self._counts(place)]
        inputs = {place: Path(self.known.at(place).input).resolve() for place in others}
        spellings: dict[str, list[Path]] = defaultdict(list)
        for path in inputs.values():
            spellings[folded(path)].append(path)
        paths = (source.path.resolve() for source in self.files) if inputs else ()
        again = {path for photo in paths for path in spellings.get(folded(photo), ()) if is_same(path, photo)}
        return (place for place in others if inputs[place] not in again)
