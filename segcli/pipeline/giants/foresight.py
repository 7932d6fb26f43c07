"""Foresight: what a picture that is done in parts would take, by its header and one window that is tried."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass

import torch

from segcli.errors import InputError
from segcli.files.sources import Source
from segcli.images.geo.place import read_place
from segcli.images.strips.extent import extent
from segcli.images.strips.source import opened_strips
from segcli.inference.windows import Windows
from segcli.pipeline.giants.giant import Giants, network_of
from segcli.pipeline.giants.plan import memory, said
from segcli.pipeline.giants.stream import Network


@dataclass(frozen=True)
class Foreseen:
    """What one picture would take.

    Attributes:
        input: Its path.
        how: How it is done, in one line; or why it cannot be.
        seconds: The network's time, by one window that was tried; 0 where it cannot be done.
        memory: Bytes beside those of the network and a window; 0 where it cannot be done.
    """

    input: str
    how: str
    seconds: float = 0.0
    memory: int = 0

    def to_dict(self) -> dict:
        """JSON-plain values."""
        return asdict(self)


def foreseen(giants: Giants, source: Source) -> Foreseen:
    """What a picture would take; nothing of it is decoded but its first rows."""
    try:
        giants.plan.check()
        with opened_strips(source.path, giants.plan.photos, source.page) as strips:
            segmenter = giants.segmenter()
            place, _ = read_place(source.path, source.page)
            windows = giants.plan.windows(strips.size, place, segmenter.model)
            network = network_of(segmenter)
            classes, grid = network.grid(windows)
            stride = max(1, windows.sides[0] // grid[0])
            size = extent(source.path, source.page)
            needed = memory(windows, classes, stride, strips.band, -(-size.nbytes // size.pixels))
            return Foreseen(str(source.path), said(size, windows), _seconds(network, windows), needed)
    except InputError as error:
        return Foreseen(str(source.path), f"cannot be done: {error}")


@torch.inference_mode()
def _seconds(network: Network, windows: Windows) -> float:
    """The network's time for all windows, by the second of two."""
    window = torch.zeros(1, 3, *windows.size)
    taken = 0.0
    for _ in range(2):
        begun = time.perf_counter()
        network.scores(window, None)
        taken = time.perf_counter() - begun
    return taken * network.passes(windows) * len(windows)
