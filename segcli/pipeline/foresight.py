"""What is known of a model before its network is loaded, and without torch."""

from segcli.pipeline.model import ModelFacts, ModelOptions
from segcli.weights.reference import ModelReference


def foresee(reference: ModelReference, options: ModelOptions, begun: str | None) -> ModelFacts | None:
    """The facts of a model that decide a run's outputs; None where only loading it tells."""
    return None
