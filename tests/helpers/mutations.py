"""Errors that a converter could make; a comparison that does not notice each of them proves nothing."""

from collections.abc import Mapping

from torch import Tensor, ones_like, zeros_like


def swapped(tensors: Mapping[str, Tensor], part: str) -> dict[str, Tensor]:
    """Exchanges the first two tensors of equal shape, unlike values and a name that contains `part`."""
    names = [name for name in tensors if part in name]
    pairs = ((a, b) for i, a in enumerate(names) for b in names[i + 1 :] if tensors[a].shape == tensors[b].shape)
    first, second = next((a, b) for a, b in pairs if not tensors[a].equal(tensors[b]))
    return {**tensors, first: tensors[second], second: tensors[first]}


def without_statistics(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Every running mean 0 and every running variance 1, as in a fresh network."""
    fresh = {"running_mean": zeros_like, "running_var": ones_like}
    return {
        name: fresh[part](tensor) if (part := name.rsplit(".", 1)[-1]) in fresh else tensor
        for name, tensor in tensors.items()
    }
