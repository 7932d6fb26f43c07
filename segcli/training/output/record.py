"""Record: the split.toml that a run keeps in its folder, from its start to its end."""

from pathlib import Path

from segcli.data import parts
from segcli.data.dataset import Dataset, Sample
from segcli.data.parts import Parts
from segcli.distributed import Processes
from segcli.errors import UsageError
from segcli.labels import some_of
from segcli.pipeline.listener import Listener
from segcli.training.output.run_folder import LAST
from segcli.training.partition import own_photos
from segcli.training.recipe import Recipe


def write(folder: Path, recipe: Recipe, train: Dataset, val: Dataset, how: str, listener: Listener) -> None:
    """Write split.toml into the folder of a new run, or of one that an earlier version has begun.

    Args:
        folder: Of the run.
        recipe: Of the run; `model.init` may be a run itself, whose photos its weights have learned from.
        train: The photos to learn from.
        val: The photos to validate on.
        how: How they were parted, in one line.
        listener: Hears of photos to validate on that were learned from all the same.

    Raises:
        DatasetError: The split.toml of the run that the first weights come from is damaged.
        SegcliError: The folder cannot be written to.
    """
    found = Parts.of(train, val, how, own_photos.of_first_weights(recipe.model.init), listener.counting)
    if seen := found.seen_before:
        listener.warn(
            f"{len(seen)} of {len(val)} photos to validate on were learned from too, as copies or by the first "
            f"weights, so that their scores are too good: {some_of(seen, 3)}"
        )
    parts.write(folder, found)


def check(begun: Parts, train: Dataset, val: Dataset, processes: Processes, listener: Listener) -> None:
    """Refuse to go on with a run whose photos or labels are not those of its split.toml any more.

    Every file is hashed: with other photos under the same names `eval` would take learned ones for new ones, and with
    other labels the scores before and after would not compare.

    Args:
        begun: The split.toml of the run.
        train: The photos to learn from; repeats do no harm.
        val: The photos to validate on.
        processes: Who shares the hashing; all of them raise the same.
        listener: Hears of the progress.

    Raises:
        UsageError: The names or the contents are others. Files that cannot be read are told by whoever reads them.
    """
    if not begun.has_names_of(train, val):
        raise UsageError(
            f"{parts.SPLIT} names other photos than this run learns from and holds out",
            "Copy the run's own back, or remove it: it is then written anew.",
        )
    known = _of_samples((begun.train, train), (begun.held_out, val))
    found = parts.contents(processes.shard(list(known)), listener.counting, "hashing")
    _refuse_changed(known, found, "photo", processes)
    known = _of_samples((begun.labels_of_train, train), (begun.labels_of_held_out, val))
    _refuse_changed(known, parts.label_contents(processes.shard(list(known)), listener.counting), "label", processes)


def _of_samples(*sides: tuple[dict[str, str], Dataset]) -> dict[Sample, str]:
    """Sample -> what a table of split.toml has for its name, where it has anything."""
    named = ((table, sample, parts.key_of(sample)) for table, part in sides for sample in part.samples)
    return {sample: table[key] for table, sample, key in named if key in table}


def _refuse_changed(known: dict[Sample, str], found: dict[Sample, str], what: str, processes: Processes) -> None:
    shares = processes.all_gather([parts.key_of(sample) for sample in found if found[sample] != known[sample]])
    if changed := sorted(name for share in shares for name in share):
        count = f"{len(changed)} {what}{'s' * (len(changed) != 1)}"
        raise UsageError(
            f"{count} of this run changed since it began: {some_of(changed, 3)}",
            f"Put the run's own files back, or start a new run with model.init = RUN/{LAST}.",
        )
