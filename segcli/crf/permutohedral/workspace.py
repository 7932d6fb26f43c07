"""Workspace: memory that filters use in turn; asking the system for fresh pages every time would double their cost."""

import math
from threading import get_ident

from torch import Tensor


class Workspace:
    """Buffers by slot, for each thread its own."""

    def __init__(self) -> None:
        self._buffers: dict[tuple[int, int], Tensor] = {}

    def take(self, slot: int, like: Tensor, *shape: int) -> Tensor:
        """A tensor of that shape, of unknown content, on the device and of the type of `like`.

        What this thread took from the same slot before must not be in use any more.
        """
        size, place = math.prod(shape), (get_ident(), slot)
        if place not in self._buffers or self._buffers[place].numel() < size:
            self._buffers[place] = like.new_empty(size)
        return self._buffers[place][:size].view(shape)
