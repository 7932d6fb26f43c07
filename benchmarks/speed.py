"""The speed of segcli, beside what one would write with segmentation_models.pytorch, torchvision and transformers.

python benchmarks/speed.py                                # everything, in under 15 minutes on two quiet cores
python benchmarks/speed.py --quick                        # one network, few photos: does it still work?
python benchmarks/speed.py --write docs/performance.md    # and put the tables there
python benchmarks/speed.py --photos ~/Pictures --engine torch

Peers are measured where they are installed: `pip install segmentation-models-pytorch transformers` (torchvision comes
with segcli). Everything runs in one go, contenders in turns. Ratios stand a machine that is busy with other work better
than seconds do. The folder of photos is divided among the rounds, so that every photo counts once.
benchmarks/crf.py measures the CRF alone, on photos of one's own.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ENGINES = ("torch", "onnx", "int8")
BEGIN, END = "<!-- written by benchmarks/speed.py: begin -->", "<!-- end -->"


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, help="folder of originals to cut photos out of (examples/photos)")
    parser.add_argument("--count", type=int, default=60, help="how many photos are cut out of them")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, help="for every library; as many as torch takes")
    parser.add_argument("--engine", default=",".join(ENGINES), help="of segcli, separated by commas")
    parser.add_argument("--models", default="v3plus-mobilenetv2,v3plus-resnet101,v3plus-xception")
    parser.add_argument("--quick", action="store_true", help="the first model only, 6 photos, one round")
    parser.add_argument("--write", type=Path, metavar="FILE", help="replace the tables in this Markdown file")
    chosen = parser.parse_args()
    if chosen.quick:
        chosen.models, chosen.count, chosen.rounds = chosen.models.partition(",")[0], 6, 1
    return chosen


def report(chosen: argparse.Namespace, folder: Path) -> Iterator[str]:
    """The sections of the report, as they are done."""
    import contenders
    import measuring
    import pictures
    import tables
    import torch

    if chosen.threads:
        torch.set_num_threads(chosen.threads)
    originals = chosen.photos or pictures.EXAMPLES
    photos = pictures.folder_of_photos(originals, folder, chosen.count)
    large = pictures.large_photo(originals, folder)
    names = ["torch", "onnxruntime", "torchvision", contenders.SMP, "transformers", "pillow"]
    yield f"{measuring.machine(names)}.\n{len(photos)} photos in {chosen.rounds} rounds.\n"
    peak = measuring.peak_multiply_adds(chosen.rounds)
    yield f"Product of two 2048x2048 matrices: {peak / 1e9:.0f} billion multiply-adds a second.\n"
    engines = [engine for engine in chosen.engine.split(",") if contenders.usable(engine)]
    saved = {}
    for variant in chosen.models.split(","):
        path = contenders.checkpoint(variant, photos, folder / f"{variant}.safetensors")
        saved[variant] = path
        compared = tables.contenders_of(variant, path, engines, photos)
        yield tables.speed(variant, compared, photos, folder / "out", chosen.rounds, peak)
    smallest = saved[chosen.models.partition(",")[0]]
    for engine in engines[1:] or engines:
        yield tables.stages(smallest, engine, photos[:20], folder / f"stages-{engine}")
    yield tables.dense_crf(originals, chosen.rounds)
    yield tables.start_up(smallest, photos[0], chosen.rounds)
    yield tables.large_photo(smallest, engines, large, chosen.rounds)


def written(page: str, tables: str) -> str:
    """The page with new tables between the marks.

    Raises:
        SystemExit: It has no marks.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"the page has no marks {BEGIN} and {END}")
    return f"{before}{begin}\n\n{tables}\n{end}{after}"


def main() -> None:
    chosen = options()
    with tempfile.TemporaryDirectory(prefix="segcli-speed-") as name:
        os.environ["SEGCLI_CACHE_DIR"] = str(Path(name, "cache"))  # conversions of random networks help nobody later
        sections = []
        for section in report(chosen, Path(name)):
            print(section, flush=True)
            sections.append(section)
    if chosen.write:
        command = f"`python benchmarks/speed.py {' '.join(sys.argv[1:])}`".replace(" `", "`")
        text = "\n".join([f"{command} on", *sections])
        chosen.write.write_text(written(chosen.write.read_text(encoding="utf-8"), text), encoding="utf-8")


if __name__ == "__main__":
    main()
