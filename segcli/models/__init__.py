"""The networks. `build` is all that the rest of the project needs."""

from segcli.models.deeplab import DeepLab, build

__all__ = ["DeepLab", "build"]
