from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from PIL import Image
from small_runs import smooth

from segcli.files import sources as files
from segcli.images.pages import expand
from segcli.images.read import read_photo
from segcli.images.reading import PhotoReading


@pytest.fixture
def scans(tmp_path):
    pages = [Image.fromarray(smooth(index, 40 + index, 30)) for index in range(3)]
    pages[0].save(tmp_path / "scan.tif", save_all=True, append_images=pages[1:])
    pages[0].save(tmp_path / "one.tif")
    pages[0].save(tmp_path / "photo.jpg")
    (tmp_path / "broken.tif").write_bytes((tmp_path / "scan.tif").read_bytes()[:40])
    return tmp_path


def test_every_page_is_a_source_of_its_own(scans):
    sources = expand(files.find([scans]).files)
    assert [(str(source.tree), source.page) for source in sources] == [
        *(("broken", None), ("one", None), ("photo", None)),
        *(("scan-p0001", 0), ("scan-p0002", 1), ("scan-p0003", 2)),
    ]
    for source in sources[3:]:
        assert np.array_equal(read_photo(source.path, page=source.page).rgb, smooth(source.page, 40 + source.page, 30))


def test_gifs_have_pages_too(tmp_path):
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "lime", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    pages = [read_photo(source.path, page=source.page).rgb for source in expand(files.find([tmp_path / "a.gif"]).files)]
    assert [page[10, 10].tolist() for page in pages] == [[255, 0, 0], [0, 255, 0], [0, 0, 255]]


def test_names_stay_apart(tmp_path):
    path = tmp_path / "scan.tif"
    Image.new("L", (9, 9)).save(path, save_all=True, append_images=[Image.new("L", (9, 9))])
    taken = files.Source(Path("other.jpg"), PurePosixPath("scan-p0002"))
    sources = expand([files.Source(path, PurePosixPath("scan")), taken])
    assert [str(source.tree) for source in sources] == ["scan.tif-p0001", "scan.tif-p0002", "scan-p0002"]


def test_a_page_over_the_limit_is_refused(tmp_path):
    from segcli.errors import InputError

    small, large = Image.new("L", (9, 9)), Image.new("L", (90, 90))
    small.save(tmp_path / "a.tif", save_all=True, append_images=[large])
    with pytest.raises(InputError, match="limit"):
        read_photo(tmp_path / "a.tif", PhotoReading(max_pixels=100), page=1)
