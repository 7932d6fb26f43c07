"""Augmentation: photo and mask stay together, no id is mixed from others, parameters follow from the seed."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as transforms

from segcli.labels import VOID
from segcli.models.preprocessing import Preprocessing
from segcli.training.crops.augment import AugmentParams, augment, sample_params
from segcli.training.recipe import Augment

WHOLE = Preprocessing(resize="none", size=0, pad="stride", mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
PLAIN = AugmentParams(scale=1.0, position=(0.0, 0.0), flip=False, colour_jitter=(1.0, 1.0, 1.0))


def striped(height=40, width=56):
    """A mask of vertical stripes, four pixels wide, and a photo that shows 10 times the id."""
    label = np.broadcast_to(np.arange(width, dtype=np.uint8) // 4, (height, width)).copy()
    return np.repeat(10 * label[..., None], 3, axis=2), label


def test_beyond_the_photo_it_is_mean_grey_and_void():
    rgb, label = striped(40, 56)
    photo, mask = augment(rgb, label, PLAIN, (65, 65), WHOLE)
    assert photo.shape == (3, 65, 65)
    assert mask.shape == (65, 65)
    assert torch.equal(photo[:, :40, :56], torch.from_numpy(rgb).permute(2, 0, 1).float())
    assert torch.equal(mask[:40, :56], torch.from_numpy(label))
    assert (mask[40:] == VOID).all()
    assert (mask[:, 56:] == VOID).all()
    assert (photo[:, 40:] == 127.5).all()


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("scale", [0.5, 1.0, 1.37, 2.0])
def test_photo_and_mask_stay_together(scale, flip):
    """Away from the stripes' edges the photo still shows ten times the mask's id."""
    rgb, label = striped(64, 96)
    photo, mask = augment(rgb, label, AugmentParams(scale, (0.3, 0.8), flip, PLAIN.colour_jitter), (49, 49), WHOLE)
    inside = mask != VOID
    near = (photo[0] - 10 * mask.float()).abs()[inside] <= 5
    assert near.float().mean() > 0.95
    assert (mask[0, 0] > mask[0, 30]) == flip


def test_no_id_is_mixed_from_others():
    rgb, label = striped()
    label[:] = np.where(label % 2, 9, 200)
    for scale in (0.31, 0.77, 1.9):
        mask = augment(rgb, label, AugmentParams(scale, (0.5, 0.5), False, PLAIN.colour_jitter), (33, 33), WHOLE)[1]
        assert set(mask.unique().tolist()) <= {9, 200, VOID}


def test_the_scale_is_relative_to_the_working_size():
    rgb, label = striped(400, 560)
    mask = augment(
        rgb, label, AugmentParams(0.5, (0, 0), False, PLAIN.colour_jitter), (129, 129), Preprocessing(size=140)
    )[1]
    height, width = (mask != VOID).sum(0).max(), (mask != VOID).sum(1).max()
    assert (height, width) == (50, 70)


def test_the_crop_may_lie_anywhere_and_nowhere_else():
    rgb, label = striped(60, 80)
    label[:] = np.arange(60, dtype=np.uint8)[:, None]
    tops = {
        int(augment(rgb, label, AugmentParams(1.0, (p, p), False, PLAIN.colour_jitter), (33, 33), WHOLE)[1][0, 0])
        for p in (0, 0.5, 1)
    }
    assert tops == {0, 14, 27}


def test_colour_changes_the_photo_only():
    rgb, label = striped()
    rgb[..., 0] = 255
    plain, mask = augment(rgb, label, PLAIN, (33, 33), WHOLE)
    coloured, same = augment(rgb, label, AugmentParams(1.0, (0, 0), False, (0.8, 1.1, 0.7)), (33, 33), WHOLE)
    assert torch.equal(mask, same)
    assert not torch.equal(plain, coloured)
    assert coloured.min() >= 0
    assert coloured.max() <= 255


def test_parameters_are_spread_evenly_and_stays_in_its_range():
    settings = Augment(scale=(0.5, 2.0), colour=0.2)
    sampled = [sample_params(settings, np.random.default_rng((1, i))) for i in range(400)]
    scales = np.array([one.scale for one in sampled])
    assert 0.5 <= scales.min() < 0.55
    assert 1.95 < scales.max() <= 2.0
    assert 160 < sum(one.flip for one in sampled) < 240
    assert all(0.8 <= factor <= 1.2 for one in sampled for factor in one.colour_jitter)
    assert sampled[7] == sample_params(settings, np.random.default_rng((1, 7)))


def test_steps_flips_and_colour_can_be_left_out():
    settings = Augment(scale=(0.5, 1.5), scale_step=0.25, flip=False)
    sampled = [sample_params(settings, np.random.default_rng(i)) for i in range(100)]
    assert {one.scale for one in sampled} == {0.5, 0.75, 1.0, 1.25, 1.5}
    assert not any(one.flip for one in sampled)
    assert {one.colour_jitter for one in sampled} == {(1.0, 1.0, 1.0)}


def dotted():
    """One void row, one pixel of class 3, the rest class 0."""
    label = np.zeros((60, 80), np.uint8)
    label[0], label[41, 66] = VOID, 3
    return np.zeros((60, 80, 3), np.uint8), label


@pytest.mark.parametrize("place", [(0.0, 0.0), (0.5, 0.25), (1.0, 1.0)])
def test_a_class_balanced_crop_holds_the_pixel_wherever_it_is_to_lie(place):
    params = AugmentParams(1.0, place, False, PLAIN.colour_jitter, class_and_pixel=(0.99, 0.5))
    mask = augment(*dotted(), params, (33, 33), WHOLE)[1]
    row, column = (mask == 3).nonzero()[0].tolist()
    low, high = 41 - (60 - 33), 66 - (80 - 33)  # where it lies in the crop at the lower right
    assert (row, column) == (max(low, round(32 * place[0])), max(high, round(32 * place[1])))


def test_class_balanced_crops_take_each_class_as_often_and_never_void():
    """A class of one pixel in 4,800 is in half of the focused crops at least."""
    settings = Augment(scale=(1.0, 1.0), focus=0.5)
    sampled = [sample_params(settings, np.random.default_rng(i)) for i in range(300)]
    focused = [one for one in sampled if one.class_and_pixel]
    assert 120 < len(focused) < 180
    found = [(augment(*dotted(), one, (17, 17), WHOLE)[1] == 3).any() for one in focused]
    assert 0.4 < np.mean(found) < 0.65
    unfocused = [(augment(*dotted(), one, (17, 17), WHOLE)[1] == 3).any() for one in sampled if not one.class_and_pixel]
    assert np.mean(unfocused) < 0.3


def test_focus_on_a_photo_of_void_alone_is_no_error():
    rgb, label = dotted()
    label[:] = VOID
    params = AugmentParams(1.0, (0.5, 0.5), False, PLAIN.colour_jitter, class_and_pixel=(0.5, 0.5))
    assert (augment(rgb, label, params, (33, 33), WHOLE)[1] == VOID).all()


def test_focus_changes_nothing_else_that_is_sampled():
    """Recipes of before it existed sample what they always sampled."""
    plain, focused = (sample_params(Augment(colour=0.2, focus=f), np.random.default_rng(5)) for f in (0.0, 1.0))
    assert replace(focused, class_and_pixel=None) == plain


def test_parameters_are_drawn_as_before_there_were_turns():
    """Crops of earlier recipes stay the same bits: what is new is drawn after what is old."""
    settings = Augment(scale=(0.5, 2.0), colour=0.2, focus=1.0)
    drawn = sample_params(settings, np.random.default_rng((3, 1, 4)))
    assert drawn == AugmentParams(
        *(1.582078559099838, (0.9160542714580594, 0.06712797059429076), True),
        *((0.9880630479876805, 0.855970558846061, 1.0845224542776617), (0.2357963801957954, 0.5807237871480447)),
    )
    turned = sample_params(
        replace(settings, flip_vertical=True, quarter_turns=True, rotate=30.0), np.random.default_rng((3, 1, 4))
    )
    assert replace(turned, flip_vertical=False, quarter_turns=0, angle=0.0) == drawn


def test_turns_are_drawn_evenly():
    settings = Augment(flip_vertical=True, quarter_turns=True, rotate=30.0)
    sampled = [sample_params(settings, np.random.default_rng((2, i))) for i in range(400)]
    assert 160 < sum(one.flip_vertical for one in sampled) < 240
    counts = np.bincount([one.quarter_turns for one in sampled])
    assert len(counts) == 4
    assert counts.min() > 70
    angles = np.array([one.angle for one in sampled])
    assert -30 <= angles.min() < -28
    assert 28 < angles.max() <= 30


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
@pytest.mark.parametrize("mirrored", [(False, False), (True, False), (False, True), (True, True)])
def test_turns_and_mirroring_are_numpys(turns, mirrored):
    """Of a photo that is smaller than the crop, which then lies at the top left."""
    rgb, label = np.random.default_rng(0).integers(0, 200, (30, 44, 3), np.uint8), striped(30, 44)[1]
    params = replace(PLAIN, flip=mirrored[0], flip_vertical=mirrored[1], quarter_turns=turns)
    photo, mask = augment(rgb, label, params, (49, 65), WHOLE)
    for picture, given in ((photo.permute(1, 2, 0).numpy(), rgb), (mask.numpy(), label)):
        expected = np.rot90(given, turns)
        expected = expected[:, ::-1] if mirrored[0] else expected
        expected = expected[::-1] if mirrored[1] else expected
        assert np.array_equal(picture[: expected.shape[0], : expected.shape[1]], expected)
    assert (mask != VOID).sum() == label.size


def test_a_crop_may_be_no_square():
    rgb, label = striped(60, 80)
    for turns, size in ((0, (33, 57)), (1, (57, 33))):
        photo, mask = augment(rgb, label, replace(PLAIN, quarter_turns=turns), (33, 57), WHOLE)
        assert (photo.shape, mask.shape) == ((3, 33, 57), (33, 57))
        expected = np.rot90(label[: size[0], : size[1]], turns)
        assert np.array_equal(mask.numpy(), expected)


@pytest.mark.parametrize("angle", [-170.0, -31.5, 10.0, 90.0])
def test_a_turned_photo_is_torchvisions(angle):
    """On a canvas that holds all of it, wherever no pixel of the edge has a share."""
    rgb, label = np.random.default_rng(0).integers(0, 200, (30, 44, 3), np.uint8), striped(30, 44)[1]
    photo, mask = augment(rgb, label, replace(PLAIN, angle=angle), (65, 65), WHOLE)
    picture, truth = torch.from_numpy(rgb).permute(2, 0, 1), torch.from_numpy(label)[None]
    expected = transforms.rotate(picture, angle, InterpolationMode.BILINEAR, expand=True)
    inner = transforms.rotate(torch.ones(1, 30, 44), angle, InterpolationMode.BILINEAR, expand=True)[0] > 0.999
    height, width = inner.shape
    assert inner.sum() > 900
    assert ((photo[:, :height, :width] - expected)[:, inner].abs() <= 1).all()
    classes = transforms.rotate(truth, angle, InterpolationMode.NEAREST, expand=True, fill=VOID)[0]
    assert (mask[:height, :width] == classes)[inner].float().mean() > 0.99
    beyond = transforms.rotate(torch.ones(1, 30, 44), angle, InterpolationMode.BILINEAR, expand=True)[0] == 0
    assert (mask[:height, :width][beyond] == VOID).all()
    assert (photo[:, mask == VOID] == 127.5).all()


@pytest.mark.parametrize("place", [(0.0, 0.0), (0.5, 0.25), (1.0, 1.0)])
def test_a_class_balanced_crop_holds_its_pixel_also_where_the_photo_is_turned(place):
    rgb, label = dotted()
    label[40:43, 65:68] = 3
    params = AugmentParams(1.0, place, False, PLAIN.colour_jitter, class_and_pixel=(0.99, 0.5), angle=40.0)
    assert (augment(rgb, label, params, (33, 33), WHOLE)[1] == 3).sum() >= 2  # nine but in a corner


def test_turned_crops_lie_where_there_is_a_photo():
    rgb, label = striped(90, 120)
    label[:] = 1
    places = [(down, right) for down in (0, 0.5, 1) for right in (0, 0.5, 1)]
    crops = [augment(rgb, label, replace(PLAIN, position=place, angle=45.0), (33, 33), WHOLE) for place in places]
    shown = [(mask == 1).float().mean() for _, mask in crops]
    assert min(shown) > 0.7
    assert shown[4] == 1
