"""What the shell offers on Tab, by the protocol that shells speak with Typer."""

import subprocess
import sys

import pytest


def offered(*words, program="from segcli.cli.app import app; app(prog_name='segcli')"):
    """The words that bash would offer for the last of some words."""
    line = ["segcli", *words]
    environment = {
        "_SEGCLI_COMPLETE": "complete_bash",
        "COMP_WORDS": " ".join(line),
        "COMP_CWORD": str(len(line) - 1),
        "PYTHONPATH": ":".join(sys.path),
    }
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert not done.stderr, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (("predict", "--model", "v3plus-m"), ["v3plus-mobilenetv2", "v3plus-mobilenetv2@street"]),
        (("export", "-m", "str"), ["street"]),
        (("train", "--config", "fine"), ["finetune"]),
        (("recipes", "camv"), ["camvid"]),
        (("predict", "--model", "street", "--classes", "road,bi"), ["road,bicyclist"]),
        (("weights", "pull", "vgg16@"), ["vgg16@imagenet"]),
    ],
)
def test_models_recipes_and_classes_are_completed(words, wanted):
    assert offered(*words) == wanted


def test_no_heavy_library_is_imported_for_it():
    program = (
        "import atexit, sys\n"
        "heavy = ('torch', 'numpy', 'PIL', 'huggingface_hub', 'onnxruntime')\n"
        "atexit.register(lambda: print(*[name for name in heavy if name in sys.modules]))\n"
        "from segcli.cli.app import app\napp(prog_name='segcli')"
    )
    assert offered("predict", "--model", "street", "--classes", "bic", program=program) == ["bicyclist"]
