"""Small films, written by PyAV alone."""

import struct
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image

TICK = Fraction(1, 19200)
UNEVEN = [round((index // 6 * 0.25 + (0, 1, 3.5, 4, 5, 6)[index % 6] / 30) / TICK) for index in range(48)]
"""The times of 48 frames as a phone writes them, with gaps from 1/60 to 1/12 s, in ticks."""
CLOCKWISE = (0, 1, -1, 0)
"""The turn that a phone held upright writes into its films."""


def card(width: int = 64, height: int = 48, step: int = 0) -> np.ndarray:
    """A picture whose top left is red, top right green, bottom left blue, bottom right white; a bar moves with `step`.

    uint8 (height, width, 3).
    """
    rgb = np.empty((height, width, 3), np.uint8)
    rgb[: height // 2, : width // 2], rgb[: height // 2, width // 2 :] = (200, 30, 30), (30, 180, 30)
    rgb[height // 2 :, : width // 2], rgb[height // 2 :, width // 2 :] = (30, 30, 200), (230, 230, 230)
    column = 4 * step % width
    rgb[:, column : column + 4] = 0
    return rgb


def cards(count: int, width: int = 64, height: int = 48) -> list[np.ndarray]:
    """So many of them, each a step on."""
    return [card(width, height, step) for step in range(count)]


def write(
    path: Path,
    pictures: Sequence[np.ndarray],
    times: Sequence[int] | None = None,
    *,
    tick: Fraction = TICK,
    sound: str | None = None,
    form: str = "mp4",
    keys: int = 12,
) -> Path:
    """Write pictures as H.264.

    Args:
        path: The file.
        pictures: uint8 (H, W, 3) each.
        times: Each one's time in ticks; None: 30 a second.
        tick: Seconds a tick.
        sound: The codec of a second stream of half a second's noise and more; None: no sound.
        form: The container, by FFmpeg's name.
        keys: Frames from one key frame to the next.
    """
    import av

    times = times or [round(index / 30 / tick) for index in range(len(pictures))]
    flags = {"movflags": "+faststart"} if form in ("mp4", "mov") else {}
    with av.open(str(path), "w", format=form, options=flags) as container:
        stream = container.add_stream("libx264", rate=30, options={"crf": "10", "preset": "fast", "g": str(keys)})
        stream.height, stream.width, stream.pix_fmt = *pictures[0].shape[:2], "yuv420p"
        stream.time_base = stream.codec_context.time_base = tick
        noise = container.add_stream(sound, rate=16000) if sound else None
        for rgb, ticks in zip(pictures, times, strict=True):
            frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
            frame.pts, frame.time_base = ticks, tick
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        if noise is not None:
            _add_sound(container, noise, float(times[-1] * tick))
    return path


def _add_sound(container, stream, seconds: float) -> None:
    import av

    values = np.random.default_rng(0).normal(0, 0.1, (1, int(16000 * seconds) + 1024)).astype(np.float32)
    frame = av.AudioFrame.from_ndarray(values, format="fltp", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = 16000, 0, Fraction(1, 16000)
    resampler = av.AudioResampler(stream.codec_context.format, stream.codec_context.layout, 16000)
    for part in resampler.resample(frame):
        container.mux(stream.encode(part))
    container.mux(stream.encode())


def turn(path: Path, directions: tuple[int, int, int, int]) -> None:
    """Give the first track of an MP4 a display matrix (a, b, c, d), each -1, 0 or 1."""
    data = bytearray(path.read_bytes())
    a, b, c, d = (65536 * value for value in directions)
    place = data.index(b"tkhd") + 4 + 40
    data[place : place + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)


def write_gif(path: Path, pictures: Iterable[np.ndarray], milliseconds: Sequence[int]) -> Path:
    """Write a moving GIF, or WebP, by Pillow."""
    first, *rest = map(Image.fromarray, pictures)
    first.save(path, save_all=True, append_images=rest, duration=list(milliseconds), lossless=True)
    return path


def times(path: Path) -> list[Fraction]:
    """The time of every frame of a film, in seconds, as PyAV alone gives it."""
    import av

    with av.open(str(path)) as container:
        return [frame.pts * frame.time_base for frame in container.decode(video=0)]


def pixels(path: Path, form: str = "rgb24") -> list[np.ndarray]:
    """The pixels of every frame of a film, as they are stored."""
    import av

    with av.open(str(path)) as container:
        return [frame.to_ndarray(format=form) for frame in container.decode(video=0)]


def sounds(path: Path) -> list[tuple[Fraction, bytes]]:
    """The time and the bytes of every packet of sound."""
    import av

    with av.open(str(path)) as container:
        return [(one.pts * one.time_base, bytes(one)) for one in container.demux(audio=0) if one.size]
