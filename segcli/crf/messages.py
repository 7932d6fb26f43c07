"""Messages: what the kernels make of beliefs, in as many threads as torch takes."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Protocol

import torch
from torch import Tensor

from segcli.crf.permutohedral.corners import BLOCK
from segcli.crf.permutohedral.small import TOGETHER
from segcli.crf.permutohedral.workspace import Workspace


class Kernel(Protocol):
    """A normalised Gaussian filter over the pixels of one photo."""

    def filter(self, values: Tensor, workspace: Workspace) -> Iterator[tuple[slice, Tensor]]:
        """Filter float32 values (C, N); yields pieces of N with their filtered values (C, n), to be used at once."""


class Messages:
    """The kernels of a photo with their weights, and the memory and the threads that they work in.

    On a CPU photos of up to a million pixels are filtered class by class and kernel by kernel, several at a time:
    torch's own threads would meet a thousand times for one photo, each waiting for the slowest. What is added up comes
    in one order in any case, so that results repeat bit for bit whatever the number of threads.

    Args:
        kernels: Each kernel with its weight.
    """

    def __init__(self, kernels: list[tuple[float, Kernel]]):
        self._kernels = kernels
        self._workspace = Workspace()
        self._pool = ThreadPoolExecutor(torch.get_num_threads())
        self._is_inference = torch.is_inference_mode_enabled()

    def __enter__(self) -> "Messages":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._pool.shutdown()

    @property
    def weight(self) -> float:
        """The kernels' weights together: rows of a kernel sum to about one, and so a message is no larger, about."""
        return sum(weight for weight, _ in self._kernels)

    def of(self, classes: list[Tensor]) -> Iterator[tuple[float, slice, Tensor]]:
        """What each kernel makes of these beliefs, float32 (N,) each, which may change from then on.

        Returns:
            An iterator of the kernel's weight, some of the pixels, and the unweighted messages there, (C, n), to be
            used at once.
        """
        values = torch.stack(classes, out=self._workspace.take(3, classes[0], len(classes), len(classes[0])))
        if torch.get_num_threads() > 1 and values.device.type == "cpu" and values.shape[1] <= BLOCK:
            return self._at_once(values)
        return self._in_turn(values)

    def of_ones(self, like: Tensor) -> Tensor:
        """The sum of the messages of all classes, float32 (N,) as `like`: what is made of a one in every pixel."""
        total = torch.zeros_like(like)
        for weight, pixels, messages in self.of([torch.ones_like(like)]):
            total[pixels].add_(messages[0], alpha=weight)
        return total

    def _in_turn(self, values: Tensor) -> Iterator[tuple[float, slice, Tensor]]:
        for weight, kernel in self._kernels:
            for pixels, messages in kernel.filter(values, self._workspace):
                yield weight, pixels, messages

    def _at_once(self, values: Tensor) -> Iterator[tuple[float, slice, Tensor]]:
        """The messages of all pixels, each kernel and few classes by a thread."""
        results = self._workspace.take(4, values, len(self._kernels), *values.shape)
        together = 1 if len(values) < 3 else TOGETHER
        tasks = [
            self._pool.submit(self._write, kernel, *parts)
            for (_, kernel), result in zip(self._kernels, results, strict=True)
            for parts in zip(values.split(together), result.split(together), strict=True)
        ]
        for task in tasks:
            task.result()
        for (weight, _), result in zip(self._kernels, results, strict=True):
            yield weight, slice(0, values.shape[1]), result

    def _write(self, kernel: Kernel, values: Tensor, result: Tensor) -> None:
        """Write what a kernel makes of some classes' values (C, N) into a result of that shape."""
        with torch.no_grad(), torch.inference_mode(self._is_inference):  # each thread has modes of its own
            for pixels, messages in kernel.filter(values, self._workspace):
                result[:, pixels] = messages
