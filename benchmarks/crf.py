"""The fully connected CRF against pydensecrf: seconds a photo in alternation, and peak memory at 12 megapixels.

python benchmarks/crf.py                                  # a drawn scene, no model needed
python benchmarks/crf.py --photos photos --probs out/probs   # photos with what `segcli predict --save probs` saved
python benchmarks/crf.py --memory                         # 4000x3000 with 21 classes, one process for each mode

pydensecrf works on one core. torch gets `--threads` cores; its runs start with the spatial lattice of that photo size
in the cache, as all photos of a folder but the first do. `cpu` is processor time of the default mode on all cores.
What --memory measures is what `segcli crf --crf-size full` does: probabilities saved at 1024 pixels, the photo at its
own size, the whole process counted. Two iterations do: the peak does not depend on their number.
"""

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

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


def cases(photos: Path | None, probs: Path | None, longest: int) -> Iterator[tuple[str, np.ndarray, Tensor]]:
    """Each photo shrunk to `longest` pixels, with its probabilities at that size."""
    if photos is None or probs is None:
        yield "drawn", *drawn_scene(longest * 3 // 4, longest)
        return
    for path in sorted(photos.iterdir()):
        saved = next(probs.rglob(f"{path.stem}*.npz"), None)
        if saved is not None:
            photo = torch.from_numpy(np.require(read_rgb(path), requirements="CW")).permute(2, 0, 1)[None]
            scale = min(1, longest / max(photo.shape[2:]))
            size = [round(side * scale) for side in photo.shape[2:]]
            rgb = (
                interpolate(photo, size=size, mode="bilinear", antialias=True)[0].permute(1, 2, 0).contiguous().numpy()
            )
            probabilities = torch.from_numpy(np.load(saved)["probabilities"]).float()[None]
            yield path.stem, rgb, interpolate(probabilities, size=size, mode="bilinear")[0]


def seconds(rgb: np.ndarray, probabilities: Tensor, rounds: int) -> dict[str, tuple[float, float, Tensor]]:
    """Median wall and processor seconds, and the result, by mode; the modes take turns."""
    modes = {"pydensecrf": {"backend": "pydensecrf"}, "exact": {"eps": 0}, "default": {}}
    wall, cpu, results = {mode: [] for mode in modes}, {mode: [] for mode in modes}, {}
    dense_crf.refine(probabilities, rgb, CRFParams(iterations=1))
    for _ in range(rounds):
        for mode, options in modes.items():
            start, start_cpu = time.perf_counter(), time.process_time()
            results[mode] = dense_crf.refine(probabilities, rgb, CRFParams(), **options)
            wall[mode].append(time.perf_counter() - start)
            cpu[mode].append(time.process_time() - start_cpu)
    return {mode: (statistics.median(wall[mode]), statistics.median(cpu[mode]), results[mode]) for mode in modes}


def compare(options: argparse.Namespace) -> None:
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, medians of {options.rounds}, 10 iterations")
    print(f"{'photo':20} {'size':>11} {'kept':>4} {'pydensecrf':>10} {'exact':>15} {'default':>15} {'cpu':>6}  equal")
    ratios = {"exact": [], "default": []}
    for name, rgb, probabilities in cases(options.photos, options.probs, options.longest):
        results = seconds(rgb, probabilities, options.rounds)
        base, _, theirs = results["pydensecrf"]
        cells = []
        for mode, found in ratios.items():
            found.append(base / results[mode][0])
            cells.append(f"{results[mode][0]:6.3f} ({found[-1]:4.1f}x)".rjust(15))
        kept = int((results["default"][2].flatten(1).amax(1) > 0).sum())
        equal = (results["default"][2].argmax(0) == theirs.argmax(0)).float().mean()
        size = f"{rgb.shape[1]}x{rgb.shape[0]}x{len(probabilities)}"
        cpu = results["default"][1]
        print(f"{name:20} {size:>11} {kept:4} {base:10.3f} {cells[0]} {cells[1]} {cpu:6.3f}  {equal:.4%}")
    for mode, found in ratios.items():
        print(f"{mode}: median {statistics.median(found):.1f} times pydensecrf's speed, least {min(found):.1f}")


def peak(mode: str, options: argparse.Namespace) -> None:
    """Refines a mirrored mosaic of the first photo at 12 megapixels; for a process of its own."""
    import resource

    _, rgb, probabilities = next(cases(options.photos, options.probs, 1280))
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
