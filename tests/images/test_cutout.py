import numpy as np
from PIL import Image
from small_runs import smooth

from segcli.images.cutout import cutout, write_cutout


def half(width: int, height: int) -> np.ndarray:
    kept = np.zeros((height, width), bool)
    kept[:, : width // 2] = True
    return kept


def test_the_kept_part_is_the_photo_and_the_rest_is_gone():
    photo = smooth(2, 60, 40)
    result = np.asarray(cutout(photo, half(60, 40)))
    assert np.array_equal(result[:, :29, :3], photo[:, :29])
    assert (result[:, :29, 3] == 255).all()
    assert not result[:, 31:].any()  # nothing of what was cut away stays in the file
    assert (result[:, 29, 3] > 0).all()
    assert (result[:, 29, 3] < 255).all()


def test_a_background_takes_the_place_of_transparency():
    photo = smooth(2, 60, 40)
    result = cutout(photo, half(60, 40), (255, 0, 10))
    assert result.mode == "RGB"
    assert np.array_equal(np.asarray(result)[:, :29], photo[:, :29])
    assert (np.asarray(result)[:, 31:] == (255, 0, 10)).all()


def test_the_file_is_what_was_cut(tmp_path):
    picture = cutout(smooth(2, 60, 40), half(60, 40))
    write_cutout(tmp_path / "a.png", picture)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "a.png")), np.asarray(picture))
