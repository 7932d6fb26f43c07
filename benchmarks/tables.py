"""The tables of the speed report, each measured when it is asked for."""

import math
import shutil
import statistics
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import contenders
import crf
import processes
import torch
from contenders import Contender
from measuring import Timings, in_turns, table

from segcli.errors import SegcliError
from segcli.files.atomic import sha256
from segcli.images import overlay
from segcli.images.masks import areas, write_label_map
from segcli.images.read import read_photo
from segcli.inference import uncertainty
from segcli.inference.prediction import Prediction
from segcli.inference.segmenter import Segmenter
from segcli.inference.transform import to_input
from segcli.labels import VOC
from segcli.pipeline.ledger import Ledger, open_folder
from segcli.pipeline.records import DONE, Record

SPEED = [
    "",
    "billion multiply-adds",
    "network, ms",
    "core-ms",
    "of the peak",
    "x fastest peer",
    "folder, photos/s",
    "core-ms a photo",
    "x fastest peer",
    "of the network's own rate",
]
NETWORK_SECONDS = 1.5
"""The seconds of passes that make one measurement of a network."""


def contenders_of(variant: str, path: Path, engines: Sequence[str], photos: Sequence[Path]) -> list[Contender]:
    """A variant's contenders: ours, then the peers that are installed."""
    compared = []
    for engine in engines:
        try:
            compared.append(contenders.ours(path, engine, photos))
        except SegcliError as error:  # a random network's labels may hang on the last digits
            print(f"{variant} cannot run under {engine}: {error.message}", file=sys.stderr)
    return compared + [contenders.theirs(peer, photos) for peer in contenders.PEERS[variant] if peer.version()]


def speed(
    variant: str, compared: Sequence[Contender], photos: Sequence[Path], output: Path, rounds: int, peak: float
) -> str:
    """The table of a variant's network time and folder rate, beside its peers'."""
    networks = network_times(compared, rounds)
    folders = folder_times(compared, photos, output, rounds)
    peers = [contender.name for contender in compared if not contender.is_ours]
    fastest = [min((times[name].seconds for name in peers), default=math.nan) for times in (networks, folders)]
    rows = []
    for contender in compared:
        network, whole = networks[contender.name], folders[contender.name]
        rows.append(
            [
                contender.name,
                f"{contender.multiply_adds / 1e9:.1f}",
                f"{network.seconds * 1000:.0f}",
                f"{network.core_seconds * 1000:.0f}",
                f"{contender.multiply_adds / network.seconds / peak:.0%}",
                f"{fastest[0] / network.seconds:.2f}",
                f"{1 / whole.seconds:.2f}",
                f"{whole.core_seconds * 1000:.0f}",
                f"{fastest[1] / whole.seconds:.2f}",
                f"{network.seconds / whole.seconds:.0%}",
            ]
        )
    return f"### {variant}\n\n{table(SPEED, rows)}"


def network_times(compared: Sequence[Contender], rounds: int) -> dict[str, Timings]:
    """The times of passes of one photo each, the contenders in turns."""

    def run(contender: Contender) -> Callable[[], object]:
        return torch.inference_mode()(lambda: contender.network(contender.example))

    works = {contender.name: run(contender) for contender in compared}
    slowest = max(timing.seconds for timing in in_turns(works, 1).values())
    return in_turns(works, rounds, max(1, round(NETWORK_SECONDS / slowest)))


def folder_times(
    compared: Sequence[Contender], photos: Sequence[Path], output: Path, rounds: int
) -> dict[str, Timings]:
    """The times a photo, from the first file's opening to the last's closing; a round takes a part of the folder."""
    timings = {contender.name: Timings() for contender in compared}
    order = list(compared)
    for part in range(rounds):
        for contender in order:
            with timings[contender.name].one() as done:
                done.extend(contender.segment(photos[part::rounds], output))
            shutil.rmtree(output)
        order.reverse()
    return timings


def stages(path: Path, engine: str, photos: Sequence[Path], output: Path) -> str:
    """The table of one photo's processor time by stage: every stage alone, one after the other."""
    segmenter = contenders.segmenter(path, engine)
    open_folder(output)
    ledger = Ledger(output)
    timings: dict[str, Timings] = {}
    _time_stages(photos[0], segmenter, ledger, {})  # warms up
    for photo in photos:
        _time_stages(photo, segmenter, ledger, timings)
    total = sum(timing.core_seconds for timing in timings.values())
    rows = [
        [stage, f"{timing.core_seconds * 1000:.1f}", f"{timing.core_seconds / total:.1%}"]
        for stage, timing in timings.items()
    ]
    heading = f"### Where a photo's processor time goes ({path.stem}, {engine})\n\n"
    return heading + table(["stage", "core-ms", "share"], [*rows, ["all", f"{total * 1000:.1f}", ""]])


def _time_stages(photo: Path, segmenter: Segmenter, ledger: Ledger, timings: dict[str, Timings]) -> None:
    def time(stage: str, work: Callable[[], Any]) -> Any:
        return timings.setdefault(stage, Timings()).add(work)

    mask, drawn = ledger.folder / "mask.png", ledger.folder / "overlay.jpg"
    time("hash", lambda: sha256(photo))
    rgb = time("decode", lambda: read_photo(photo).rgb)
    batch, place = time("resize, normalise, pad", lambda: to_input(rgb, segmenter.preprocessing))
    scores = time("network", torch.inference_mode()(lambda: segmenter.network(batch)))
    prediction = Prediction(scores, place, segmenter.model.spec.align_corners)
    label_map = time("enlarge, decide", prediction.labels)
    time("areas, uncertainty", lambda: (areas(label_map, len(VOC)), uncertainty.uncertainty(prediction)))
    time("mask", lambda: write_label_map(mask, label_map, VOC))
    picture = time("draw overlay", lambda: overlay.overlay(rgb, label_map, VOC))
    time("write overlay", lambda: overlay.write_overlay(drawn, picture))
    time("ledger", lambda: ledger.append(Record(photo.stem, str(photo), DONE)))


def dense_crf(photos: Path, rounds: int) -> str:
    """The table of the fully connected CRF beside pydensecrf, on what the model that ships says of photos."""
    lines = crf.report(crf.cases(photos, None, "street", 500), rounds)
    return "### The fully connected CRF, 10 iterations (street, 500 pixels)\n\n" + "\n".join(lines) + "\n"


def start_up(path: Path, photo: Path, rounds: int) -> str:
    """The table of the seconds from a command to its end."""
    timings = processes.start_up(path, photo, rounds)
    rows = [[name, f"{timing.seconds:.2f}"] for name, timing in timings.items()]
    return f"### Starting up\n\n{table(['command', 'seconds'], rows)}"


def large_photo(path: Path, engines: Sequence[str], photo: Path, rounds: int) -> str:
    """The table of one photo of 4000x3000, each time in a new process."""
    kinds = {f"segcli, {engine}": engine for engine in engines}
    peer = contenders.PEERS["v3plus-mobilenetv2"][0]
    if peer.version():
        kinds[peer.name] = "peer"
    found = {name: [] for name in kinds}
    for _ in range(rounds):
        for name, kind in kinds.items():
            found[name].append(processes.at_12_megapixels(kind, path, photo, torch.get_num_threads()))
    rows = []
    for name, results in found.items():
        seconds, idle, more = (statistics.median(column) for column in zip(*results, strict=True))
        rows.append([name, f"{seconds:.2f}", f"{idle / 1e9:.2f}", f"{more / 1e9:.2f}"])
    heading = f"### One photo of 4000x3000, 21 classes ({path.stem})\n\n"
    return heading + table(["", "seconds", "GB, idle", "GB more at most"], rows)
