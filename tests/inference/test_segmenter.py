"""Oracles: torch's own interpolation and softmax, transformers' published label maps, a published golden mask."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from pretended_gpu import CUDA, pretend
from tiny import SMALL, PooledNetwork, tiny_model
from torch.nn import functional as F

from segcli.images.masks import read_label_map
from segcli.images.read import read_rgb
from segcli.inference import tiling
from segcli.inference.prediction import Channels, Prediction, from_probabilities
from segcli.inference.segmenter import Segmenter
from segcli.inference.transform import Geometry, to_input
from segcli.labels import VOC, LabelSet
from segcli.models import variants
from segcli.models.networks.deeplab import DeepLab
from segcli.models.variants import PAPER_SCALES

PRECISIONS = ("float32", "bf16")
HALVES = {"float32": set(), "bf16": {torch.bfloat16}, "fp16": {torch.float16}}


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
    monkeypatch.setattr("segcli.inference.enlargement.CACHED", 4 * 21 * 150 * 7)  # seven rows a band, or a few more
    monkeypatch.setattr("segcli.inference.contending.CACHED", 1000)
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


def test_two_segmenters_of_one_model_leave_each_others_parameters_alone():
    model, picture = tiny_model(), photo(50, 60)
    here = Segmenter(model)
    expected = here.labels(picture)
    there = Segmenter(model, "meta")
    assert here.network is model.network, "nothing to move, nothing to copy"
    assert {parameter.device.type for parameter in here.network.parameters()} == {"cpu"}
    assert {parameter.device.type for parameter in there.network.parameters()} == {"meta"}
    assert there.predict([picture])[0].scores.device.type == "meta"
    assert np.array_equal(here.labels(picture), expected)


def test_a_segmenter_on_another_device_keeps_the_protocol():
    model, picture = tiny_model(), photo(150, 200)
    ours = Segmenter(model, scales=(0.5, 1.0), flip=True, size=0, tile=100, precision="bf16")
    there = ours.on(torch.device("meta"))
    back = there.on(torch.device("cpu"))
    assert (ours.device.type, there.device.type) == ("cpu", "meta")
    assert back.network is model.network
    assert torch.equal(back.predict([picture])[0].scores, ours.predict([picture])[0].scores)


def test_off_the_cpu_inputs_of_one_shape_share_a_batch():
    """Shapes are all that "meta" computes; the order of the photos stays."""
    segmenter, seen = Segmenter(tiny_model(preprocessing=replace(SMALL, pad="none")), "meta"), []
    segmenter.network.register_forward_pre_hook(lambda _, arguments: seen.append(tuple(arguments[0].shape)))
    predictions = segmenter.predict([photo(*size) for size in [(50, 60), (33, 41), (50, 60), (50, 60)]])
    assert seen == [(3, 3, 50, 60), (1, 3, 33, 41)]
    assert [prediction.place.photo for prediction in predictions] == [(50, 60), (33, 41), (50, 60), (50, 60)]
    assert [prediction.scores.shape[-2:] for prediction in predictions] == [(7, 8), (5, 6), (7, 8), (7, 8)]


def test_on_the_cpu_every_photo_passes_alone():
    segmenter, seen = Segmenter(tiny_model()), []
    hook = segmenter.network.register_forward_pre_hook(lambda _, arguments: seen.append(len(arguments[0])))
    segmenter.predict([photo(50, 60)] * 3)
    hook.remove()
    assert seen == [1, 1, 1]


@pytest.mark.parametrize(("precision", "channels_last"), [("float32", False), ("bf16", True), ("fp16", True)])
def test_on_a_gpu_half_precision_has_its_channels_last(monkeypatch, precision, channels_last):
    """Tensor cores take them so; float32 keeps the order it has, and so does the model itself."""
    model, asked = tiny_model(), pretend(monkeypatch)
    segmenter = Segmenter(model, "cuda", precision=precision)
    assert segmenter.network.features.weight.is_contiguous(memory_format=torch.channels_last) == channels_last
    assert not model.network.features.weight.is_contiguous(memory_format=torch.channels_last)
    dtypes = {dtype for _, dtype in asked.autocasts}
    segmenter.predict([photo(50, 60)])
    assert {dtype for _, dtype in asked.autocasts} == dtypes == HALVES[precision]


def test_on_a_gpu_a_batch_comes_from_pinned_memory_and_nobody_waits(monkeypatch):
    segmenter, asked = Segmenter(tiny_model(), "cpu"), pretend(monkeypatch)
    segmenter.on(CUDA).predict([photo(50, 60), photo(65, 65)])
    assert ((2, 3, 65, 65), True, torch.preserve_format, True) in asked.copies


def test_windows_of_a_network_without_pooling_are_simply_put_together():
    model, picture = tiny_model(), photo(150, 200)
    batch, _ = to_input(picture, replace(SMALL, size=0))
    with torch.inference_mode():
        scores, _ = tiling.run(model.network, batch, 97, 1)
    assert torch.equal(Segmenter(model, size=0, tile=100).predict([picture])[0].scores, scores)


def test_windows_of_a_model_on_a_corner_grid_whose_enlargement_is_none():
    """v2's Caffe ResNet: its scores lie on corners, and are enlarged as if they lay in the middles."""
    model = replace(tiny_model(), spec=variants.get("v2-resnet101-nomsc"))
    picture = photo(193, 225)
    whole, tiled = (Segmenter(model, size=0, tile=tile).labels(picture) for tile in (None, 129))
    assert len(np.unique(whole)) > 1
    assert (whole == tiled).mean() >= 0.999


def windows_alone(monkeypatch):
    """What tiles are without the whole picture's pooled features: each window pools itself."""
    monkeypatch.setattr(DeepLab, "pools_image", False)


@pytest.mark.parametrize("protocol", [{}, {"flip": True, "scales": (0.5, 1.0)}], ids=["plain", "views"])
def test_windows_hear_of_the_whole_picture_by_image_pooling(monkeypatch, protocol):
    model, picture = replace(tiny_model(), network=PooledNetwork()), photo(257, 321)
    whole = Segmenter(model, size=0, **protocol).probabilities(picture)
    segmenter = Segmenter(model, size=0, tile=129, **protocol)
    distance = (segmenter.probabilities(picture) - whole).abs().max()
    windows_alone(monkeypatch)
    alone = (segmenter.probabilities(picture) - whole).abs().max()
    assert distance < 0.05 * alone


def test_half_precision_is_the_networks_alone():
    model, picture = tiny_model(), photo(65, 65)
    plain, half = (Segmenter(model, precision=precision).predict([picture])[0].scores for precision in PRECISIONS)
    assert half.dtype == plain.dtype == torch.float32
    assert not torch.equal(half, plain)
    assert torch.allclose(half, plain, atol=0.1)
    assert torch.equal(half, half.bfloat16().float())


def test_classes_that_are_left_out_have_probability_0():
    few = torch.randn(1, 2, 5, 6).softmax(1)
    whole = Prediction(few, Geometry((10, 12), (5, 6), (5, 6)), False, True)
    sparse = replace(whole, channels=Channels((1, 298), 300))
    probabilities = sparse.probabilities()
    assert sparse.classes == len(probabilities) == 300
    assert torch.equal(probabilities[[1, 298]], whole.probabilities())
    assert probabilities.amax((1, 2)).nonzero().flatten().tolist() == [1, 298]
    assert np.array_equal(sparse.labels(), probabilities.argmax(0).numpy())
    assert sparse.labels().dtype == np.uint16
    bands = torch.cat([band for _, band in sparse.probability_bands((7, 9))], 1)
    assert torch.equal(bands, sparse.probabilities((7, 9)))


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
def hub_model(shared_data):
    """The stand-in for the Hub's DeepLabv3 MobileNetV2, by way of its converter."""
    return converted(shared_data / "hub/google/deeplabv3_mobilenet_v2_1.0_513", "v3-mobilenetv2")


def converted(folder, variant, stride=8):
    from safetensors.torch import load_file

    from segcli.models import variants
    from segcli.models.networks import deeplab
    from segcli.models.preprocessing import Preprocessing
    from segcli.weights.convert.layouts import convert
    from segcli.weights.model_io import LoadedModel

    spec = variants.get(variant)
    network = deeplab.build(spec, 21, stride).eval()
    network.load_state_dict(convert(load_file(folder / "model.safetensors"), "transformers", spec))
    return LoadedModel(
        spec=spec,
        labels=VOC,
        preprocessing=Preprocessing(pad_value=128),
        output_stride=stride,
        network=network,
        provenance={},
    )


@pytest.mark.shared
@pytest.mark.parametrize("name", ["grace_hopper", "000000039769", "pets"])
def test_label_maps_of_transformers_own_model(hub_model, shared_data, name):
    folder = shared_data / "hub/expected"
    labels = Segmenter(hub_model).labels(read_rgb(folder / f"{name}.input.png"))
    expected = read_label_map(folder / f"{name}.os8.png")
    assert (labels == expected).mean() >= 0.999


@pytest.mark.shared
@pytest.mark.parametrize("name", ["000000039769.png", "grace_hopper.bmp"])
def test_tiles_of_a_pooled_model_on_real_photos(shared_data, monkeypatch, name):
    model = converted(shared_data / "hub/google/deeplabv3_mobilenet_v2_1.0_513", "v3-mobilenetv2", stride=16)
    picture = read_rgb(shared_data / "photos" / name)
    segmenter, whole = Segmenter(model, size=0, tile=513), Segmenter(model, size=0).labels(picture)
    agreement = (segmenter.labels(picture) == whole).mean()
    windows_alone(monkeypatch)
    assert agreement >= max(0.995, (segmenter.labels(picture) == whole).mean())


@pytest.mark.shared
@pytest.mark.parametrize(("name", "least"), [("000000039769", 0.98)])
def test_half_precision_on_a_real_photo(hub_model, shared_data, name, least):
    picture = read_rgb(shared_data / f"hub/expected/{name}.input.png")
    plain, half = (Segmenter(hub_model, precision=precision).labels(picture) for precision in PRECISIONS)
    assert len(np.unique(plain)) > 1
    assert (plain == half).mean() >= least


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
    segmenter = Segmenter(hub_model, size=129)
    masks = []
    for orientation in range(1, 9):
        stored = picture if orientation == 1 else picture.transpose(Image.Transpose(turned[orientation]))
        exif = Image.Exif()
        exif[0x0112] = orientation
        stored.save(tmp_path / "photo.png", exif=exif)
        masks.append(segmenter.labels(read_rgb(tmp_path / "photo.png")))
    assert len(np.unique(masks[0])) > 1
    assert all(np.array_equal(masks[0], mask) for mask in masks)
