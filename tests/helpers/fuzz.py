"""Damages files in thousands of ways, and looks that each is read or refused in one line, and never anything else.

    python tests/helpers/fuzz.py --count 500

makes so many of each kind: bits flipped, ends cut off, pieces moved, numbers made absurd.
"""

import argparse
import io
import random
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import tomli_w
from damage import DAMAGES, Outcome
from PIL import Image
from small_runs import smooth

from segcli import labels
from segcli.crf.params import CRFParams
from segcli.data import names
from segcli.images.read import read_photo
from segcli.images.reading import PhotoReading
from segcli.models.preprocessing import Preprocessing
from segcli.models.variants import VARIANTS
from segcli.training import recipe
from segcli.weights import checkpoint

PICTURES = ("JPEG", "PNG", "TIFF", "WEBP", "GIF", "BMP")
ABSURD = ("nan", "inf", "-1", "0", "1e400", "99999999999999999999", "[]", "{}", "true", '""', '"\\u0000"', "2026-01-01")


def _stated(tables: dict) -> dict:
    """TOML has no null."""
    return {
        key: _stated(value) if isinstance(value, dict) else value for key, value in tables.items() if value is not None
    }


TOML = {
    "recipe": tomli_w.dumps(_stated(recipe.Recipe().to_dict())),
    "crf": CRFParams().to_toml(),
    "labels": 'name = "two"\nnames = ["background", "cat"]\npalette = [[0, 0, 0], [255, 0, 0]]\nignore = 255\n',
}


def absurd(text: bytes, chance: random.Random) -> bytes:
    """A value is replaced by one that makes no sense."""
    lines = text.decode().splitlines()
    index = chance.choice([i for i, line in enumerate(lines) if "=" in line])
    key, _, _ = lines[index].partition("=")
    lines[index] = f"{key}= {chance.choice(ABSURD)}"
    return "\n".join(lines).encode()


def damage(name: str, data: bytes, read: Callable[[Path], object], count: int, folder: Path, seed: int) -> Outcome:
    """Read `count` damaged copies of a file."""
    chance, outcome, path = random.Random(f"{seed} {name}"), Outcome(), folder / "damaged"
    kinds = (*DAMAGES, absurd) if name in TOML else DAMAGES
    for _ in range(count):
        path.write_bytes(chance.choice(kinds)(data, chance))
        outcome.add(read, path)
    return outcome


def picture(kind: str) -> bytes:
    """A small file of that format; TIFF and GIF have two pages."""
    buffer = io.BytesIO()
    pages = {"save_all": True, "append_images": [Image.fromarray(smooth(2, 64, 48))]} if kind in ("TIFF", "GIF") else {}
    Image.fromarray(smooth(1, 64, 48)).save(buffer, kind, **pages)
    return buffer.getvalue()


def _read_picture(path: Path) -> object:
    return read_photo(path, PhotoReading(max_pixels=10**6))


def safetensors(folder: Path) -> bytes:
    """A segcli checkpoint with two small tensors."""
    import torch

    tensors = {"classifier.weight": torch.ones(2, 4, 1, 1), "classifier.bias": torch.zeros(2)}
    two = labels.from_names(["background", "cat"])
    made = checkpoint.Checkpoint(VARIANTS["v3-mobilenetv2"], two, Preprocessing(size=65), tensors=tensors)
    checkpoint.write(folder / "small.safetensors", made)
    return (folder / "small.safetensors").read_bytes()


def read_toml(kind: str) -> Callable[[Path], object]:
    """What reads a TOML file of that kind; label sets are told by their suffix."""
    if kind == "labels":
        return lambda path: names.read(path.rename(path.with_suffix(".toml")))
    return recipe.read if kind == "recipe" else CRFParams.from_toml


def run(count: int, seed: int, folder: Path) -> dict[str, Outcome]:
    """Damage everything `count` times; returns the outcome by kind."""
    warnings.filterwarnings("ignore", module=r"PIL\.")
    outcomes = {}
    for kind in PICTURES:
        outcomes[kind] = damage(
            kind, picture(kind), lambda path: read_photo(path, PhotoReading(max_pixels=10**6)), count, folder, seed
        )
    outcomes["safetensors"] = damage("safetensors", safetensors(folder), checkpoint.read, count, folder, seed)
    for kind, text in TOML.items():
        outcomes[f"{kind}.toml"] = damage(kind, text.encode(), read_toml(kind), count, folder, seed)
    return outcomes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        outcomes = run(arguments.count, arguments.seed, Path(name))
    for kind, outcome in outcomes.items():
        counts = ", ".join(f"{outcome.counts[word]} {word}" for word in ("read", "refused", "crashed"))
        sys.stdout.write(f"{kind:13} {counts}, slowest {outcome.slowest:.2f} s\n")
        for crash in outcome.crashes[:3]:
            sys.stdout.write(crash)
    sys.exit(any(outcome.crashes for outcome in outcomes.values()))


if __name__ == "__main__":
    main()
