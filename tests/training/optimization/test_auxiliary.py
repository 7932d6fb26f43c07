"""The auxiliary head: torchvision's layout and arithmetic, on the right features, in training alone."""

import pytest
import torch
from blobs import RECIPE, begin, blob_recipe, write_blobs
from torch.nn import functional as F
from torchvision.models.segmentation.fcn import FCNHead

from segcli.errors import UsageError
from segcli.labels import VOID
from segcli.models import variants
from segcli.models.networks.deeplab import build
from segcli.training import recipe
from segcli.training.optimization import auxiliary, losses
from segcli.training.optimization.auxiliary import AuxiliaryHead
from segcli.training.output import state
from segcli.training.output.run_folder import LAST
from segcli.weights import checkpoint

WITH_HEAD = recipe.Recipe.from_dict({"model": RECIPE["model"], "loss": {"auxiliary": 0.4}})


@pytest.fixture(scope="module")
def blobs(tmp_path_factory):
    return write_blobs(tmp_path_factory.mktemp("blobs"))


def test_it_is_torchvisions_fcn_head():
    theirs, ours = FCNHead(32, 5).eval(), AuxiliaryHead(32, 5).eval()
    assert theirs[3].p == ours.dropout.p
    for tensor, own in zip(theirs.state_dict().values(), ours.state_dict().values(), strict=True):
        own.copy_(tensor)
    features = torch.randn(2, 32, 9, 7)
    assert torch.equal(ours(features), theirs(features))


@pytest.mark.parametrize(
    ("model", "channels", "stride"),
    [
        ("v3-resnet101", 1024, 16),  # layer3, as torchvision and PSPNet have it
        ("v3plus-xception", 728, 16),  # the middle flow
        ("v3plus-mobilenetv2", 96, 16),  # as mmsegmentation has it
        ("v3-mobilenetv3", 112, 16),
        ("v1-vgg16", 512, 8),  # pool4
    ],
)
def test_it_reads_the_last_stage_but_one(model, channels, stride):
    with torch.device("meta"):
        backbone = build(variants.get(model), 2, stride).backbone
        with auxiliary.late_features(backbone) as features:
            backbone(torch.empty(1, 3, 65, 65))
        assert [tuple(one.shape) for one in features] == [(1, channels, -(-65 // stride), -(-65 // stride))]
    assert backbone.late_stage[1] == channels
    assert not any(module._forward_hooks for module in backbone.modules())


def test_a_model_of_several_scales_can_have_none():
    with pytest.raises(UsageError, match="several scales"):
        auxiliary.build(variants.get("v2-resnet101"), torch.nn.Module(), 2, WITH_HEAD)


def test_its_weights_follow_from_the_seed_and_disturb_no_others(blobs, tmp_path):
    plain, one, same = (begin(blob_recipe(blobs, {"loss": loss}), tmp_path) for loss in ({}, *2 * [{"auxiliary": 0.4}]))
    assert plain.trainer.auxiliary is None
    weights = [run.trainer.auxiliary.state_dict()["classifier.weight"] for run in (one, same)]
    assert torch.equal(*weights)
    networks = [run.model.network.state_dict()["classifier.weight"] for run in (plain, one)]
    assert torch.equal(*networks)


def test_the_loss_is_the_sum_with_its_factor_and_both_learn(blobs, tmp_path):
    settings = blob_recipe(blobs, {"loss": {"auxiliary": 0.4, "lovasz": 0.5}, "model": {"dropout": 0}})
    run = begin(settings, tmp_path)
    head, network = run.trainer.auxiliary.train(), run.model.network.train()
    images, labels, _ = next(run.micro_batches())
    with torch.no_grad(), auxiliary.late_features(network.backbone) as features:
        logits = network(images)
        beside = head(features[0])
    sizes = {"size": labels.shape[1:], "mode": "bilinear", "align_corners": run.model.spec.align_corners}
    own, second = (
        F.cross_entropy(F.interpolate(one, **sizes), labels.long(), ignore_index=VOID) for one in (logits, beside)
    )
    small = losses.shrink(labels, tuple(logits.shape[2:]), run.model.spec.align_corners)
    expected = own + 0.4 * second + 0.5 * losses.lovasz_softmax(logits, small)
    run = begin(settings, tmp_path)
    before = {name: tensor.clone() for name, tensor in run.trainer.auxiliary.state_dict().items()}
    assert next(run.run()).loss == pytest.approx(float(expected), rel=1e-5)
    after = run.trainer.auxiliary.state_dict()
    assert all(not torch.equal(after[name], tensor) for name, tensor in before.items())


def test_no_checkpoint_holds_it_and_the_state_does(blobs, tmp_path):
    run = begin(blob_recipe(blobs, {"loss": {"auxiliary": 0.4}}), tmp_path)
    run.trainer.step(0, [next(run.micro_batches())])
    run._save()
    names = {name for name in run.model.network.state_dict() if not name.endswith("num_batches_tracked")}
    assert checkpoint.read(tmp_path / LAST).tensors.keys() == names
    kept = state.read(tmp_path).more["auxiliary"]
    assert all(torch.equal(kept[name], tensor) for name, tensor in run.trainer.auxiliary.state_dict().items())


def test_frozen_batch_normalisation_is_frozen_there_too(blobs, tmp_path):
    run = begin(blob_recipe(blobs, {"loss": {"auxiliary": 0.4}, "model": {"freeze_bn": True}}), tmp_path)
    next(run.run())
    assert (run.trainer.auxiliary.conv.bn.running_mean == 0).all()
    assert not run.trainer.auxiliary.conv.bn.training
