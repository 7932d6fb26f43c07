import os

import geotiffs
import numpy as np
import pytest
from extras import extra
from PIL import Image
from small_runs import smooth

from segcli.images.geo import affine
from segcli.images.geo.place import read_place
from segcli.images.read import read_photo, read_placed

WORLD = "0.5\n0\n0\n-0.5\n500000.25\n5299999.75\n"


def test_what_the_tags_mean(tmp_path):
    """Worked out by hand from the GeoTIFF standard; points' pixels are counted from their centres."""
    wanted = {
        "utm": (0.5, 0, 500_000, 0, -0.25, 5_300_000),
        "points": (0.5, 0, 499_999.75, 0, -0.25, 5_300_000.125),
        "rotated": (0.4, 0.3, 500_000, 0.3, -0.4, 5_300_000),
        "south up": (0.5, 0, 500_000, 0, 0.5, 5_300_000),
        "tied inside": (0.5, 0, 499_996.5, 0, -0.5, 5_300_001.5),
    }
    for name, transform in wanted.items():
        place, notes = read_place(geotiffs.write(tmp_path / "x.tif", geotiffs.PLACES[name]))
        assert place.transform == pytest.approx(transform, abs=1e-9), name
        assert (place.crs.epsg, place.size, notes) == (32632, (30, 40), ())
    place, _ = read_place(geotiffs.write(tmp_path / "x.tif", geotiffs.PLACES["control points"]))
    assert place.transform is None
    assert place.points[:, :2].tolist() == [[0, 0], [40, 0], [0, 30], [40, 30]]


@pytest.mark.parametrize("options", [{}, {"bigtiff": True}, {"byteorder": ">"}])
@pytest.mark.parametrize("name", geotiffs.PLACES)
def test_gdal_finds_pictures_at_the_same_place(name, options, tmp_path):
    rasterio = extra("rasterio")
    path = geotiffs.write(tmp_path / "x.tif", geotiffs.PLACES[name], **options)
    place, _ = read_place(path)
    with rasterio.open(path) as dataset:
        if place.transform is None:
            points, crs = dataset.gcps
            found = [(p.col, p.row, p.x, p.y, p.z) for p in points]
            assert found == [tuple(point) for point in place.points[:, [0, 1, 3, 4, 5]]]
        else:
            crs = dataset.crs
            assert place.transform == pytest.approx(tuple(dataset.transform)[:6], rel=1e-14)
        assert crs.to_epsg() == place.crs.epsg
        if crs.is_projected:
            assert place.crs.metres == crs.linear_units_factor[1]


@pytest.mark.parametrize("turn", range(1, 9))
def test_a_turned_jpeg_lies_where_its_stored_pixels_do(turn, tmp_path):
    """Each pixel of the upright photo is found in the file by its colour, and its place by the world file alone."""
    stored = np.zeros((16, 24, 3), np.uint8)
    stored[:8, :8] = 255
    exif = Image.Exif()
    exif[0x0112] = turn
    Image.fromarray(stored).save(tmp_path / "x.jpg", exif=exif, quality=95)
    (tmp_path / "x.jgw").write_text("2\n0.5\n0.25\n-3\n1000\n2000\n")
    photo = read_placed(tmp_path / "x.jpg")
    assert photo.place.size == photo.rgb.shape[:2]
    bright = np.argwhere(photo.rgb[..., 0] > 128)
    middle = affine.applied(photo.place.transform, bright[:, ::-1] + 0.5).mean(0)
    assert middle.tolist() == pytest.approx([1000 + 3.5 * 2 + 3.5 * 0.25, 2000 + 3.5 * 0.5 - 3.5 * 3])
    assert abs(affine.area(photo.place.transform)) == pytest.approx(2 * 3 + 0.25 * 0.5)


@pytest.mark.parametrize("turn", range(2, 9))
def test_a_turned_geotiff_keeps_the_place_of_every_pixel(turn, tmp_path):
    for name in ("utm", "rotated points", "control points"):
        plain, _ = read_place(geotiffs.write(tmp_path / "a.tif", geotiffs.PLACES[name]))
        options = {"extratags": [(274, 3, 1, turn, True)]}
        turned, _ = read_place(geotiffs.write(tmp_path / "b.tif", geotiffs.PLACES[name], **options))
        back = affine.to_stored(turn, (30, 40))
        assert turned.size == ((40, 30) if turn > 4 else (30, 40))
        if plain.transform is None:
            assert affine.applied(back, turned.points[:, :2]) == pytest.approx(plain.points[:, :2])
        else:
            assert turned.transform == pytest.approx(affine.composed(plain.transform, back))


@pytest.mark.shared
def test_the_turned_sample_lies_where_the_geotiffs_do(shared_data):
    folder = shared_data / "rasters"
    upright, _ = read_place(folder / "turned_world.jpg")
    tagged, _ = read_place(folder / "rgbn_uint8.tif")
    assert (upright.transform, upright.size) == (tagged.transform, tagged.size)


@pytest.mark.parametrize(
    ("photo", "world"),
    [
        *(("a.jpg", "a.jgw"), ("a.jpeg", "a.jgw"), ("a.png", "a.pgw"), ("a.tif", "a.tfw"), ("a.tif", "a.tifw")),
        *(("a.jpg", "a.jpgw"), ("A.JPG", "A.JGW"), ("a.webp", "a.wld")),
    ],
)
def test_world_files_of_every_name(photo, world, tmp_path):
    Image.fromarray(smooth(0, 24, 16)).save(tmp_path / photo)
    assert read_place(tmp_path / photo) == (None, ())
    (tmp_path / world).write_text(WORLD)
    place, notes = read_place(tmp_path / photo)
    assert (place.transform, notes) == ((0.5, 0, 500_000, 0, -0.5, 5_300_000), ())
    assert place.world == tuple(WORLD.split())
    assert not place.tags


def test_the_order_in_which_gdal_believes(tmp_path):
    path = geotiffs.write(tmp_path / "x.tif", geotiffs.PLACES["utm"])
    (tmp_path / "x.tfw").write_text("1\n0\n0\n-1\n0\n0\n")
    assert read_place(path)[0].transform == (0.5, 0, 500_000, 0, -0.25, 5_300_000)
    stated = '<PAMDataset><SRS>LOCAL_CS["x"]</SRS><GeoTransform>7,2,0,9,0,-2</GeoTransform></PAMDataset>'
    (tmp_path / "x.tif.aux.xml").write_text(stated)
    place, _ = read_place(path)
    assert (place.transform, place.crs.wkt) == ((2, 0, 7, 0, -2, 9), 'LOCAL_CS["x"]')
    keys_only = geotiffs.write(tmp_path / "y.tif", {geotiffs.KEYS: geotiffs.UTM})
    assert read_place(keys_only) == (None, ())
    (tmp_path / "y.tfw").write_text(WORLD)
    place, _ = read_place(keys_only)
    assert (place.transform, place.crs.epsg) == ((0.5, 0, 500_000, 0, -0.5, 5_300_000), 32632)
    assert place.tags[geotiffs.SCALE].tolist() == [0.5, 0.5, 0]


HOSTILE = {
    "text": b"north is up\n",
    "five": b"1\n0\n0\n-1\n5\n",
    "inf": b"inf\n0\n0\n-1\n5\n5\n",
    "nan": b"1\n0\n0\n-1\nnan\n5\n",
    "zeros": b"0\n0\n0\n0\n5\n5\n",
    "flat": b"1\n1\n1\n1\n5\n5\n",
    "huge": b"1e308\n1e308\n1e308\n-1e308\n1e308\n1\n",
    "long": b"1\n" * 10_000,
    "binary": bytes(range(256)),
    "empty": b"",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_world_file_that_says_nothing_is_one_note(name, tmp_path):
    Image.fromarray(smooth(0, 24, 16)).save(tmp_path / "x.png")
    (tmp_path / "x.pgw").write_bytes(HOSTILE[name])
    place, notes = read_place(tmp_path / "x.png")
    assert place is None
    assert [note.split()[0] for note in set(notes)] == ["x.pgw"] * len(notes)
    assert 1 <= len(notes) <= 2
    assert np.array_equal(read_placed(tmp_path / "x.png").rgb, read_photo(tmp_path / "x.png").rgb)


@pytest.mark.parametrize(
    "content",
    [
        b'<!DOCTYPE x [<!ENTITY a "aaaa">]><PAMDataset><SRS>&a;</SRS></PAMDataset>',
        b"<PAMDataset>",
        b"<PAMDataset><SRS>" + b"<a>" * 100_000,
        bytes(range(256)),
    ],
)
def test_an_aux_xml_that_cannot_be_read_is_one_note(content, tmp_path):
    Image.fromarray(smooth(0, 24, 16)).save(tmp_path / "x.png")
    (tmp_path / "x.png.aux.xml").write_bytes(content)
    assert read_place(tmp_path / "x.png") == (None, ("x.png.aux.xml cannot be read, and is not used.",))


def test_files_beside_that_are_endless_or_none_are_not_read(tmp_path):
    Image.fromarray(smooth(0, 24, 16)).save(tmp_path / "x.png")
    (tmp_path / "x.pgw").write_text(WORLD)
    with (tmp_path / "x.prj").open("wb") as file:
        file.truncate(2**30)
    place, notes = read_place(tmp_path / "x.png")
    assert place.transform is not None
    assert not place.crs.is_known
    assert notes == ("x.prj is too large or cannot be read, and is not used.",)
    if hasattr(os, "mkfifo"):
        (tmp_path / "x.prj").unlink()
        os.mkfifo(tmp_path / "x.prj")
        assert read_place(tmp_path / "x.png")[1] == notes


@pytest.mark.parametrize(
    "tags",
    [
        {**geotiffs.NORTH_UP, geotiffs.KEYS: (1, 1, 0, 9)},
        {**geotiffs.NORTH_UP, geotiffs.KEYS: (7, 1, 0, 0)},
        {**geotiffs.NORTH_UP, geotiffs.KEYS: (1, 1, 0, 20_000, *([0] * 60_000))},
        {**geotiffs.NORTH_UP, geotiffs.SCALE: (float("nan"), 1, 0), geotiffs.KEYS: geotiffs.UTM},
        {**geotiffs.NORTH_UP, geotiffs.SCALE: (0.0, 0.0, 0), geotiffs.KEYS: geotiffs.UTM},
        {geotiffs.MATRIX: (1, 1, 0, 0, 1, 1, 0, 0, *([0] * 8)), geotiffs.KEYS: geotiffs.UTM},
        {geotiffs.TIE: (0.0,) * 600_000},
    ],
)
def test_damaged_geotags_are_one_note_and_the_photo_is_read(tags, tmp_path):
    path = geotiffs.write(tmp_path / "x.tif", tags)
    photo = read_placed(path)
    assert photo.place is None
    (note,) = photo.notes
    assert note.startswith("Its geotags are damaged (")
    assert np.array_equal(photo.rgb, smooth(3, 40, 30))


def test_width_and_height_scale_apart(tmp_path):
    for name in ("utm", "rotated points", "control points"):
        place, _ = read_place(geotiffs.write(tmp_path / "x.tif", geotiffs.PLACES[name]))
        half = place.of_size((10, 20))
        assert place.of_size((30, 40)) is place
        if place.transform is None:
            assert half.points[:, :2] == pytest.approx(place.points[:, :2] / (2, 3))
        else:
            ends = [affine.applied(one.transform, [one.size[::-1], (0, 0)]) for one in (place, half)]
            assert ends[0] == pytest.approx(ends[1], abs=1e-6)
