"""The fully connected CRF against pydensecrf: seconds a photo in alternation, and peak memory at 12 megapixels.

python benchmarks/crf.py                                  # a drawn scene, no model needed
python benchmarks/crf.py --photos photos --model v3-mobilenetv2   # photos with what a model says of them
python benchmarks/crf.py --photos photos --probs out/probs   # or with what `segcli predict --save probs` saved
python benchmarks/crf.py --memory                         # 4000x3000 with 21 classes, one process for each mode

pydensecrf works on one core. torch gets `--threads` cores; its runs start with the spatial lattice of that photo size
in the cache, as all photos of a folder but the first do. `cpu` is processor time of the default mode on all cores.
What --memory measures is what `segcli crf --crf-size full` does: probabilities saved at 1024 pixels, the photo at its
own size, the whole process counted. Two iterations do: the peak does not depend on their number.
"""

import argparse
import math
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from importlib import util
from pathlib import Path

import measuring
import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

import segcli
from segcli.crf import dense_crf
from segcli.crf.params import CRFParams
from segcli.crf.stage import Refinement
from segcli.images.read import read_rgb
from segcli.inference.prediction import from_probabilities

LARGE = 3000, 4000
CLASSES = 21


def drawn_scene(height: int, width: int) -> tuple[np.ndarray, Tensor]:
    """Textured blobs on textured ground, and probabilities as coarse and as sure of themselves as a network's."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    rough = torch.randn(1, 3, height // 3, width // 3)
    texture = interpolate(rough, size=(height, width), mode="bicubic")[0].permute(1, 2, 0).numpy()
    rgb = np.stack([110 + 80 * y / height, 120 + 60 * x / width, 150 - 70 * y / height], 2) + 10 * texture
    scores = torch.full((CLASSES, height, width), -3.0)
    scores[0] = 3
    for label, (cy, cx, size) in {8: (0.5, 0.3, 0.25), 12: (0.6, 0.7, 0.2), 15: (0.25, 0.75, 0.12)}.items():
        inside = (
            np.hypot((y / height - cy) * height / width, x / width - cx) < size * (1 + 0.2 * np.sin(x / 9))
        ).astype(bool)
        rgb[inside] += np.array([60, -40, -50]) * (label - 10) / 3
        scores[label, torch.from_numpy(inside)] = 5
    coarse = interpolate(scores[None], size=(height // 8, width // 8), mode="area") + 0.7 * torch.randn(
        1, CLASSES, height // 8, width // 8
    )
    probabilities = interpolate(coarse, size=(height, width), mode="bilinear")[0].softmax(0)
    return np.clip(rgb + np.random.normal(0, 4, rgb.shape), 0, 255).astype(np.uint8), probabilities


Case = tuple[str, np.ndarray, Tensor]
"""A photo's name, the photo, uint8 (H, W, 3), and its probabilities (K, H, W)."""


def cases(photos: Path | None, probs: Path | None, model: str | None, longest: int) -> Iterator[Case]:
    """Each photo shrunk to `longest` pixels, with its probabilities at that size; a drawn one where there is none."""
    if photos is None or (probs or model) is None:
        yield "drawn", *drawn_scene(longest * 3 // 4, longest)
        return
    source = partial(saved, probs) if probs else predicted(model)
    for path in sorted(path for path in photos.iterdir() if path.is_file()):
        photo = torch.from_numpy(np.require(read_rgb(path), requirements="CW")).permute(2, 0, 1)[None]
        scale = min(1, longest / max(photo.shape[2:]))
        size = [round(side * scale) for side in photo.shape[2:]]
        rgb = interpolate(photo, size=size, mode="bilinear", antialias=True)[0].permute(1, 2, 0).contiguous().numpy()
        probabilities = source(path, rgb)
        if probabilities is not None:
            yield path.stem, rgb, interpolate(probabilities[None], size=size, mode="bilinear")[0]


def saved(folder: Path, path: Path, rgb: np.ndarray) -> Tensor | None:
    """What a run has saved of a photo, if it has."""
    file = next(folder.rglob(f"{path.stem}*.npz"), None)
    return None if file is None else torch.from_numpy(np.load(file)["probabilities"]).float()


def predicted(name: str) -> Callable[[Path, np.ndarray], Tensor]:
    """What a model says of photos."""
    model = segcli.load(name, device="cpu", engine="torch")
    return lambda path, rgb: torch.from_numpy(model.predict(rgb).probabilities())


def seconds(rgb: np.ndarray, probabilities: Tensor, rounds: int) -> dict[str, tuple[float, float, Tensor]]:
    """Median wall and processor seconds, and the result, by mode; the modes take turns."""
    modes = {"exact": {"eps": 0}, "default": {}}
    if util.find_spec("pydensecrf"):
        modes = {"pydensecrf": {"backend": "pydensecrf"}, **modes}
    wall, cpu, results = {mode: [] for mode in modes}, {mode: [] for mode in modes}, {}
    dense_crf.refine(probabilities, rgb, CRFParams(iterations=1))
    for _ in range(rounds):
        for mode, options in modes.items():
            start, start_cpu = time.perf_counter(), time.process_time()
            results[mode] = dense_crf.refine(probabilities, rgb, CRFParams(), **options)
            wall[mode].append(time.perf_counter() - start)
            cpu[mode].append(time.process_time() - start_cpu)
    return {mode: (statistics.median(wall[mode]), statistics.median(cpu[mode]), results[mode]) for mode in modes}


HEADINGS = ["photo", "size", "kept", "pydensecrf, s", "exact, s", "x", "default, s", "x", "core-s", "labels equal"]


def report(photos: Iterable[Case], rounds: int) -> Iterator[str]:
    """The table, row by row, and the medians; pydensecrf's columns are empty where it is not installed."""
    yield measuring.table(HEADINGS, []).rstrip("\n")
    ratios: dict[str, list[float]] = {"exact": [], "default": []}
    for name, rgb, probabilities in photos:
        results = seconds(rgb, probabilities, rounds)
        base, _, theirs = results.get("pydensecrf", (math.nan, 0, None))
        _, cores, ours = results["default"]
        cells = [name, f"{rgb.shape[1]}x{rgb.shape[0]}x{len(probabilities)}"]
        cells += [str(int((ours.flatten(1).amax(1) > 0).sum())), f"{base:.2f}"]
        for mode, found in ratios.items():
            found.append(base / results[mode][0])
            cells += [f"{results[mode][0]:.3f}", f"{found[-1]:.1f}"]
        equal = math.nan if theirs is None else (ours.argmax(0) == theirs.argmax(0)).float().mean()
        yield f"| {' | '.join([*cells, f'{cores:.3f}', f'{equal:.3%}'])} |"
    for mode, found in ratios.items():
        yield f"\n{mode}: median {statistics.median(found):.1f} times pydensecrf's speed, least {min(found):.1f}"


def compare(options: argparse.Namespace) -> None:
    print(f"{measuring.machine(['torch', 'pydensecrf2'])}; medians of {options.rounds}, 10 iterations\n")
    for line in report(cases(options.photos, options.probs, options.model, options.longest), options.rounds):
        print(line, flush=True)


def peak(mode: str, options: argparse.Namespace) -> None:
    """Refines a mirrored mosaic of the first photo at 12 megapixels; for a process of its own."""
    import resource

    _, rgb, probabilities = next(cases(options.photos, options.probs, options.model, 1280))
    repeats = [-(-large // side) for large, side in zip(LARGE, rgb.shape, strict=False)]
    rgb = np.concatenate([rgb if i % 2 == 0 else rgb[::-1] for i in range(repeats[0])])
    rgb = np.concatenate([rgb if i % 2 == 0 else rgb[:, ::-1] for i in range(repeats[1])], 1)[
        : LARGE[0], : LARGE[1]
    ].copy()
    probabilities = interpolate(probabilities[None], size=(768, 1024), mode="bilinear", antialias=True)[0]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    start = time.perf_counter()
    refinement = Refinement(CRFParams(iterations=2), options.size, **({"eps": 0} if mode == "exact" else {}))
    refined = refinement(rgb, from_probabilities(probabilities, rgb.shape[:2]))
    refined.labels()
    took = time.perf_counter() - start
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    classes = len(refined.channels.ids)
    print(f"{mode}: {classes} of {CLASSES} classes, {took:.0f} s, peak {most:.2f} GB ({before:.2f} GB before)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, help="folder of photos")
    parser.add_argument("--probs", type=Path, help="folder with <photo's name>.npz, as `predict --save probs` writes")
    parser.add_argument("--model", help="a model that says what the photos show, instead of --probs")
    parser.add_argument("--longest", type=int, default=500, help="longest side in pixels")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--memory", action="store_true", help="measure peak memory at 4000x3000 instead")
    parser.add_argument(
        "--size", type=int, default=0, help="with --memory, the CRF's working size; 0 is the photo's own"
    )
    parser.add_argument("--peak", choices=("default", "exact"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    np.random.seed(0)
    if options.peak:
        peak(options.peak, options)
    elif options.memory:
        for mode in ("default", "exact"):
            subprocess.run([sys.executable, __file__, *sys.argv[1:], "--peak", mode], check=True)
    else:
        compare(options)


if __name__ == "__main__":
    main()
