"""Oracle: torch's own resize of pictures of 8 bits, and torchvision's."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from torchvision.transforms.v2 import functional as transforms

from segcli import processor
from segcli.inference import resizing
from segcli.inference.resizing import in_whole_numbers, resize

SIZES = [
    ((375, 500), (385, 513)),
    ((720, 1280), (289, 513)),
    ((600, 450), (520, 390)),
    ((1, 1), (65, 33)),
    ((300, 2), (7, 40)),
    ((97, 97), (1, 1)),
    ((3000, 5), (100, 4)),
    ((64, 2000), (64, 31)),
    ((50, 60), (200, 60)),
    ((40, 4000), (6, 513)),
    ((30, 9000), (9, 513)),
]


def picture(size: tuple[int, int], seed: int) -> np.ndarray:
    """Noise: bytes of every value, or black and white, where weights that add up to more than 1 would show."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (*size, 3), np.uint8) if seed % 2 else rng.integers(0, 2, (*size, 3), np.uint8) * 255


def by_torchvision(photo: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    resized = transforms.resize(torch.from_numpy(photo).permute(2, 0, 1), list(size), antialias=True)
    return resized.permute(1, 2, 0).numpy()


@pytest.mark.parametrize(("old", "new"), SIZES)
@pytest.mark.parametrize("seed", [0, 1])
def test_every_byte_is_torchvisions(old, new, seed):
    photo = picture(old, seed)
    expected = by_torchvision(photo, new)
    assert np.array_equal(in_whole_numbers(photo, new), expected)
    assert np.array_equal(resize(photo, new), expected)


@pytest.mark.parametrize("darkest", [0, 126, 254])
def test_so_are_those_of_pictures_nearly_black_or_white(darkest):
    """Sums are largest there, and at the middle they are smallest."""
    photo = darkest + np.random.default_rng(4).integers(0, 2, (40, 4000, 3), np.uint8)
    assert np.array_equal(in_whole_numbers(photo, (6, 513)), by_torchvision(photo, (6, 513)))


def test_so_are_those_of_many_sizes():
    rng = np.random.default_rng(3)
    for seed in range(60):
        old, new = rng.integers(1, 150, (2, 2)).tolist()
        photo = picture(old, seed)
        assert np.array_equal(in_whole_numbers(photo, tuple(new)), by_torchvision(photo, new)), (old, new)


@pytest.mark.skipif(not processor.has_integer_resize(), reason="torch computes in float32 here")
def test_torch_alone_gives_the_same_bytes():
    photo = picture((120, 90), 1)
    values = torch.from_numpy(photo).permute(2, 0, 1)[None]
    theirs = torch.nn.functional.interpolate(values, (77, 133), mode="bilinear", antialias=True)
    assert np.array_equal(in_whole_numbers(photo, (77, 133)), theirs[0].permute(1, 2, 0).numpy())


def test_bands_of_rows_change_nothing(monkeypatch):
    photo = picture((200, 90), 1)
    whole = in_whole_numbers(photo, (50, 33))
    monkeypatch.setattr(resizing, "BAND", 90 * 3 * 7)
    assert np.array_equal(in_whole_numbers(photo, (50, 33)), whole)


def test_a_photo_of_that_size_is_itself_and_views_do_as_well():
    photo = picture((40, 60), 1)
    assert resize(photo, (40, 60)) is photo
    turned = photo[::-1].transpose(1, 0, 2)
    for one in (resize, in_whole_numbers):
        assert np.array_equal(one(turned, (21, 33)), one(np.ascontiguousarray(turned), (21, 33)))


PLAIN_PROCESSOR = r"""
import numpy as np, torch
from torchvision.transforms.v2 import functional as transforms
from segcli.inference.resizing import by_torch
photo = np.random.default_rng(0).integers(0, 256, (200, 150, 3), np.uint8)
theirs = transforms.resize(torch.from_numpy(photo).permute(2, 0, 1), [77, 61], antialias=True).permute(1, 2, 0).numpy()
print(torch.backends.cpu.get_cpu_capability(), np.array_equal(by_torch(photo, (77, 61)), theirs))
"""


def test_a_processor_without_avx2_rounds_as_torchvision_does_there():
    """Torchvision casts to float32 on such a processor; torch can be told to take this one for such a one."""
    environment = {**os.environ, "ATEN_CPU_CAPABILITY": "default"}
    command = [sys.executable, "-c", PLAIN_PROCESSOR]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.split()[-1] == "True"
