"""What a training run reports while it goes: its steps and its validations."""

from dataclasses import dataclass

from segcli.evaluation.metrics import Scores
from segcli.inference.segmenter import Segmenter


@dataclass(frozen=True)
class Step:
    """One iteration is done.

    Attributes:
        iteration: How many are done.
        loss: Over the labelled pixels of all processes.
        rate: The learning rate it took.
        seconds: It took, reading photos included.
    """

    iteration: int
    loss: float
    rate: float
    seconds: float


@dataclass(frozen=True)
class Validation:
    """The validation photos have been scored.

    Attributes:
        iteration: After how many iterations.
        scores: Of all processes.
        best: Whether the mIOU is the best so far.
        seconds: It took.
        segmenter: The model as it is now, for pictures; it changes with the next step.
    """

    iteration: int
    scores: Scores
    best: bool
    seconds: float
    segmenter: Segmenter


Event = Step | Validation
