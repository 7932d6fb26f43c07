"""Dense CRF: mean field with a bilateral and a spatial Gaussian kernel, in torch, on CPU and GPU alike.

It computes what Krähenbühl's densecrf (pydensecrf) computes: unary energies -log p with p clipped at 1e-5, Potts
compatibility, symmetric normalisation, a fixed number of parallel updates (Krähenbühl and Koltun 2011; v2 section 3.3).
"""

import math
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from segcli.crf.mean_field import LEAST_PROBABILITY, Kernel, kept_classes, mean_field
from segcli.crf.params import CRFParams
from segcli.crf.permutohedral.corners import BLOCK
from segcli.crf.permutohedral.lattice import Lattice, Workspace
from segcli.crf.permutohedral.simplex import largest_coordinate
from segcli.crf.settings import EPS, Backend
from segcli.errors import InputError, UsageError
from segcli.labels import VOID

_PYDENSECRF_LIMIT = 32767 - 12
"""The largest lattice coordinate of pydensecrf: two simplices short of where int16 ends."""


@torch.no_grad()
def refine(
    probabilities: Tensor, rgb: np.ndarray | Tensor, params: CRFParams, *, eps: float = EPS, backend: Backend = "torch"
) -> Tensor:
    """Sharpen class probabilities with the photo they belong to.

    Args:
        probabilities: (K, H, W) in 0..1 on any device. A pixel of nothing but zeros has no opinion.
        rgb: The photo, uint8 (H, W, 3).
        params: The kernels and the number of iterations.
        eps: Classes that nowhere exceed it, and nowhere are the likeliest, are left out and come back as 0; with 0
            every class takes part, which is pydensecrf's result within 1e-3.
        backend: "pydensecrf" computes with that package, on the CPU, with every class.

    Returns:
        float32 (K, H, W) on the device of `probabilities`, summing to one over K.

    Raises:
        InputError: Shapes do not fit, the values are no probabilities, or a sigma is too small for this photo.
        UsageError: eps is outside 0..1, or the backend is not installed.
    """
    probabilities, photo = _checked(probabilities, rgb)
    if probabilities.shape[1:] != photo.shape[:2]:
        raise InputError(
            f"probabilities of {tuple(probabilities.shape[1:])} pixels do not fit a photo of {tuple(photo.shape[:2])}",
            "Both must have one size.",
        )
    probabilities = probabilities.float()
    if not 0 <= eps < 1:
        raise UsageError(f"the CRF's eps must be at least 0 and less than 1, not {eps:g}")
    if backend == "pydensecrf":
        return _refine_with_pydensecrf(probabilities, photo, params)
    if len(kept_classes(probabilities, eps)) == 1:
        return mean_field(probabilities, [], 0, eps=eps)
    bilateral = bilateral_kernel(photo, params.sigma_alpha, params.sigma_beta)
    spatial = spatial_kernel(*photo.shape[:2], params.sigma_gamma, photo.device)
    return mean_field(probabilities, [(params.w1, bilateral), (params.w2, spatial)], params.iterations, eps=eps)


def unary_from_labels(label_map: np.ndarray | Tensor, classes: int, gt_prob: float, void: int = VOID) -> Tensor:
    """Make probabilities of a rough label map, as pydensecrf's function of that name does.

    Args:
        label_map: Ids (H, W) in 0..classes-1, or `void` for "no opinion".
        classes: K.
        gt_prob: How far to trust the labels, between 0 and 1: the probability of a pixel's own label; the other
            classes share the rest.
        void: The id of pixels where all classes are equally likely.

    Returns:
        float32 (K, H, W), on the label map's device.

    Raises:
        InputError: The label map has another shape, or holds other ids.
        UsageError: `gt_prob` is outside (0, 1).
    """
    if not 0 < gt_prob < 1:
        raise UsageError(f"--gt-prob must lie between 0 and 1, not {gt_prob:g}")
    labels = torch.as_tensor(label_map).long()
    if labels.ndim != 2:
        raise InputError(f"a label map has the shape (height, width), not {tuple(labels.shape)}")
    known = labels != void
    strangers = labels[known & ((labels < 0) | (labels >= classes))]
    if len(strangers):
        raise InputError(f"the label map holds the id {strangers[0].item()}, but there are only {classes} classes")
    likely, rest = (gt_prob, (1 - gt_prob) / (classes - 1)) if classes > 1 else (1.0, 1.0)
    probabilities = torch.full((classes, *labels.shape), rest, device=labels.device)
    probabilities.scatter_(0, labels.where(known, 0)[None], likely)
    return probabilities.where(known, 1 / classes)


def bilateral_kernel(photo: Tensor, sigma_alpha: float, sigma_beta: float) -> Kernel:
    """The kernel over position and colour of a uint8 (H, W, 3) photo."""
    return Lattice(_places_and_colours(photo, sigma_alpha, sigma_beta))


def _places_and_colours(photo: Tensor, sigma_alpha: float, sigma_beta: float) -> Tensor:
    """The points of the bilateral kernel in units of its sigmas, float32 (5, H W): x, y, red, green, blue."""
    height, width = photo.shape[:2]
    features = torch.empty(5, height * width, device=photo.device)
    features[:2] = _grid(range(height), width, sigma_alpha, photo.device)
    features[2:] = photo.permute(2, 0, 1).reshape(3, -1) / _on(photo.device, sigma_beta)
    return features


def spatial_kernel(height: int, width: int, sigma: float, device: torch.device) -> Kernel:
    """The kernel over position; those of the last few sizes are kept."""
    if height * width > BLOCK:
        return _Strips(height, width, sigma, device)
    return _whole_plane(height, width, sigma, device)


@lru_cache(maxsize=4)
def _whole_plane(height: int, width: int, sigma: float, device: torch.device) -> Lattice:
    return Lattice(_grid(range(height), width, sigma, device))


class _Strips:
    """The spatial kernel of a large photo, built strip by strip in every use, since it would outgrow the photo.

    A pixel hears from pixels up to four sigmas away: one edge of the lattice to a corner, two along the axes, one
    back; and those need their own normalisation. With eight sigmas around it a strip is what the whole would be.
    """

    def __init__(self, height: int, width: int, sigma: float, device: torch.device):
        self._height, self._width, self._sigma, self._device = height, width, sigma, device
        self._halo = math.ceil(8 * sigma) + 1
        self._rows = max(BLOCK // 2 // width - 2 * self._halo, self._halo)

    def filter(self, values: Tensor, workspace: Workspace) -> Iterator[tuple[slice, Tensor]]:
        for top in range(0, self._height, self._rows):
            bottom = min(top + self._rows, self._height)
            first, last = max(top - self._halo, 0), min(bottom + self._halo, self._height)
            lattice = Lattice(_grid(range(first, last), self._width, self._sigma, self._device))
            strip = values[first * self._width : last * self._width]
            filtered = torch.cat([part for _, part in lattice.filter(strip, workspace)])
            inner = slice((top - first) * self._width, (bottom - first) * self._width)
            yield slice(top * self._width, bottom * self._width), filtered[inner]


def _grid(rows: range, width: int, sigma: float, device: torch.device) -> Tensor:
    """Pixel positions in units of sigma, x before y, float32 (2, N)."""
    unit = _on(device, sigma)
    x = torch.arange(width, dtype=torch.float32, device=device) / unit
    y = torch.arange(rows.start, rows.stop, dtype=torch.float32, device=device) / unit
    return torch.stack([x.repeat(len(rows)), y.repeat_interleave(width)])


def _on(device: torch.device, value: float) -> Tensor:
    """A divisor that is a tensor of that device: CUDA divides by a plain number as a product with its reciprocal."""
    return torch.tensor(value, dtype=torch.float32, device=device)


def _checked(probabilities: Tensor, rgb: np.ndarray | Tensor) -> tuple[Tensor, Tensor]:
    """Both inputs as tensors of one device, or an InputError that says what is wrong with them."""
    photo = _tensor(rgb).to(probabilities.device)
    if photo.ndim != 3 or photo.shape[2] != 3 or photo.dtype != torch.uint8:
        raise InputError(f"the CRF needs a uint8 photo (height, width, 3), not {photo.dtype} {tuple(photo.shape)}")
    if probabilities.ndim != 3 or 0 in probabilities.shape or 0 in photo.shape:
        raise InputError(
            f"the CRF needs probabilities (classes, height, width), not {tuple(probabilities.shape)}, "
            f"and a photo, here {tuple(photo.shape)}, without empty sides"
        )
    low, high = (bound.item() for bound in probabilities.aminmax())
    if not (low >= 0 and high <= 1.001):  # NaN fails both
        raise InputError(
            f"the CRF needs probabilities in 0..1, and these reach from {low:g} to {high:g}",
            "Scores and logits must pass a softmax first." if math.isfinite(low + high) else "",
        )
    return probabilities, photo


def _tensor(rgb: np.ndarray | Tensor) -> Tensor:
    return rgb if isinstance(rgb, Tensor) else torch.from_numpy(np.require(rgb, requirements="CW"))


def _refine_with_pydensecrf(probabilities: Tensor, photo: Tensor, params: CRFParams) -> Tensor:
    try:
        from pydensecrf.densecrf import DenseCRF2D
    except ImportError as error:
        raise UsageError(
            "the CRF backend pydensecrf is not installed", 'Install segcli\'s extra "densecrf": pip install pydensecrf2'
        ) from error
    classes, height, width = probabilities.shape
    place = [(width - 1) / params.sigma_alpha, (height - 1) / params.sigma_alpha]
    bilateral = largest_coordinate([*place, *[255 / params.sigma_beta] * 3])
    spatial = largest_coordinate([(width - 1) / params.sigma_gamma, (height - 1) / params.sigma_gamma])
    if max(bilateral, spatial) > _PYDENSECRF_LIMIT:
        raise InputError(
            "pydensecrf counts in 16-bit numbers, and these sigmas are too small for a photo of this size",
            "Raise the smallest sigma, or take the backend torch.",
        )
    if classes == 1:
        return torch.ones_like(probabilities)
    crf = DenseCRF2D(width, height, classes)
    energy = -probabilities.clamp(min=LEAST_PROBABILITY).log_().flatten(1)
    crf.setUnaryEnergy(energy.cpu().numpy())
    crf.addPairwiseGaussian(sxy=params.sigma_gamma, compat=params.w2)
    image = np.ascontiguousarray(photo.cpu().numpy())
    crf.addPairwiseBilateral(sxy=params.sigma_alpha, srgb=params.sigma_beta, rgbim=image, compat=params.w1)
    beliefs = torch.from_numpy(np.array(crf.inference(params.iterations), dtype=np.float32))
    return beliefs.view(classes, height, width).to(probabilities.device)
