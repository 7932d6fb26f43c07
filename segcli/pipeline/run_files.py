"""Run files: run.toml, and those of earlier runs with other settings whose results still stand in the folder.

run.toml tells how the last run was made. Where results of other settings stand beside its own, theirs is kept as
run.FINGERPRINT.toml, so that the tables can say which photo was made how.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segcli import decoding
from segcli.decoding import DecodingError
from segcli.files.atomic import write_whole
from segcli.files.encoding import to_json
from segcli.pipeline.records import RUN_FILE, fingerprint

EARLIER = "run.{}.toml"
"""The name of the run file of an earlier run, by its fingerprint."""
_OF_A_RUN = ("segcli", "started", "inputs", "options")
"""What it says of the run and not of its settings."""
_FILM = "film"


@dataclass(frozen=True)
class RunSettings:
    """The settings that a run file tells.

    Attributes:
        name: The file's name; empty where there is no file.
        photos, films: The fingerprints of what was made of photos and of films by them.
        measured: What areas and certainty depend on: two runs that agree here made the same of a photo.
        joined: What files of the whole run need to agree on, such as the classes.
    """

    name: str
    photos: str
    films: str
    measured: str
    joined: str

    @classmethod
    def of(cls, name: str, stated: Mapping[str, Any]) -> RunSettings:
        """The settings of a run file's values."""
        values = {key: value for key, value in stated.items() if key not in _OF_A_RUN}
        films = fingerprint(values)
        values.pop(_FILM, None)
        outputs = values.get("outputs", {})
        chosen = {key: outputs.get(key) for key in ("classes", "min_area", "fill_holes", "geojson_crs")}
        network = {key: value for key, value in values.get("model", {}).items() if key not in ("engine", "int8")}
        measured = {**values, "outputs": outputs.get("classes")}
        joined = (network, values.get("prior"), values.get("classes"), chosen)
        return cls(name, fingerprint(values), films, *(to_json(part, sort_keys=True) for part in (measured, joined)))


def keep(folder: Path, known: Iterable[str], settings: tuple[str, str]) -> None:
    """Keep a folder's run.toml as that of an earlier run, where results were made by it and the next run differs.

    Args:
        folder: The output folder.
        known: The fingerprints of all records.
        settings: Those of the next run, for photos and for films.
    """
    known = set(known).difference(settings)
    run = _read(folder / RUN_FILE) if known else None
    if run is None or run.photos == settings[0] or not {run.photos, run.films} & known:
        return
    with write_whole(folder / EARLIER.format(run.photos)) as file:
        file.write((folder / RUN_FILE).read_bytes())


def tidy(folder: Path, used: Iterable[str]) -> None:
    """Remove the files of earlier runs of which no result is left, or whose settings are the last run's."""
    runs, used = list(_earlier(folder)), set(used)
    last = _read(folder / RUN_FILE) if runs else None
    for run in runs:
        if not {run.photos, run.films} & used or (last and run.photos == last.photos):
            (folder / run.name).unlink(missing_ok=True)


def all_of(folder: Path) -> dict[str, RunSettings]:
    """What the run files of a folder tell, by fingerprint; run.toml goes before the others."""
    last = _read(folder / RUN_FILE)
    runs = [*_earlier(folder), *([last] if last else [])]
    return {settings: run for run in runs for settings in (run.photos, run.films)}


def _earlier(folder: Path) -> Iterator[RunSettings]:
    for path in sorted(folder.glob(EARLIER.format("*"))):
        if (run := _read(path)) is not None and path.name == EARLIER.format(run.photos):
            yield run


def _read(path: Path) -> RunSettings | None:
    """What a run file tells; None where there is none, or it is damaged."""
    try:
        return RunSettings.of(path.name, decoding.read_toml(path))
    except (OSError, DecodingError, AttributeError, TypeError, ValueError):  # from the third on: somebody has edited it
        return None
