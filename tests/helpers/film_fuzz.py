"""Damages films at random, reads each in a process of its own time, and says whether any crashed it or held it up.

    python tests/helpers/film_fuzz.py --count 500

A film ends as frames, perhaps with a word on why they end, or as an InputError; anything else is told, and so is one
that took longer than `--limit` seconds.
"""

import argparse
import multiprocessing
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import films
import numpy as np
from films import UNEVEN, cards

from segcli.errors import InputError
from segcli.films.opening import open_film
from segcli.films.options import FilmOptions

FORMS = ("mp4", "matroska", "avi", "mpegts", "flv")


def originals(folder: Path) -> list[bytes]:
    """Whole films of several containers, and moving pictures."""
    made = [films.write(folder / form, cards(24), UNEVEN[:24], sound="aac", form=form) for form in FORMS[:3]]
    made += [films.write(folder / form, cards(24), form=form) for form in FORMS[3:]]
    made += [films.write_gif(folder / f"moving.{form}", cards(8), [100] * 8) for form in ("gif", "webp")]
    return [path.read_bytes() for path in made]


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """The same with bytes changed, or a stretch cut out, doubled, zeroed or swapped; sometimes in the header alone."""
    values = np.frombuffer(data, np.uint8).copy()
    reach = len(values) if rng.random() < 0.5 else min(len(values), 2000)
    start = int(rng.integers(reach))
    stop = min(len(values), start + int(rng.integers(1, 400)))
    match rng.integers(6):
        case 0:
            places = rng.integers(0, reach, int(rng.integers(1, 40)))
            values[places] = rng.integers(0, 256, len(places))
        case 1:
            values = values[: max(20, start)]
        case 2:
            values = np.concatenate([values[:start], values[stop:]])
        case 3:
            values = np.concatenate([values[:stop], values[start:]])
        case 4:
            values[start:stop] = 0
        case _:
            values[start : start + 4] = 255  # sizes and counts that are far too large
    return values.tobytes()


def read(path: Path) -> str:
    """What becomes of a film."""
    try:
        film = open_film(path)
        count = 0
        for frame in film.frames(FilmOptions()):
            frame.draw()
            count += 1
    except (InputError, OSError) as error:
        return "refused" if isinstance(error, InputError) else f"OSError {error}"
    return "broke off" if film.broken else "read" if count else "empty"


def _serve(paths, answers) -> None:
    for path in iter(paths.get, None):
        try:
            answers.put(read(path))
        except BaseException as error:
            answers.put(f"{type(error).__name__}: {error}")


def outcomes(paths: list[Path], limit: float) -> Iterator[tuple[Path, str, float]]:
    """Each film's outcome and seconds; the reading process is started anew where one crashed or hung it."""
    context = multiprocessing.get_context("spawn")
    worker = asked = answers = None
    for path in paths:
        if worker is None or not worker.is_alive():
            asked, answers = context.Queue(), context.Queue()
            worker = context.Process(target=_serve, args=(asked, answers), daemon=True)
            worker.start()
        asked.put(path)
        start = time.monotonic()
        outcome = None
        while outcome is None:
            if not answers.empty():
                outcome = answers.get()
            elif not worker.is_alive():
                outcome = f"CRASH {worker.exitcode}"
            elif time.monotonic() - start > limit:
                outcome = "HANG"
                worker.kill()
                worker.join()
            else:
                time.sleep(0.002)
        yield path, outcome, time.monotonic() - start
    if worker is not None:
        asked.put(None)
        worker.join()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=float, default=60.0, help="seconds a film")
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        whole = originals(folder)
        paths = []
        for number in range(options.count):
            paths.append(folder / f"{number:04}.film")
            paths[-1].write_bytes(damaged(whole[number % len(whole)], rng))
        counts, longest = Counter(), 0.0
        for path, outcome, seconds in outcomes(paths, options.limit):
            counts[outcome] += 1
            longest = max(longest, seconds)
            if outcome not in ("read", "broke off", "refused", "empty"):
                print(path.name, outcome, flush=True)  # noqa: T201
    print(dict(counts), f"longest {longest:.1f} s")  # noqa: T201


if __name__ == "__main__":
    main()
