"""Arrays on disk: the npz files in which a stopped run finds its state again; a disk may have damaged them."""

from pathlib import Path

import numpy as np


def read(path: Path) -> dict[str, np.ndarray] | None:
    """The arrays of an npz file by name; None where there is none, or it is damaged. No pickle is loaded."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except Exception:  # there is none, or it is damaged in one of the many ways that zip, npy and zlib report
        return None
