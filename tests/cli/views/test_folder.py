"""How a run that fills a folder ends."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from segcli.cli.display import Display
from segcli.cli.views.folder import follow, how_far
from segcli.pipeline.progress import FilmProgress, GiantProgress
from segcli.pipeline.summary import Summary


class Run:
    """A run that is over before it begins."""

    folder = place = Path("out")
    todo = ()

    def __init__(self, **counts):
        named = {"segmented": 5, "skipped": 0, "failed": 0, "ignored": 0, "records": ()} | counts
        self.summary = Summary(self.folder, **named)

    def begin(self) -> list:
        return []

    def __iter__(self):
        return iter(())

    def finish(self) -> Summary:
        return self.summary


def ended(capsys, display: Display, **counts) -> tuple[int, str, str]:
    """The exit code, and what stands on stdout and stderr."""
    code = follow(Run(**counts), display, "segmenting", "segmented")
    return code, *capsys.readouterr()


@pytest.mark.parametrize(
    ("progress", "words"),
    [
        (FilmProgress(Path("a"), 20, 51, 1.37, 0.0, 3.4), "frame 20, 1.4 of 3.4 s"),
        (FilmProgress(Path("a"), 2000, None, 80.0, 0.0, 3700.2), "frame 2000, 0:01:20 of 1:01:40"),
        (FilmProgress(Path("a"), 3, 12, 0.2), "frame 3 of 12, 0:00:00"),
        (GiantProgress(Path("a"), "values", 0, 840, (1, 1), 10**7, 4 * 10**8), "looking at its values, 10 of 400 MP"),
        (GiantProgress(Path("a"), "labels", 87, 840, (1, 1), 38 * 10**6, 4 * 10**8), "window 87 of 840, 38 of 400 MP"),
        (GiantProgress(Path("a"), "mean", 87, 840, (1, 2), 0, 4 * 10**8), "pass 1 of 2, window 87 of 840"),
        (GiantProgress(Path("a"), "files", 840, 840, (1, 1), 4 * 10**8, 4 * 10**8), "writing its files"),
    ],
)
def test_how_far_a_film_or_a_picture_in_parts_is(progress, words):
    assert how_far(progress) == words


def test_photos_that_an_extra_would_read_are_an_error_with_its_install_line(capsys):
    unread = {"HEIC": 12, "camera raw": 3, "PDF": 1}
    code, out, _ = ended(capsys, Display(), ignored=2, unread=unread)
    assert code == 3
    assert out == (
        "5 segmented, 2 other files ignored: out; "
        "not read: 12 HEIC (pip install pillow-heif), 3 camera raw (pip install rawpy), 1 PDF\n"
    )


def test_formats_that_nothing_reads_are_told_and_are_no_error(capsys):
    assert ended(capsys, Display(), unread={"PDF": 1})[:2] == (0, "5 segmented: out; not read: 1 PDF\n")
    assert ended(capsys, Display())[:2] == (0, "5 segmented: out\n")


def test_a_quiet_run_says_why_it_ends_with_3(capsys):
    code, out, err = ended(capsys, Display(quiet=True), unread={"HEIC": 1, "PDF": 1})
    assert (code, out, err) == (3, "", "not read: 1 HEIC (pip install pillow-heif), 1 PDF\n")
    assert ended(capsys, Display(quiet=True), unread={"PDF": 1}) == (0, "", "")


def test_json_has_the_counts_by_format(capsys):
    code, out, err = ended(capsys, Display(as_json=True), unread={"JPEG XL": 2, "video": 1})
    assert (code, json.loads(out)["exit_code"], json.loads(out)["unread"]) == (3, 3, {"JPEG XL": 2, "video": 1})
    assert "2 JPEG XL (pip install imagecodecs)" in err


@pytest.mark.parametrize(("failed", "code"), [(0, 3), (1, 3), (2, 1)])
def test_unread_photos_change_nothing_where_every_other_failed(failed, code):
    records = tuple(SimpleNamespace(outputs={}) for _ in range(2))
    summary = Summary(Path("out"), 2 - failed, 0, failed, 0, records, unread={"HEIC": 1})
    assert summary.exit_code == code
