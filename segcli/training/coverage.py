"""Coverage: whether the labels of a dataset show every class that a network is to learn."""

from segcli.data.census import Census
from segcli.data.dataset import Dataset
from segcli.errors import DatasetError
from segcli.labels import some_of
from segcli.pipeline.listener import Listener

OWN = "folder"
"""The name of every dataset of one's own."""


def check(train: Dataset, learned: Census, held: Census, allow_missing: bool, listener: Listener) -> None:
    """Refuse labels of one's own that show fewer classes than were named; of a published dataset it is noted only.

    Args:
        train: The photos to learn from.
        learned: The count of their labels.
        held: The count of the labels of the photos to validate on.
        allow_missing: Let classes without a pixel pass.
        listener: Hears of classes that are missing, where the run goes on.

    Raises:
        DatasetError: The labels of a folder hold no pixel of a class, or nothing but one class.
    """
    every = Census(learned.classes)
    for part in (learned, held):
        every.pixels += part.pixels
    absent, present = every.absent(train.labels), every.present(train.labels)
    own = train.name == OWN
    if own and len(present) < 2:
        raise DatasetError(
            f"the labels hold only {some_of(present) or 'void'}",
            "A model needs two or more classes. `segcli data check` shows how the labels are read (data.labels).",
        )
    if own and absent and not allow_missing:
        raise DatasetError(
            f"no label holds a pixel of {some_of(absent)}",
            "Name only classes that the labels hold (data.labels), or add --allow-missing (allow_missing=True in "
            "Python). `segcli data check` shows the classes of the labels.",
        )
    if absent:
        listener.warn(f"no label holds a pixel of {some_of(absent)}, so the model cannot learn it")
    if unlearned := [name for name in learned.absent(train.labels) if name not in absent]:
        listener.warn(f"only photos to validate on show {some_of(unlearned)}, so the model cannot learn it")
