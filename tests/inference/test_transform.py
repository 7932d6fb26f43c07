"""Oracles: Pillow's resize, torch's own interpolation, and arithmetic done by hand."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from pretended_gpu import CUDA, pretend
from torch.nn import functional as F

from segcli.errors import InputError
from segcli.inference.enlargement import enlargement, to_photo
from segcli.inference.placement import batched
from segcli.inference.transform import Geometry, geometry, to_input
from segcli.models.preprocessing import Preprocessing, at_size

TENSORFLOW = Preprocessing()
TORCHVISION = Preprocessing(
    resize="short", size=520, pad="none", mean=(123.675, 116.28, 103.53), std=(58.395, 57.12, 57.375)
)
CAFFE = Preprocessing(pad="none", mean=(122.675, 116.669, 104.008), std=(1.0, 1.0, 1.0), channels="BGR")
CITYSCAPES = Preprocessing(size=2049, pad="stride")


@pytest.mark.parametrize(
    ("preprocessing", "photo", "resized", "padded"),
    [
        (TENSORFLOW, (375, 500), (375, 500), (513, 513)),
        (TENSORFLOW, (720, 1280), (289, 513), (513, 513)),
        (TENSORFLOW, (1, 4000), (1, 513), (513, 513)),
        (TORCHVISION, (375, 500), (520, 693), (520, 693)),
        (TORCHVISION, (1280, 720), (924, 520), (924, 520)),
        (TORCHVISION, (333, 500), (520, 780), (520, 780)),
        (CITYSCAPES, (1024, 2048), (1024, 2048), (1025, 2049)),
        (CITYSCAPES, (375, 500), (375, 500), (385, 513)),
        (replace(TENSORFLOW, resize="warp"), (375, 500), (513, 513), (513, 513)),
        (at_size(TENSORFLOW, 257), (375, 500), (193, 257), (257, 257)),
        (at_size(TENSORFLOW, 0), (375, 500), (375, 500), (385, 513)),
        (at_size(TORCHVISION, 0), (375, 500), (375, 500), (375, 500)),
    ],
)
def test_where_a_photo_lies_in_the_input(preprocessing, photo, resized, padded):
    assert geometry(photo, preprocessing) == Geometry(photo, resized, padded)


def test_tensorflow_input_is_the_photo_in_minus_one_to_one_on_grey():
    photo = np.random.randint(0, 256, (375, 500, 3), dtype=np.uint8)
    batch, _ = to_input(photo, TENSORFLOW)
    assert batch.shape == (1, 3, 513, 513)
    assert torch.allclose(batch[0, :, :375, :500], torch.from_numpy(photo).permute(2, 0, 1) / 127.5 - 1, atol=1e-6)
    assert batch[..., 375:, :].abs().max() == 0
    assert batch[..., 500:].abs().max() == 0


def test_caffe_input_is_blue_green_red_minus_its_mean():
    photo = np.zeros((4, 5, 3), np.uint8)
    photo[..., 0] = 200
    batch, _ = to_input(photo, CAFFE)
    assert torch.allclose(batch[0, :, 0, 0], torch.tensor([-104.008, -116.669, 200 - 122.675]))


def test_a_shrunk_photo_equals_pillows_within_a_grey_level():
    rows, columns = np.mgrid[:700, :900]
    photo = np.stack([rows * 7 % 256, columns * 5 % 256, (rows * columns) % 256], -1).astype(np.uint8)
    batch, place = to_input(photo, TENSORFLOW)
    expected = Image.fromarray(photo).resize(place.resized[::-1], Image.Resampling.BILINEAR)
    ours = (batch[0, :, : place.resized[0], : place.resized[1]] + 1) * 127.5
    assert np.abs(ours.permute(1, 2, 0).numpy() - np.asarray(expected, np.float32)).max() <= 1.001


@pytest.mark.parametrize("align_corners", [True, False])
@pytest.mark.parametrize("stride", [4, 8, 16])
def test_scores_of_an_unresized_photo_is_torchs_interpolation_cropped(align_corners, stride):
    place = geometry((375, 500), TENSORFLOW)
    side = (513 - 1) // stride + 1
    scores = torch.randn(2, 21, side, side)
    expected = F.interpolate(scores, (513, 513), mode="bilinear", align_corners=align_corners)[..., :375, :500]
    assert torch.allclose(to_photo(scores, place, align_corners), expected, atol=1e-4)


@pytest.mark.parametrize("align_corners", [True, False])
def test_scores_of_an_enlarged_photo_is_torchs_interpolation_to_its_size(align_corners):
    """Without padding, and with corners not aligned, one bilinear step from scores to photo is F.interpolate's."""
    place = Geometry((375, 500), (520, 693), (520, 693))
    scores = torch.randn(1, 5, 65, 87)
    ours = to_photo(scores, place, align_corners)
    if not align_corners:
        assert torch.allclose(ours, F.interpolate(scores, (375, 500), mode="bilinear"), atol=1e-4)
    grid = F.interpolate(scores, (520, 693), mode="bilinear", align_corners=align_corners)
    two_steps = F.interpolate(grid, (375, 500), mode="bilinear")
    assert (ours - two_steps).abs().mean() < 0.02 * scores.std()


def test_the_way_back_maps_a_linear_ramp_onto_itself():
    """Scores that are the input's own column number come back as the column each photo pixel was resized to."""
    place = Geometry((100, 1000), (51, 513), (513, 513))
    scores = torch.linspace(0, 512, 65).expand(1, 1, 65, 65)
    columns = to_photo(scores, place, align_corners=True)[0, 0, 0]
    expected = ((torch.arange(1000) + 0.5) * 0.513 - 0.5).clamp(0, 512)
    assert torch.allclose(columns, expected, atol=1e-3)


def test_bands_of_rows_are_the_whole_cut_apart():
    place = geometry((375, 500), at_size(TENSORFLOW, 257))
    scores = torch.randn(1, 21, 33, 33)
    enlarged = enlargement(scores, place, True, (375, 500))
    bands = [enlarged.rows(start, min(start + 100, 375)) for start in range(0, 375, 100)]
    assert torch.equal(torch.cat(bands, dim=2), to_photo(scores, place, True))


def test_a_batch_is_its_inputs_in_order():
    one, two = (to_input(np.full((30, 40, 3), value, np.uint8), TENSORFLOW)[0] for value in (10, 200))
    cpu = torch.device("cpu")
    assert torch.equal(batched([one, two], cpu), torch.stack([one[0], two[0]]))
    assert batched([two], cpu) is two


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_a_batch_arrives_on_a_gpu():
    inputs = [torch.randn(1, 3, 65, 65) for _ in range(4)]
    assert torch.equal(batched(inputs, torch.device("cuda")).cpu(), torch.cat(inputs))


def test_a_gpu_fetches_a_batch_from_pinned_memory_without_waiting(monkeypatch):
    asked = pretend(monkeypatch)
    inputs = [torch.randn(1, 3, 65, 65) for _ in range(2)]
    assert torch.equal(batched(inputs, CUDA), torch.cat(inputs))
    assert asked.copies == [((2, 3, 65, 65), True, torch.preserve_format, True)]
    batched(inputs, torch.device("cpu"))
    assert len(asked.pinned) == 1


@pytest.mark.parametrize(
    "preprocessing", [TENSORFLOW, replace(TORCHVISION, pad="stride"), replace(CAFFE, pad="stride")]
)
def test_the_padding_is_what_a_grey_photo_would_be(preprocessing):
    """Also where the grey, such as a mean, is no whole number; in the weights' channel order."""
    grey = torch.tensor([preprocessing.pad_value] * 3)
    expected = (grey - torch.tensor(preprocessing.mean)) / torch.tensor(preprocessing.std)
    expected = expected.flip(0) if preprocessing.channels == "BGR" else expected
    batch, place = to_input(np.zeros((40, 50, 3), np.uint8), preprocessing)
    assert place.padded != place.resized
    assert torch.equal(batch[0, :, -1, -1], expected)


def test_scores_at_the_photos_own_pixels_are_not_copied():
    scores = torch.randn(1, 5, 65, 65)
    place = Geometry((40, 50), (40, 50), (65, 65))
    for align_corners in (True, False):
        same = to_photo(scores, place, align_corners)
        assert torch.equal(same, scores[..., :40, :50])
        assert same.data_ptr() == scores.data_ptr()
        halves = to_photo(scores[..., ::2, ::2], place, align_corners)
        assert halves.shape == same.shape


def test_photos_too_thin_for_their_short_side_are_refused():
    with pytest.raises(InputError, match="too thin"):
        geometry((2, 3000), TORCHVISION)
    assert geometry((2, 3000), TENSORFLOW).padded == (513, 513)


def test_one_pixel_photos_pass():
    batch, place = to_input(np.full((1, 1, 3), 9, np.uint8), TORCHVISION)
    assert batch.shape == (1, 3, 520, 520)
    assert to_photo(torch.randn(1, 3, 65, 65), place, False).shape == (1, 3, 1, 1)
