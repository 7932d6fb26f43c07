"""Steadied masks: averages by the time that has passed, moved with the picture, and nothing kept of what has gone."""

import math

import numpy as np
import pytest
import torch
from extras import extra
from small_runs import smooth

from segcli.films import steady
from segcli.films.steady import LONGEST_GAP, PLAIN_SECONDS, SECONDS, Steady, memory_of
from segcli.inference.prediction import from_probabilities

HEIGHT, WIDTH = 48, 64
STILL = smooth(1, WIDTH, HEIGHT)


def certain(label: int, share: float = 1.0):
    """A prediction of two classes: `label` of that probability everywhere."""
    values = torch.full((2, HEIGHT, WIDTH), 1 - share)
    values[label] = share
    return from_probabilities(values, (HEIGHT, WIDTH))


def second_class(prediction):
    return prediction.probabilities()[1]


class TestPlain:
    def test_a_frame_counts_for_what_the_time_since_the_last_leaves_it(self):
        average = Steady(by_flow=False)
        average(certain(1), STILL, 0.0)
        kept = math.exp(-0.05 / PLAIN_SECONDS)
        after = second_class(average(certain(0), STILL, 0.05))
        assert torch.allclose(after, torch.full_like(after, kept), atol=1e-6)
        after = second_class(average(certain(1), STILL, 0.15))
        far = math.exp(-0.1 / PLAIN_SECONDS)
        assert torch.allclose(after, torch.full_like(after, (1 - far) + far * kept), atol=1e-6)

    def test_it_follows_time_and_not_the_number_of_frames(self):
        """The first frame's weight after 0.12 s is the same whether two frames or four have come since."""
        weights = []
        for steps in (2, 4):
            average = Steady(by_flow=False)
            average(certain(1), STILL, 0.0)
            for step in range(1, steps + 1):
                after = average(certain(0), STILL, 0.12 * step / steps)
            weights.append(float(second_class(after).mean()))
        assert weights[0] == pytest.approx(weights[1], rel=1e-5) == pytest.approx(math.exp(-0.12 / PLAIN_SECONDS))

    @pytest.mark.parametrize("by_flow", [False, True])
    def test_nothing_is_kept_over_a_gap_a_cut_or_a_step_back(self, by_flow):
        if by_flow:
            extra("cv2")
        other = 255 - STILL
        for seconds, picture in ((LONGEST_GAP + 0.01, STILL), (0.05, other), (0.0, STILL), (-1.0, STILL)):
            average = Steady(by_flow)
            average(certain(1), STILL, 0.0)
            assert float(second_class(average(certain(0), picture, seconds)).max()) == 0, seconds

    def test_frames_of_another_size_begin_anew(self):
        average = Steady(by_flow=False)
        average(certain(1), STILL, 0.0)
        small = from_probabilities(torch.tensor([1.0, 0.0])[:, None, None].expand(2, 24, 32).clone(), (24, 32))
        assert float(second_class(average(small, STILL[::2, ::2], 0.05)).max()) == 0


class TestByFlow:
    @pytest.fixture(autouse=True)
    def _opencv(self):
        extra("cv2")

    @staticmethod
    def textured(shift: int) -> np.ndarray:
        """A window on a wide picture, so many pixels further on."""
        wide = np.random.default_rng(3).integers(0, 256, (24, 60, 3), np.uint8)
        from PIL import Image

        wide = np.asarray(Image.fromarray(wide).resize((480, 192), Image.Resampling.BICUBIC))
        return wide[:, shift : shift + 256]

    @staticmethod
    def edge(column: int, share: float):
        """A prediction of the second class right of a column, of probability `share`, and the first left of it."""
        values = torch.full((2, 192, 256), 1 - share)
        values[1, :, column:] = share
        values[0, :, :column] = share
        return from_probabilities(values, (192, 256))

    def test_the_average_moves_with_the_picture(self):
        average = Steady(by_flow=True)
        average(self.edge(128, 0.9), self.textured(0), 0.0)
        unsure = from_probabilities(torch.full((2, 192, 256), 0.5), (192, 256))
        moved = second_class(average(unsure, self.textured(10), 1 / 15))
        columns = (moved[20:-20] > 0.5).float().argmax(1)
        assert 116 <= float(columns.float().median()) <= 120, "what was at 128 is at 118"
        k = math.exp(-1 / 15 / SECONDS)
        assert float(moved[20:-20, 140:220].median()) == pytest.approx(0.5 + 0.4 * k, abs=0.03)

    def test_nothing_is_kept_where_the_picture_has_changed(self):
        picture = self.textured(0)
        changed = picture.copy()
        changed[60:120, 80:160] = 255 - changed[60:120, 80:160]
        average = Steady(by_flow=True)
        average(self.edge(0, 1.0), picture, 0.0)
        after = second_class(average(self.edge(256, 1.0), changed, 1 / 15))
        assert float(after[70:110, 90:150].mean()) < 0.25
        assert float(after[150:, :60].mean()) == pytest.approx(math.exp(-1 / 15 / SECONDS), abs=0.05)


def test_a_memory_that_was_saved_goes_on_to_the_bit():
    whole, before = Steady(by_flow=False), Steady(by_flow=False)
    for average in (whole, before):
        average(certain(1, 0.7), STILL, 0.0)
    after = Steady(by_flow=False, memory=memory_of(before.kept()))
    results = [average(certain(0, 0.8), STILL, 0.04).scores for average in (whole, after)]
    assert torch.equal(*results)
    assert memory_of(Steady(by_flow=False).kept()) is None


def test_the_average_is_no_finer_than_four_times_the_scores():
    scores = from_probabilities(torch.full((2, 6, 8), 0.5), (480, 640))
    assert steady._size(scores) == (24, 32)
    assert steady._size(certain(0)) == (HEIGHT, WIDTH)
