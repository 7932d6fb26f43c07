"""Summary: what came of a run that fills an output folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from segcli.errors import EXIT_FAILED, EXIT_OK, EXIT_SOME_FAILED
from segcli.files import formats
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
        records: One for each photo that was done or failed, in order.
        specks: How many regions are left out of the label files for having fewer pixels than `min_area`.
        min_area: The fewest pixels of a region in them; 0 for all.
        unread: Name of a format -> how many of its files the input folders held that cannot be read.
    """

    output: Path
    segmented: int
    skipped: int
    failed: int
    ignored: int
    records: tuple[Record, ...]
    specks: int = 0
    min_area: int = 0
    unread: Mapping[str, int] = field(default_factory=dict)

    @property
    def objects(self) -> dict[str, int] | None:
        """Class name -> objects of it in all photos, the most numerous first; None where they were not asked for."""
        counts = [record.objects for record in self.records if record.objects is not None]
        return dict(sum(map(Counter, counts), Counter()).most_common()) if counts else None

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
        counts = {name: getattr(self, name) for name in ("segmented", "skipped", "failed", "ignored")}
        counts["unread"] = dict(self.unread)
        if self.min_area:
            counts |= {"specks": self.specks, "min_area": self.min_area}
        if self.objects is not None:
            counts["objects"] = self.objects
        images = [record.to_dict() for record in self.records]
        return {"output": str(self.output), **counts, "exit_code": self.exit_code, "images": images}
