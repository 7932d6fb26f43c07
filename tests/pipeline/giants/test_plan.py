"""Which pictures are done in parts, and how much memory that takes."""

import tracemalloc

import geotiffs
import numpy as np
import pytest
from in_parts import model, run
from PIL import Image

from segcli.errors import InputError
from segcli.files import headroom
from segcli.files.headroom import Headroom
from segcli.files.sources import find
from segcli.images.reading import PhotoReading
from segcli.inference import windows
from segcli.inference.options import ModelOptions
from segcli.inference.transform import geometry
from segcli.inference.windows import Windows
from segcli.models.preprocessing import Preprocessing, at_size
from segcli.pipeline.giants import journal, plan
from segcli.pipeline.giants.plan import GiantPlan, memory


def source(path):
    return find([path]).files[0]


def test_pixels_or_values_beyond_the_limit_make_a_picture_one(tmp_path):
    path = geotiffs.write(tmp_path / "a.tif", {}, 30, 40)
    wants = {
        most: GiantPlan(ModelOptions(), PhotoReading(max_pixels=most)).wants(source(path)) for most in (1199, 1200)
    }
    assert wants == {1199: True, 1200: False}
    deep = geotiffs.write(
        tmp_path / "b.tif",
        {},
        30,
        40,
        np.zeros((30, 40, 17), np.float64),
        photometric="minisblack",
        planarconfig="contig",
    )
    assert GiantPlan(ModelOptions(), PhotoReading(max_pixels=2000)).wants(source(deep))


def test_what_cannot_be_opened_is_left_to_its_reader(tmp_path):
    (tmp_path / "a.tif").write_bytes(b"II*\0 damaged")
    assert not GiantPlan(ModelOptions(), PhotoReading()).wants(source(tmp_path / "a.tif"))


@pytest.mark.parametrize(
    ("options", "gsd", "free", "wanted"),
    [
        ({"size": 0}, None, 10**6, True),
        ({"size": 0}, None, 10**8, False),
        ({"size": 0, "tile": 129}, None, 10**6 // 2, False),
        ({}, None, 10**5, False),  # the network sees it small
        ({}, None, 10**4, True),
        ({}, 20.0, 10**6, True),
        ({}, 1000.0, 10**6, False),
    ],
)
def test_so_does_too_little_memory(options, gsd, free, wanted, tmp_path, monkeypatch):
    path = geotiffs.write(tmp_path / "a.tif", geotiffs.PLACES["utm"], 60, 80)
    monkeypatch.setattr(plan, "SMALL", 100)
    monkeypatch.setattr(headroom, "of_host", lambda: Headroom(free, 10**9))
    assert GiantPlan(ModelOptions(**options), PhotoReading(), gsd=gsd).wants(source(path)) is wanted


def test_a_row_of_windows_has_no_more_pixels_than_the_limit():
    made = model().facts
    few = GiantPlan(ModelOptions(size=0, tile=129), PhotoReading(max_pixels=129 * 193))
    assert few.windows((10_000, 170), None, made).size == (129, 129)
    with pytest.raises(InputError, match="row of its windows"):
        few.windows((10_000, 220), None, made)


def of_street(height: int, width: int) -> Windows:
    return Windows(geometry((height, width), at_size(Preprocessing(), 0)), 1025, 1)


def test_the_formula_knows_no_height():
    assert memory(of_street(100_000, 20_000), 21, 8, 512, 3) == memory(of_street(20_000, 20_000), 21, 8, 512, 3)
    assert memory(of_street(100_000, 100_000), 21, 8, 512, 3) < 2.5e9


def test_the_formula_holds_what_a_run_takes_at_any_height(tmp_path, monkeypatch):
    monkeypatch.setattr(windows, "WIDE", 2**16)
    monkeypatch.setattr(windows, "ENLARGED", 2**16)
    note, rings = journal.Journal.note, []

    def noting(self, facts, arrays):
        rings.append(arrays["total"].nbytes + arrays["weights"].nbytes)
        note(self, facts, arrays)

    monkeypatch.setattr(journal.Journal, "note", noting)
    use, peaks = model(), []
    run(geotiffs.write(tmp_path / "first.tif", {}), tmp_path / "first", use=use, save=["mask"], max_pixels=10)
    for height in (600, 1800):
        pixels = np.asarray(Image.fromarray(geotiffs.smooth(3, 60, 40)).resize((260, height)))
        path = geotiffs.write(tmp_path / f"{height}.tif", {}, height, 260, pixels, tile=(64, 64))
        del pixels
        tracemalloc.start()
        run(path, tmp_path / f"{height}", use=use, save=["mask"], max_pixels=100_000)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < 1200 * 260  # of a row, only where it lies in the scores, not a byte a pixel
    place = geometry((1800, 260), at_size(use.facts.preprocessing, 0))
    needed = memory(Windows(place, 129, 1), 21, 8, 256, 3)
    assert 0.3 * needed < peaks[1] + 3 * max(rings) < needed
