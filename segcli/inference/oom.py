"""Out of memory: smaller batches, then the CPU, then a word about that one photo; labels do not change."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from segcli.errors import InputError
from segcli.inference.prediction import Prediction

if TYPE_CHECKING:
    from segcli.inference.graph_segmenter import GraphSegmenter
    from segcli.inference.segmenter import Segmenter

SMALLER = "There was not enough memory for the whole batch, so it was divided. A smaller --batch avoids this."
ON_CPU = "The memory of the device was too small for this photo: it was done on the CPU."
TOO_LARGE = "there is not enough memory for this photo"
_SAYINGS = ("out of memory", "can't allocate memory", "not enough memory")

Predict = Callable[[Sequence[Any]], list[Prediction]]
Made = TypeVar("Made")


@dataclass(frozen=True)
class Outcome:
    """What became of one photo.

    Attributes:
        prediction: None where the photo cannot be predicted, or even the CPU's memory did not suffice.
        note: How the shortage was met, or why it could not be; empty where there was none.
    """

    prediction: Prediction | None
    note: str = ""


def is_shortage(error: BaseException) -> bool:
    """Whether an error means that memory ran out, on whatever device."""
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(saying in str(error).lower() for saying in _SAYINGS)


def predict(photos: Sequence[Any], first: Predict, fallback: Predict | None = None) -> list[Outcome]:
    """Predict photos, stepping down where memory runs out.

    Args:
        photos: A batch.
        first: The network; tried with ever smaller parts of the batch.
        fallback: The same on the CPU, for a photo that alone is too much; None where `first` is that already.
    """
    try:
        predictions = _attempt(first, photos)
    except InputError as error:  # one photo is at fault: the others are done without it
        if len(photos) == 1:
            return [Outcome(None, str(error))]
        return [outcome for photo in photos for outcome in predict([photo], first, fallback)]
    if predictions is not None:
        return [Outcome(prediction) for prediction in predictions]
    if len(photos) > 1:
        half = len(photos) // 2
        parts = predict(photos[:half], first, fallback) + predict(photos[half:], first, fallback)
        return [replace(outcome, note=outcome.note or SMALLER) for outcome in parts]
    if fallback is not None and (predictions := _attempt(fallback, photos)) is not None:
        return [Outcome(predictions[0], ON_CPU)]
    return [Outcome(None, str(too_large()))]


def near(work: Callable[[Prediction], Made], prediction: Prediction) -> Made:
    """Do work on a prediction on its device, or on the CPU where memory does not suffice there.

    Raises:
        InputError: The CPU's does not suffice either.
    """
    for here in _here_and_on_cpu(prediction):
        made = _attempt(lambda given: (work(given),), here)
        if made is not None:
            return made[0]
    raise too_large()


def _here_and_on_cpu(prediction: Prediction) -> Iterator[Prediction]:
    yield prediction
    if not prediction.is_on_cpu:
        yield prediction.to("cpu")


def on_cpu(segmenter: Segmenter | GraphSegmenter, stage: Callable[[Segmenter], Predict]) -> Predict | None:
    """A fallback for `predict`: the same stage of a Segmenter on the CPU, made when first needed; None where it is."""
    if segmenter.is_on_cpu:
        return None
    import torch

    twin = cache(lambda: stage(segmenter.on(torch.device("cpu"))))

    def predict_there(photos: Sequence[Any]) -> list[Prediction]:
        return twin()(photos)

    return predict_there


def _attempt(work: Callable[[Any], Made], argument: Any) -> Made | None:
    """What the work gives, or None where memory ran out.

    The failed attempt's tensors, which its traceback holds, are gone by then.
    """
    try:
        return work(argument)
    except Exception as error:
        if not is_shortage(error):
            raise
    torch = sys.modules.get("torch")
    if torch and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
    return None


def too_large() -> InputError:
    """The error of one photo that memory does not suffice for."""
    return InputError(TOO_LARGE, "Use a smaller --size, or --tile.")
