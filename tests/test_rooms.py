"""The order of the rooms: imports run one way, and torch is imported late."""

import ast
import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "segcli"
ROOMS = (
    *("root", "files", "storage", "images", "data", "evaluation", "models", "weights"),
    *("inference", "export", "crf", "films", "pipeline", "training", "cli"),
)
"""A room imports only rooms before it; the files beside the rooms are the first."""
WITHOUT_TORCH = (
    *("errors", "decoding", "labels", "distributed", "processor", "files", "storage", "images", "data"),
    *("evaluation", "cli"),
    *("models/spec", "models/variants", "models/differences", "models/limits", "models/preprocessing"),
    *("weights/header", "weights/manifest", "weights/hub"),
    *(
        "weights/reference",
        "weights/tensorflow_bundle",
        "weights/metadata",
        "weights/cache",
        "weights/facts",
        "weights/fetch",
        "weights/graph",
        "crf/params",
        "crf/settings",
    ),
    *(f"inference/{name}" for name in ("axis", "contending", "graph_segmenter", "lerp", "oom", "options")),
    *(f"inference/{name}" for name in ("prediction", "resizing", "transform", "uncertainty")),
    "export/conversions",
    *("pipeline/cluster", "pipeline/converted", "pipeline/job", "pipeline/stages"),
    *("pipeline/evaluate", "pipeline/evaluation", "pipeline/foresight", "pipeline/listener", "pipeline/model"),
    "pipeline/predict",
    *(f"films/{name}" for name in ("animation", "choice", "encoding", "flow", "frame", "joining")),
    *(f"films/{name}" for name in ("opening", "options", "sound", "video", "workshop")),
    *("pipeline/film_files", "pipeline/giants/plan", "pipeline/progress", "pipeline/reading", "pipeline/summary"),
    *("pipeline/kept", "pipeline/kinds", "pipeline/ledger", "pipeline/mergers", "pipeline/outputs", "pipeline/summing"),
    *("pipeline/records", "pipeline/refine", "pipeline/result", "pipeline/run", "pipeline/tables"),
    *("pipeline/scored", "pipeline/stored", "pipeline/usable", "pipeline/writer"),
    *(
        "training/events",
        "training/folds",
        "training/packaged",
        "training/partition",
        "training/recipe",
        "training/run",
    ),
    *("training/timing", "training/output/history", "training/output/record", "training/output/summary"),
    *(f"training/planning/{name}" for name in ("doubtful", "fingerprint", "length", "machine")),
    *(f"training/planning/{name}" for name in ("plan", "rules", "start", "tried", "upright")),
)
"""These files, and the files of these rooms, must answer where nobody waits for torch."""
HEAVY = {"torch", "torchvision", "onnx", "onnxruntime", "av", "cv2", "fsspec", "s3fs", "aiohttp", "dask", "distributed"}


def room(module: str) -> str:
    """The room of a module such as "segcli.files.atomic"; "root" for a file beside the rooms."""
    first = module.split(".")[1]
    return first if (PACKAGE / first).is_dir() else "root"


@cache
def imported(path: Path, outermost: bool = False) -> set[str]:
    """The modules and names that a file imports, those under TYPE_CHECKING left out."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    names = set()
    for node in tree.body if outermost else ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@cache
def files() -> list[Path]:
    return [path for path in sorted(PACKAGE.rglob("*.py")) if path.stem != "__main__"]


def test_no_import_runs_upwards():
    for path in files():
        module = ".".join(("segcli", *path.relative_to(PACKAGE).with_suffix("").parts))
        own = ROOMS.index(room(module))
        for name in imported(path):
            if name.startswith("segcli.") and name != "segcli.__version__":
                assert ROOMS.index(room(name)) <= own, f"{module} imports {name}, which stands above it"


def test_every_init_inside_is_empty():
    assert not [path for path in PACKAGE.rglob("*/__init__.py") if path.read_text() and path.parent != PACKAGE]


@pytest.mark.parametrize("place", WITHOUT_TORCH)
def test_no_torch_where_nobody_waits_for_it(place):
    found = [path for path in files() if path.relative_to(PACKAGE).with_suffix("").as_posix().startswith(place)]
    assert found
    for path in found:
        heavy = {name.split(".")[0] for name in imported(path, outermost=True)} & HEAVY
        assert not heavy, f"{path} imports {heavy}"


ASKED = (
    ("--help", 0),
    ("predict --help", 0),
    ("predict", 2),
    ("predict nowhere.jpg", 2),
    ("predict --model v3plus-xceptoin .", 2),
    ("predict --size big .", 2),
    ("train --config nowhere.toml", 2),
    ("train --config finetune", 1),
    ("recipes", 0),
    ("no-such-command", 2),
)
"""What is given to `segcli`, in a folder with a photo, and the exit code."""
ANSWERING = """
import json, sys
from segcli.cli.app import app
heavy = {"torch", "torchvision", "huggingface_hub"}
for text in json.loads(sys.argv[1]):
    try: app(text.split(), prog_name="segcli")
    except SystemExit as stop: code = stop.code
    print("answered:", json.dumps([text, code, sorted(heavy & set(sys.modules))]))
"""


def test_help_and_usage_errors_import_no_torch(tmp_path):
    """Importing torch costs seconds; nobody should wait that long for a typing mistake."""
    from PIL import Image

    Image.new("RGB", (40, 40)).save(tmp_path / "photo.png")
    command = [sys.executable, "-c", ANSWERING, json.dumps([text for text, _ in ASKED])]
    result = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    lines = [line for line in result.stdout.splitlines() if line.startswith("answered:")]
    answers = [json.loads(line.partition(":")[2]) for line in lines]
    assert answers == [[text, code, []] for text, code in ASKED], result.stderr
    assert "Traceback" not in result.stderr
