"""How the check of a dataset looks: what is wrong and what is doubtful, each kind told once, and one JSON object."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from segcli.cli.display import Display
from segcli.cli.views.census import frequencies
from segcli.data.census import Census
from segcli.data.check import Problem
from segcli.data.dataset import Dataset
from segcli.data.doubts import Doubt
from segcli.files.paths import shown
from segcli.images.measure import Measured
from segcli.images.reading import PhotoReading

SHOWN = 50
"""The number of lines of problems, and of doubts, that are shown."""
ALIKE = 4
"""So many problems that differ in file and numbers only are told in one line."""


def report(
    display: Display,
    parts: Sequence[Dataset],
    problems: Sequence[Problem],
    doubts: Sequence[Doubt],
    census: Census,
    found: Measured,
) -> None:
    """Print what is wrong and what is doubtful, how often each class occurs, what photos hold, and a verdict."""
    _lines(display, problems, "")
    _lines(display, doubts, "warning: ")
    display.table(frequencies(parts[0].labels, census))
    values = _values(found, parts[0].photos)
    for one in values:
        display.data("{photos} photos hold {kind} from {lowest:g} to {highest:g}".format(**one) + _scaled(one["range"]))
    counts = ", ".join(f"{len(part)} samples in {part.split}" for part in parts)
    verdict = _count(len(problems), "problem") or "no problems"
    if doubts:
        verdict += f", {_count(len(doubts), 'warning')}"
    display.data(f"{parts[0].name}: {counts}; {verdict}")
    display.json(_facts(parts, problems, doubts, census) | ({"values": values} if values else {}))


def _values(found: Measured, reading: PhotoReading) -> list[dict[str, Any]]:
    """What photos of more than 8 bits hold, by kind, and the range that they are read by, as JSON-plain values."""
    by_hand = reading.value_range if isinstance(reading.value_range, tuple) else None
    return [
        {"kind": kind, "photos": found.looked_at[kind], "lowest": low, "highest": high}
        | {"range": list(by_hand or found.ranges[kind])}
        for kind, (low, high) in found.extremes.items()
    ]


def _scaled(bounds: Sequence[float]) -> str:
    return "; {:g} becomes black and {:g} white".format(*bounds)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}" if number else ""


def _lines(display: Display, found: Sequence[Problem | Doubt], mark: str) -> None:
    lines = list(folded(found))
    for line in lines[:SHOWN]:
        display.data(f"{mark}{line}")
    if len(lines) > SHOWN:
        display.data(f"{mark}and {len(lines) - SHOWN} more lines; --json lists them all")


def folded(found: Iterable[Problem | Doubt]) -> list[str]:
    """A line for each problem or doubt; many that differ in file and numbers only have one line with their count."""
    groups: dict[tuple[str, str, str], list[Problem | Doubt]] = {}
    for one in found:
        groups.setdefault((one.kind, _pattern(one, one.detail), _pattern(one, one.hint)), []).append(one)
    lines = []
    for (kind, *_), alike in groups.items():
        if len(alike) >= ALIKE:
            lines.append(f"{kind:9} {len(alike)} times, such as: {alike[0].detail}  {alike[0].hint}")
        else:
            lines += [f"{kind:9} {one.detail}  {one.hint}" for one in alike]
    return lines


def _pattern(one: Problem | Doubt, text: str) -> str:
    """A text without what differs from sample to sample: names and numbers."""
    for name in filter(None, (shown(one.file), shown(one.sample))):
        text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", "*", text)
    return re.sub(r"\S*/\S+|\d+", "*", text)


def _facts(
    parts: Sequence[Dataset], problems: Sequence[Problem], doubts: Sequence[Doubt], census: Census
) -> dict[str, Any]:
    names, reading = (*parts[0].labels.names, "void"), parts[0].reading
    return {
        "dataset": parts[0].name,
        "samples": {part.split: len(part) for part in parts},
        "problems": [_plain(problem) for problem in problems],
        "warnings": [_plain(doubt) for doubt in doubts],
        **({"reading": reading.to_dict()} if reading is not None else {}),
        "pixels": dict(zip(names, census.pixels.tolist(), strict=True)),
        "labels_with_class": dict(zip(names, census.images.tolist(), strict=True)),
    }


def _plain(one: Problem | Doubt) -> dict[str, str]:
    return {**vars(one), "file": str(one.file)}
