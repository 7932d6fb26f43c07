"""Makes tests/old_work: what the version before the rooms (commit 4fe8728) left behind, to be found still valid.

Run with that version on the path, from the top of a checkout of today's:

    git worktree add /tmp/before 4fe872892964ce0c7296b103a65f2a538c8d7150
    PYTHONPATH=/tmp/before python tests/helpers/old_work.py /tmp/before tests/old_work

It needs no network. The photos are our own rendered scenes, shrunk; the network has random weights and then a few
steps of training. Nothing here is meant to be made again by a later version: then it would not be old.
"""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import torch
from calibration import calibrate
from PIL import Image

import segcli
from segcli import cache, checkpoint, engine, labels, manifest, variants, weights
from segcli.images import read_photo
from segcli.models import build
from segcli.preprocess import to_input
from segcli.spec import ASPPSpec

COMMIT = "4fe872892964ce0c7296b103a65f2a538c8d7150"
EXAMPLES = Path(__file__).parents[2] / "examples"
PHOTOS = {"dusk": "dusk.jpg", "morning": "morning.jpg", "avenue": "trip/avenue.jpg"}
WIDTH = 64
SETTLED = 1_700_000_000_000_000_000
"""Every input's modification time in nanoseconds; a checkout does not keep it, the manifests do."""
VERSIONS = {"torch": "2.0", "onnx": "1.0", "onnxruntime": "1.0"}
"""Stand-ins for the installed versions, which are part of the name of a network converted for onnxruntime."""
RECIPE = """\
[model]
init = "tiny.safetensors"
freeze_backbone = 4

[data]
images = "photos"
masks = "labels"
labels = "camvid"
val_images = "photos"
val_masks = "labels"

[schedule]
iterations = 4
batch = 2
rate = 0.001

[augment]
crop = 65

[run]
workers = 0
log_every = 1
save_every = 2
validate_every = 4
overlays = 0
"""
PLAIN = ["predict", "photos", "--model", "street", "-o", "plain"]
EVERYTHING = [
    *["predict", "photos/trip", "--model", "street", "-o", "everything", "--crf", "--pages", "--range", "auto"],
    *["--classes", "road,car,sky", "--save", "mask,overlay,cutout,classes,probs,polygons,gallery"],
]
OWN = ["predict", "photos", "--weights", "run/small.safetensors", "--save", "mask", "--flip", "-o", "own"]
REFINED = ["crf", "photos", "--labels", "rough", "--names", "camvid", "--gt-prob", "0.6", "-o", "refined"]
FROM_PROBS = ["crf", "photos/trip", "--probs", "everything", "--save", "mask", "-o", "from-probs"]
FILLING = (PLAIN, EVERYTHING, OWN, REFINED, FROM_PROBS)
SCORED = [
    *["eval", "--dataset", "folder", "--images", "photos", "--labels", "labels", "--names", "camvid", "--size", "97"],
    *["--weights", "run/small.safetensors", "--save-predictions", "predictions", "-o", "scores", "--worst", "0"],
]
STOPPED = """\
import sys
from segcli import training_state
from segcli.cli.app import main
write = training_state.write
def stop_after_the_first(folder, state):
    if state.iteration > 2:
        raise KeyboardInterrupt
    write(folder, state)
training_state.write = stop_after_the_first
sys.argv[0] = "segcli"
main()
"""
"""`segcli train` that is interrupted before it writes its second checkpoint."""


def shrink(home: Path) -> None:
    """Photos, exact label maps and rough ones, each WIDTH pixels wide."""
    for name, place in PHOTOS.items():
        for folder, suffix, how in (
            ("photos", ".jpg", Image.Resampling.LANCZOS),
            ("labels", ".png", Image.Resampling.NEAREST),
            ("rough", ".png", Image.Resampling.NEAREST),
        ):
            image = Image.open(EXAMPLES / folder / f"{name}{suffix}")
            path = (home / folder / place).with_suffix(suffix)
            path.parent.mkdir(parents=True, exist_ok=True)
            image.resize((WIDTH, WIDTH * image.height // image.width), how).save(path)
    settle(home)


def settle(home: Path) -> None:
    """Give every file that a command reads the modification time SETTLED."""
    for folder in ("photos", "labels", "rough", "everything/probs"):
        for path in (home / folder).rglob("*"):
            if path.is_file():
                os.utime(path, ns=(SETTLED, SETTLED))


def tiny() -> checkpoint.Checkpoint:
    """A DeepLabv3 on MobileNetV2 of an eighth of the channels, 11 classes, random weights."""
    torch.manual_seed(0)
    spec = variants.get("v3-mobilenetv2")
    backbone = replace(spec.backbone, width=0.125, divisor=1)
    head = ASPPSpec(rates=(), channels=8, dropout=0.0)
    spec = replace(spec, name="tiny", backbone=backbone, head=head, output_strides=(8, 16), output_stride=16)
    preprocessing = replace(manifest.resolve("street").preprocessing, size=97)
    network = calibrate(build(spec, 11, 16), size=97)
    photo = read_photo(EXAMPLES / "photos" / "dusk.jpg").rgb
    with torch.no_grad():  # no class wins everywhere
        logits = network(to_input(photo, preprocessing)[0])
        network.classifier.bias -= logits.mean((0, 2, 3))
    return checkpoint.Checkpoint(spec, labels.get("camvid"), preprocessing, network.state_dict())


def converted() -> dict[str, str]:
    """Where each downloadable model's converted file lies below the cache, for a download of sha256 000...0."""
    os.environ["SEGCLI_CACHE_DIR"] = "/cache"
    found = {}
    for entry in manifest.entries():
        if entry.role == "segmentation" and not isinstance(entry.source, manifest.PackagedFile):
            here = cache._converted(entry, cache.Record(str(entry.source), "0" * 64))
            found[entry.name] = here.path.relative_to("/cache").as_posix()
    return found


def onnx_names(home: Path) -> dict[str, str]:
    """The names under which networks converted for onnxruntime are kept, at stand-ins for the installed versions."""
    metadata.version = VERSIONS.get
    engine.__version__ = "0"
    cases = {"street": ("street", None), "street at 8": ("street", 8), "tiny": (home / "run/small.safetensors", None)}
    return {name: engine._name(weights.load(*case)) for name, case in cases.items()}


def make(old: Path, home: Path) -> None:
    """Everything, in an empty folder."""

    def run(*arguments: str, code: str = "") -> None:
        call = ["-c", code] if code else ["-m", "segcli"]
        environment = {**os.environ, "PYTHONPATH": str(old), "SEGCLI_CACHE_DIR": str(home / "cache")}
        status = subprocess.run([sys.executable, *call, *arguments], cwd=home, env=environment, check=False).returncode
        assert status == (130 if code else 0), (arguments, status)

    shrink(home)
    checkpoint.write(home / "tiny.safetensors", tiny())
    (home / "train.toml").write_text(RECIPE)
    run("train", "--config", "train.toml", "-o", "run", code=STOPPED)
    run("weights", "halve", "run/last.safetensors", "-o", "run/small.safetensors")
    for arguments in (*FILLING, SCORED):
        run(*arguments)
        settle(home)
    facts = {
        "commit": COMMIT,
        "settled": SETTLED,
        "commands": {arguments[arguments.index("-o") + 1]: arguments for arguments in FILLING},
        "score": SCORED,
        "converted": converted(),
        "onnx": onnx_names(home),
    }
    for large in ("tiny", "run/best", "run/last"):
        (home / f"{large}.safetensors").unlink()
    for picture in ("run/curve", "scores/confusion"):
        (home / f"{picture}.png").unlink()
    for left in ("run/tensorboard", "cache"):
        shutil.rmtree(home / left, ignore_errors=True)
    (home / "facts.json").write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    old, home = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    at = subprocess.check_output(["git", "-C", old, "rev-parse", "HEAD"], text=True).strip()
    assert (at, Path(segcli.__file__).parent) == (COMMIT, old / "segcli"), (at, segcli.__file__)
    make(old, home)
