"""`segcli train`: a recipe in, a run folder out."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Annotated

import tomli_w
from typer import Option

from segcli.cli import allocator
from segcli.cli.display import Display
from segcli.cli.options import common
from segcli.cli.options import dataset as dataset_options
from segcli.cli.progress import clock
from segcli.cli.views.scores import percent
from segcli.errors import UsageError
from segcli.files.atomic import write_whole
from segcli.labels import LabelSet
from segcli.pipeline.usable import usable
from segcli.training import recipe as recipes
from segcli.training import split
from segcli.training.recipe import BEST, LAST, STATE, Recipe

if TYPE_CHECKING:
    import torch

    from segcli.data.dataset import Dataset
    from segcli.distributed import Processes
    from segcli.training.artifacts import TensorBoard
    from segcli.training.events import Step, Validation
    from segcli.training.loop import Training
    from segcli.weights.model_io import LoadedModel

EXAMPLES = """\
[bold]Examples[/bold]\n
segcli train --config examples/finetune.toml --set data.images=photos --set data.masks=masks\n
segcli train --config examples/recipes/camvid.toml -o camvid-run\n
segcli train --config examples/recipes/camvid.toml -o camvid-run --resume\n
torchrun --nproc-per-node 2 -m segcli train --config recipe.toml
"""
ESTIMATE_AFTER = 20
MANY_HOURS = 12
"""From here on an estimate comes with what to lower."""


def train(
    config: Annotated[Path, Option("--config", "-c", metavar="TOML", help="The recipe; see docs/training.md.")],
    output: common.Output = Path("run"),
    changes: Annotated[
        list[str] | None,
        Option("--set", metavar="TABLE.KEY=VALUE", help="Change the recipe; may be given several times."),
    ] = None,
    resume: Annotated[bool, Option("--resume", help="Go on with the run in --output, exactly.")] = False,
    device: Annotated[
        str | None,
        Option("--device", metavar="auto|cpu|cuda[:N]|mps", help="Instead of the recipe's.", show_default=False),
    ] = None,
    skip_bad: dataset_options.SkipBad = False,
    as_json: common.AsJson = False,
    quiet: common.Quiet = False,
) -> None:
    """Train a model by a recipe: checkpoints, metrics.csv, a curve and overlays go to --output.

    A run that was stopped or killed goes on with --resume and ends as if it had never stopped. best.safetensors is the
    checkpoint with the highest mIOU on the validation photos, last.safetensors the newest.
    """
    extra = [f"run.device={device}"] if device else []
    recipe = recipes.read(config, [*(changes or []), *extra])
    data, val = split.choose(recipe.data)
    resume = resume or _restarted(output)
    _refuse(recipe, data, output, resume)

    allocator.keep_freed_memory()
    from segcli import distributed

    with distributed.join() as processes:
        display = Display(as_json and processes.is_main, quiet or not processes.is_main)
        chosen = _device(recipe, processes, display)
        model = None if resume else _first_weights(recipe, data.labels, display)
        if skip_bad or not resume:
            data, val = (usable(part, skip_bad, processes, display) for part in (data, val))
        data = split.repeated(data, recipe.data.repeat, recipe.data.repeat_times)
        run = _run(recipe, model, data, val, output, chosen, processes)
        display.say(
            f"model {run.model.spec.name}, {len(data.labels)} classes, {len(data)} photos to learn from, "
            f"{len(val)} to validate on",
            "dim",
        )
        _Follower(run, display, output).follow()


def _refuse(recipe: Recipe, data: Dataset, output: Path, resume: bool) -> None:
    """What can be known to fail before torch is imported and any photo is read."""
    if not resume and (output / STATE).exists():
        raise UsageError(f"{output} holds a run already", "Go on with --resume, or name another folder with --output.")
    if not resume and (output / LAST).exists():
        raise UsageError(
            f"{output} holds the checkpoints of a run, which a new one would overwrite",
            "Name another folder with --output.",
        )
    split.rare_ids(recipe.data.repeat, data.labels)
    weights = len(recipe.loss.class_weights)
    if weights not in (0, len(data.labels)):
        raise UsageError(
            f"loss.class_weights has {weights} numbers, there are {len(data.labels)} classes",
            f"Give one for each of {', '.join(data.labels.names)}.",
        )


def _restarted(output: Path) -> bool:
    """Whether torchrun has started this job anew after a crash, and there is something to go on from."""
    return os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") != "0" and (output / STATE).exists()


def _device(recipe: Recipe, processes: Processes, display: Display) -> torch.device:
    """This process's device, announced; UsageError where the batch cannot be shared out."""
    from segcli import devices

    part = recipe.schedule.batch // recipe.schedule.accumulate
    if part % processes.world_size:
        raise UsageError(
            f"{part} photos at once cannot be shared out to {processes.world_size} processes",
            "Make schedule.batch / schedule.accumulate a multiple of the number of processes.",
        )
    chosen = devices.of_rank(
        devices.choose(recipe.run.device), int(os.environ.get("LOCAL_RANK", "0")), processes.world_size
    )
    several = f", {processes.world_size} processes" if processes.world_size > 1 else ""
    display.say(f"device {devices.describe(chosen)}{several}", "dim")
    return chosen


def _first_weights(recipe: Recipe, labels: LabelSet, display: Display) -> LoadedModel:
    from segcli.training import init

    with display.downloading() as progress:
        model = init.start(recipe, labels, progress)
    for note in model.notes:
        display.say(note, "dim")
    return model


def _run(
    recipe: Recipe,
    model: LoadedModel | None,
    data: Dataset,
    val: Dataset,
    output: Path,
    device: torch.device,
    processes: Processes,
) -> Training:
    """A new run of the model, or without one the run that is in the folder."""
    from segcli.training import loop

    if model is None:
        return loop.resume(recipe, data, val, output, device, processes)
    if processes.is_main:
        with write_whole(output / "recipe.toml") as file:
            file.write(tomli_w.dumps(recipe.to_dict()).encode())
    return loop.Training(recipe, model, data, val, output, device, processes)


@dataclass
class _Follower:
    """Shows a run and writes what it leaves to look at."""

    run: Training
    display: Display
    folder: Path
    seconds: list[float] = field(default_factory=list)

    def follow(self) -> None:
        """To the end of the run."""
        from segcli.training.artifacts import TensorBoard

        is_main = self.run.processes.is_main
        if self.run.iteration:
            self.display.say(f"going on after iteration {self.run.iteration}")
        board = TensorBoard(self.folder, self.run.iteration) if is_main else None
        try:
            self._watch(board)
        except KeyboardInterrupt:
            saved = (self.folder / STATE).exists()
            nothing = "interrupted before the first checkpoint: the same command starts anew"
            self.display.say("interrupted: --resume goes on from the last checkpoint" if saved else nothing)
            raise
        finally:
            if board:
                board.close()
        if is_main:
            self._finish()

    def _watch(self, board: TensorBoard | None) -> None:
        """Take in every event."""
        from segcli.training.events import Step

        left = self.run.recipe.schedule.iterations - self.run.iteration
        with self.display.counting(left, "training", "iterations") as counter:
            for event in self.run.run():
                if board:
                    board.add(event)
                if not isinstance(event, Step):
                    self._validated(event, counter)
                    continue
                counter.describe(f"loss {event.loss:.3f}, rate {event.rate:.2g}, best mIOU {percent(self.run.best)}")
                counter.advance()
                self._stepped(event, counter)

    def _stepped(self, step: Step, counter) -> None:
        self.seconds.append(step.seconds)
        if self.run.processes.is_main and step.iteration % self.run.recipe.run.log_every == 0:
            self._write_metrics()
        thawed = self.run.recipe.model.freeze_backbone
        if len(self.seconds) == ESTIMATE_AFTER or (thawed and step.iteration == thawed + ESTIMATE_AFTER):
            counter.remark(*self._estimate(step.iteration <= thawed))

    def _estimate(self, frozen: bool) -> tuple[str, str]:
        """The time that is left by the median of the last steps; validations come on top."""
        recipe = self.run.recipe
        left = (recipe.schedule.iterations - self.run.iteration) * median(self.seconds[-ESTIMATE_AFTER:])
        text = f"about {clock(left)} for the rest, validations not counted"
        text += f"; longer once the backbone learns, after iteration {recipe.model.freeze_backbone}" if frozen else ""
        if left < MANY_HOURS * 3600:
            return text, "dim"
        lower = "schedule.iterations, augment.crop or schedule.batch"
        return f"{text}; lower {lower} if that is too long", "yellow"

    def _validated(self, validation: Validation, counter) -> None:
        if not self.run.processes.is_main:
            return
        from segcli.training import artifacts

        best = ", the best so far" if validation.best else ""
        counter.remark(
            f"iteration {validation.iteration}: val mIOU {percent(validation.scores.miou)}{best}, "
            f"pixel accuracy {percent(validation.scores.pixel_accuracy)}, {validation.seconds:.0f} s",
            "",
        )
        self._write_metrics()
        artifacts.write_curve(self.folder, self.run.history)
        artifacts.write_overlays(self.folder, validation, self.run.val, self.run.recipe.run.overlays)

    def _write_metrics(self) -> None:
        from segcli.training import artifacts

        artifacts.write_metrics(self.folder, self.run.history)

    def _finish(self) -> None:
        path = self.folder / BEST
        weights = path if path.is_file() else self.folder / LAST
        scored = next((row for row in reversed(self.run.history) if "miou" in row), {})
        facts = {"iterations": self.run.iteration, "best_miou": self.run.best, "last_miou": scored.get("miou")}
        self.display.data(
            f"best val mIOU {percent(self.run.best)} after {self.run.iteration} iterations: {self.folder}"
        )
        first = self.run.history[0]
        if first["iteration"] == 0 and self.run.best is not None and first["miou"] == self.run.best:
            self.display.say(f"no better than the weights it began with: {BEST} holds those", "yellow")
        self.display.data(f"segcli predict PHOTOS --weights {weights}")
        self.display.json({"output": str(self.folder), "weights": str(weights), **facts})
