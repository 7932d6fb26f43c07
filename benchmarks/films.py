"""Frames per second of `segcli predict` on a film, beside the loop that one would write with PyAV and the same network.

    pip install segmentation-models-pytorch
    python benchmarks/films.py examples/drive.mp4

Both decode, see each frame at 513 pixels (smp: 512), write an overlay as H.264. segcli's part includes all it does: the
label film, the areas of each frame, segments and records.
"""

import argparse
import tempfile
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from pathlib import Path, PurePosixPath

import contenders
import numpy as np
import torch
from measuring import in_turns, machine, table
from PIL import Image
from torch import nn
from torch.nn import functional as F

from segcli.files.sources import Source
from segcli.films.frame import Frame
from segcli.films.opening import open_film
from segcli.films.options import FilmOptions
from segcli.images.reading import PLAIN
from segcli.labels import VOC
from segcli.pipeline import stages
from segcli.pipeline.film import FilmRun
from segcli.pipeline.outputs import Outputs

VARIANT = "v3plus-mobilenetv2"


def ours(checkpoint: Path, engine: str, steady: bool, film: Path) -> Callable[[], int]:
    """Does the film as `segcli predict` does, and gives its number of frames."""
    network = stages.network(contenders.segmenter(checkpoint, engine))
    passed = stages.Stages(_photo, network, open_film=open_film)

    def work() -> int:
        with tempfile.TemporaryDirectory() as folder:
            outputs = Outputs(Path(folder), VOC, contenders.KINDS, {"model": VARIANT})
            run = FilmRun(passed, outputs, FilmOptions(steady=steady), "benchmark")
            return run.record(Source(film, PurePosixPath("film"), film=True)).frames

    return work


def _photo(frame: Frame):
    return frame.photo(PLAIN)


def theirs(network: nn.Module, size: int, film: Path, target: Path) -> int:
    """The loop of the tutorials, which gives its number of frames."""
    import av

    colours = torch.from_numpy(VOC.colours()[: len(VOC)].copy())
    with av.open(str(film)) as source, av.open(str(target), "w") as written:
        stream = source.streams.video[0]
        stream.thread_type = "AUTO"
        out = written.add_stream(
            "libx264", rate=Fraction(stream.average_rate), options={"crf": "20", "preset": "veryfast"}
        )
        out.width, out.height, out.pix_fmt = stream.width, stream.height, "yuv420p"
        count = 0
        for frame in source.decode(stream):
            count += 1
            rgb = frame.to_ndarray(format="rgb24")
            with torch.inference_mode():
                logits = network(contenders.normal(rgb, size))
                labels = F.interpolate(logits, rgb.shape[:2], mode="bilinear", align_corners=False).argmax(1)[0]
            drawn = Image.blend(Image.fromarray(rgb), Image.fromarray(colours[labels].numpy()), 0.5)
            written.mux(out.encode(av.VideoFrame.from_image(drawn)))
        written.mux(out.encode())
    return count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("film", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        photo = folder / "frame.png"
        Image.fromarray(next(open_film(options.film).frames(FilmOptions())).draw()).save(photo)
        checkpoint = contenders.checkpoint(VARIANT, [photo, photo], folder / "model.safetensors")
        peer = contenders.PEERS[VARIANT][0]
        example = contenders.normal(np.asarray(Image.open(photo)), peer.size)
        network = contenders.calibrated(peer.make(), torch.cat([example, example]))
        works = {f"PyAV and {peer.name}": partial(theirs, network, peer.size, options.film, folder / "out.mp4")}
        for engine in filter(contenders.usable, ("torch", "onnx")):
            for steady in (False, True):
                works[f"segcli, {engine}{', steady' if steady else ''}"] = ours(
                    checkpoint, engine, steady, options.film
                )
        counts = {name: work() for name, work in works.items()}
        timings = in_turns(works, options.rounds)
    first = next(iter(timings.values())).seconds
    rows = [
        (
            name,
            f"{counts[name] / one.seconds:.2f}",
            f"{first / one.seconds:.2f}",
            f"{1000 * one.core_seconds / counts[name]:.0f}",
        )
        for name, one in timings.items()
    ]
    print(f"{options.film}, {counts[next(iter(counts))]} frames; {machine(['torch', 'onnxruntime', 'av'])}\n")
    print(table(["way", "frames a second", "of the first", "core-ms a frame"], rows))


if __name__ == "__main__":
    main()
