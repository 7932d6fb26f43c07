"""FolderRun: photos through stages into an output folder, resumable, on one process or several.

The order is: find, plan, then load. What is done already is known from the ledger, so that a run with nothing to do
loads no network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomli_w

from segcli import __version__
from segcli.decoding import check_option
from segcli.distributed import Processes
from segcli.errors import SegcliError, UsageError
from segcli.files import workplaces
from segcli.files.atomic import write_whole, writing
from segcli.files.listing import chosen, trees_of
from segcli.files.lock import Hold
from segcli.files.paths import shown
from segcli.files.sources import Found, Source
from segcli.films.options import FilmOptions
from segcli.inference.options import BatchSize
from segcli.pipeline import run_files
from segcli.pipeline.ledger import Ledger, merge, open_folder
from segcli.pipeline.outputs import Outputs
from segcli.pipeline.progress import Watch, unwatched
from segcli.pipeline.records import RUN_FILE, Record, check_folder, fingerprint
from segcli.pipeline.summary import Summary
from segcli.pipeline.summing import Results

if TYPE_CHECKING:
    from segcli.pipeline.estimate import Forecast
    from segcli.pipeline.film import FilmRun
    from segcli.pipeline.stages import Stages
    from segcli.storage.address import Address


@dataclass(frozen=True)
class Plan:
    """Everything that decides the outputs of a run.

    Attributes:
        outputs: What is written for each photo, and where.
        recipe: The other settings, as TOML-plain values; None is left out.
        films: What is done with films; None where they are not read.
    """

    outputs: Outputs
    recipe: dict[str, Any]
    films: FilmOptions | None = None

    @cached_property
    def stated(self) -> dict[str, Any]:
        """The recipe with the outputs' own settings, as run.toml holds it."""
        return toml_plain({**self.recipe, "outputs": self.outputs.to_dict()})

    @cached_property
    def settings(self) -> str:
        """The fingerprint: outputs made with another one are stale."""
        return fingerprint(self.stated)

    @cached_property
    def film_stated(self) -> dict[str, Any]:
        """The settings that films alone have, as run.toml holds them."""
        return toml_plain({"film": self.films.to_dict() if self.films else None})

    @cached_property
    def film_settings(self) -> str:
        """The fingerprint for films: other settings of theirs leave what was made of photos as it is."""
        return fingerprint({**self.stated, **self.film_stated})

    def settings_for(self, source: Source) -> str:
        """The fingerprint for a source."""
        return self.film_settings if source.film else self.settings

    def work(
        self, photos: Iterable[Source], stages: Stages, ledger: Ledger, batch: int = 1, watch: Watch = unwatched
    ) -> Iterator[Record]:
        """Do photos in their order, a record each; in whatever process, it is done by this. See `stages.work`."""
        from segcli.pipeline import stages as pipeline

        return pipeline.work(photos, stages, self.outputs, ledger, self.settings, batch, watch)


@dataclass(frozen=True)
class Invocation:
    """The command line as it was typed, so that `--from run.toml` can repeat it.

    Attributes:
        inputs: Paths and patterns.
        options: Options by name, as TOML-plain values.
    """

    inputs: Sequence[str] = ()
    options: dict[str, Any] = field(default_factory=dict)


class FolderRun:
    """A run that fills an output folder; iterate over it to work, one Record a photo as each is done.

    Whoever stops early loses nothing: a record is in the ledger as soon as its files are whole, and the same run begun
    again does only what is missing or has changed.

    Args:
        found: The photos.
        folder: The output folder.
        prepare: Loads what is needed, and gives the plan and the stages; called once, where anything is to do.
        foreseen: The plan as far as it is known without loading; None where it is not.
        invocation: For run.toml.
        processes: Who shares the work.
        batch: Photos a call of the predict stage.
        verify: Compare contents, not times, to see what is done.

    Attributes:
        watch: Is told how far it is within a film, after each frame, and within a picture that is done in parts, after
            each window; set it before you iterate.
    """

    def __init__(
        self,
        found: Found,
        folder: Path,
        prepare: Callable[[], tuple[Plan, Stages]],
        *,
        foreseen: Plan | None = None,
        invocation: Invocation | None = None,
        processes: Processes | None = None,
        batch: int = 1,
        verify: bool = False,
    ):
        check_option("batch", batch, BatchSize)
        self.found = found
        self.folder = folder
        self.invocation = invocation or Invocation()
        self.processes = processes or Processes()
        self.batch = batch
        self.verify = verify
        self.todo: Sequence[Source] = ()
        self.stages: Stages | None = None
        self.plan: Plan | None = foreseen
        self._prepare = prepare
        self._begun = False
        self._taken = False
        self._written: set[str] = set()
        self._hold = Hold()
        self.watch: Watch = unwatched

    @property
    def place(self) -> Path | Address:
        """The output folder as people know it."""
        return self.folder

    @cached_property
    def ledger(self) -> Ledger:
        """The folder's records as they stood when the run began, and this process's own."""
        with writing(self.folder):
            return Ledger(self.folder, self.processes.rank if self.processes.world_size > 1 else None)

    def find_todo(self) -> Sequence[Source]:
        """The photos to do, once what they need is loaded; writes nothing.

        Raises:
            UsageError: The folder holds results of other photos of the same names.
            SegcliError: The folder cannot be written to.
        """
        self.check()
        foreseen = self.plan
        todo = self._to_do() if foreseen else self.found.files
        if foreseen and not todo:
            return todo
        self._load()
        same = foreseen and foreseen.settings == self.plan.settings
        return todo if same else self._to_do()

    def check(self) -> None:
        """Refuse a folder that the run could not fill; writes nothing. The errors are those of `find_todo`."""
        self._refuse_other_inputs()
        check_folder(self.folder)

    def _to_do(self) -> Sequence[Source]:
        return self._unproved(self.found.files, self.verify)

    def _unproved(self, sources: Sequence[Source], verify: bool = False) -> Sequence[Source]:
        """The sources whose outputs are not proved to stand."""
        proves = self.ledger.proves_done
        return chosen(sources, lambda one: not proves(one, self.plan.settings_for(one), verify))

    def _load(self) -> None:
        if self.stages is None:
            self.plan, self.stages = self._prepare()

    def _refuse_other_inputs(self) -> None:
        if found := self.ledger.conflict(self.found.files):
            source, other = found
            raise UsageError(
                f"{shown(str(self.place))} holds results of {shown(other)}, which those of "
                f"{shown(source.input)} would replace",
                "Name another folder with --output.",
            )

    def begin(self) -> Sequence[Source]:
        """Plan, load, make the output folder and write run.toml, once; returns this process's share of the work."""
        if not self._begun:
            self.todo = self._agreed()
            if self.todo:
                self._load()
            self._begun = True
        return self.processes.shard(self.todo)

    def _agreed(self) -> Sequence[Source]:
        """What is to do: one process decides for all, since what one writes may look done already to another."""
        todo, failure = (), None
        try:
            if self.processes.is_main:
                todo = self._planned()
            elif self.plan is None:
                self._load()  # at the same time as the main process
        except SegcliError as error:
            failure = error
        answers = self.processes.all_gather((todo, failure))
        for _, failure in answers:
            if failure is not None:
                raise failure  # in every process, which else would wait for one that is gone
        return answers[0][0]

    def _planned(self) -> Sequence[Source]:
        self._take()
        self.ledger.refresh()
        todo = self.find_todo()
        self.ledger.records.close()  # Windows removes no file that is open
        if open_folder(self.folder):
            del self.ledger
        self._take()
        if self.ledger.refresh():  # the folder was not there before, so that nothing kept others out
            todo = self.find_todo()
        workplaces.clear(self.folder, self.found.files, todo)
        self._write_run_file()
        return todo

    def _take(self) -> None:
        """Keep the folder, once it is there, until the run ends: two would do photos twice, and sum up only their own.

        Raises:
            UsageError: Another process is at it.
        """
        with writing(self.folder):
            if not self._hold.take(self.folder):
                raise UsageError(
                    f"another process is writing to {shown(self.folder)}; nothing was done here",
                    "When it has ended, the same command does what is left. torchrun shares a folder among processes.",
                )

    def __iter__(self) -> Iterator[Record]:
        """Do what is left of this process's share, one record a photo; what is done is not done again."""
        share = self.begin()
        if self._taken:
            share = self._unproved(share)
        self._taken = True
        if photos := chosen(share, lambda source: not source.film):
            yield from self._photos(photos)
        if films := chosen(share, lambda source: source.film):
            yield from self.film_run().records(films, self.ledger)

    def _photos(self, photos: Sequence[Source]) -> Iterator[Record]:
        return self.plan.work(photos, self.stages, self.ledger, self.batch, self.watch)

    def film_run(self) -> FilmRun:
        """What is done with each film, once the plan is made and the model loaded."""
        from segcli.pipeline.film import FilmRun

        plan = self.plan
        return FilmRun(self.stages, plan.outputs, plan.films, plan.film_settings, self.batch, self.watch)

    def forecast(self, sources: Sequence[Source], max_pixels: int) -> Forecast:
        """The time, memory and disk that photos to do will take, once `find_todo` has been asked."""
        from segcli.pipeline.estimate import forecast

        return forecast(sources, self.stages, self.plan.outputs, max_pixels)

    def __len__(self) -> int:
        """How many photos this process has to do; plans, and loads what is needed."""
        return len(self.begin())

    def __bool__(self) -> bool:
        return True  # also where nothing is to do; and asking must not load a network

    def _write_run_file(self) -> None:
        started = {"segcli": __version__, "started": datetime.now(UTC).replace(microsecond=0)}
        films = self.plan.film_stated if self.found.films else {}
        values = {**started, "inputs": list(self.invocation.inputs), **self.plan.stated, **films}
        text = tomli_w.dumps(toml_plain({**values, "options": self.invocation.options}))
        with writing(self.folder):
            run_files.keep(self.folder, self.ledger.records.settings, self._settings)
            with write_whole(self.folder / RUN_FILE) as file:
                file.write(text.encode())

    def finish(self) -> Summary | None:
        """Wait for all processes, write what sums up the folder, and give the summary; None in all but the main one."""
        try:
            return self._finished()
        finally:
            self._hold.release()

    def _finished(self) -> Summary | None:
        self.begin()
        self._written.update(*self.processes.all_gather(self.ledger.appended))
        if not self.processes.is_main:
            return None
        with writing(self.folder):
            self.ledger.require()
            if self.processes.world_size > 1:
                self.ledger.records.close()
                merge(self.folder)
                self.ledger = Ledger(self.folder)
            if self.ledger.compact():
                self.ledger = Ledger(self.folder)
            apart, others = self._results.write(self.folder, self.plan.outputs)
        outcome = self._results.of_files({name for name in trees_of(self.todo) if name not in self._written})
        self.ledger.records.close()
        found, min_area = self.found, self.plan.outputs.min_area
        before = len(found.files) - len(self.todo)
        done = len(outcome.records) - outcome.failed - before
        counts = (done, before, outcome.failed, found.ignored, outcome.records, outcome.specks, min_area)
        return Summary(self.place, *counts, found.unread, outcome.with_objects, apart, found.damaged, others)

    @property
    def _results(self) -> Results:
        return Results(self.ledger, self.found.files, self._settings)

    @property
    def _settings(self) -> tuple[str, str]:
        return self.plan.settings, self.plan.film_settings


def toml_plain(value: Any) -> Any:
    """A value as TOML holds it: None is left out, sequences are lists, bytes that are no text are escaped."""
    if isinstance(value, dict):
        return {key: toml_plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [toml_plain(item) for item in value]
    return value.encode(errors="backslashreplace").decode() if isinstance(value, str) else value
