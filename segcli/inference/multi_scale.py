"""MultiScale: the average of a network's probabilities over scales and mirror images of its input."""

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F

from segcli.inference.enlargement import to_photo
from segcli.inference.forward import Scores
from segcli.inference.tiling import Tiled
from segcli.inference.transform import Geometry
from segcli.models.preprocessing import scaled


@dataclass(frozen=True)
class MultiScale:
    """The average of the probabilities over scales and mirror images (v3 paper, section 4.1).

    Attributes:
        network: Takes each of these views.
        scales: Factors on the input's sides; (1.0,) with `flip` False is the network as it is.
        flip: Average over the mirror image of each view too.
        align_corners: The spec's rule for resizing inputs and logits.
    """

    network: Tiled
    scales: tuple[float, ...]
    flip: bool
    align_corners: bool

    @property
    def averages(self) -> bool:
        """Whether there is more than the plain network: then the scores are probabilities, else logits."""
        return self.scales != (1.0,) or self.flip

    def __call__(self, batch: Tensor) -> Scores:
        """An input (N, 3, H, W) -> logits (N, K, h, w), or averaged probabilities (N, K, H, W)."""
        if not self.averages:
            return self.network(batch)
        mirrors = (False, True) if self.flip else (False,)
        views = [(scale, mirrored) for scale in self.scales for mirrored in mirrors]
        total = self._probabilities(batch, *views[0])
        for scale, mirrored in views[1:]:
            total += self._probabilities(batch, scale, mirrored)
        return Scores(total / len(views), (batch.shape[-2], batch.shape[-1]))

    def _probabilities(self, batch: Tensor, scale: float, mirrored: bool) -> Tensor:
        """Probabilities (N, K, H, W) by way of one view, whose sides are int((side - 1) * scale + 1)."""
        size = (batch.shape[-2], batch.shape[-1])
        shape = (scaled(size[0], scale), scaled(size[1], scale))
        view = batch if scale == 1 else self._resize(batch, shape)
        logits, covered = self.network(view.flip(-1) if mirrored else view)
        if covered == shape:
            enlarged = self._resize(logits, size)
        else:
            enlarged = to_photo(logits, Geometry(size, shape, covered), self.align_corners)
        return (enlarged.flip(-1) if mirrored else enlarged).softmax(1)

    def _resize(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        return F.interpolate(x, size, mode="bilinear", align_corners=self.align_corners)
