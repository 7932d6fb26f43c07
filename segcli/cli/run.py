"""A run that fills an output folder: what is to do, run.toml, progress, areas.csv and the last line."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomli_w

from segcli import __version__
from segcli.cli.display import Display
from segcli.errors import DONE as EXIT_DONE
from segcli.errors import FAILED as EXIT_FAILED
from segcli.errors import SOME_INPUTS_FAILED, InputError, UsageError
from segcli.files import paths as paths_module
from segcli.files import sources
from segcli.files.atomic import write_whole, writing
from segcli.files.sources import Found, Source
from segcli.pipeline.records import DONE, Ledger, Record, fingerprint, merge, open_folder
from segcli.pipeline.tables import write_areas, write_review

if TYPE_CHECKING:
    from segcli.distributed import Processes
    from segcli.pipeline.stages import Stages
    from segcli.pipeline.writer import Outputs


def find(inputs: list[str], output: Path | None) -> Found:
    """The photos to work on; `-` among the inputs stands for the list on stdin."""
    named = [name for text in inputs for name in (sources.list_from(sys.stdin.buffer) if text == "-" else [text])]
    found = sources.find(named, output)
    if not found.files:
        passed = [f"{found.ignored} other files ignored"] if found.ignored else []
        passed += [f"{found.results} results of segcli left out"] if found.results else []
        reasons = f" ({', '.join(passed)})" if passed else ""
        raise InputError(f"no photos in {', '.join(inputs)}{reasons}", "Name photos or a folder of photos.")
    return found


class Run:
    """One command's work on an output folder, alone or as one of several processes under torchrun.

    Args:
        processes: Who shares the work.
        display: How to speak.
        outputs: What is written for each photo, and where.
        recipe: Everything that decides the outputs, as TOML-plain values.
        inputs: The inputs as typed, for run.toml.
        options: Likewise the options, for `--from run.toml`.
    """

    def __init__(
        self,
        processes: Processes,
        display: Display,
        outputs: Outputs,
        recipe: dict,
        inputs: list[str],
        options: dict | None = None,
    ):
        self.processes = processes
        self.display = display
        self.folder: Path = outputs.folder
        self.outputs = outputs
        chosen = {
            "save": sorted(outputs.kinds),
            "overlay_size": outputs.overlay_size,
            "classes": None if outputs.classes is None else sorted(outputs.classes),
            "cutout_background": outputs.cutout_background,
        }
        self.recipe = _stated({**recipe, "outputs": chosen})
        self.inputs = inputs
        self.options = options or {}
        self.settings = fingerprint(self.recipe)
        self.todo: list[Source] = []
        self._open()

    def _open(self) -> None:
        with writing(self.folder):
            self.ledger = Ledger(self.folder, self.processes.rank if self.processes.world_size > 1 else None)

    def complete(
        self,
        found: Found,
        stages: Stages,
        batch: int = 1,
        verify: bool = False,
        verbs: tuple[str, str] = ("segmenting", "segmented"),
    ) -> int:
        """Do what is to do of these photos, from the plan to the last line, and give the exit code."""
        from segcli.pipeline.stages import segment

        todo = self.plan(found, verify)
        self.follow(segment(todo, stages, self.outputs, self.ledger, self.settings, batch), len(todo), verbs[0])
        return self.finish(found, verbs[1])

    def to_do(self, found: Found, verify: bool) -> list[Source]:
        """The photos that the ledger does not prove done; writes nothing.

        Raises:
            UsageError: The folder holds results of other photos of the same names.
        """
        for source in found.files:
            if other := self.ledger.other_input(source):
                raise UsageError(
                    f"{paths_module.shown(self.folder)} holds results of {paths_module.shown(other)}, which those of "
                    f"{paths_module.shown(source.path)} would replace",
                    "Name another folder with --output.",
                )
        return self.ledger.to_do(found.files, self.settings, verify)

    def plan(self, found: Found, verify: bool) -> Sequence[Source]:
        """`to_do` in earnest: makes the output folder, writes run.toml, and returns this process's share."""
        if self.processes.is_main:
            open_folder(self.folder)
            self._write_recipe()
        self.processes.barrier()  # nobody reads what is still being made
        self._open()
        # What one process already writes may look done to another, so that one of them decides for all.
        self.todo = self.processes.all_gather(self.to_do(found, verify) if self.processes.is_main else None)[0]
        return self.processes.shard(self.todo)

    def _write_recipe(self) -> None:
        started = {"segcli": __version__, "started": datetime.now(UTC).replace(microsecond=0), "inputs": self.inputs}
        text = tomli_w.dumps(_stated({**started, **self.recipe, "options": self.options}))
        with writing(self.folder), write_whole(self.folder / "run.toml") as file:
            file.write(text.encode())

    def follow(self, records: Iterable[Record], total: int, verb: str) -> None:
        """Draw progress while the records come in."""
        try:
            with self.display.counting(total, verb) as counter:
                for record in records:
                    counter.advance()
                    for note in record.notes:
                        counter.remark(f"{record.input}: {note}")
                    if record.error:
                        told = record.error if record.input in record.error else f"{record.input}: {record.error}"
                        self.display.failure(f"failed: {told}")
        except KeyboardInterrupt:
            self.display.say("interrupted: what is done is kept, and the same command goes on from there")
            raise

    def finish(self, found: Found, verb: str) -> int:
        """When all are through: write what sums up the folder, say what was done, and give the exit code."""
        self.processes.barrier()
        if not self.processes.is_main:
            return EXIT_DONE
        with writing(self.folder):
            merge(self.folder)
            self._open()
            self._sum_up(found)
        records = [self.ledger.records[source.tree.as_posix()] for source in found.files]
        failed = sum(record.status != DONE for record in records)
        counts = {
            "segmented": len(self.todo) - failed,
            "skipped": len(records) - len(self.todo),
            "failed": failed,
            "ignored": found.ignored,
        }
        if not self.display.quiet:
            self.display.data(_sentence(counts, verb, self.folder))
        code = EXIT_DONE if not failed else EXIT_FAILED if failed == len(records) else SOME_INPUTS_FAILED
        images = [asdict(record) for record in records]
        self.display.json({"output": str(self.folder), **counts, "exit_code": code, "images": images})
        return code

    def _sum_up(self, found: Found) -> None:
        from segcli.pipeline.writer import MERGERS

        done = self._counted(found)
        write_areas(self.folder / "areas.csv", done)
        write_review(self.folder / "review.csv", done)
        for kind in self.outputs.kinds & MERGERS.keys():
            name, merge_parts = MERGERS[kind]
            parts = (self.folder / record.outputs[kind]["path"] for record in done if kind in record.outputs)
            merge_parts(self.folder / name, (part for part in parts if part.is_file()), self.outputs.labels)

    def _counted(self, found: Found) -> list[Record]:
        """What areas.csv and its kin tell of: this recipe's results, each photo once, by its present name."""
        names = {source.tree.as_posix() for source in found.files}
        paths = {source.path.resolve() for source in found.files}
        return [
            record
            for record in self.ledger.records.values()
            if record.status == DONE
            and record.settings == self.settings
            and (record.name in names or Path(record.input).resolve() not in paths)
        ]


def _sentence(counts: dict[str, int], verb: str, folder: Path) -> str:
    parts = [f"{counts['segmented']} {verb}"]
    if counts["skipped"]:
        parts.append(f"{counts['skipped']} done before")
    if counts["failed"]:
        parts.append(f"{counts['failed']} failed (why: {folder / 'manifest.jsonl'})")
    if counts["ignored"]:
        parts.append(f"{counts['ignored']} other files ignored")
    return f"{', '.join(parts)}: {folder}"


def _stated(values: dict) -> dict:
    """TOML has no null: what is not stated is left out."""
    return {key: _plain(value) for key, value in values.items() if value is not None}


def _plain(value: Any) -> Any:
    """A value as TOML has it; names of files may hold bytes that are no text."""
    if isinstance(value, dict):
        return _stated(value)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value
