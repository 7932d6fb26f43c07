"""What training starts from: fresh weights, pretrained backbones, weights with other classes."""

from dataclasses import replace

import pytest
import torch
from blobs import RECIPE
from calibration import calibrate
from torch import nn

from segcli.errors import WeightsError
from segcli.labels import CAMVID, VOC, from_names
from segcli.models import variants
from segcli.models.networks import deeplab
from segcli.models.preprocessing import Preprocessing
from segcli.training import init, recipe
from segcli.training.optimization.optimizer import is_classifier
from segcli.weights import model_io
from segcli.weights.model_io import Pretrained

TWO = from_names(["field", "blob"])
NAME = "v3-mobilenetv2-dm05"
WITH_ASPP = "v3plus-mobilenetv2"


@pytest.fixture(scope="module")
def lender(tmp_path_factory):
    """A checkpoint with CamVid's classes and statistics that are not fresh."""
    torch.manual_seed(4)
    network = calibrate(deeplab.build(variants.get(NAME), len(CAMVID), 16))
    path = tmp_path_factory.mktemp("lender") / "camvid.safetensors"
    model_io.save(path, network, variants.get(NAME), CAMVID, Preprocessing(size=97, std=(60.0, 61.0, 62.0)))
    return path, network.state_dict()


def recipe_with(**model):
    return recipe.Recipe.from_dict({"model": {**RECIPE["model"], **model}})


def test_fresh_weights_follow_from_the_seed():
    one, same = (init.start(recipe_with(), TWO).network.state_dict() for _ in range(2))
    assert all(torch.equal(one[key], same[key]) for key in one)
    other = recipe.Recipe.from_dict({**RECIPE, "data": {}, "run": {"seed": 1}})
    assert not torch.equal(one["classifier.weight"], init.start(other, TWO).network.classifier.weight)


def test_a_recipe_sets_size_and_padding():
    found = init.start(recipe.Recipe.from_dict({**RECIPE, "data": {"size": 640, "pad": "stride"}}), TWO)
    assert (found.preprocessing.size, found.preprocessing.pad) == (640, "stride")
    full = init.start(recipe.Recipe.from_dict({**RECIPE, "data": {"size": 0, "pad": "none"}}), TWO)
    assert (full.preprocessing.resize, full.preprocessing.pad) == ("none", "none")


def test_fresh_weights_keep_the_signals_size():
    """With batch statistics the deepest features are neither faded nor blown up."""
    network = init.start(recipe_with(), TWO).network.train()
    features = network.backbone(torch.randn(4, 3, 65, 65))[-1]
    assert 0.1 < features.std() < 10


@pytest.mark.parametrize(("crop", "beyond"), [((129, 129), {12, 18}), ((209, 209), {18}), ((289, 289), set())])
def test_what_no_crop_reaches_of_an_atrous_filter_is_zero(crop, beyond):
    """Left at random it would come into play in larger photos. 129 pixels are 9 features, 209 are 14, 289 are 19."""
    tables = {"model": {"name": WITH_ASPP, "init": "random"}, "data": {}, "augment": {"crop": list(crop)}}
    network = init.start(recipe.Recipe.from_dict(tables), TWO).network
    filters = {
        m.dilation[0]: m.weight for m in network.aspp.modules() if isinstance(m, nn.Conv2d) and m.dilation[0] > 1
    }
    assert filters.keys() == {6, 12, 18}
    for rate, weight in filters.items():
        assert weight[..., 1, 1].abs().min() > 0
        assert (weight[..., 0, 0].abs().max() == 0) == (rate in beyond)


def test_crops_do_not_see_what_was_cleared_and_larger_photos_do():
    torch.manual_seed(0)
    network = deeplab.build(variants.get(WITH_ASPP), 2, 16)
    init.initialise(network)
    calibrate(network, 129).eval()
    crop, photo = torch.randn(1, 3, 65, 129), torch.randn(1, 3, 65, 321)
    with torch.no_grad():
        before = network(crop), network(photo)
        init.clear_unreached(network, 16, (65, 129))
        after = network(crop), network(photo)
    torch.testing.assert_close(after[0], before[0], rtol=0, atol=1e-5)
    assert (after[1] - before[1]).abs().max() > 1e-3


def test_a_model_that_is_scored_at_another_stride_follows_the_one_that_learns():
    learning = init.start(recipe_with(output_stride=16), TWO)
    scored = init.scored(learning, 8)
    assert (learning.output_stride, scored.output_stride) == (16, 8)
    image = torch.randn(1, 3, 65, 65)
    optimizer = torch.optim.SGD(learning.network.parameters(), 0.1)
    learning.network.train()(image).square().sum().backward()  # which moves the batch statistics too
    optimizer.step()
    alone = deeplab.build(learning.spec, 2, 8)
    alone.load_state_dict(learning.network.state_dict())
    with torch.no_grad():
        assert torch.equal(scored.network(image), alone.eval()(image))
    assert scored.network(image).shape[-1] == 9
    assert learning.network.classifier.weight.requires_grad
    assert init.scored(learning, 0) is learning
    assert init.scored(learning, 16) is learning


def test_weights_with_other_classes_lend_all_but_the_classifier(lender):
    path, tensors = lender
    found = init.start(recipe_with(init=str(path)), TWO)
    state = found.network.state_dict()
    assert state["classifier.weight"].shape[0] == 2
    for key, tensor in state.items():
        if not is_classifier(key) and not key.endswith("num_batches_tracked"):
            assert torch.equal(tensor, tensors[key]), key
    assert found.preprocessing.std == (60.0, 61.0, 62.0)
    assert found.preprocessing.size == 97
    assert found.labels == TWO
    assert not found.trained


def test_weights_with_the_same_classes_lend_the_classifier_too(lender):
    path, tensors = lender
    found = init.start(recipe_with(init=str(path), name=""), CAMVID)
    assert torch.equal(found.network.state_dict()["classifier.weight"], tensors["classifier.weight"])
    assert found.trained


@pytest.mark.parametrize("decay", [0.9, 0.9997])
def test_a_recipe_sets_how_slowly_statistics_follow(decay):
    settings = recipe.Recipe.from_dict({**RECIPE, "model": {**RECIPE["model"], "bn_decay": decay}})
    network = init.start(settings, TWO).network
    momenta = {layer.momentum for layer in network.modules() if isinstance(layer, torch.nn.BatchNorm2d)}
    assert momenta == {1 - decay}


def test_a_recipe_may_state_mean_spread_and_order_of_the_input_and_is_told_where_weights_know_others(lender):
    data = {"mean": [123.0, 117.0, 104.0], "channels": "BGR"}
    fresh = init.start(recipe.Recipe.from_dict({"model": RECIPE["model"], "data": data}), TWO)
    taught = {**RECIPE["model"], "init": str(lender[0])}
    found, plain = (init.start(recipe.Recipe.from_dict({"model": taught, "data": d}), TWO) for d in (data, {}))
    for one, std in ((fresh, (127.5,) * 3), (found, (60.0, 61.0, 62.0))):
        assert (one.preprocessing.mean, one.preprocessing.std) == ((123.0, 117.0, 104.0), std)
        assert one.preprocessing.channels == "BGR"
    assert "data.mean and data.channels" in found.notes[-1]
    assert not plain.notes
    assert not fresh.notes


def test_an_export_cannot_learn(monkeypatch):
    exported = replace(init.start(recipe_with(), TWO), engine="onnx")
    monkeypatch.setattr("segcli.weights.model_io.load", lambda *_, **__: exported)
    with pytest.raises(WeightsError, match="export"):
        init.start(recipe_with(init="model.onnx"), TWO)


def test_weights_with_another_backbone_are_refused(lender):
    with pytest.raises(WeightsError, match=r"holds v3-mobilenetv2-dm05, and v3-mobilenetv2 has another backbone"):
        init.start(recipe_with(init=str(lender[0]), name="v3-mobilenetv2"), TWO)


def test_another_model_on_the_same_backbone_takes_that_alone(tmp_path):
    """v3+ has a decoder that v3 lacks; its head is fresh, though names and shapes of parts of it agree."""
    torch.manual_seed(4)
    v3 = deeplab.build(variants.get("v3-mobilenetv2"), len(TWO), 16)
    path = tmp_path / "v3.safetensors"
    model_io.save(path, v3, variants.get("v3-mobilenetv2"), TWO, Preprocessing(size=97, std=(60.0, 61.0, 62.0)))
    found = init.start(recipe_with(init=str(path), name="v3plus-mobilenetv2"), TWO)
    assert (found.spec.name, found.trained, found.preprocessing.size) == ("v3plus-mobilenetv2", False, 97)
    theirs, ours = v3.state_dict(), found.network.state_dict()
    for name, tensor in ours.items():
        if name.endswith("num_batches_tracked"):
            continue
        if name.startswith("backbone."):
            assert torch.equal(tensor, theirs[name]), name
    assert not torch.equal(ours["classifier.weight"], theirs["classifier.weight"])
    assert [note.split(" of ")[0] for note in found.notes] == ["v3plus-mobilenetv2 begins with the backbone"]
    frozen = init.start(recipe_with(init=str(path), name="v3plus-mobilenetv2", freeze_bn=True), TWO)
    assert "the model will learn badly" in frozen.notes[-1]


def test_the_imagenet_backbone_is_taken_whole_or_not_at_all(monkeypatch):
    spec = variants.get(NAME)
    tensors = {f"backbone.{k}": v + 1 for k, v in deeplab.build(spec, 2).backbone.state_dict().items()}
    found = Pretrained(spec, tensors, Preprocessing(mean=(1.0, 2.0, 3.0)), {"weights": "fake"})
    monkeypatch.setattr(model_io, "pretrained", lambda *_: found)
    model = init.start(recipe_with(init="imagenet"), TWO)
    assert torch.equal(model.network.backbone.stem.conv.weight, tensors["backbone.stem.conv.weight"])
    assert model.preprocessing.mean == (1.0, 2.0, 3.0)
    del tensors["backbone.stem.conv.weight"]
    with pytest.raises(WeightsError, match=r"backbone\.stem\.conv\.weight"):
        init.start(recipe_with(init="imagenet"), TWO)


def test_a_network_with_differences_is_kept_in_its_checkpoint_and_loads_untold(tmp_path):
    asked = recipe_with(spec={"dropout": 0.3, "aspp": {"rates": [6, 12], "separable": True}})
    found = init.start(asked, TWO)
    assert found.spec.name == f"{NAME}+rates=6,12+aspp.separable=true+dropout=0.3"
    model_io.save(tmp_path / "mine.safetensors", found.network, found.spec, TWO, Preprocessing())
    loaded = model_io.load(tmp_path / "mine.safetensors", 16)
    assert loaded.spec == found.spec
    assert [branch.conv_dw.dilation for branch in loaded.network.aspp.atrous] == [(6, 6), (12, 12)]
    again = init.start(recipe_with(name=found.spec.name), TWO).network.state_dict()
    assert all(torch.equal(tensor, again[key]) for key, tensor in found.network.state_dict().items())


def test_of_v1_s_multi_scale_features_the_last_layers_are_classifiers():
    with torch.device("meta"):
        network = deeplab.build(variants.get("v1-vgg16+multi_scale_channels=16"), 2)
    told = [name for name, _ in network.named_parameters() if is_classifier(name) and name.endswith("weight")]
    assert told == ["classifier.0.fc8.weight", *(f"multi_scale.{i}.classifier.weight" for i in range(5))]


def test_a_difference_that_the_imagenet_backbone_contradicts_is_refused():
    """Refused before the download: the manifest says that these ResNets have their stride in the 3x3."""
    with pytest.raises(WeightsError, match=r"resnet101@imagenet cannot be the backbone of v3-resnet101\+stride_in=1x1"):
        init.start(recipe_with(name="v3-resnet101+stride_in=1x1", init="imagenet"), TWO)


def test_what_imagenet_has_of_the_head_is_taken_too(monkeypatch):
    """fc6 and fc7 of a VGG, of which its classifier is made; here the pyramid's projection stands for them."""
    spec = variants.get(NAME)
    tensors = {f"backbone.{k}": v for k, v in deeplab.build(spec, 2).backbone.state_dict().items()}
    tensors["aspp.project.conv.weight"] = torch.full((256, 512, 1, 1), 0.5)
    monkeypatch.setattr(model_io, "pretrained", lambda *_: Pretrained(spec, tensors, Preprocessing(), {}))
    network = init.start(recipe_with(init="imagenet"), TWO).network
    assert (network.aspp.project.conv.weight == 0.5).all()


def test_where_there_is_no_imagenet_backbone_training_from_scratch_is_offered(monkeypatch):
    def none(*_):
        raise WeightsError("no ImageNet weights are known")

    monkeypatch.setattr(model_io, "pretrained", none)
    with pytest.raises(WeightsError) as caught:
        init.start(recipe_with(init="imagenet"), TWO)
    assert 'model.init = "random"' in caught.value.hint


def test_dropout_and_the_working_size_can_be_chosen():
    tables = {"model": {**RECIPE["model"], "dropout": 0.35}, "data": {"size": 0}}
    found = init.start(recipe.Recipe.from_dict(tables), VOC)
    assert {m.p for m in found.network.modules() if isinstance(m, nn.Dropout)} == {0.35}
    assert found.preprocessing.resize == "none"


@pytest.mark.parametrize("init_of", ["v3-mobilenetv2", "imagenet"])
def test_a_dry_start_has_the_layers_of_weights_that_are_not_here(tmp_path, monkeypatch, init_of):
    monkeypatch.setenv("SEGCLI_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    asked = recipe.Recipe.from_dict({"model": {"init": init_of, "name": "v3-mobilenetv2"}})
    assert "would download" in str(init.lacking(asked.model))
    found = init.start(asked, TWO, dry=True)
    assert (found.spec.name, found.network.classifier.out_channels, found.trained) == ("v3-mobilenetv2", 2, False)
    assert not (tmp_path / "cache").exists()
