import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="module")
def colours() -> Image.Image:
    """A picture without any symmetry: 37 x 23 pixels of smooth random colours."""
    values = np.random.default_rng(0).integers(0, 256, (4, 5, 3), np.uint8)
    return Image.fromarray(values).resize((37, 23), Image.Resampling.BICUBIC)
