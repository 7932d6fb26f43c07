"""Early stop: whether a run goes on although validation after validation brings no gain."""

from segcli.training.output.history import History
from segcli.training.recipe import Recipe
from segcli.training.timing import schedule

GAIN = 0.002
"""The gain of mIOU, 0..1, that counts as one: 0.2 points."""


def due(history: History, recipe: Recipe) -> bool:
    """Whether the last `run.patience` validations brought no gain of at least GAIN over the best one before them.

    Validations up to the end of `model.freeze_backbone` are none of those that are waited for, since the model has
    hardly begun to learn, but they are among the ones to beat, as are the weights that the run began with. It follows
    from the rows of the history alone, so that a resumed run stops where one that never stopped does.

    Args:
        history: Of the run.
        recipe: Of the run; with `run.patience = 0` it is never due.
    """
    patience, frozen = recipe.run.patience, recipe.model.freeze_backbone
    scored = [(row["iteration"], row["miou"]) for row in history.rows if row.get("miou") is not None]
    before, last = scored[:-patience], scored[-patience:]
    if not (patience and before):
        return False
    if schedule.position(last[0][0] - 1, recipe.schedule, history.pace) < frozen:  # the step that came before it
        return False
    best_before, best_since = (max(miou for _, miou in part) for part in (before, last))
    return best_since - best_before < GAIN
