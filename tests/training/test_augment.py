"""Augmentation: photo and mask stay together, no id is mixed from others, parameters follow from the seed."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from segcli.labels import VOID
from segcli.models.preprocessing import Preprocessing
from segcli.training.augment import AugmentParams, augment, sample_params
from segcli.training.recipe import Augment

WHOLE = Preprocessing(resize="none", size=0, pad="stride", mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
PLAIN = AugmentParams(scale=1.0, position=(0.0, 0.0), flip=False, colour_jitter=(1.0, 1.0, 1.0))


def striped(height=40, width=56):
    """A mask of vertical stripes, four pixels wide, and a photo that shows 10 times the id."""
    label = np.broadcast_to(np.arange(width, dtype=np.uint8) // 4, (height, width)).copy()
    return np.repeat(10 * label[..., None], 3, axis=2), label


def test_beyond_the_photo_it_is_mean_grey_and_void():
    rgb, label = striped(40, 56)
    photo, mask = augment(rgb, label, PLAIN, 65, WHOLE)
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
    photo, mask = augment(rgb, label, AugmentParams(scale, (0.3, 0.8), flip, PLAIN.colour_jitter), 49, WHOLE)
    inside = mask != VOID
    near = (photo[0] - 10 * mask.float()).abs()[inside] <= 5
    assert near.float().mean() > 0.95
    assert (mask[0, 0] > mask[0, 30]) == flip


def test_no_id_is_mixed_from_others():
    rgb, label = striped()
    label[:] = np.where(label % 2, 9, 200)
    for scale in (0.31, 0.77, 1.9):
        mask = augment(rgb, label, AugmentParams(scale, (0.5, 0.5), False, PLAIN.colour_jitter), 33, WHOLE)[1]
        assert set(mask.unique().tolist()) <= {9, 200, VOID}


def test_the_scale_is_relative_to_the_working_size():
    rgb, label = striped(400, 560)
    mask = augment(rgb, label, AugmentParams(0.5, (0, 0), False, PLAIN.colour_jitter), 129, Preprocessing(size=140))[1]
    height, width = (mask != VOID).sum(0).max(), (mask != VOID).sum(1).max()
    assert (height, width) == (50, 70)


def test_the_crop_may_lie_anywhere_and_nowhere_else():
    rgb, label = striped(60, 80)
    label[:] = np.arange(60, dtype=np.uint8)[:, None]
    tops = {
        int(augment(rgb, label, AugmentParams(1.0, (p, p), False, PLAIN.colour_jitter), 33, WHOLE)[1][0, 0])
        for p in (0, 0.5, 1)
    }
    assert tops == {0, 14, 27}


def test_colour_changes_the_photo_only():
    rgb, label = striped()
    rgb[..., 0] = 255
    plain, mask = augment(rgb, label, PLAIN, 33, WHOLE)
    coloured, same = augment(rgb, label, AugmentParams(1.0, (0, 0), False, (0.8, 1.1, 0.7)), 33, WHOLE)
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
    mask = augment(*dotted(), params, 33, WHOLE)[1]
    row, column = (mask == 3).nonzero()[0].tolist()
    low, high = 41 - (60 - 33), 66 - (80 - 33)  # where it lies in the crop at the lower right
    assert (row, column) == (max(low, round(32 * place[0])), max(high, round(32 * place[1])))


def test_class_balanced_crops_take_each_class_as_often_and_never_void():
    """A class of one pixel in 4,800 is in half of the focused crops at least."""
    settings = Augment(scale=(1.0, 1.0), focus=0.5)
    sampled = [sample_params(settings, np.random.default_rng(i)) for i in range(300)]
    focused = [one for one in sampled if one.class_and_pixel]
    assert 120 < len(focused) < 180
    found = [(augment(*dotted(), one, 17, WHOLE)[1] == 3).any() for one in focused]
    assert 0.4 < np.mean(found) < 0.65
    unfocused = [(augment(*dotted(), one, 17, WHOLE)[1] == 3).any() for one in sampled if not one.class_and_pixel]
    assert np.mean(unfocused) < 0.3


def test_focus_on_a_photo_of_void_alone_is_no_error():
    rgb, label = dotted()
    label[:] = VOID
    params = AugmentParams(1.0, (0.5, 0.5), False, PLAIN.colour_jitter, class_and_pixel=(0.5, 0.5))
    assert (augment(rgb, label, params, 33, WHOLE)[1] == VOID).all()


def test_focus_changes_nothing_else_that_is_sampled():
    """Recipes of before it existed sample what they always sampled."""
    plain, focused = (sample_params(Augment(colour=0.2, focus=f), np.random.default_rng(5)) for f in (0.0, 1.0))
    assert replace(focused, class_and_pixel=None) == plain
