"""The events of a training run, as they come: its steps and its validations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from segcli.evaluation.metrics import Scores
from segcli.evaluation.scoring import ImageScore

if TYPE_CHECKING:
    from segcli.inference.segmenter import Segmenter


@dataclass(frozen=True)
class Step:
    """One step of the optimizer is done.

    Attributes:
        iteration: How many steps are done; the first event's is 1.
        loss: The mean over the labelled pixels of all processes, before the step.
        rate: The learning rate of the step.
        seconds: What the step took, reading photos included.
    """

    iteration: int
    loss: float
    rate: float
    seconds: float


@dataclass(frozen=True)
class Validation:
    """The validation photos have been scored.

    Attributes:
        iteration: How many steps had been done; 0 for the weights with which the run began.
        scores: Over the validation photos of all processes.
        best: Whether the mIOU is the best so far.
        seconds: What the scoring took.
        segmenter: The model as it is now, for pictures; it changes with the next step.
        images: The photos' own scores, of all processes.
    """

    iteration: int
    scores: Scores
    best: bool
    seconds: float
    segmenter: Segmenter
    images: tuple[ImageScore, ...] = ()


Event = Step | Validation
