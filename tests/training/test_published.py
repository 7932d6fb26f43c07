"""The papers' recipes: each trains, validates, goes on and predicts on miniatures, at the paper's size and padding."""

import re

import numpy as np
import pytest
import torch
from miniatures import SIZE, write_all
from torch import nn

from segcli.inference.segmenter import Segmenter
from segcli.inference.transform import geometry
from segcli.models import variants
from segcli.models.networks.layers import conv2d
from segcli.training import init, packaged, recipe
from segcli.training.events import Step, Validation
from segcli.training.planning import memory
from segcli.training.recipe import IMAGENET
from segcli.training.run import train
from segcli.weights import manifest, model_io
from segcli.weights.model_io import Pretrained

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # inside pycocotools
OWN = ("finetune", "small", "camvid", "street", "street-coarse", "street-middle", "street-large")
PUBLISHED = [name for name in packaged.all_recipes() if name not in OWN]
SMALL = ("augment.crop=65", "schedule.iterations=3", "schedule.batch=2")
QUICK = ("run.device=cpu", "run.workers=0", "run.save_every=1", "run.validate_every=3", "run.overlays=0")
OUTPUT = re.compile(r"--config (\S+).*? -o (\S+)")


class Network(nn.Module):
    """Stands for the papers' networks, which take minutes: a backbone of one layer, and logits at stride 8."""

    def __init__(self, classes: int):
        super().__init__()
        self.backbone = nn.Conv2d(3, 8, 9, stride=8, padding=4)
        self.classifier = conv2d(8, classes, bias=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.backbone(x).relu())


def pretrained(spec, progress=None):
    """The stand-in's backbone with the preprocessing of the real one's ImageNet weights."""
    tensors = {f"backbone.{name}": tensor for name, tensor in Network(1).backbone.state_dict().items()}
    return Pretrained(spec, tensors, manifest.backbone(spec).preprocessing, {"weights": "stand-in"})


@pytest.fixture(autouse=True)
def _small_networks(monkeypatch):
    for module in (init, model_io, memory):
        monkeypatch.setattr(module, "build", lambda spec, classes, output_stride=None: Network(classes))
    monkeypatch.setattr(model_io, "pretrained", pretrained)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return write_all(tmp_path_factory.mktemp("published"))


def outputs():
    """Which recipe leaves which folder, as the commands in the recipes' comments have it."""
    return {folder: name for found in packaged.all_recipes().values() for name, folder in OUTPUT.findall(found.text)}


def first_stage(name, home):
    """Trains what a recipe begins with, in the folder that it names; nothing where that is done or not needed."""
    wanted = packaged.get(name).read().model.init
    if wanted != IMAGENET and not (home / wanted).exists():
        folder = wanted.partition("/")[0]
        list(train(settings(outputs()[folder], home), home / folder))


def settings(name, home, *more):
    changes = (f"data.data_dir={home}", *SMALL, *QUICK, *more)
    return recipe.read(packaged.get(name).path, changes)


def interrupted(wanted, folder):
    """The events of a run that is left before its third step is saved, and goes on."""
    events = []
    for event in train(wanted, folder):
        events.append(event)
        if event.iteration == 3:
            break
    return [*events[:-1], *train(wanted, folder, resume=True)]


@pytest.mark.parametrize("name", PUBLISHED)
def test_each_trains_validates_goes_on_and_predicts(name, home, tmp_path, monkeypatch):
    if name.endswith("-coco"):
        pytest.importorskip("pycocotools")
    monkeypatch.chdir(home)
    first_stage(name, home)
    wanted = settings(name, home)
    events = interrupted(wanted, tmp_path / "run")
    steps = [event.iteration for event in events if isinstance(event, Step)]
    assert (steps, events[-1].iteration, type(events[-1])) == ([1, 2, 3], 3, Validation)
    assert len(events[-1].images) in (1, 2)
    shipped = model_io.load(tmp_path / "run")
    labels = Segmenter(shipped, torch.device("cpu")).labels(np.zeros((*SIZE, 3), np.uint8))
    assert labels.shape == SIZE
    assert labels.max() < len(shipped.labels)
    looked = events[-1].segmenter.model.preprocessing
    assert shipped.preprocessing == looked
    assert (looked.resize, looked.size, looked.pad) == ("long", wanted.data.size, wanted.data.pad)
    expected = (1025, 2049) if "cityscapes" in name else (641, 641) if name.endswith("-coco") else (513, 513)
    photo = (1024, 2048) if "cityscapes" in name else (375, 500)
    assert geometry(photo, shipped.preprocessing).padded == expected
    assert max(geometry((3000, 4000), shipped.preprocessing).padded) == max(expected)  # 12 megapixels are shrunk


@pytest.mark.parametrize("name", ["v3-resnet101-os8", "v3-resnet101-cityscapes-coarse"])
def test_for_the_test_server_val_is_learned_from_and_nothing_validated(name, home, tmp_path, monkeypatch):
    """By the changes in the recipe's own command."""
    monkeypatch.chdir(home)
    first_stage(name, home)
    changes = re.findall(r"--set (data\.\S+=\S*)", packaged.get(name).text)
    assert "data.val=" in changes
    events = list(train(settings(name, home, *changes), tmp_path / "run"))
    assert {type(event) for event in events} == {Step}
    assert model_io.load(tmp_path / "run").notes[0].endswith("has no best.safetensors, so last.safetensors is taken")


@pytest.mark.parametrize("name", [name for name in packaged.all_recipes() if name != "finetune"])
def test_each_states_size_and_padding(name):
    """But `finetune`, which keeps those of the weights that the user may change."""
    data = packaged.get(name).read().data
    assert data.size is not None
    assert data.pad is not None


@pytest.mark.parametrize("name", PUBLISHED)
def test_each_begins_with_weights_that_exist(name):
    """A backbone that the manifest has, or the folder in which another recipe's command leaves its run."""
    model = packaged.get(name).read().model
    if model.init == IMAGENET:
        assert manifest.backbone(variants.get(model.name)).role == "backbone"
    else:
        assert outputs()[model.init.partition("/")[0]] in PUBLISHED
        assert not model.name
