"""`segcli crf --tune`: the search for the best settings, shown as it goes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.table import Table

from segcli.cli.display import Display, columns
from segcli.cli.progress import Counter
from segcli.cli.views.scores import percent
from segcli.crf.params import CRFParams
from segcli.evaluation.metrics import ConfusionMatrix
from segcli.files.atomic import write_whole, writing
from segcli.files.paths import shown
from segcli.files.sources import Source
from segcli.images.masks import shrink_label_map
from segcli.labels import LabelSet
from segcli.pipeline.records import check_folder
from segcli.pipeline.refine import RefineJob

if TYPE_CHECKING:
    import torch

    from segcli.crf.stage import Refinement
    from segcli.crf.tuning import Grid, Trial, TuningSample
    from segcli.crf.unary import Unary
    from segcli.data.photo_labels import PhotoLabels

SHOWN = 10
SEARCHED = ("w1", "sigma_alpha", "sigma_beta")


def search(display: Display, job: RefineJob, files: Sequence[Source], truths: PhotoLabels) -> None:
    """Search, keep the best settings so far in a file, and print the table.

    Args:
        display: How to speak.
        job: What is refined, and where to: a TOML, or a folder that gets crf.toml. Settings that are not searched stay.
        files: The photos to tune on.
        truths: Their true labels.
    """
    from segcli import devices
    from segcli.crf.stage import Refinement
    from segcli.crf.tuning import Grid, best, tune

    path = job.folder if job.folder.suffix == ".toml" else job.folder / "crf.toml"
    check_folder(path.parent)
    classes, stages = job.classes, job.stages(display)
    refinement, device = Refinement.by(job.crf), devices.choose(job.device)
    kind = "probabilities" if job.unrefined.probs else "label maps"
    display.say(f"tuning on {len(files)} of {len(job.found.files)} photos, those with {kind} and truth")
    photos = [
        (lambda source=source: stages.read(source), lambda source=source: _truth(source, truths)) for source in files
    ]
    trials: list[Trial] = []
    with display.counting(len(photos) * (1 + _passes(Grid())), "tuning", "photos") as counter:
        samples = [lambda photo=photo: _sample(photo, refinement, device, counter) for photo in photos]
        without = _without(samples, classes)
        counter.remark(f"mIOU {percent(without)} without CRF", "dim")
        for winner in _improvements(tune(samples, classes, refinement.params, eps=refinement.eps), trials):
            counter.remark(f"mIOU {percent(winner.miou)} with {_words(winner.params)}", "dim")
            with writing(path.parent), write_whole(path) as file:
                file.write(winner.params.to_toml().encode())
    winner = best(trials)
    misfits = [trial.refusal for trial in trials if trial.miou is None]
    if misfits:
        display.warn(f"{len(misfits)} of {len(trials)} settings do not fit all photos: {misfits[0]}")
    display.table(_table(trials))
    display.data(f"mIOU without CRF {percent(without)}, with the best settings {percent(winner.miou)}")
    if without is not None and winner.miou <= without:
        display.warn("on these photos the CRF does not raise the mIOU")
    display.data(f"best of {len(trials)}: {shown(path)}; use it with --crf-config {shown(path)}")
    tried = [{**asdict(trial.params), "miou": trial.miou} for trial in trials]
    result = {"best": winner.params.to_dict(), "miou": winner.miou, "miou_without_crf": without, "photos": len(photos)}
    display.json({**result, "size": refinement.size, "output": str(path), "tried": tried})


def _passes(grid: Grid) -> int:
    """How often each photo is read: once for every pair of sigmas of the coarse grid and of the finer one."""
    return sum(len(each.sigma_alpha) * len(each.sigma_beta) for each in (grid, grid.around(CRFParams())))


def _without(samples: Sequence[Callable[[], TuningSample]], classes: LabelSet) -> float | None:
    """The mIOU of the probabilities as they are."""
    matrix = ConfusionMatrix(len(classes))
    for read in samples:
        sample = read()
        matrix.update(sample.truth, sample.probabilities.argmax(0).cpu().numpy())
    return matrix.scores(classes).miou


def _improvements(tried: Iterator[Trial], trials: list[Trial]) -> Iterator[Trial]:
    """Collects all trials and yields those that are better than any before."""
    highest = -1.0
    for trial in tried:
        trials.append(trial)
        if trial.miou is not None and trial.miou > highest:
            highest = trial.miou
            yield trial


def _truth(source: Source, truths: PhotoLabels) -> tuple[Path, np.ndarray]:
    """The file of a photo's true labels, and its classes (H, W)."""
    return truths.file(source.path), truths.read(source.path)


def _sample(
    photo: tuple[Callable[[], Unary], Callable[[], tuple[Path, np.ndarray]]],
    refinement: Refinement,
    device: torch.device,
    counter: Counter,
) -> TuningSample:
    """One photo at the CRF's working size; counted when it is asked for."""
    from segcli.crf.tuning import TuningSample
    from segcli.crf.unary import check_size

    read, read_truth = photo
    counter.advance()
    unary, (path, ids) = read(), read_truth()
    check_size(path, ids, unary.rgb)
    picture, probabilities = refinement.at_size(unary.rgb, unary.prediction.to(device))
    return TuningSample(probabilities, picture.numpy(), shrink_label_map(ids, tuple(picture.shape[:2])))


def _words(params: CRFParams) -> str:
    return ", ".join(f"{name} {getattr(params, name):g}" for name in SEARCHED)


def _table(trials: list[Trial]) -> Table:
    table = columns(*SEARCHED, "mIOU", right=(*SEARCHED, "mIOU"))
    scored = [trial for trial in trials if trial.miou is not None]
    for trial in sorted(scored, key=lambda trial: -trial.miou)[:SHOWN]:
        table.add_row(*(f"{getattr(trial.params, name):g}" for name in SEARCHED), percent(trial.miou))
    return table
