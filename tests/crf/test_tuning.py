from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import jaccard_score

from segcli.crf.dense_crf import refine
from segcli.crf.params import CRFParams
from segcli.crf.tuning import Grid, TuningSample, best, tune
from segcli.errors import UsageError
from segcli.labels import LabelSet

LABELS = LabelSet("three", ("a", "b", "c"), ((0, 0, 0), (255, 0, 0), (0, 255, 0)))


@pytest.fixture(autouse=True)
def _one_thread():
    """Thousands of short parallel sections: on a busy machine a second thread costs more than it brings."""
    torch.set_num_threads(1)


def sample() -> TuningSample:
    truth = np.zeros((24, 30), np.uint8)
    truth[4:20, 6:14], truth[8:22, 18:27] = 1, 2
    rgb = np.array([[60, 60, 60], [200, 80, 80], [70, 180, 90]], np.uint8)[truth]
    rgb = np.clip(rgb + np.random.normal(0, 3, rgb.shape), 0, 255).astype(np.uint8)
    scores = torch.randn(3, 24, 30) + 2 * torch.nn.functional.one_hot(torch.from_numpy(truth).long()).permute(2, 0, 1)
    truth[:2] = 255
    return TuningSample(scores.softmax(0), rgb, truth)


@pytest.fixture
def samples():
    return [sample(), sample()]


TRUTH = np.arange(5000, dtype=np.uint8)[None] % 3
GRID = Grid(w1=(3, 5), sigma_alpha=(30, 60), sigma_beta=(3,))


def test_every_set_is_tried_once_and_scored_as_by_hand(samples):
    trials = list(tune([lambda s=s: s for s in samples], LABELS, CRFParams(iterations=3), grid=GRID, refinements=0))
    assert {(t.params.w1, t.params.sigma_alpha) for t in trials} == {(3, 30), (3, 60), (5, 30), (5, 60)}
    assert len(trials) == len(GRID) == 4
    for trial in trials:
        assert trial.params.iterations == 3
        predicted = [refine(s.probabilities, s.rgb, trial.params).argmax(0).numpy() for s in samples]
        known = np.stack([s.truth for s in samples]) != 255
        truth = np.stack([s.truth for s in samples])[known]
        assert trial.miou == pytest.approx(jaccard_score(truth, np.stack(predicted)[known], average="macro"))


def test_the_finer_grid_halves_the_steps_around_the_best(samples):
    trials = list(tune([lambda: samples[0]], LABELS, CRFParams(iterations=2), grid=GRID, refinements=2))
    assert len({t.params for t in trials}) == len(trials)
    coarse = best([t for t in trials if t.round == 0]).params
    fine = [t.params for t in trials if t.round == 1]
    assert {p.w1 for p in fine} == {coarse.w1 - 1, coarse.w1, coarse.w1 + 1}
    assert {p.sigma_alpha for p in fine} == {coarse.sigma_alpha - 15, coarse.sigma_alpha, coarse.sigma_alpha + 15}
    assert {p.sigma_beta for p in fine} == {3}
    assert any(t.round == 2 for t in trials)


def test_a_sample_is_read_once_for_each_pair_of_sigmas(samples):
    reads = []
    list(tune([lambda: reads.append(1) or samples[0]], LABELS, CRFParams(iterations=1), grid=GRID, refinements=0))
    assert len(reads) == 2


def test_the_papers_grid():
    assert len(Grid()) == 4 * 8 * 4
    assert Grid().sigma_alpha == tuple(range(30, 101, 10))


def test_a_set_that_does_not_fit_a_photo_is_never_the_best(samples):
    wide = TuningSample(torch.rand(3, 1, 5000).softmax(0), np.random.randint(0, 256, (1, 5000, 3), np.uint8), TRUTH)
    grid = Grid(w1=(3, 5), sigma_alpha=(0.1, 60), sigma_beta=(0.1,))
    trials = list(tune([lambda s=s: s for s in (samples[0], wide)], LABELS, CRFParams(), grid=grid, refinements=0))
    assert [trial.miou is None for trial in trials] == [True, True, False, False]
    assert all("too small" in trial.refusal for trial in trials[:2])
    assert best(trials).params.sigma_alpha == 60
    with pytest.raises(UsageError, match="no set of CRF settings fits all photos: the CRF's sigmas are too small"):
        list(tune([lambda: wide], LABELS, grid=replace(grid, sigma_alpha=(0.1,))))


def test_nothing_to_learn_from_is_a_usage_error(samples):
    with pytest.raises(UsageError, match="at least one photo"):
        next(tune([], LABELS))
    void = TuningSample(samples[0].probabilities, samples[0].rgb, np.full((24, 30), 255, np.uint8))
    with pytest.raises(UsageError, match="void everywhere"):
        next(tune([lambda: void], LABELS, grid=GRID))
