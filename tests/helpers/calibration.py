"""Random weights that behave like trained ones, so that two networks can be compared to the last layer.

Fresh networks hide errors: batch normalisation starts as the identity and signals fade with depth. Here every
normalisation gets its own scale and shift, and running statistics measured on noise.
"""

import torch
from torch import nn

BATCH_NORMS = (nn.BatchNorm2d,)


@torch.no_grad()
def calibrate(network: nn.Module, size: int = 65, batch: int = 2, seed: int = 0) -> nn.Module:
    """Gives `network` random affine parameters and measured statistics in place; returns it in eval mode."""
    generator = torch.Generator().manual_seed(seed)
    norms = [m for m in network.modules() if isinstance(m, BATCH_NORMS)]
    momenta = [m.momentum for m in norms]
    for norm in norms:
        norm.weight.uniform_(0.5, 1.5, generator=generator)
        norm.bias.uniform_(-0.5, 0.5, generator=generator)
        norm.reset_running_stats()
        norm.momentum = None  # the plain average over the batches seen
    network.train()
    network(torch.randn(batch, 3, size, size, generator=generator))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    return network.eval()


def relative_difference(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    """max|ours - theirs| / max|theirs|; refuses tensors too flat to tell anything."""
    assert ours.shape == theirs.shape, f"{tuple(ours.shape)} is not {tuple(theirs.shape)}"
    assert theirs.std() > 0.1, f"std {theirs.std():.3g}: nearly constant, equality would mean nothing"
    return float((ours - theirs).abs().max() / theirs.abs().max())
