"""`--dry-run`: what a run would take, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segcli.cli.display import Display
from segcli.cli.progress import clock, megabytes
from segcli.files import formats
from segcli.files.listing import chosen
from segcli.files.paths import shown
from segcli.files.sources import Source
from segcli.models.preprocessing import Preprocessing
from segcli.pipeline.run import FolderRun

if TYPE_CHECKING:
    from segcli.pipeline.estimate import Forecast
    from segcli.pipeline.film_estimate import FilmForecast
    from segcli.pipeline.giants.foresight import Foreseen
    from segcli.storage.address import Address
    from segcli.weights.lacking import Lacking


def report(display: Display, run: FolderRun, max_pixels: int, lacking: Lacking | None = None) -> None:
    """Try two photos of a run, and print what all would take; without its weights, what can be told without them."""
    if lacking is not None:
        _report_without(display, run, max_pixels, lacking)
        return
    from segcli.inference.transform import geometry
    from segcli.pipeline.giants.foresight import foreseen

    todo = run.find_todo()
    is_here = run.found.is_here  # else opening each of them would take as long as doing it
    films = _films(run, [source for source in todo if source.film and is_here])
    photos = chosen(todo, lambda source: not source.film)
    giants = [source for source in photos if is_here and run.stages.is_giant(source)]
    facts = run.forecast(chosen(photos, lambda source: source not in giants) if giants else photos, max_pixels)
    preprocessing = Preprocessing(**run.plan.recipe["preprocessing"])
    working = geometry(facts.size, preprocessing).padded if facts.photos else (0, 0)
    skipped = len(run.found.files) - len(todo)
    gsd = run.plan.recipe["input"].get("gsd")
    seen = f"{gsd:g} cm of ground a pixel" if gsd else f"{working[1]} x {working[0]}"
    for line in (*_lines(facts, skipped, seen, run.place), *_film_lines(films)):
        display.data(line)
    large = [foreseen(run.stages.giants(), source) for source in giants]
    for one in large:
        display.data(f"in parts      {one.input}: {one.how}{_cost(one)}")
    if run.found.unread:
        display.data(f"not read      {formats.unread(run.found.unread)}")
    counts = {"skipped": skipped, "ignored": run.found.ignored, "unread": dict(run.found.unread)}
    counts["working_size"] = None if gsd else list(working)
    counts |= {"films": asdict(films)} if films else {}
    counts |= {"giants": [one.to_dict() for one in large]} if large else {}
    display.json({"output": str(run.place), **_plain(facts), **counts})


def _report_without(display: Display, run: FolderRun, max_pixels: int, lacking: Lacking) -> None:
    """Print what the photos' headers tell, and which weights a run would fetch first."""
    from segcli.pipeline.estimate import counted

    run.check()
    films = len(chosen(run.found.files, lambda source: source.film))
    facts = counted(chosen(run.found.files, lambda source: not source.film), max_pixels)
    display.data(f"to do         {_photos(facts)}")
    if films:
        display.data(f"films         {films}")
    display.data(f"weights       {lacking}")
    display.data("not known     working size, time, memory and disk: only with the weights")
    if run.found.unread:
        display.data(f"not read      {formats.unread(run.found.unread)}")
    others = {"films": films, "ignored": run.found.ignored, "unread": dict(run.found.unread)}
    display.json({"output": str(run.place), **facts, **others, "lacking": lacking.to_dict()})


def _photos(facts: dict[str, int]) -> str:
    """Photos by their number and sizes, in words."""
    text = f"{facts['photos']} photo{'s' * (facts['photos'] != 1)}, {megabytes(facts['bytes'])}"
    text += f", {facts['pixels'] / 1e6:.1f} megapixels" if "pixels" in facts else ""
    return f"{text}; {facts['unreadable']} cannot be opened" if facts["unreadable"] else text


def _films(run: FolderRun, sources: Sequence[Source]) -> FilmForecast | None:
    """What films will take; None where there are none."""
    if not sources:
        return None
    from segcli.pipeline.film_estimate import forecast_films

    return forecast_films(sources, run.film_run())


def _film_lines(films: FilmForecast | None) -> list[str]:
    if films is None:
        return []
    known = "1 film" if films.films == 1 else f"{films.films} films"
    todo = f"{known}, {films.frames} frames by their headers"
    todo += f"; {films.unreadable} cannot be opened" if films.unreadable else ""
    if not films.seconds:
        return [f"films         {todo}"]
    rate = f"{films.seconds / films.frames:.2f} s per frame"
    return [f"films         {todo}: {clock(films.seconds)} ({rate}), {megabytes(films.disk)}"]


def _cost(one: Foreseen) -> str:
    """What a picture that is done in parts takes, in words; empty where it cannot be done."""
    return f"; {clock(one.seconds)}, {one.memory / 1e9:.2g} GB beside the network's" if one.seconds else ""


def _plain(facts: Forecast) -> dict[str, Any]:
    """A forecast as JSON-plain values; what it was reckoned by only where it was not all photos."""
    return {key: value for key, value in asdict(facts).items() if key != "by" or value}


def _lines(facts: Forecast, skipped: int, working: str, place: Path | Address) -> list[str]:
    todo = _photos(asdict(facts))
    todo += f"; {skipped} done before" if skipped else ""
    todo += f"; about, by {facts.by} of them" if facts.by else ""
    if not facts.photos:
        return [f"to do         {todo}"]
    memory = f"{facts.memory / 1e9:.1f} GB, the largest photo in it" if facts.memory else "not known on this system"
    height, width = facts.size
    free = f", {facts.free / 1e9:.1f} GB free" if isinstance(place, Path) else ""
    return [
        f"to do         {todo}",
        f"working size  {working} for a photo of {width} x {height}, the one in the middle",
        f"time          {clock(facts.seconds)} ({facts.seconds / facts.photos:.2f} s per photo)",
        f"memory        {memory}",
        f"disk          {megabytes(facts.disk)} in {shown(str(place))}{free}",
    ]
