"""What every test may ask for: a fixed seed, two threads, and the folder of shared data where it exists."""

from pathlib import Path

import numpy as np
import pytest

SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"


def pytest_collection_modifyitems(items):
    if SHARED_DATA.is_dir():
        return
    skip = pytest.mark.skip(reason="../shared/data is not here")
    for item in items:
        if item.get_closest_marker("shared"):
            item.add_marker(skip)


@pytest.fixture(autouse=True)
def _seeded():
    import torch

    np.random.seed(0)
    torch.manual_seed(0)
    torch.set_num_threads(2)


@pytest.fixture(scope="session")
def shared_data():
    """../shared/data; tests that use it carry the mark `shared`."""
    return SHARED_DATA
