"""Checkpoints: what a run saves in its folder: best, newest and numbered ones, and the state to resume from."""

from dataclasses import replace
from pathlib import Path

from segcli.data.dataset import Dataset
from segcli.evaluation.metrics import Scores
from segcli.training.optimization.trainer import Trainer
from segcli.training.output import state
from segcli.training.output.history import History
from segcli.training.output.run_folder import BEST, LAST, NUMBERED
from segcli.training.output.state import State
from segcli.training.recipe import Recipe
from segcli.weights import model_io
from segcli.weights.model_io import LoadedModel


class Checkpoints:
    """Writes a run's checkpoints and its state; each file appears whole or not at all.

    Args:
        folder: Of the run.
        recipe: Of the run; every checkpoint holds it.
        model: As it is saved: where weights are averaged, with the averages.
        train: Photos to learn from, repeats included.
        val: Photos to validate on.
    """

    def __init__(self, folder: Path, recipe: Recipe, model: LoadedModel, train: Dataset, val: Dataset):
        self.folder = folder
        self.recipe = recipe.to_dict()
        self.model = model
        self.samples = state.fingerprint(train, val)

    def save(self, trainer: Trainer, history: History) -> None:
        """Write the state, then last.safetensors; WeightsError where that fails."""
        parts = trainer.state_dict()
        if history.seconds:
            parts["more"] |= {"pace": {"changes": history.pace, "seconds": history.seconds}}
        now = State(
            iteration=history.iteration,
            recipe=self.recipe,
            samples=self.samples,
            model=state.facts(self.model),
            **parts,
            best=history.best,
            history=history.rows,
            recent=history.recent,
        )
        state.write(self.folder, now)
        self.write_last(history.iteration)

    def write_last(self, iteration: int) -> None:
        """Write last.safetensors alone; WeightsError where that fails."""
        self._write(LAST, iteration, None)

    def write_best(self, iteration: int, scores: Scores) -> None:
        """Write best.safetensors with its scores on the validation photos; WeightsError where that fails."""
        self._write(BEST, iteration, scores)

    def write_numbered(self, iteration: int) -> None:
        """Write the checkpoint of an iteration that is kept beside them; WeightsError where that fails."""
        self._write(f"{NUMBERED}/{iteration:06}.safetensors", iteration, None)

    def _write(self, name: str, iteration: int, scores: Scores | None) -> None:
        model = self.model
        facts = {"iteration": iteration, **(scores.to_dict() if scores else {})}
        left_out = {"dice", "mean_dice"}  # which follow from the IOU
        if not facts.get("absent"):
            left_out |= {"named", "absent"}  # as it was before scores told of classes without a pixel
        facts = {key: value for key, value in facts.items() if key not in left_out}
        spec = replace(model.spec, output_stride=model.output_stride)
        told = {"recipe": self.recipe, "scores": facts, "photos": model.photos}
        model_io.save(self.folder / name, model.network, spec, model.labels, model.preprocessing, **told)
