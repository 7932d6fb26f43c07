"""Oracles: torch's own interpolation and softmax, transformers' published label maps, a published golden mask."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from tiny import SMALL, tiny_model
from torch.nn import functional as F

from segcli.images import read_rgb
from segcli.inference import Prediction, Segmenter, from_probabilities
from segcli.labels import VOC, LabelSet
from segcli.masks import read_label_map
from segcli.preprocess import Geometry, to_input
from segcli.variants import PAPER_SCALES


def photo(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Smooth colours, so that the network's opinion varies from place to place."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


@pytest.mark.parametrize("size", [(64, 48), (33, 90), (200, 150), (1, 1)])
def test_the_label_map_is_where_the_probabilities_peak(size):
    prediction = Segmenter(tiny_model()).predict([photo(*size)])[0]
    probabilities = prediction.probabilities()
    assert probabilities.shape == (21, *size)
    assert torch.allclose(probabilities.sum(0), torch.ones(size), atol=1e-5)
    assert np.array_equal(prediction.labels(), probabilities.argmax(0).numpy())


def test_probabilities_are_the_softmax_of_torchs_enlargement():
    model, picture = tiny_model(), photo(50, 60)
    batch, _ = to_input(picture, SMALL)
    with torch.inference_mode():
        logits = F.interpolate(model.network(batch), (65, 65), mode="bilinear", align_corners=True)
    expected = logits[0, :, :50, :60].softmax(0)
    assert torch.allclose(Segmenter(model).probabilities(picture), expected, atol=1e-5)


def test_bands_do_not_show(monkeypatch):
    prediction = Segmenter(tiny_model()).predict([photo(200, 150)])[0]
    whole = prediction.labels()
    monkeypatch.setattr("segcli.preprocess.CACHED", 4 * 21 * 150 * 7)  # seven rows a band, or a few more
    assert np.array_equal(prediction.labels(), whole)


def test_scales_and_flip_average_probabilities_as_the_papers_do():
    """Each view's logits enlarged to the padded input, softmax, mean over views; sides int((d - 1) s + 1)."""
    model, picture = tiny_model(), photo(50, 60)
    batch, _ = to_input(picture, SMALL)
    views = []
    with torch.inference_mode():
        for scale in PAPER_SCALES:
            side = int(64 * scale + 1)
            view = F.interpolate(batch, (side, side), mode="bilinear", align_corners=True)
            mirrored = model.network(view.flip(3)).flip(3)
            for logits in (model.network(view), mirrored):
                views.append(F.interpolate(logits, (65, 65), mode="bilinear", align_corners=True).softmax(1))
    expected = torch.stack(views).mean(0)[0, :, :50, :60]
    ours = Segmenter(model, scales=PAPER_SCALES, flip=True).probabilities(picture)
    assert torch.allclose(ours, expected, atol=1e-5)


def test_with_flip_a_mirrored_photo_gives_the_mirrored_probabilities():
    segmenter = Segmenter(tiny_model(preprocessing=replace(SMALL, resize="warp")), flip=True)
    picture = photo(65, 65)
    mirrored = segmenter.probabilities(np.ascontiguousarray(picture[:, ::-1]))
    assert torch.allclose(mirrored.flip(-1), segmenter.probabilities(picture), atol=1e-5)
    plain = Segmenter(tiny_model(preprocessing=replace(SMALL, resize="warp")))
    assert not torch.allclose(plain.probabilities(picture), segmenter.probabilities(picture), atol=1e-3)


def test_a_photo_does_not_depend_on_its_batch_mates():
    segmenter = Segmenter(tiny_model())
    pictures = [photo(50, 60, seed) for seed in range(5)] + [photo(90, 30), photo(65, 65)]
    together = [prediction.scores for prediction in segmenter.predict(pictures)]
    alone = [segmenter.predict([picture])[0].scores for picture in pictures]
    assert all(torch.equal(a, b) for a, b in zip(together, alone, strict=True))


def test_more_than_256_classes_need_two_bytes():
    labels = LabelSet("many", tuple(f"c{i}" for i in range(300)), ((0, 0, 0),) * 300)
    scores = torch.zeros(1, 300, 2, 2)
    scores[0, 299] = 1
    prediction = Prediction(scores, Geometry((8, 8), (8, 8), (8, 8)), align_corners=True)
    assert prediction.labels().dtype == np.uint16
    assert (prediction.labels() == 299).all()
    assert Segmenter(tiny_model(labels)).labels(photo(20, 20)).dtype == np.uint16


def test_probabilities_of_another_size_come_back_at_the_photos():
    probabilities = torch.rand(3, 10, 20).softmax(0)
    prediction = from_probabilities(probabilities, (40, 80))
    expected = F.interpolate(probabilities[None], (40, 80), mode="bilinear")[0]
    assert torch.allclose(prediction.probabilities(), expected, atol=1e-5)
    assert torch.allclose(from_probabilities(probabilities, (10, 20)).probabilities(), probabilities, atol=1e-6)


@pytest.fixture(scope="module")
def hub_model(shared_data, tmp_path_factory):
    """The stand-in for the Hub's DeepLabv3 MobileNetV2, by way of its converter."""
    return converted(shared_data / "hub/google/deeplabv3_mobilenet_v2_1.0_513", "v3-mobilenetv2")


def converted(folder, variant):
    from safetensors.torch import load_file

    from segcli import models, variants
    from segcli.convert import convert
    from segcli.manifest import Preprocessing
    from segcli.weights import LoadedModel

    spec = variants.get(variant)
    network = models.build(spec, 21, 8).eval()
    network.load_state_dict(convert(load_file(folder / "model.safetensors"), "transformers", spec))
    return LoadedModel(spec, VOC, Preprocessing(pad_value=128), 8, network, {})


@pytest.mark.shared
@pytest.mark.parametrize("name", ["grace_hopper", "000000039769", "pets"])
def test_label_maps_of_transformers_own_model(hub_model, shared_data, name):
    folder = shared_data / "hub/expected"
    labels = Segmenter(hub_model).labels(read_rgb(folder / f"{name}.input.png"))
    expected = read_label_map(folder / f"{name}.os8.png")
    assert (labels == expected).mean() >= 0.999


@pytest.mark.shared
def test_the_published_golden_mask_is_reproduced(shared_data):
    model = converted(shared_data / "exact/deeplabv3_mobilenet_v2_0.5_257", "v3-mobilenetv2-dm05")
    picture = Image.open(shared_data / "exact/segmentation_input_rotation0.jpg").convert("RGB")
    warped = np.asarray(picture.resize((257, 257), Image.Resampling.BILINEAR))
    labels = Segmenter(replace(model, preprocessing=replace(model.preprocessing, size=257))).labels(warped)
    golden = np.asarray(Image.open(shared_data / "exact/segmentation_golden_rotation0.png")) // 10
    assert (labels == golden).mean() == 1.0


@pytest.mark.shared
def test_the_eight_exif_orientations_give_one_mask(hub_model, shared_data, tmp_path):
    turned = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # orientation -> the transpose that its reader undoes
    picture = Image.open(shared_data / "photos/pets.jpg").convert("RGB").resize((160, 120))
    segmenter = Segmenter(hub_model)
    masks = []
    for orientation in range(1, 9):
        stored = picture if orientation == 1 else picture.transpose(Image.Transpose(turned[orientation]))
        exif = Image.Exif()
        exif[0x0112] = orientation
        stored.save(tmp_path / "photo.png", exif=exif)
        masks.append(segmenter.labels(read_rgb(tmp_path / "photo.png")))
    assert len(np.unique(masks[0])) > 1
    assert all(np.array_equal(masks[0], mask) for mask in masks)
