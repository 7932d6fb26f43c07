"""Length: how many steps fit a time, and what follows from their number."""

from dataclasses import dataclass

from segcli.training.planning.rules import Reason

FEWEST, ENOUGH, ROUNDS = 60, 600, 100
"""The fewest steps; and the most, which are so many rounds through the photos, or ENOUGH where there are few photos."""
IN_HAND = 0.95
"""The share of the time that is planned with; reading the photos and the like take the rest."""
VALIDATIONS, FEWEST_VALIDATIONS = 10, 2
MORE = 1.3
"""So many times the steps that fit stand in a plan: a run keeps to its minutes, and a faster one fills them."""
FOR_VALIDATION = 0.2
"""The largest share of the time that validations take."""
FROZEN = 1 / 3
"""The share of the steps in which the backbone of first weights that do not know the classes is kept."""
LOOKS_BACK = 5
"""The average of the weights looks back over the last part of so many of the run."""
SLOWEST_AVERAGE = 0.999
NEARLY = 0.95
"""From this share of the most steps on, more time would not help."""
PATIENCE = 5
"""Validations without a gain: more than there are while the backbone is frozen."""


@dataclass(frozen=True)
class Pace:
    """What things take on this machine, in seconds.

    Attributes:
        frozen: A step while the backbone is frozen.
        step: A step in which all learns.
        validation: One validation of all photos that are held out.
    """

    frozen: float
    step: float
    validation: float

    def mean(self, frozen_share: float) -> float:
        """The mean step of a run whose backbone is frozen in such a share of the steps."""
        return frozen_share * self.frozen + (1 - frozen_share) * self.step


@dataclass(frozen=True)
class Wanted:
    """What the number of steps follows from.

    Attributes:
        minutes: The time of all runs together; 0: there is no limit, and `steps` is set.
        photos: The number of photos to learn from.
        batch: The crops a step.
        thawed: Whether the backbone learns from the first step on.
        steps: The number of steps where the user has set it; 0: it follows from the time.
        runs: The number of runs, folds included.
    """

    minutes: float
    photos: int
    batch: int
    thawed: bool
    steps: int = 0
    runs: int = 1

    @property
    def seconds(self) -> float:
        """The time of each run that is planned with; 0: there is no limit."""
        return 60 * self.minutes * IN_HAND / self.runs

    @property
    def frozen(self) -> float:
        """The share of the steps in which the backbone is kept."""
        return 0.0 if self.thawed else FROZEN

    @property
    def most(self) -> int:
        """The most steps that are worth their time."""
        return max(ENOUGH, ROUNDS * self.photos // self.batch)


def decide(wanted: Wanted, pace: Pace) -> tuple[Reason, ...]:
    """The number of steps, when they are looked at, and how the weights are averaged.

    Args:
        wanted: What the number follows from.
        pace: What a step and a validation take.
    """
    mean = max(pace.mean(wanted.frozen), 1e-6)
    seconds = wanted.seconds or wanted.steps * mean
    validations = _validations(seconds, pace.validation)
    fit = int((seconds - validations * pace.validation) / mean)
    steps = wanted.steps or max(FEWEST, min(fit, wanted.most))
    every = max(1, steps // validations)
    most = steps if wanted.steps else max(steps, min(wanted.most, int(MORE * fit)))
    return (
        _iterations(wanted, steps, most, fit, mean),
        *_frozen(wanted, most),
        _looks(steps, every, pace, mean),
        _average(steps),
    )


def _validations(seconds: float, one: float) -> int:
    if one * VALIDATIONS <= FOR_VALIDATION * seconds:
        return VALIDATIONS
    return max(FEWEST_VALIDATIONS, int(FOR_VALIDATION * seconds / one))


def _iterations(wanted: Wanted, steps: int, most: int, fit: int, mean: float) -> Reason:
    keys = {"schedule.iterations": most, "schedule.minutes": float(wanted.minutes)}
    rounds = steps * wanted.batch / max(1, wanted.photos)
    taken = f"{'about ' * (most > steps)}{steps}, {rounds:.0f} rounds through all photos"
    if wanted.steps:
        return Reason("iterations", taken, f"you set this number; each takes {mean:.2g} s", keys)
    if fit < FEWEST:
        enough = _minutes(1.25 * FEWEST * mean * wanted.runs / IN_HAND / 60)
        why = f"each takes {mean:.2g} s, so only about {max(fit, 1)} fit the time; with --minutes {enough} all fit"
    elif steps < NEARLY * wanted.most:
        why = f"so many fit {wanted.minutes:g} minutes at {mean:.2g} s each; more --minutes give a better model"
    else:
        why = "this is the most that a plan takes, so the training ends before its time is over"
    return Reason("iterations", taken, why, keys)


def _minutes(exact: float) -> str:
    """Minutes as one would say them, never fewer."""
    return f"{-(-exact // 1):.0f}" if exact > 1 else f"{exact + 0.05:.1f}"


def _frozen(wanted: Wanted, most: int) -> tuple[Reason, ...]:
    count = round(wanted.frozen * most)
    why = "the new last layer must learn first; until then it would damage the backbone"
    taken = f"frozen (not changed) in the first {round(100 * wanted.frozen)} % of the iterations"
    return (Reason("backbone", taken, why, {"model.freeze_backbone": count}),) if count else ()


def _looks(steps: int, every: int, pace: Pace, mean: float) -> Reason:
    keys = {
        "run.validate_every": every,
        "run.save_every": max(1, min(every, round(60 / mean))),
        "run.log_every": max(1, min(20, steps // 50)),
    }
    if not pace.validation:
        return Reason(
            "saved", f"every {keys['run.save_every']} iterations", "after a stop, --resume goes on from there", keys
        )
    count = steps // every
    if count >= 2 * PATIENCE - 2:
        keys["run.patience"] = PATIENCE
    why = "the best weights are kept"
    if "run.patience" in keys:
        why += f"; the training ends after {PATIENCE} validations in a row without a better score"
    return Reason("validated", f"every {every} iterations", why, keys)


def _average(steps: int) -> Reason:
    decay = round(min(SLOWEST_AVERAGE, max(0.9, 1 - LOOKS_BACK / steps)), 4)
    taken = f"of the weights over about {min(1000, round(1 / (1 - decay)))} iterations"
    why = "this average is scored and saved; it is steadier than the weights of one iteration"
    return Reason("average", taken, why, {"optimizer.ema": decay})
