"""The house's order: imports point down the list in CONTRIBUTING.md, and torch is imported late."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "segcli"
LINE = "torch is imported only below this line"


def order() -> list[str]:
    """The modules in the order of CONTRIBUTING's picture, LINE among them."""
    picture = (ROOT / "CONTRIBUTING.md").read_text().split("```")[1]
    return [
        LINE if LINE in line else re.match(r"\s*(\w+)", line)[1]
        for line in picture.splitlines()
        if LINE in line or re.match(r"\s{2}\w+(\.py|/)\s", line)
    ]


def noun(path: Path) -> str:
    """The module or package directly below segcli/ that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def modules() -> list[Path]:
    return [path for path in sorted(PACKAGE.rglob("*.py")) if noun(path) not in ("__init__", "__main__")]


def imported(path: Path, outermost: bool = False) -> set[str]:
    """Names of what a file imports, those under TYPE_CHECKING left out; with `outermost`, when it is imported."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    nodes = tree.body if outermost else ast.walk(tree)
    names = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def test_every_module_stands_in_the_picture():
    assert {noun(path) for path in modules()} == set(order()) - {LINE}


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_to_what_stands_above(path):
    places = {name: place for place, name in enumerate(order())}
    for name in imported(path):
        if name.startswith("segcli.") and (target := name.split(".")[1]) in places:
            assert places[target] <= places[noun(path)], f"{path.name} imports {target}, which stands below it"


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_torch_is_imported_below_the_line_only(path):
    above = order()[: order().index(LINE)]
    if noun(path) in above or noun(path) == "cli":
        outermost = {name.split(".")[0] for name in imported(path, outermost=True)}
        assert not outermost & {"torch", "torchvision", "onnxruntime"}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--help"], 0),
        (["predict", "--help"], 0),
        (["predict"], 2),
        (["predict", "nowhere.jpg"], 2),
        (["predict", "--model", "v3plus-xceptoin", "{root}"], 2),
        (["predict", "--size", "big", "{root}"], 2),
        (["train", "--config", "nowhere.toml"], 2),
        (["no-such-command"], 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else str(value),
)
def test_help_and_usage_errors_import_no_torch(arguments, code, tmp_path):
    """Importing torch costs seconds; nobody should wait that long for a typing mistake."""
    from PIL import Image

    Image.new("RGB", (40, 40)).save(tmp_path / "photo.png")
    arguments = [argument.format(root=tmp_path) for argument in arguments]
    program = (
        "import sys\nfrom segcli.cli.app import app\n"
        f"try: app({arguments!r}, prog_name='segcli')\n"
        "except SystemExit as stop: code = stop.code\n"
        "print('heavy:', {'torch', 'torchvision'} & set(sys.modules), 'code:', code)"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert f"heavy: set() code: {code}" in result.stdout, result.stdout + result.stderr
    assert "Traceback" not in result.stderr
