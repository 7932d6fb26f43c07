"""How a run that fills an output folder looks: progress, failed photos, the last line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from segcli.cli.display import Display
from segcli.cli.progress import clock
from segcli.errors import EXIT_OK
from segcli.files import formats
from segcli.files.paths import shown
from segcli.pipeline.progress import FilmProgress, GiantProgress, Progress
from segcli.pipeline.records import EMPTY_CUTOUT
from segcli.pipeline.run import FolderRun
from segcli.pipeline.summary import Summary
from segcli.storage.address import Address


def follow(run: FolderRun, display: Display, doing: str, done: str) -> int:
    """Do the run's work, say how far it is and what came of it, and give the exit code.

    Args:
        run: The work.
        display: How to speak.
        doing: What happens to each photo, as a word for the progress: "segmenting".
        done: What has happened then: "segmented".
    """
    said: set[tuple[str, str]] = set()
    empty = 0
    try:
        count = len(run.begin())
        _tell_of_others(run, display)
        with display.counting(count, doing) as counter:
            run.watch = lambda progress: counter.part(progress.path.name, how_far(progress), progress.share)
            for record in run:
                counter.advance()
                empty += EMPTY_CUTOUT in record.notes
                for note in record.notes:
                    if (record.input, note) not in said:  # what is true of a file is true of each of its pages
                        counter.remark(f"{record.input}: {note}")
                said.update((record.input, note) for note in record.notes)
                if record.error:
                    told = record.error if record.input in record.error else f"{record.input}: {record.error}"
                    display.failure(f"failed: {told}")
    except KeyboardInterrupt:
        display.say("interrupted: what is done is kept, and the same command goes on from there")
        raise
    summary = run.finish()
    if summary is None:
        return EXIT_OK
    if not display.quiet:
        _tell_of_results(summary, display, empty)
        display.data(_sentence(summary, done, run.place))
        _tell_of_earlier(summary, display)
    _tell_lost(display, summary)
    display.pieces(summary.json())
    return summary.exit_code


def _tell_of_results(summary: Summary, display: Display, empty: int) -> None:
    """Say what the last line has no room for; `empty` is the number of cutouts without a pixel."""
    if summary.min_area:
        specks = "1 region" if summary.specks == 1 else f"{summary.specks} regions"
        files = "label files" if summary.objects is None else "label files and objects"
        display.data(f"left out {specks} below {summary.min_area} pixels, only from the {files}")
    if summary.objects is not None:
        display.data(_counts(summary.objects))
    if empty:
        display.data(f"{empty} of the cutouts {'is' if empty == 1 else 'are'} empty")
    for name, count in summary.apart.items():
        photos = f"{count} photo{'s' * (count != 1)}"
        display.say(f"{name} lacks {photos} made with another model, other classes or another --min-area")


def _tell_of_earlier(summary: Summary, display: Display) -> None:
    """Say that the folder also has results of photos that only earlier runs were given."""
    if summary.others:
        photos = "1 photo that is" if summary.others == 1 else f"{summary.others} photos that are"
        display.say(f"{summary.output} also has the results of {photos} not in this run; areas.csv lists them too")


def _tell_of_others(run: FolderRun, display: Display) -> None:
    """Say that the folder holds results of other settings, of which some stay beside the new ones."""
    count = run.ledger.count_of_others(run.todo, run.plan.settings_for) if run.todo else 0
    if count:
        photos = "1 photo was" if count == 1 else f"{count} photos were"
        display.say(f"{run.place}: {photos} done with other settings before, and will be done again.")
        display.say(
            "Old files of kinds that --save does not name now stay there. To keep both results, choose another "
            "folder with --output."
        )


def _tell_lost(display: Display, summary: Summary) -> None:
    """Name what was not read and should have been; quiet commands say it too."""
    for path in summary.damaged:
        display.failure(f"not read: {shown(path)} is named like a photo, and holds none")
    if formats.extras(summary.unread) and (display.quiet or display.as_json):  # the sentence is not shown
        display.failure(f"not read: {formats.unread(summary.unread)}")


def how_far(progress: Progress) -> str:
    """How far a film is, or a picture that is done in parts, in a few words."""
    return _film(progress) if isinstance(progress, FilmProgress) else _giant(progress)


def _film(progress: FilmProgress) -> str:
    """How far a film is, in frames and in its own time."""
    seconds, ends = progress.seconds, progress.ends
    if ends is not None:
        times = f"{clock(seconds)} of {clock(ends)}" if ends >= 60 else f"{seconds:.1f} of {ends:.1f} s"
        return f"frame {progress.frames}, {times}"
    of = f" of {progress.count}" if progress.count else ""
    return f"frame {progress.frames}{of}, {clock(seconds)}"


def _giant(progress: GiantProgress) -> str:
    """How far a picture is, in windows and in megapixels."""
    pixels = f"{progress.pixels / 1e6:.0f} of {progress.of_pixels / 1e6:.0f} MP"
    if progress.stage == "values":
        return f"looking at its values, {pixels}"
    if progress.stage == "files":
        return "writing its files"
    window, (number, passes) = f"window {progress.windows} of {progress.of_windows}", progress.passes
    return f"{window}, {pixels}" if passes == 1 else f"pass {number} of {passes}, {window}"


def _counts(objects: Mapping[str, int]) -> str:
    """The number of objects in all, and of each class."""
    each = ", ".join(f"{count} {name}" for name, count in objects.items())
    return f"objects: {sum(objects.values())}{f' ({each})' if each else ''}"


def _sentence(summary: Summary, done: str, folder: Path | Address) -> str:
    parts = [f"{summary.segmented} {done}"]
    if summary.skipped:
        parts.append(f"{summary.skipped} done before")
    if summary.failed:
        parts.append(f"{summary.failed} failed (why: {folder / 'manifest.jsonl'})")
    if summary.ignored:
        parts.append(f"{summary.ignored} other files ignored")
    unread = f"; not read: {formats.unread(summary.unread)}" if summary.unread else ""
    return f"{', '.join(parts)}: {folder}{unread}"
