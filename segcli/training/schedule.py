"""The learning rate and the share of pixels that OHEM keeps, over the iterations of a run."""

from segcli.training.recipe import Loss, Schedule


def rate(iteration: int, schedule: Schedule) -> float:
    """The learning rate of an iteration, the first being 0.

    "poly" is rate * (1 - iteration / iterations) ** power (v2 paper, section 4.1.2), "step" multiplies the rate by
    gamma every `step` iterations. During `warmup` it rises in equal steps to what it would be.
    """
    if schedule.policy == "poly":
        factor = max(0.0, 1 - iteration / schedule.iterations) ** schedule.power
    else:
        factor = schedule.gamma ** (iteration // schedule.step)
    if iteration < schedule.warmup:
        factor *= (iteration + 1) / schedule.warmup
    return schedule.rate * factor


def ohem_share(iteration: int, loss: Loss) -> float:
    """The share of the labelled pixels that OHEM (online hard example mining) keeps at an iteration, 0..1.

    It falls from all to `loss.hardest` in equal steps over `loss.hardest_after` iterations.
    """
    progress = min(1.0, iteration / loss.hardest_after) if loss.hardest_after else 1.0
    return 1 - (1 - loss.hardest) * progress
