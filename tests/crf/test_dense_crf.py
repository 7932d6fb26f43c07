import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from segcli.crf import dense_crf, mean_field
from segcli.crf.dense_crf import refine, unary_from_labels
from segcli.crf.params import CRFParams
from segcli.crf.permutohedral import corners
from segcli.crf.permutohedral.lattice import Workspace
from segcli.errors import InputError, UsageError

REFERENCE = Path(__file__).parent / "data" / "crf_reference.npz"


@pytest.fixture(autouse=True)
def _one_thread():
    """Thousands of short parallel sections: on a busy machine a second thread costs more than it brings."""
    torch.set_num_threads(1)


def a_photo(height: int, width: int) -> np.ndarray:
    return np.random.randint(0, 256, (height, width, 3), np.uint8)


def opinions(classes: int, height: int, width: int, sharpness: float = 3.0) -> torch.Tensor:
    return (torch.randn(classes, height, width) * sharpness).softmax(0)


@pytest.fixture(scope="module")
def reference():
    """What pydensecrf2 made of the drawing; tests/data/crf_reference.py writes it."""
    with np.load(REFERENCE) as stored:
        return {name: stored[name] for name in stored.files}


@pytest.mark.parametrize("number", range(3))
def test_gives_what_pydensecrf_gave(reference, number):
    *floats, iterations = reference["settings"][number].tolist()
    refined = refine(
        torch.from_numpy(reference["probabilities"]), reference["rgb"], CRFParams(*floats, int(iterations)), eps=0
    )
    expected = reference["refined"][number] / 65535
    assert np.abs(refined.numpy() - expected).max() < 1e-4
    assert np.array_equal(refined.argmax(0).numpy(), expected.argmax(0))
    changed = expected.argmax(0) != reference["probabilities"].argmax(0)
    assert changed.mean() > 0.05, "the reference must have work to do"


@pytest.mark.parametrize(
    ("classes", "height", "width"), [(2, 1, 1), (3, 1, 9), (3, 7, 1), (5, 23, 31), (21, 40, 25), (300, 9, 8)]
)
def test_gives_what_pydensecrf_gives_at_odd_shapes(classes, height, width):
    pytest.importorskip("pydensecrf")
    probabilities, photo = opinions(classes, height, width), a_photo(height, width) // 8
    params = CRFParams(w1=6, sigma_alpha=20, sigma_beta=9, sigma_gamma=2)
    theirs = refine(probabilities, photo, params, backend="pydensecrf")
    assert (refine(probabilities, photo, params, eps=0) - theirs).abs().max() < 1e-4


@pytest.fixture(scope="module")
def network(shared_data):
    """Another implementation's DeepLabv3: (rgb uint8 (H, W, 3)) -> probabilities (21, H, W)."""
    transformers = pytest.importorskip("transformers")
    folder = shared_data / "hub/google/deeplabv3_mobilenet_v2_1.0_513"
    model = transformers.MobileNetV2ForSemanticSegmentation.from_pretrained(folder).eval()

    @torch.no_grad()
    def probabilities(rgb: np.ndarray) -> torch.Tensor:
        scores = model(torch.from_numpy(rgb / np.float32(127.5) - 1).permute(2, 0, 1)[None]).logits
        return torch.nn.functional.interpolate(scores, rgb.shape[:2], mode="bilinear").softmax(1)[0]

    return probabilities


@pytest.mark.shared
@pytest.mark.parametrize(
    "name", ["000000039769.png", "bird_segmentation.bmp", "cat_720p.jpg", "grace_hopper.bmp", "pets.jpg"]
)
def test_real_photos_come_out_as_from_pydensecrf(shared_data, network, name):
    pytest.importorskip("pydensecrf")
    photo = Image.open(shared_data / "photos" / name).convert("RGB")
    photo.thumbnail((193, 193))
    rgb = np.asarray(photo)
    probabilities = network(rgb)
    for params in (CRFParams(), CRFParams(w1=5, sigma_alpha=50, sigma_beta=5, w2=3, sigma_gamma=3)):
        theirs = refine(probabilities, rgb, params, backend="pydensecrf")
        exact = refine(probabilities, rgb, params, eps=0)
        assert (exact - theirs).abs().max() <= 1e-3
        assert (exact.argmax(0) == theirs.argmax(0)).float().mean() >= 0.9999
        assert (refine(probabilities, rgb, params).argmax(0) == theirs.argmax(0)).float().mean() >= 0.9999


@pytest.mark.shared
@pytest.mark.parametrize(("photo", "case"), [("im1", "1"), ("im1", "1-b"), ("im2", "2"), ("im3", "3")])
def test_the_public_examples_are_reproduced(shared_data, photo, case):
    folder = shared_data / "crf"
    rgb, rough, published = (
        np.asarray(Image.open(folder / f"{name}.png").convert("RGB")) for name in (photo, f"anno{case}", f"out{case}")
    )
    colours, labels = np.unique(rough.reshape(-1, 3), axis=0, return_inverse=True)
    if not colours[0].any():  # black is "no opinion"
        colours, labels = colours[1:], np.where(labels == 0, 255, labels - 1)
    unary = unary_from_labels(labels.reshape(rough.shape[:2]), len(colours), 0.7)
    settings = CRFParams(w1=10, sigma_alpha=80, sigma_beta=13, w2=3, sigma_gamma=3, iterations=5)
    painted = colours[refine(unary, rgb, settings).argmax(0).numpy()]
    assert (painted == published).all(2).mean() >= 0.998


def test_labels_follow_the_edges_of_the_photo():
    rgb = np.full((40, 40, 3), 60, np.uint8)
    rgb[:, 20:] = 180
    probabilities = torch.full((2, 40, 40), 0.3)
    probabilities[0, :, :24], probabilities[1, :, 24:] = 0.7, 0.7  # the network's edge lies four pixels off
    labels = refine(probabilities, rgb, CRFParams()).argmax(0).numpy()
    assert np.array_equal(labels, (rgb[..., 0] == 180).astype(int))


def test_classes_that_matter_nowhere_are_left_out():
    probabilities = torch.cat([opinions(3, 20, 20) * 0.999, torch.full((1, 20, 20), 1e-3)])
    kept = refine(probabilities, a_photo(20, 20), CRFParams(), eps=0.01)
    assert kept[3].max() == 0
    assert torch.allclose(kept.sum(0), torch.ones(20, 20))
    assert refine(probabilities, a_photo(20, 20), CRFParams(), eps=0)[3].max() > 0


def test_a_faint_class_stays_where_it_is_the_likeliest():
    probabilities = torch.full((50, 6, 6), 0.0204)
    probabilities[7] = 0.0205
    assert refine(probabilities, a_photo(6, 6), CRFParams(), eps=0.1).argmax(0).eq(7).all()


def test_certainty_needs_no_lattice(monkeypatch):
    probabilities = torch.zeros(5, 8, 9)
    probabilities[2] = 1
    monkeypatch.setattr(dense_crf, "Lattice", None)
    assert torch.equal(refine(probabilities, a_photo(8, 9), CRFParams()), probabilities)


def test_pixels_of_nothing_but_zeros_take_their_neighbours_opinion():
    probabilities = torch.zeros(3, 12, 12)
    probabilities[1] = 0.8
    probabilities[:, 4:8, 4:8] = 0
    labels = refine(probabilities, np.full((12, 12, 3), 99, np.uint8), CRFParams()).argmax(0)
    assert labels.eq(1).all()


def test_one_class_is_certain():
    probabilities = torch.full((1, 5, 4), 0.3)
    for backend in ("torch", "pydensecrf"):
        if backend == "pydensecrf":
            pytest.importorskip("pydensecrf")
        assert refine(probabilities, a_photo(5, 4), CRFParams(), backend=backend).eq(1).all()


def test_without_iterations_only_the_clipping_shows():
    probabilities = opinions(3, 6, 5, sharpness=1)
    assert torch.allclose(refine(probabilities, a_photo(6, 5), CRFParams(iterations=0)), probabilities, atol=1e-6)


def test_a_photo_that_cannot_be_written_to_is_welcome(recwarn):
    photo = a_photo(6, 5)
    photo.flags.writeable = False
    refine(opinions(3, 6, 5), photo[:, ::-1], CRFParams())
    assert not recwarn.list


def test_inputs_stay_as_they_are_and_results_repeat():
    probabilities, photo = opinions(6, 33, 47), a_photo(33, 47)
    before = probabilities.clone()
    once = refine(probabilities, photo, CRFParams())
    assert torch.equal(refine(probabilities, torch.from_numpy(photo), CRFParams()), once)
    assert torch.equal(probabilities, before)


@pytest.mark.parametrize("sigma", [0.4, 1.0, 3.0])
def test_strips_add_up_to_the_whole_plane(monkeypatch, sigma):
    values = torch.rand(90 * 17, 2)
    workspace = Workspace()
    whole = dense_crf.spatial_kernel(90, 17, sigma, values.device)
    expected = torch.cat([part.clone() for _, part in whole.filter(values, workspace)])
    monkeypatch.setattr(dense_crf, "BLOCK", 17 * 40)
    strips = dense_crf.spatial_kernel(90, 17, sigma, values.device)
    pieces = [(pixels, part.clone()) for pixels, part in strips.filter(values, workspace)]
    assert len(pieces) > 1
    assert (torch.cat([part for _, part in pieces]) - expected).abs().max() < 1e-5
    assert [pixels.stop for pixels, _ in pieces][-1] == 90 * 17


def test_a_large_photo_is_worked_in_parts_with_the_same_result(monkeypatch):
    probabilities, photo = opinions(5, 60, 50), a_photo(60, 50) // 4
    whole = refine(probabilities, photo, CRFParams(), eps=0)
    monkeypatch.setattr(dense_crf, "BLOCK", 1000)
    monkeypatch.setattr(corners, "BLOCK", 1000)
    monkeypatch.setattr(mean_field, "_CHUNK", 2 * 3000)
    assert (refine(probabilities, photo, CRFParams(), eps=0) - whole).abs().max() < 1e-5


class TestGuards:
    @pytest.mark.parametrize(
        ("probabilities", "said"),
        [
            (torch.full((2, 4, 4), float("nan")), "nan"),
            (torch.full((2, 4, 4), float("inf")), "inf"),
            (torch.full((2, 4, 4), -0.1), "softmax"),
            (torch.full((2, 4, 4), 7.0), "softmax"),
            (torch.rand(2, 4, 5), r"\(4, 4\)"),
            (torch.rand(4, 4), r"\(4, 4\)"),
            (torch.rand(0, 4, 4), r"\(0, 4, 4\)"),
        ],
    )
    def test_probabilities_that_are_none(self, probabilities, said):
        with pytest.raises(InputError, match=said):
            refine(probabilities, a_photo(4, 4), CRFParams())

    @pytest.mark.parametrize("photo", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((4, 4, 4), np.uint8)])
    def test_photos_that_are_none(self, photo):
        with pytest.raises(InputError, match="uint8 photo"):
            refine(torch.rand(2, 4, 4), photo, CRFParams())

    @pytest.mark.parametrize("eps", [-0.1, 1.0, float("nan")])
    def test_eps(self, eps):
        with pytest.raises(UsageError, match="eps"):
            refine(torch.rand(2, 4, 4), a_photo(4, 4), CRFParams(), eps=eps)

    def test_the_smallest_sigmas_neither_crash_nor_lie(self):
        probabilities = opinions(3, 30, 40)
        params = CRFParams(w1=1, sigma_alpha=0.1, sigma_beta=0.1, w2=1, sigma_gamma=0.1)
        # Nothing is near anything: every pixel keeps its own label.
        refined = refine(probabilities, a_photo(30, 40), params)
        assert torch.equal(refined.argmax(0), probabilities.argmax(0))

    def test_the_largest_sigmas_see_one_colour(self):
        params = CRFParams(sigma_alpha=10000, sigma_beta=10000, sigma_gamma=10000)
        refined = refine(opinions(3, 10, 10), a_photo(10, 10), params)
        assert torch.isfinite(refined).all()

    def test_pydensecrf_is_kept_from_garbling(self):
        pytest.importorskip("pydensecrf")
        probabilities, photo, narrow = opinions(2, 2, 2400), a_photo(2, 2400), CRFParams(sigma_gamma=0.1)
        with pytest.raises(InputError, match="16-bit"):
            refine(probabilities, photo, narrow, backend="pydensecrf")
        assert torch.isfinite(refine(probabilities, photo, narrow)).all()

    def test_a_missing_backend_names_its_extra(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "pydensecrf.densecrf", None)
        with pytest.raises(UsageError, match="densecrf"):
            refine(torch.rand(2, 4, 4), a_photo(4, 4), CRFParams(), backend="pydensecrf")


class TestRoughLabels:
    @pytest.mark.parametrize(("classes", "gt_prob"), [(2, 0.5), (4, 0.7), (21, 0.9)])
    def test_are_pydensecrfs(self, classes, gt_prob):
        utils = pytest.importorskip("pydensecrf.utils")
        labels = np.random.randint(0, classes + 1, (7, 9))
        energy = utils.unary_from_labels(labels, classes, gt_prob).reshape(classes, 7, 9)
        ours = unary_from_labels(np.where(labels == 0, 255, labels - 1).astype(np.uint8), classes, gt_prob)
        assert np.allclose(-ours.log().numpy(), energy, atol=1e-6)

    def test_one_class_is_certain(self):
        assert unary_from_labels(np.array([[0, 255]]), 1, 0.7).tolist() == [[[1.0, 1.0]]]

    def test_a_strange_id_is_named(self):
        with pytest.raises(InputError, match="the id 9, but there are only 4"):
            unary_from_labels(np.array([[0, 9]]), 4, 0.7)

    def test_a_picture_is_no_label_map(self):
        with pytest.raises(InputError, match=r"\(3, 3, 3\)"):
            unary_from_labels(np.zeros((3, 3, 3), np.uint8), 4, 0.7)

    @pytest.mark.parametrize("gt_prob", [0, 1, -2, float("nan")])
    def test_certainty_lies_between_0_and_1(self, gt_prob):
        with pytest.raises(UsageError, match="gt-prob"):
            unary_from_labels(np.zeros((3, 3), np.uint8), 4, gt_prob)
