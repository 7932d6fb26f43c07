import struct
import sys
import zlib
from contextlib import suppress

import numpy as np
import pytest
from scipy.io import savemat

from segcli.data.pictures import matlab
from segcli.data.pictures.matlab import read_matlab
from segcli.data.pictures.pixels import read_values
from segcli.errors import InputError

IDS = np.random.default_rng(0).integers(0, 5, (6, 9), np.uint8)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize(
    "content",
    [
        {"GTcls": {"Segmentation": IDS, "Boundaries": IDS > 2, "CategoriesPresent": [1, 2]}},
        {"mask": IDS, "name": "plant", "count": 3},
        {"mask": IDS.astype(float)},
        {"mask": IDS.astype(np.int64)},
    ],
    ids=["benchmark", "sole array", "reals", "64 bits"],
)
def test_the_ids_are_the_benchmarks_or_the_sole_array(tmp_path, content, compressed):
    savemat(tmp_path / "x.mat", content, do_compression=compressed)
    found = read_values(tmp_path / "x.mat")
    assert found.dtype == np.uint8
    assert np.array_equal(found, IDS)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"mask": IDS, "parts": IDS}, r"holds 2 arrays \(mask, parts\)"),
        ({"name": "plant"}, "holds no array"),
        ({"mask": IDS + 0.5}, "between whole numbers"),
    ],
)
def test_what_is_no_mask_is_refused(tmp_path, content, reason):
    savemat(tmp_path / "x.mat", content)
    with pytest.raises(InputError, match=reason):
        read_values(tmp_path / "x.mat")


def test_a_file_that_unpacks_to_far_more_is_refused_before_it_fills_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(matlab, "MAX_BYTES", 1 << 20)
    savemat(tmp_path / "x.mat", {"mask": np.zeros((2000, 2000))}, do_compression=True)
    assert (tmp_path / "x.mat").stat().st_size < 1 << 16
    with pytest.raises(InputError, match="unpacks to more than 1 MB"):
        read_matlab(tmp_path / "x.mat")


def test_damaged_files_are_input_errors(tmp_path):
    savemat(tmp_path / "x.mat", {"mask": IDS}, do_compression=True)
    whole = (tmp_path / "x.mat").read_bytes()
    chance = np.random.default_rng(0)
    for _ in range(300):
        spoiled = bytearray(whole)
        for place in chance.integers(0, len(whole), chance.integers(1, 6)):
            spoiled[place] = chance.integers(0, 256)
        (tmp_path / "x.mat").write_bytes(spoiled[: chance.integers(1, len(whole) + 1)])
        with suppress(InputError):
            read_values(tmp_path / "x.mat")
    with pytest.raises(InputError, match="cannot be read"):
        read_matlab(tmp_path / "none.mat")


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        (struct.pack("<II", 2, 54), struct.pack("<II", 200, 54), "an element of type 200"),
        (struct.pack("<II", 2, 54), struct.pack("<II", 14, 54), "numbers of type 14"),
        (struct.pack("<II", 2, 54), struct.pack("<II", 2, 1 << 30), "1073741824 bytes"),
        (struct.pack("<II", 6, 9), struct.pack("<II", 6, 1 << 30), "more values than it has bytes"),
        (struct.pack("<III", 6, 8, 9), struct.pack("<III", 6, 8, 99), "class 99"),
    ],
    ids=["no type", "a matrix for numbers", "no end", "no room", "no class"],
)
def test_nothing_gets_to_c_code_unchecked(tmp_path, compressed, before, after, reason):
    savemat(tmp_path / "x.mat", {"GTcls": {"Segmentation": IDS}})
    whole = (tmp_path / "x.mat").read_bytes()
    assert whole.count(before) == 1
    spoiled = whole.replace(before, after)
    if compressed:
        packed = zlib.compress(spoiled[128:])
        spoiled = spoiled[:128] + struct.pack("<II", 15, len(packed)) + packed
    (tmp_path / "x.mat").write_bytes(spoiled)
    with pytest.raises(InputError, match=reason):
        read_matlab(tmp_path / "x.mat")


@pytest.mark.parametrize(
    ("head", "package"), [(b"MATLAB 5.0 MAT-file", "scipy"), (b"\x89HDF\r\n\x1a\n", "h5py")], ids=["5", "7.3"]
)
def test_a_package_that_is_missing_is_named(tmp_path, monkeypatch, head, package):
    monkeypatch.setitem(sys.modules, "scipy.io" if package == "scipy" else package, None)
    (tmp_path / "x.mat").write_bytes(head.ljust(200, b" ") + zlib.compress(b""))
    with pytest.raises(InputError, match=f"needs the package {package}") as error:
        read_matlab(tmp_path / "x.mat")
    assert f"pip install {package}" in error.value.hint
