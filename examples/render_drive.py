"""Render a drive down a street as a film, `drive.mp4` beside this file: see README.md there."""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from render_street import picture
from street import lens, light, scene

SIZE = (320, 240)
SAMPLES = 2
RATE = 12
"""Frames a second."""
FRAMES = 42
SPEED = 3.5
"""Metres a second."""
START = -8.0
"""Where the drive begins, in metres along the street."""
SCENE = (100, 2)
"""The seed and the index of the street, as in `render_street.SHOWCASE`."""


def frames(count: int = FRAMES, size: tuple[int, int] = SIZE) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The pictures, uint8 (H, W, 3), with their label maps, uint8 (H, W), with the ids of `CAMVID`."""
    rng = np.random.default_rng(SCENE)
    street = scene.build(rng, light.draw(rng, "fair", 0.6), "town")
    how = lens.Development(balance=0.3, contrast=1.1, vignette=0.15, noise=0.008)
    x, y, _ = street.camera.position
    for number in range(count):
        seconds = number / RATE
        bump = 0.01 * np.sin(2 * np.pi * 1.7 * seconds)
        camera = replace(
            street.camera,
            position=(x, y + bump, START + SPEED * seconds),
            yaw=street.camera.yaw + 0.02 * np.sin(2 * np.pi * 0.3 * seconds),
            pitch=street.camera.pitch + 0.3 * bump,
        )
        yield picture(replace(street, camera=camera), how, size, SAMPLES, np.random.default_rng([*SCENE, number]))


def write(path: Path, pictures: Iterator[np.ndarray]) -> None:
    """Write pictures as H.264 in MP4."""
    import av

    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=RATE, options={"crf": "26", "preset": "veryslow"})
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        context = stream.codec_context
        context.color_range = context.colorspace = context.color_primaries = context.color_trc = 1  # BT.709
        for number, rgb in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format="yuv420p", dst_colorspace="ITU709")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            container.mux(stream.encode(frame))
            print(f"{number + 1}/{FRAMES}", flush=True)
        container.mux(stream.encode())


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    default = Path(__file__).with_name("drive.mp4")
    parser.add_argument("out", type=Path, nargs="?", default=default, help="the film; examples/drive.mp4 unless said")
    options = parser.parse_args(arguments)
    write(options.out, (rgb for rgb, _ in frames()))


if __name__ == "__main__":
    main()
