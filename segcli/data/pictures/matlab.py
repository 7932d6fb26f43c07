"""MATLAB files: masks in .mat files, such as those of the Semantic Boundaries Dataset."""

import io
from pathlib import Path
from typing import Any

import numpy as np

from segcli.data.pictures import matlab_elements
from segcli.data.pictures.matlab_elements import TooLargeError
from segcli.errors import InputError
from segcli.files.paths import shown
from segcli.images.reading import MAX_PIXELS

SUFFIX = ".mat"
"""The suffix of MATLAB's files."""
MAX_BYTES = 1 << 29
"""The most bytes that a file may have, also unpacked; a mask has a few kB."""
_HDF5 = b"\x89HDF\r\n\x1a\n"
_EXPORT = "Save it in MATLAB with save(..., '-v7'), or export the mask as PNG."


def read_matlab(path: Path) -> np.ndarray:
    """Read the ids of a mask in a MATLAB file.

    They are `GTcls.Segmentation`, as in the Semantic Boundaries Dataset, or else the only array of numbers that has
    rows and columns. Files of version 7.3 take the package h5py, others scipy.

    Returns:
        Numbers (H, W) of the file's own dtype; real ones are whole or not, as they are.

    Raises:
        InputError: The file is missing or damaged, holds no such array or several, or the package is not installed.
    """
    try:
        data = _bytes(path)
        found = _from_hdf5(path, data) if _HDF5 in (data[:8], data[512:520]) else _from_version_5(path, data)
        return _checked(path, found)
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{shown(path)} cannot be read: {error.strerror or error}") from error
    except Exception as error:  # a MATLAB file can be broken in as many ways as its readers have exceptions
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(f"{shown(path)} cannot be read as a MATLAB file: {reason}", _EXPORT) from error


def _bytes(path: Path) -> bytes:
    if path.exists() and not path.is_file():  # opening a pipe would wait for ever
        raise InputError(f"{shown(path)} is not a file")
    if path.stat().st_size > MAX_BYTES:
        raise InputError(f"{shown(path)} has more than {MAX_BYTES >> 20} MB, which no mask has")
    return path.read_bytes()


def _from_version_5(path: Path, data: bytes) -> np.ndarray:
    try:
        from scipy.io import loadmat
    except ImportError as error:
        message = f"{shown(path)} is a MATLAB file; reading it needs the package scipy"
        raise InputError(message, "pip install scipy") from error
    try:
        matlab_elements.check(data, MAX_BYTES)
    except TooLargeError as error:
        message = f"{shown(path)} unpacks to more than {MAX_BYTES >> 20} MB, which no mask has"
        raise InputError(message) from error
    content = loadmat(io.BytesIO(data))
    if "GTcls" in content:
        return np.asarray(content["GTcls"][0]["Segmentation"][0])
    return _sole(path, {name: value for name, value in content.items() if not name.startswith("__")})


def _from_hdf5(path: Path, data: bytes) -> np.ndarray:
    try:
        import h5py
    except ImportError as error:
        message = f"{shown(path)} is a MATLAB file of version 7.3; reading it needs the package h5py"
        raise InputError(message, "pip install h5py, or save it in MATLAB with save(..., '-v7').") from error
    with h5py.File(io.BytesIO(data), "r") as content:
        if "GTcls" in content:
            return content["GTcls/Segmentation"][()].T  # MATLAB stores columns
        sets = {name: value for name, value in content.items() if isinstance(value, h5py.Dataset)}
        numbers = {name: value for name, value in sets.items() if value.ndim == 2 and value.size <= MAX_PIXELS}
        return _sole(path, {name: value[()].T for name, value in numbers.items()})


def _sole(path: Path, content: dict[str, Any]) -> np.ndarray:
    """The only two-dimensional array of numbers among the variables."""
    arrays = {name: value for name, value in content.items() if _is_mask(value)}
    if len(arrays) == 1:
        return next(iter(arrays.values()))
    if not arrays:
        raise InputError(f"{shown(path)} holds no array of numbers with rows and columns", _EXPORT)
    listed = ", ".join(sorted(arrays)[:5])
    message = f"{shown(path)} holds {len(arrays)} arrays ({listed}), and nothing says which is the mask"
    raise InputError(message, "Save only the mask in the file, or name it GTcls.Segmentation.")


def _is_mask(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.ndim == 2 and value.dtype.kind in "buif" and min(value.shape) > 1


def _checked(path: Path, found: np.ndarray) -> np.ndarray:
    if found.ndim != 2 or found.dtype.kind not in "buif" or not 0 < found.size <= MAX_PIXELS:
        raise InputError(f"{shown(path)} holds {found.dtype} {found.shape}, which is not a mask", _EXPORT)
    return found
