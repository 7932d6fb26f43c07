"""The oracle of every order of pages is tifffile, which writes the files and knows which page shows what."""

import random
from itertools import permutations
from pathlib import PurePosixPath

import numpy as np
import pytest
import tifffile
import tiffs
from damage import DAMAGES, Outcome
from PIL import Image

from segcli.errors import InputError
from segcli.files.sources import Source
from segcli.images import pages
from segcli.images.decoders import stacks
from segcli.images.read import read_photo
from segcli.images.reading import PhotoReading

MOST = 10**6
CHANCE = np.random.default_rng(0)
SIZES = {"T": 2, "C": 3, "Z": 4}


def values(*shape: int, kind: str = "uint8") -> np.ndarray:
    return CHANCE.integers(0, 250, (*shape, 9, 11)).astype(kind)


def write(path, planes: np.ndarray, axes: str, imagej: bool = False, **metadata):
    how = {"imagej": True} if imagej else {"photometric": "minisblack"}
    tifffile.imwrite(path, planes, metadata={"axes": axes, **metadata}, **how)
    return path


def changed(path, old: str, new: str):
    """A copy of a file with as many bytes, a word of its metadata another."""
    content = path.read_bytes()
    assert content.count(old.encode()) == 1
    assert len(old) == len(new)
    copy = path.with_name(f"changed-{path.name}")
    copy.write_bytes(content.replace(old.encode(), new.encode()))
    return copy


@pytest.fixture
def ome(tmp_path):
    return write(tmp_path / "cells.ome.tif", values(4, 3), "ZCYX")


@pytest.fixture
def imagej(tmp_path):
    return write(tmp_path / "cells.tif", values(2, 4, 3, kind="uint16"), "TZCYX", imagej=True)


class TestOrder:
    @pytest.mark.parametrize("axes", [*map("".join, permutations("TCZ"))])
    def test_of_ome_is_that_of_its_xml(self, tmp_path, axes):
        planes = values(*(SIZES[axis] for axis in axes))
        path = write(tmp_path / "x.ome.tif", planes, f"{axes}YX")
        for number in range(8):
            at = {"Z": number % 4, "T": number // 4}
            wanted = [planes[tuple({**at, "C": channel}[axis] for axis in axes)] for channel in range(3)]
            assert np.array_equal(stacks.decode(path, MOST, number).values, np.stack(wanted, axis=2))

    def test_of_imagej_is_channel_depth_time(self, tmp_path):
        planes = values(2, 4, 3, kind="uint16")
        path = write(tmp_path / "x.tif", planes, "TZCYX", imagej=True)
        for number in range(8):
            wanted = planes[number // 4, number % 4].transpose(1, 2, 0)
            assert np.array_equal(stacks.decode(path, MOST, number).values, wanted)

    @pytest.mark.parametrize("order", "<>")
    def test_of_a_large_imagej_file_needs_one_directory(self, tmp_path, order):
        planes, path = values(6, 2, kind="uint16"), tmp_path / "x.tif"
        tifffile.imwrite(path, planes, imagej=True, metadata={"axes": "ZCYX"}, byteorder=order)
        with tifffile.TiffFile(path) as file:
            place = file.pages[0].offset
        content, end = bytearray(path.read_bytes()), {"<": "little", ">": "big"}[order]
        link = place + 2 + 12 * int.from_bytes(content[place : place + 2], end)
        content[link : link + 4] = bytes(4)
        path.write_bytes(content)
        assert len(tifffile.TiffFile(path).pages) == 1
        for number in range(6):
            assert np.array_equal(stacks.decode(path, MOST, number).values, planes[number].transpose(1, 2, 0))

    def test_of_planes_of_colour(self, tmp_path):
        planes = CHANCE.integers(0, 250, (5, 9, 11, 3)).astype(np.uint8)
        tifffile.imwrite(tmp_path / "x.ome.tif", planes, photometric="rgb", metadata={"axes": "ZYXS"})
        write(tmp_path / "x.tif", planes, "ZYXS", imagej=True)
        for name in ("x.ome.tif", "x.tif"):
            for number in range(5):
                assert np.array_equal(read_photo(tmp_path / name, page=number).rgb, planes[number])

    def test_of_one_channel(self, tmp_path):
        planes = values(5)
        path = write(tmp_path / "x.tif", planes, "ZYX", imagej=True)
        assert np.array_equal(read_photo(path, page=3).rgb[..., 1], planes[3])

    def test_other_tiffs_are_pages(self, tmp_path):
        path = tmp_path / "x.tif"
        tifffile.imwrite(path, values(3), photometric="minisblack", metadata=None)
        assert (stacks.pictures(path), stacks.plane_name(path, 1)) == ((0, 1, 2), "")
        assert stacks.decode(path, MOST) is None


@pytest.mark.shared
@pytest.mark.parametrize("name", ["stack.ome.tif", "stack_imagej.tif"])
def test_samples_look_as_they_should(shared_data, name):
    expected = np.asarray(Image.open(shared_data / "rasters" / "expected.png").convert("RGB")).astype(int)
    photo = read_photo(shared_data / "rasters" / name)
    assert np.abs(photo.rgb - expected).max() <= 1
    assert "planes the middle one, z 2 of 2, is read" in photo.notes[0]
    assert stacks.pixel_size(shared_data / "rasters" / name) == pytest.approx((0.325, 0.325))


class TestTheMiddlePlane:
    def test_stands_for_the_file(self, ome, imagej):
        for path, said in (
            (ome, "4 planes the middle one, z 3 of 4"),
            (imagej, "8 planes the middle one, z 3 of 4 at t 1 of 2"),
        ):
            photo = read_photo(path)
            assert f"Of its {said}, is read; --pages reads all." in photo.notes
            assert np.array_equal(photo.rgb, read_photo(path, page=2).rgb)
            assert stacks.plane_name(path, None) == stacks.plane_name(path, 2)

    def test_is_not_spoken_of_where_a_plane_is_named(self, ome):
        assert not [note for note in read_photo(ome, page=0).notes if "planes" in note]

    def test_a_plane_beyond_the_last_is_refused(self, ome):
        with pytest.raises(InputError, match="no plane 9"):
            read_photo(ome, page=8)


class TestPages:
    def names(self, path) -> list[tuple[str, int | None]]:
        found = pages.expand([Source(path, PurePosixPath("a"))])
        return [(str(source.tree), source.page) for source in found]

    def test_are_called_by_their_planes(self, ome, imagej):
        assert self.names(ome) == [("a-z0001", 0), ("a-z0002", 1), ("a-z0003", 2), ("a-z0004", 3)]
        assert self.names(imagej)[3:5] == [("a-t0001z0004", 3), ("a-t0002z0001", 4)]

    def test_one_plane_of_several_channels_is_a_photo(self, tmp_path):
        assert self.names(write(tmp_path / "x.ome.tif", values(3), "CYX")) == [("a", None)]


class TestColours:
    RED, GREEN, GREY = -16776961, 16711935, -1
    """OME's: red, green, blue and alpha as one signed number of 32 bits."""

    def test_are_red_green_blue_where_none_is_stated(self, ome):
        photo = read_photo(ome, page=0)
        assert np.array_equal(photo.rgb, stacks.decode(ome, MOST, 0).values)
        said = "Its channels 1, 2, 3 are taken as red, green, blue, since its file states no colours; "
        assert said + "--bands chooses others." in photo.notes

    @pytest.mark.parametrize("count", [2, 4])
    def test_of_two_or_four_channels(self, tmp_path, count):
        planes = values(count)
        photo = read_photo(write(tmp_path / "x.ome.tif", planes, "CYX"))
        for band in range(3):
            assert np.array_equal(photo.rgb[..., band], planes[band] if band < count else np.zeros((9, 11)))

    def test_of_more_channels_are_the_users_choice(self, tmp_path):
        planes = values(5)
        path = write(tmp_path / "x.ome.tif", planes, "CYX", Channel={"Name": ["a", "b", "DAPI", "d", "e"]})
        with pytest.raises(InputError, match="5 bands") as caught:
            read_photo(path)
        assert "3 DAPI" in caught.value.hint
        photo = read_photo(path, PhotoReading(bands=("dapi", "5", "b")))
        assert np.array_equal(photo.rgb, planes[[2, 4, 1]].transpose(1, 2, 0))
        assert not photo.notes

    def test_of_ome_are_added_up(self, tmp_path):
        planes = np.full((3, 9, 11), 100, np.uint8)
        colours = {"Color": [self.RED, self.GREEN, self.GREY], "Name": ["a", "b", "c"]}
        photo = read_photo(write(tmp_path / "x.ome.tif", planes, "CYX", Channel=colours))
        assert photo.rgb[0, 0].tolist() == [200, 200, 100]
        assert "colours of its OME metadata: 1 a red, 2 b green, 3 c grey; --bands" in photo.notes[0]

    def test_that_are_all_white_are_none(self, tmp_path):
        path = write(tmp_path / "x.ome.tif", values(3), "CYX", Channel={"Color": [self.GREY] * 3})
        assert "states no colours" in read_photo(path).notes[0]

    def test_of_imagej_with_its_ranges(self, tmp_path):
        ramp, none = np.arange(256, dtype=np.uint8), np.zeros(256, np.uint8)
        luts = [np.stack([ramp, none, ramp]), np.stack([none, ramp, none])]
        planes = np.stack([np.full((9, 11), 1500), np.full((9, 11), 300)]).astype(np.uint16)
        path = write(tmp_path / "x.tif", planes, "CYX", True, LUTs=luts, Ranges=(1000, 2000, 0, 600))
        photo = read_photo(path)
        assert photo.rgb[0, 0].tolist() == [128, 128, 128]
        assert "1 magenta, 2 green" in photo.notes[0]
        assert read_photo(path, PhotoReading((0, 3000))).rgb[0, 0].tolist() == [128, 26, 128]
        assert read_photo(path, PhotoReading(bands=("2",))).rgb[0, 0].tolist() == [128, 128, 128]

    def test_significant_bits_of_ome(self, tmp_path):
        path = write(tmp_path / "x.ome.tif", np.full((2, 9, 11), 1023, np.uint16), "CYX", SignificantBits=10)
        photo = read_photo(path)
        assert photo.rgb[0, 0].tolist() == [255, 255, 0]
        assert "SignificantBits of its OME metadata" in photo.notes[1]


class TestPixelSize:
    def test_of_ome(self, tmp_path):
        sizes = {"PhysicalSizeX": 325, "PhysicalSizeXUnit": "nm", "PhysicalSizeY": 0.5, "PhysicalSizeYUnit": "µm"}
        path = write(tmp_path / "x.ome.tif", values(1)[0], "YX", **sizes)
        assert stacks.pixel_size(path) == pytest.approx((0.325, 0.5))

    def test_of_imagej(self, tmp_path):
        for unit, expected in (("um", 0.25), ("\\u00B5m", 0.25), ("mm", 250), ("pixel", None), ("", None)):
            tifffile.imwrite(tmp_path / "x.tif", values(2), imagej=True, resolution=(4, 4), metadata={"unit": unit})
            size = stacks.pixel_size(tmp_path / "x.tif")
            assert size is None if expected is None else size == pytest.approx((expected, expected))

    def test_is_not_the_resolution_of_a_print(self, tmp_path):
        path = tmp_path / "x.tif"
        tifffile.imwrite(path, values(1)[0], resolution=(300, 300), resolutionunit="INCH", metadata=None)
        assert stacks.pixel_size(path) is None
        assert pages.pixel_size(path) is None


class TestHostileFiles:
    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ('SizeZ="4"', 'SizeZ="-"'),
            ('SizeC="3"', 'SizeC="0"'),
            ('XYCZT"', 'XYCZZ"'),
            ('IFD="0"', 'IFD="x"'),
            ('IFD="0" ', 'IFD="99"'),
            ("<OME xm", "<OMM xm"),
        ],
    )
    def test_ome_that_cannot_be_is_read_as_pages(self, ome, old, new):
        path = changed(ome, old, new) if len(old) == len(new) else changed(ome, old + "Pl", new + "l")
        photo = read_photo(path)
        assert photo.notes[0].startswith("Its OME metadata are not used")
        assert "Only the first of its 12 pages is read" in photo.notes[1]
        assert len(stacks.pictures(path)) == 12

    def test_missing_pages_are_told(self, ome):
        notes = read_photo(changed(ome, 'SizeT="1"', 'SizeT="3"')).notes
        assert "24 of the pages that its OME metadata state are not in the file." in notes

    def test_more_planes_than_there_are_pages_are_not_looked_for(self, ome):
        path = changed(ome, 'PlaneCount="12"', 'PlaneCount="99"')
        assert np.array_equal(read_photo(path, page=3).rgb, read_photo(ome, page=3).rgb)

    @pytest.mark.parametrize(
        ("old", "new"),
        [("channels=3", "channels=9"), ("images=24", "images=99"), ("slices=4", "slices=-"), ("frames=2", "frames=0")],
    )
    def test_imagej_that_cannot_be_is_read_as_pages(self, imagej, old, new):
        photo = read_photo(changed(imagej, old, new))
        assert photo.notes[0].startswith("Its ImageJ metadata are not used")
        assert "Only the first of its 24 pages is read" in photo.notes[1]

    def test_a_thousand_million_images(self, tmp_path):
        text = b"ImageJ=1.53t\nimages=1000000000\nslices=1000000000\n\0"
        page = tiffs.page(values(1).transpose(1, 2, 0), tags={270: (tiffs.ASCII, text)})
        photo = read_photo(tiffs.write(tmp_path / "x.tif", page))
        assert "1000000000 pages" in photo.notes[0]

    def test_channels_are_refused_together(self, tmp_path):
        path = write(tmp_path / "x.ome.tif", values(40), "CYX")
        with pytest.raises(InputError, match="40 channels of 11 x 9 uint8"):
            stacks.decode(path, 100)

    def test_pages_of_different_types_are_refused(self, tmp_path):
        pixels = values(1).transpose(1, 2, 0)
        text = b"ImageJ=1.53t\nimages=2\nchannels=2\n\0"
        first, second = tiffs.page(pixels, tags={270: (tiffs.ASCII, text)}), tiffs.page(pixels.astype(np.uint16))
        with pytest.raises(InputError, match="page 2 is of another size or type"):
            read_photo(tiffs.write(tmp_path / "x.tif", first, second))

    @pytest.mark.parametrize("name", ["ome", "imagej"])
    def test_damaged_files_are_read_or_refused_in_a_line(self, tmp_path, request, name):
        """Damage falls into the metadata, which stand in the first thousands of bytes, and everywhere."""
        content, chance = request.getfixturevalue(name).read_bytes(), random.Random(name)
        outcome = Outcome()
        for _ in range(150):
            damaged = chance.choice(DAMAGES)(content[:3000], chance) + content[3000:]
            path = tmp_path / "damaged.tif"
            path.write_bytes(damaged if chance.random() < 0.7 else chance.choice(DAMAGES)(content, chance))
            outcome.add(read_every_way, path)
        assert not outcome.crashes, outcome.crashes[0]
        assert outcome.counts["read"] > 20
        assert outcome.slowest < 2


def read_every_way(path) -> None:
    for source in pages.expand([Source(path, PurePosixPath("x"))])[-2:]:
        read_photo(path, PhotoReading(max_pixels=10**6), source.page)
        pages.plane_of(path, source.page)
    pages.pixel_size(path)
