"""Steady: each frame's probabilities averaged with those of the frames before, moved as the picture has moved."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from segcli.films import flow
from segcli.films.flow import Motion
from segcli.inference.prediction import Prediction, from_probabilities

SECONDS, PLAIN_SECONDS = 0.41, 0.055
"""The time after which a frame counts for e^-1 (37 %) in the average: where it is moved by optical flow, and where not.
At 15 frames a second these are 0.85 and 0.3 of the average before (docs/films.md has the measurements)."""
LONGEST_GAP = 0.5
"""Seconds between two frames from which on what was before says nothing."""
CUT = 30.0
"""Grey levels of 255: two frames that differ by more in the mean are of two scenes."""
FINER = 4
"""How many times as fine as the network's scores the average is at most."""


@dataclass(frozen=True)
class Memory:
    """What is known of the frames before.

    Attributes:
        probabilities: float32 (K, h, w), averaged.
        grey: The last frame, uint8, as `flow.grey` makes it.
        seconds: The last frame's time.
    """

    probabilities: Tensor
    grey: np.ndarray
    seconds: float


class Steady:
    """Steadies the predictions of one film's frames, which are given in their order.

    A frame's average is (1 - k) of its own probabilities and k of the average before, with k = e^(-dt / time). With
    OpenCV the average before is moved by optical flow first, and k is smaller where the moved picture before differs
    from this one, so that nothing is kept of what has gone. At a cut and after a gap nothing is.

    Args:
        by_flow: Whether the average is moved; None: where OpenCV is installed.
        memory: What an earlier run kept, from `kept`.
    """

    def __init__(self, by_flow: bool | None = None, memory: Memory | None = None):
        self.by_flow = flow.is_here() if by_flow is None else by_flow
        self.memory = memory

    @torch.inference_mode()
    def __call__(self, prediction: Prediction, rgb: np.ndarray, seconds: float) -> Prediction:
        """The steadied prediction for a frame, uint8 (H, W, 3), at that time; it becomes the memory."""
        now = prediction.probabilities(_size(prediction))
        grey = flow.grey(rgb)
        before = self._usable(now, grey, seconds)
        if before is not None:
            now = self._averaged(before, now, grey, seconds)
        self.memory = Memory(now, grey, seconds)
        return replace(from_probabilities(now, prediction.place.photo), notes=prediction.notes)

    def kept(self) -> dict[str, np.ndarray]:
        """The memory as arrays, to be saved; empty where there is none."""
        if self.memory is None:
            return {}
        probabilities = self.memory.probabilities.cpu().numpy()
        return {"probabilities": probabilities, "grey": self.memory.grey, "seconds": np.float64(self.memory.seconds)}

    def _usable(self, now: Tensor, grey: np.ndarray, seconds: float) -> Memory | None:
        """The memory, where it has anything to do with this frame."""
        before = self.memory
        if before is None or not 0 < seconds - before.seconds <= LONGEST_GAP:
            return None
        alike = before.probabilities.shape == now.shape and before.grey.shape == grey.shape
        return before if alike else None

    def _averaged(self, before: Memory, now: Tensor, grey: np.ndarray, seconds: float) -> Tensor:
        passed = seconds - before.seconds
        then = before.probabilities.to(now.device)
        if not self.by_flow:
            apart = np.abs(grey.astype(np.int16) - before.grey).mean()
            return now if apart > CUT else now.lerp(then, math.exp(-passed / PLAIN_SECONDS))
        motion = flow.motion(before.grey, grey)
        if motion.difference > CUT:
            return now
        moved, alike = _moved(then, motion)
        return torch.lerp(now, moved, alike * math.exp(-passed / SECONDS))


def memory_of(arrays: Mapping[str, np.ndarray]) -> Memory | None:
    """The Memory that `Steady.kept` gave as arrays; None for none."""
    if not arrays:
        return None
    return Memory(torch.from_numpy(arrays["probabilities"]), arrays["grey"], float(arrays["seconds"]))


def _size(prediction: Prediction) -> tuple[int, int]:
    """(height, width) of the average: finer than the scores, since what is moved again and again becomes blurred."""
    height, width = prediction.place.photo
    scale = FINER * max(prediction.scores.shape[-2:]) / max(height, width)
    return (height, width) if scale >= 1 else (max(1, round(height * scale)), max(1, round(width * scale)))


def _moved(values: Tensor, motion: Motion) -> tuple[Tensor, Tensor]:
    """Values (K, h, w) as the picture has moved, and how much of each place is still the same, (h, w)."""
    height, width = values.shape[-2:]
    shift, alike = motion.at((height, width))
    columns = (np.arange(width, dtype=np.float32) + shift[..., 0]) * np.float32(2 / width) + np.float32(1 / width - 1)
    rows = np.arange(height, dtype=np.float32)[:, None] + shift[..., 1]
    rows = rows * np.float32(2 / height) + np.float32(1 / height - 1)
    grid = torch.from_numpy(np.stack([columns, rows], 2)).to(values.device)[None]
    moved = F.grid_sample(values[None], grid, mode="bilinear", padding_mode="border", align_corners=False)[0]
    return moved, torch.from_numpy(alike).to(values.device)
