import numpy as np
import pytest
from PIL import Image, ImageOps

from segcli.images.orientation import SIDEWAYS, upright, upright_image


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_and_arrays_are_turned_as_pillow_turns(orientation):
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    image = Image.fromarray(pixels)
    image.getexif()[0x0112] = orientation
    truth = np.asarray(ImageOps.exif_transpose(image))
    assert np.array_equal(upright(pixels, orientation), truth)
    assert np.array_equal(np.asarray(upright_image(image, orientation)), truth)
    assert (orientation in SIDEWAYS) == (truth.shape[:2] == (4, 2))


@pytest.mark.parametrize("orientation", [0, 9, 274])
def test_numbers_that_mean_nothing_turn_nothing(orientation):
    pixels = np.zeros((2, 4), np.uint8)
    assert upright(pixels, orientation) is pixels
