"""What pip installs: every package that is imported is declared, and the lowest versions can be listed."""

import ast
import importlib.util
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
NAMES = {"PIL": "pillow", "yaml": "pyyaml", "pillow_heif": "pillow-heif", "cv2": "opencv-python-headless"}
"""Modules that are called otherwise than their package."""
OFFERED = {"google", "h5py", "pydensecrf"}
"""Modules that come with onnx and with pydensecrf2, and one that is used where it happens to be installed."""


def declared() -> set[str]:
    texts = [*PROJECT["dependencies"], *(text for extra in PROJECT["optional-dependencies"].values() for text in extra)]
    return {re.match(r"[\w.-]+", text)[0].lower().replace("_", "-") for text in texts}


def imported() -> set[str]:
    found = set()
    for path in (ROOT / "segcli").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                found.add(node.module.partition(".")[0])
    return found - set(sys.stdlib_module_names) - {"segcli"}


def test_every_package_that_is_imported_is_declared():
    packages = {NAMES.get(name, name).lower().replace("_", "-") for name in imported() - OFFERED}
    assert packages - declared() == set()


def test_the_lowest_versions_are_those_of_pyproject():
    spec = importlib.util.spec_from_file_location("lowest", ROOT / ".ci" / "lowest.py")
    lowest = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(lowest)
    lines = lowest.constraints(ROOT / "pyproject.toml")
    assert len(lines) == len(PROJECT["dependencies"])
    assert {"torch==2.13", "typer==0.26.8", "huggingface-hub==1.31"} <= set(lines)
