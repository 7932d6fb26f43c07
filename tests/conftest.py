"""What every test may ask for: a fixed seed, two threads, and the folder of shared data where it exists."""

import os
from pathlib import Path

import numpy as np
import pytest

SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"

NO_SHARED_DATA = "../shared/data is not here"
ALLOWED_SKIPS = {
    NO_SHARED_DATA: "photos, masks and weights that are too large or not free enough for the repository",
    "needs a CUDA GPU": "the machines that run the tests have none",
    "this machine has a CUDA GPU": "where asking for one is no error",
    "Windows has no SIGINT for other processes": "the rest of what Ctrl-C does is tested elsewhere",
}
"""With SEGCLI_NO_SKIPS=1 a test skipped for any other reason fails the run."""


def pytest_collection_modifyitems(items):
    if SHARED_DATA.is_dir():
        return
    for item in items:
        if item.get_closest_marker("shared"):
            item.add_marker(pytest.mark.skip(reason=NO_SHARED_DATA))


def pytest_sessionfinish(session):
    if os.environ.get("SEGCLI_NO_SKIPS") != "1":
        return
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = [(report.nodeid, str(report.longrepr[2])) for report in reporter.stats.get("skipped", [])]
    strange = [(test, why) for test, why in skipped if why.removeprefix("Skipped: ") not in ALLOWED_SKIPS]
    for test, why in strange:
        reporter.write_line(f"not allowed to skip: {test} ({why})", red=True)
    if strange:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


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
