"""The fingerprint of one's own data: shares, sizes and regions, worked out by hand."""

import numpy as np
import pytest
from PIL import Image

from segcli.data.folder import open_folder
from segcli.data.names import parse
from segcli.errors import DatasetError
from segcli.labels import VOID
from segcli.training.planning import fingerprint


def written(folder, labels, names="field,blob,moss"):
    """A dataset of black photos with these labels."""
    for kind in ("photos", "labels"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    for index, label in enumerate(labels):
        Image.new("RGB", label.shape[::-1]).save(folder / "photos" / f"{index:04}.png")
        Image.fromarray(label).save(folder / "labels" / f"{index:04}.png")
    return open_folder(folder / "photos", folder / "labels", parse(names))


def plain(height=40, width=60):
    return np.zeros((height, width), np.uint8)


def half(size):
    return size[0] // 2, size[1] // 2


@pytest.fixture
def spots():
    """Three labels: a blob of 20 x 20, one of 10 x 10 with 20 x 60 void, and nothing but field."""
    labels = [plain(), plain(), plain(80, 60)]
    labels[0][5:25, 5:25] = 1
    labels[1][30:40, 0:10] = 1
    labels[1][:20] = VOID
    return labels


def test_shares_are_of_the_pixels_that_are_not_void(tmp_path, spots):
    found = fingerprint.of(written(tmp_path, spots))
    every = 3 * 2400 + 2400 - 1200
    assert found.shares == {"field": (every - 500) / every, "blob": 500 / every, "moss": 0}
    assert found.photos_by_class == {"field": 3, "blob": 2, "moss": 0}
    assert found.void == pytest.approx(1200 / 9600)
    assert (found.photos, found.looked_at, found.median_size, found.longest_side) == (3, 3, (40, 60), 80)


def test_the_size_of_regions_is_that_of_the_working_size(tmp_path, spots):
    found = fingerprint.of(written(tmp_path, spots))
    assert found.region_sizes(lambda size: size)["blob"] == 20
    assert found.region_sizes(half)["blob"] == 10
    assert "moss" not in found.region_sizes(half)


def test_crumbs_of_a_large_region_do_not_make_it_small(tmp_path):
    label = plain(100, 100)
    label[:50, :50] = 1
    label[60::8, 60::8] = 1
    label[60:64, 2:6] = 1
    found = fingerprint.of(written(tmp_path, [label]))
    assert found.region_sizes(lambda size: size)["blob"] == 50


def test_a_large_label_is_looked_at_more_coarsely(tmp_path):
    label = plain(64, 3000)
    label[8:48, 1000:1040] = 1
    found = fingerprint.of(written(tmp_path, [label]))
    assert found.region_sizes(lambda size: size)["blob"] == pytest.approx(40, abs=3)


def test_of_many_labels_the_same_few_are_looked_at_each_time(tmp_path, monkeypatch):
    monkeypatch.setattr(fingerprint, "LOOKED_AT", 4)
    data = written(tmp_path, [plain()] * 9)
    chosen = fingerprint.sampled(data.samples, 4)
    assert len(chosen) == 4
    assert chosen == fingerprint.sampled(data.samples, 4)
    assert [s.name for s in chosen] == sorted(s.name for s in chosen)
    assert fingerprint.sampled(data.samples, 9) == data.samples


def test_a_label_that_cannot_be_used_stops_it_or_is_left_out(tmp_path, spots):
    data = written(tmp_path, [*spots, plain()])
    (tmp_path / "labels" / "0003.png").write_bytes(b"no picture")
    with pytest.raises(DatasetError, match=r"0003\.png"):
        fingerprint.of(data)
    found = fingerprint.of(data, skip_bad=True)
    assert (found.photos, found.looked_at, found.left_out) == (3, 3, 1)


def test_labels_that_are_alike_are_doubted(tmp_path, spots):
    found = fingerprint.of(written(tmp_path, [spots[0], spots[0]]))
    assert [doubt.kind for doubt in found.doubts] == ["same-label"]
