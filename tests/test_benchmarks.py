"""The logic of benchmarks/: what is compared is the same for all, and pages keep what is not measured."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from segcli.labels import VOC

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(scope="module", autouse=True)
def _importable():
    sys.path.insert(0, str(BENCHMARKS))
    yield
    sys.path.remove(str(BENCHMARKS))


def test_photos_have_their_sizes_and_are_the_same_every_time(tmp_path):
    import pictures

    for name in ("once", "again"):
        (tmp_path / name).mkdir()
    once, again = (pictures.folder_of_photos(pictures.EXAMPLES, tmp_path / name, 13) for name in ("once", "again"))
    assert [Image.open(path).size for path in once] == [pictures.SHAPES[index % 4] for index in range(13)]
    assert all(a.read_bytes() == b.read_bytes() for a, b in zip(once, again, strict=True))
    assert len({path.read_bytes() for path in once}) == 13


def test_the_large_photo_has_12_megapixels_without_seams(tmp_path):
    import pictures

    rgb = np.asarray(Image.open(pictures.large_photo(pictures.EXAMPLES, tmp_path))).astype(int)
    assert rgb.shape == (3000, 4000, 3)
    steps = np.abs(np.diff(rgb[:, ::7].mean(2), axis=0)).mean(1)
    assert steps[[719, 1439, 2159, 2879]].max() < np.median(steps) * 2  # where mirror images meet


def test_contenders_take_turns_after_a_warm_up():
    from measuring import in_turns

    calls = []
    timings = in_turns({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, rounds=3, repeats=2)
    assert "".join(calls) == "ab" + "aabb" + "bbaa" + "aabb"
    assert len(timings["a"].wall) == 3
    assert timings["a"].seconds == sorted(timings["a"].wall)[1]


def test_a_calibrated_network_uses_every_class():
    from contenders import CLASSES, calibrated

    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 16, 3, 2, 1), nn.BatchNorm2d(16, momentum=0.9), nn.ReLU(), nn.Conv2d(16, CLASSES, 1)
    )
    inputs = 5 * torch.randn(2, 3, 64, 64) + 3
    features = calibrated(network, inputs)[:2](inputs)
    assert not network.training
    assert features.mean().abs() < 0.2
    assert 0.7 < features.std() < 1.4
    labels = network(inputs).argmax(1)
    assert len(labels.unique()) > CLASSES // 2
    assert labels.flatten().mode().values == 0


def test_a_peers_loop_writes_palette_masks_of_the_photos_sizes(tmp_path):
    import pictures
    from contenders import CLASSES, peer_loop

    photos = pictures.folder_of_photos(pictures.EXAMPLES, tmp_path, 3)
    network = nn.Conv2d(3, CLASSES, 8, 8)
    assert list(peer_loop(network, 64, photos, tmp_path / "out")) == photos
    for photo in photos:
        mask = Image.open(tmp_path / "out" / f"{photo.stem}.png")
        assert (mask.mode, mask.size) == ("P", Image.open(photo).size)
        assert mask.getpalette()[:9] == VOC.colours()[:3].ravel().tolist()


def test_a_peers_loop_ends_when_its_rate_is_known(tmp_path, monkeypatch):
    import contenders
    import pictures

    monkeypatch.setattr(contenders, "PATIENCE", 0)
    photos = pictures.folder_of_photos(pictures.EXAMPLES, tmp_path, 3)
    assert len(list(contenders.peer_loop(nn.Conv2d(3, contenders.CLASSES, 8, 8), 64, photos, tmp_path / "out"))) == 1


def test_a_page_keeps_what_is_not_measured():
    from speed import BEGIN, END, written

    page = f"# Speed\n\n{BEGIN}\n\nold\n\n{END}\n\nafter\n"
    assert written(page, "new\n") == f"# Speed\n\n{BEGIN}\n\nnew\n\n{END}\n\nafter\n"
    assert written(written(page, "new\n"), "new\n") == written(page, "new\n")
    with pytest.raises(SystemExit, match="no marks"):
        written("# Speed\n", "new")


def test_the_page_of_results_can_be_written():
    from speed import written

    page = (BENCHMARKS.parent / "docs" / "performance.md").read_text(encoding="utf-8")
    assert "| a |" in written(page, "| a |")


def test_cells_are_the_same_every_time_and_of_all_kinds():
    import small_cells

    (rgb, label), (same, _) = (small_cells.draw(np.random.default_rng((0, 1))) for _ in range(2))
    assert np.array_equal(rgb, same)
    assert (rgb.shape, rgb.dtype, label.shape) == ((320, 320, 3), np.uint8, (320, 320))
    assert set(np.unique(label)) == set(range(len(small_cells.CLASSES)))


def test_variants_change_finetune_and_nothing_else():
    import small_data

    data = {"images": "photos", "masks": "masks", "labels": ["a", "b"]}
    recipes = {name: small_data.recipe_of(data, name, 3, 8) for name in small_data.VARIANTS}
    base = recipes.pop("baseline")
    assert (base.model.freeze_backbone, base.run.seed, base.optimizer.classifier_rate) == (2, 3, 10)
    assert all(one != base and one.schedule == base.schedule for one in recipes.values())
    assert recipes["ema, lovasz, turns"].augment.quarter_turns


def test_scores_over_seeds_become_a_mean_a_spread_and_a_gain():
    import small_data

    scores = {"baseline": (0.5, 0.54), "ema": (0.55, 0.56)}
    rows = [
        {"set": "cells", "variant": name, "seed": str(seed), "iterations": "400", "best": str(best)}
        for name, bests in scores.items()
        for seed, best in enumerate(bests)
    ]
    (text,) = small_data.report(rows)
    assert "| baseline | 52.0 | 4.0 | 2 | +0.0 |" in text
    assert "| ema | 55.5 | 1.0 | 2 | +3.5 |" in text
