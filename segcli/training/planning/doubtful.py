"""Doubtful: what is refused, or warned of, before anything is trained on labels of one's own."""

from collections.abc import Sequence
from dataclasses import replace

from segcli.data.census import Census
from segcli.data.dataset import Dataset
from segcli.data.doubts import Doubt
from segcli.errors import DatasetError
from segcli.files.paths import shown
from segcli.pipeline.listener import Listener
from segcli.training import coverage
from segcli.training.planning.fingerprint import Fingerprint
from segcli.training.planning.rules import Facts

FEWEST = 4
"""Fewer labels teach next to nothing."""
VOID = 0.5
"""The share of void above which labels say too little."""
TOLD = 3
"""The number of doubts of a kind that are told one by one."""
WRONG = ("photo-as-label", "same-label")
"""The doubts that, true of half of the labels, mean that these are not the labels."""
MOSTLY = 0.5
"""The share of the photos above which more are held out than is of use."""


def labelled(dataset: Dataset, skip_bad: bool, listener: Listener) -> Dataset:
    """The dataset without the photos whose label is not there; it stays as it is where all are.

    Raises:
        DatasetError: Some are not there, and none may be left out; or none is there.
    """
    kept = tuple(sample for sample in dataset.samples if sample.label.is_file())
    missing = len(dataset) - len(kept)
    if not missing:
        return dataset
    told = f"{missing} of {len(dataset)} photos have no label"
    if not (skip_bad and kept):
        first = next(sample for sample in dataset.samples if sample not in kept)
        hint = "Labels are matched with photos by their names" + (
            "; --skip-bad leaves out photos without one." * bool(kept)
        )
        raise DatasetError(f"{told}, such as {shown(first.image)}", hint if kept else f"{hint}.")
    listener.warn(f"{told} and are left out")
    return replace(dataset, samples=kept)


def look(dataset: Dataset, found: Fingerprint, allow_missing: bool, listener: Listener) -> None:
    """Refuse labels that teach nothing, and tell of what is doubtful about the others.

    Args:
        dataset: The photos and labels.
        found: Their fingerprint.
        allow_missing: Let classes without a pixel pass.
        listener: Hears of what is doubtful.

    Raises:
        DatasetError: The labels hold one class only, or lack one; or half of them are the photos, or one and the same.
    """
    for kind in WRONG:
        _refuse_many([doubt for doubt in found.doubts if doubt.kind == kind], found)
    whole = found.looked_at + found.left_out == len(dataset)  # a sample proves no class missing
    if whole or len(found.census.present(found.labels)) < 2:
        coverage.check(dataset, found.census, Census(len(found.labels)), allow_missing, listener)
    if found.photos < FEWEST:
        few = f"{found.photos} label{'s are' if found.photos > 1 else ' is'} very few"
        listener.warn(f"{few}: label 10 or more photos, so that the model also works on new photos")
    if found.void > VOID:
        listener.warn(
            f"{found.void:.0%} of the labels' pixels are void, and the model learns nothing from them; "
            "if void is a class of yours, see --void"
        )
    for kind in dict.fromkeys(doubt.kind for doubt in found.doubts):
        _tell([doubt for doubt in found.doubts if doubt.kind == kind], listener)
    if found.left_out:
        listener.warn(f"{found.left_out} of {found.looked_at + found.left_out} labels cannot be used and are left out")


def look_at_parts(facts: Facts, listener: Listener) -> None:
    """Refuse more folds than photos, and warn where more photos are held out than are learned from.

    Raises:
        DatasetError: There are fewer photos than folds.
    """
    photos = facts.data.photos
    if photos < facts.folds:
        raise DatasetError(f"{photos} photos cannot be divided into {facts.folds} folds", "Take fewer folds.")
    if facts.held_out > MOSTLY * photos:
        listener.warn(
            f"{facts.held_out} of {photos} photos are held out, and only {facts.learned} are left to learn from; "
            "data.holdout = 0.2 is usual"
        )


def _refuse_many(doubts: Sequence[Doubt], found: Fingerprint) -> None:
    if len(doubts) >= max(2, found.looked_at / 2):
        raise DatasetError(
            f"{len(doubts)} of {found.looked_at} labels do not belong to their photos: {doubts[0].detail}",
            f"{doubts[0].hint} `segcli data check` lists them all.",
        )


def _tell(doubts: Sequence[Doubt], listener: Listener) -> None:
    for doubt in doubts[:TOLD]:
        listener.warn(f"{doubt.detail}. {doubt.hint}")
    if len(doubts) > TOLD:
        listener.warn(
            f"{len(doubts) - TOLD} more are like {shown(doubts[0].sample)}: `segcli data check` lists them all"
        )
