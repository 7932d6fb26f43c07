"""Summary: what came of a run that fills an output folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from segcli.errors import EXIT_FAILED, EXIT_OK, EXIT_SOME_FAILED
from segcli.files import formats
from segcli.files.encoding import to_json
from segcli.pipeline.records import Record


@dataclass(frozen=True)
class Summary:
    """The outcome of a run.

    Attributes:
        output: The output folder.
        segmented: How many photos were done now.
        skipped: How many were done before.
        failed: How many failed.
        ignored: How many files of no known format the input folders held.
        records: One for each photo that was done or failed, in order; those of many photos are read from
            manifest.jsonl as they are asked for.
        specks: How many regions are left out of the label files for having fewer pixels than `min_area`.
        min_area: The fewest pixels of a region in them; 0 for all.
        unread: Name of a format -> how many of its files the input folders held that cannot be read.
        damaged: The paths of the first files among these that are named like photos and hold none.
        with_objects: Those of the records of which objects were asked for; None where all are to be asked.
        apart: File of the whole run -> how many photos of other settings, which do not fit into it, it lacks.
        others: How many photos that were not given have results in the folder, from earlier runs.
    """

    output: Path
    segmented: int
    skipped: int
    failed: int
    ignored: int
    records: Sequence[Record]
    specks: int = 0
    min_area: int = 0
    unread: Mapping[str, int] = field(default_factory=dict)
    with_objects: Sequence[Record] | None = None
    apart: Mapping[str, int] = field(default_factory=dict)
    damaged: Sequence[str] = ()
    others: int = 0

    @cached_property
    def objects(self) -> dict[str, int] | None:
        """Class name -> objects of it in all photos, the most numerous first; None where they were not asked for."""
        found, asked = Counter(), False
        for record in self.records if self.with_objects is None else self.with_objects:
            if record.objects is not None:
                found.update(record.objects)
                asked = True
        return dict((+found).most_common()) if asked else None

    @property
    def exit_code(self) -> int:
        """0 where all is done, 1 where every photo failed, 3 where some did or take an extra that is not installed."""
        if self.failed and self.failed == len(self.records) and not any(record.outputs for record in self.records):
            return EXIT_FAILED
        # Whoever holds photos that one more package would read wanted them done as well, and a script must notice that
        # they are not. A PDF or a film is no photo that was forgotten.
        return EXIT_SOME_FAILED if self.failed or formats.extras(self.unread) else EXIT_OK

    def to_dict(self) -> dict:
        """JSON-plain values, as `--json` prints them."""
        return {**self._head(), "images": [record.to_dict() for record in self.records]}

    def json(self) -> Iterator[str]:
        """The JSON text of `to_dict`, in pieces: that of many photos is never in memory as a whole."""
        yield to_json(self._head())[:-1] + ', "images": ['
        for number, record in enumerate(self.records):
            yield (", " if number else "") + to_json(record.to_dict())
        yield "]}"

    def _head(self) -> dict:
        """All but the images."""
        counts = {name: getattr(self, name) for name in ("segmented", "skipped", "failed", "ignored")}
        counts["unread"] = dict(self.unread)
        if self.damaged:
            counts["damaged"] = list(self.damaged)
        if self.min_area:
            counts |= {"specks": self.specks, "min_area": self.min_area}
        if self.others:
            counts["others"] = self.others
        if self.apart:
            counts["apart"] = dict(self.apart)
        if (objects := self.objects) is not None:
            counts["objects"] = objects
        return {"output": str(self.output), **counts, "exit_code": self.exit_code}
