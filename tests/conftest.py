"""What every test may ask for: a fixed seed and threads, shared data where they are, `segcli predict` and a model."""

import os
from pathlib import Path

import numpy as np
import pytest
from browser import NO_BROWSER
from extras import NO_EXTRA
from PIL import Image
from small_runs import smooth

os.environ.pop("HF_HUB_OFFLINE", None)  # the tests' own servers on loopback are no network

SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"

NO_SHARED_DATA = "../shared/data is not here"
ALLOWED_SKIPS = {
    NO_SHARED_DATA: "photos, masks and weights that are too large or not free enough for the repository",
    NO_EXTRA: "imagecodecs and rawpy are large; what is asked of them and made of their answers is tested without",
    NO_BROWSER: "a browser is large; what the gallery's page is made of is tested without",
    "needs a CUDA GPU": "the machines that run the tests have none",
    "this machine has a CUDA GPU": "where asking for one is no error",
    "Windows has no SIGINT for other processes": "the rest of what Ctrl-C does is tested elsewhere",
    "this system has no named pipes": "Windows",
    "this system cannot fork": "Windows",
    "this system has no /dev/full": "Windows, macOS",
    "no POSIX shell": "Windows, whose programs always have their three streams",
    "elsewhere there is no /proc": "Windows, macOS",
    "only glibc is told": "Windows, macOS and other C libraries",
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
    if reporter is None:  # one of several processes; the one that started them reports
        return
    skipped = [(report.nodeid, str(report.longrepr[2])) for report in reporter.stats.get("skipped", [])]
    strange = [(test, why) for test, why in skipped if why.removeprefix("Skipped: ") not in ALLOWED_SKIPS]
    for test, why in strange:
        reporter.write_line(f"not allowed to skip: {test} ({why})", red=True)
    if strange:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory):
    """The tests leave the user's weights and conversions alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEGCLI_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session", autouse=True)
def _few_photos_stay_with_torch():
    """Most tests compare with torch to the bit, and have models of their own, each of which would be converted."""
    from segcli.export import engine

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "WORTHWHILE", 20)
        yield


@pytest.fixture(autouse=True)
def _seeded():
    import threads
    import torch

    np.random.seed(0)
    torch.manual_seed(0)
    threads.use()


@pytest.fixture(scope="session")
def shared_data():
    """../shared/data; tests that use it carry the mark `shared`."""
    return SHARED_DATA


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    """A small network that says something different from place to place, at a working size of 97 pixels."""
    import torch
    from calibration import calibrate

    from segcli.inference.transform import to_input
    from segcli.labels import VOC
    from segcli.models import variants
    from segcli.models.networks import deeplab
    from segcli.models.preprocessing import Preprocessing
    from segcli.weights import model_io

    torch.manual_seed(1)
    spec = variants.get("v3-mobilenetv2-dm05")
    network = calibrate(deeplab.build(spec, 21, 8), size=97)
    with torch.no_grad():  # no class wins everywhere
        logits = network(to_input(smooth(5, 97, 97), Preprocessing(size=97))[0])
        network.classifier.bias -= logits.mean((0, 2, 3))
    path = tmp_path_factory.mktemp("model") / "small.safetensors"
    model_io.save(path, network, spec, VOC, Preprocessing(size=97))
    return path


@pytest.fixture
def photos(tmp_path):
    """Five photos in a tree, two of them called alike."""
    folder = tmp_path / "photos"
    for index, name in enumerate(["a.jpg", "b.png", "trip/a.jpg", "trip/c.webp", "trip/day 2/ü.bmp"]):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(smooth(index, 60 + 20 * index, 80)).save(path)
    return folder


@pytest.fixture
def segcli(checkpoint, tmp_path, monkeypatch):
    """Runs `segcli predict ARGUMENTS` with the small model in an empty folder."""
    from typer.testing import CliRunner

    from segcli.cli.app import app

    monkeypatch.chdir(tmp_path)

    def run(*arguments, model=("--weights", str(checkpoint)), **options):
        return CliRunner().invoke(app, ["predict", *map(str, arguments), *model], **options)

    return run
