"""The errors that stop a run, each with what to change in the recipe."""

from collections.abc import Iterator, Sequence

from torch import Tensor, nn
from torch.optim import Optimizer

from segcli.errors import InputError, SegcliError, WeightsError
from segcli.training.output.run_folder import LAST
from segcli.training.recipe import Recipe
from segcli.weights import checkpoint

NAMED_PHOTOS = 8
"""So many photos of a batch are named."""
SPLIT = (
    "The memory of the GPU was too small. From now on each part of a batch is split in two, as if schedule.accumulate "
    "were doubled. The gradient is the same, except for what docs/training.md says about small batches."
)
_CALMER = (
    'Lower schedule.rate, set schedule.warmup, optimizer.clip = 1 or run.amp = "off", and start a new run; '
    f"model.init = RUN/{LAST} goes on from this one's last checkpoint, if it has one."
)


def not_finite(what: str, iteration: int, value: float, photos: Sequence[str]) -> SegcliError:
    """The error of a step whose loss or gradient is infinite or no number.

    Args:
        what: "loss" or "gradient".
        iteration: Of the step, the first being 1.
        value: What it is instead.
        photos: Paths of the photos in the batch, of all processes.
    """
    names = sorted(set(photos))
    more = f" and {len(names) - NAMED_PHOTOS} more" if len(names) > NAMED_PHOTOS else ""
    return SegcliError(
        f"the {what} of iteration {iteration} is {value}; its photos: {', '.join(names[:NAMED_PHOTOS])}{more}",
        _CALMER,
    )


def require_finite(network: nn.Module, optimizer: Optimizer, iteration: int) -> None:
    """Stop a run whose weights are no numbers before they are saved: the loss may be one still.

    Raises:
        SegcliError: A tensor of the network, or of the optimizer's, holds NaN or infinite values.
    """
    kept = {f"{key} of parameter {number}": value for number, key, value in _kept(optimizer)}
    try:
        checkpoint.require_finite(network.state_dict(), "of the network")
        checkpoint.require_finite(kept, "of the optimizer")
    except WeightsError as error:
        raise SegcliError(f"after iteration {iteration} {error.message}", _CALMER) from error


def _kept(optimizer: Optimizer) -> Iterator[tuple[int, str, Tensor]]:
    """What an optimizer keeps of its parameters, such as their momentum."""
    for number, state in optimizer.state_dict()["state"].items():
        for key, value in state.items():
            if isinstance(value, Tensor):
                yield number, key, value


def out_of_memory(recipe: Recipe, processes: int, split: bool = False) -> SegcliError:
    """The error of a step for which the device's memory does not suffice, on so many processes; `split`: in halves."""
    settings = recipe.schedule
    crops = settings.batch // settings.accumulate // processes
    crops = -(-crops // 2) if split else crops
    sides = " x ".join(map(str, dict.fromkeys(recipe.augment.crop_size)))  # height x width, or the one side of both
    hint = f"Lower augment.crop or schedule.batch; in a new run, with model.init = RUN/{LAST} if there is one."
    if crops > 1:
        hint = (
            f"Raise schedule.accumulate above {settings.accumulate * (1 + split)}, which takes less memory. Or: {hint}"
        )
    return SegcliError(f"out of memory with {crops} crop{'s' * (crops > 1)} of {sides} pixels at once", hint)


def too_large_to_validate(error: InputError, reason: str) -> InputError:
    """The error of a validation photo for which memory does not suffice; `reason` says that in its message."""
    photo = error.message.partition(": ")[0]
    return InputError(f"{photo}: {reason} in validation", "Start a new run with a lower data.size.")


def memory_nearly_full(iteration: int) -> SegcliError:
    """The error of a run that stops by itself after a step, before the system would end it for want of memory."""
    return SegcliError(
        f"memory is nearly full: stopped after iteration {iteration}, which is saved",
        "Close other programs and go on with --resume, and --set run.workers=0 if need be; or start a new run with a "
        f"higher schedule.accumulate and model.init = RUN/{LAST}.",
    )
