"""Semantic segmentation on the command line: DeepLab v1, v2, v3, v3+ and the fully connected CRF."""

__version__ = "0.1.0"
