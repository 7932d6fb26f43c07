"""What only GPUs take, held without one: by recorded calls, a device that holds no data, and a stand-in for DDP."""

from contextlib import contextmanager
from copy import deepcopy

import pytest
import torch
from torch import nn

from segcli import devices
from segcli.data.dataset import Dataset
from segcli.distributed import Processes
from segcli.errors import DeviceError
from segcli.labels import VOID, from_names
from segcli.models import variants
from segcli.models.preprocessing import Preprocessing
from segcli.training import loop, recipe, validation
from segcli.training.crops import loader
from segcli.training.optimization import trainer
from segcli.training.optimization.losses import Criterion
from segcli.training.optimization.precision import MixedPrecision
from segcli.training.optimization.trainer import Trainer, place
from segcli.training.output import state
from segcli.training.output.state import State
from segcli.training.recipe import Loss, Run
from segcli.weights.model_io import LoadedModel

CPU, CUDA, META = map(torch.device, ("cpu", "cuda", "meta"))
LABELS = from_names(["field", "blob"])
PHOTOS = Dataset("blobs", "train", LABELS, (), {})


class Network(nn.Module):
    """The parts that training knows by name; it records what it is called with."""

    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(nn.Conv2d(3, 8, 9, stride=8, padding=4), nn.BatchNorm2d(8), nn.ReLU())
        self.classifier = nn.Conv2d(8, 2, 1)
        self.seen = []

    def forward(self, x):
        self.seen.append((x, torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu")))
        return self.classifier(self.backbone(x))


def model_of(network):
    return LoadedModel(
        spec=variants.get("v3-mobilenetv2"),
        labels=LABELS,
        preprocessing=Preprocessing(size=33),
        output_stride=8,
        network=network,
        provenance={},
    )


def recipe_of(**tables):
    return recipe.Recipe.from_dict({"model": {"name": "v3-mobilenetv2"}, **tables})


def trainer_of(processes=Processes(), **tables):  # noqa: B008 - it is frozen
    torch.manual_seed(1)
    settings = recipe_of(**tables)
    return Trainer(place(model_of(Network()), settings.run, CPU, processes), settings, CPU, processes)


def micro_batch(seed=0):
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(2, 3, 33, 33, generator=generator)
    labels = torch.randint(0, 2, (2, 33, 33), generator=generator, dtype=torch.uint8)
    return images, labels, ["a.png", "b.png"]


def training_of(tmp_path, device, **tables):
    return loop.Training(recipe_of(**tables), model_of(Network()), PHOTOS, PHOTOS, tmp_path, device)


@pytest.mark.parametrize(
    ("device", "world_size", "shared"), [(CUDA, 2, True), (CUDA, 1, False), (CPU, 2, False)], ids=str
)
def test_several_gpus_share_their_batch_statistics(monkeypatch, device, world_size, shared):
    monkeypatch.setattr(nn.Module, "to", lambda self, *_, **__: self)
    plain = Network()
    placed = place(model_of(plain), Run(), device, Processes(0, world_size)).network
    assert [isinstance(module, nn.SyncBatchNorm) for module in placed.backbone] == [False, shared, False]
    assert placed.state_dict().keys() == plain.state_dict().keys()


def test_shared_statistics_can_be_frozen_and_saved(monkeypatch, tmp_path):
    """The converted network is the one that is trained, and whose weights are saved."""
    monkeypatch.setattr(nn.Module, "to", lambda self, *_, **__: self)
    monkeypatch.setattr(nn.SyncBatchNorm, "convert_sync_batchnorm", lambda network: deepcopy(network).double())
    settings = recipe_of(model={"name": "v3-mobilenetv2", "freeze_bn": True})
    run = loop.Training(settings, model_of(Network()), PHOTOS, PHOTOS, tmp_path, CUDA, Processes(0, 2))
    trained = run.trainer.network.network
    assert trained is run.model.network is run.checkpoints.model.network
    assert trained.classifier.weight.dtype == torch.float64
    assert run.trainer.network.frozen_norms == (trained.backbone[1],)


def test_the_network_and_what_goes_with_it_lie_on_the_device(tmp_path):
    run = training_of(tmp_path, META, loss={"class_weights": [1, 2]})
    assert {tensor.device for tensor in run.model.network.state_dict().values()} == {META}
    assert {p.device for group in run.trainer.optimizer.param_groups for p in group["params"]} == {META}
    assert run.trainer.criterion.class_weights.device == META
    assert Criterion.of(Loss(class_weights=(1.0, 2.0)), run.model.spec, META).class_weights.device == META


@pytest.mark.filterwarnings("ignore:.*copying from a non-meta parameter")
@pytest.mark.parametrize("kind", ["sgd", "adamw"])
def test_the_optimizers_state_is_back_on_the_device_after_resuming(tmp_path, kind):
    saved = trainer_of(optimizer={"kind": kind})
    saved.step(0, [micro_batch()])
    run = training_of(tmp_path, META, optimizer={"kind": kind})
    run.restore(
        State(
            *(1, {}, "", {}, saved.network.network.state_dict(), saved.optimizer.state_dict()),
            *(saved.precision.scaler.state_dict(), None, [], []),
        )
    )
    slots = run.trainer.optimizer.state
    assert slots.keys() == {p for group in run.trainer.optimizer.param_groups for p in group["params"]}
    for slot in slots.values():
        assert {tensor.device for name, tensor in slot.items() if name != "step"} == {META}


def test_a_state_that_a_gpu_saved_is_read_without_one(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(torch, "load", lambda _, **options: asked.append(options) or {"version": 0})
    monkeypatch.setattr(state, "_unsealed", lambda data: data)
    (tmp_path / "state.pt").touch()
    with pytest.raises(Exception, match="another version"):
        state.read(tmp_path)
    assert asked == [{"map_location": "cpu", "weights_only": True}]


@pytest.fixture
def able(monkeypatch):
    """Pretends that every device computes in half precision."""
    monkeypatch.setattr(devices, "_computes", lambda device, dtype: True)


@pytest.mark.filterwarnings("ignore:.*CUDA is not available")
@pytest.mark.parametrize(("amp", "dtype"), [("bf16", torch.bfloat16), ("fp16", torch.float16)])
def test_autocast_takes_the_devices_type_and_the_recipes_precision(able, monkeypatch, amp, dtype):
    asked = []
    monkeypatch.setattr(torch, "autocast", lambda *values: asked.append(values))
    MixedPrecision(amp, CUDA).autocast()
    MixedPrecision("off", CUDA).autocast()
    assert asked == [("cuda", dtype)]


@pytest.mark.parametrize(("amp", "enabled"), [("off", False), ("bf16", False), ("fp16", True)])
def test_only_fp16_is_scaled(able, monkeypatch, amp, enabled):
    asked = []
    monkeypatch.setattr(torch.amp, "GradScaler", lambda device, enabled: asked.append((device, enabled)))
    MixedPrecision(amp, CUDA)
    assert asked == [("cuda", enabled)]


def test_a_precision_that_the_device_has_not_is_refused(monkeypatch):
    monkeypatch.setattr(devices, "_computes", lambda device, dtype: False)
    with pytest.raises(DeviceError, match=r"run\.amp bf16: cpu cannot compute in it") as caught:
        trainer_of(run={"amp": "bf16"})
    assert caught.value.hint == "Leave run.amp out."
    trainer_of()


@pytest.mark.parametrize(("amp", "dtype"), [("off", None), ("bf16", torch.bfloat16), ("fp16", torch.float16)])
def test_the_forward_pass_alone_is_autocast(monkeypatch, amp, dtype):
    in_the_loss = []
    terms = Criterion.terms
    monkeypatch.setattr(
        Criterion, "terms", lambda *values: in_the_loss.append(torch.is_autocast_enabled("cpu")) or terms(*values)
    )
    one = trainer_of(run={"amp": amp})
    one.step(0, [micro_batch()])
    ((_, enabled, found),) = one.network.network.seen
    assert enabled == (amp != "off")
    assert dtype in (None, found)
    assert in_the_loss == [False]


class Scaler:
    """Records the order of its calls, and scales by 8."""

    def __init__(self):
        self.calls = []

    def scale(self, loss):
        self.calls.append("scale")
        return 8 * loss

    def unscale_(self, optimizer):
        self.calls.append("unscale_")
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                parameter.grad /= 8

    def is_enabled(self):
        return True

    def step(self, optimizer):
        self.calls.append("step")
        optimizer.step()

    def update(self):
        self.calls.append("update")


def test_gradients_are_scaled_and_unscaled_before_they_are_clipped():
    plain, scaled = trainer_of(optimizer={"clip": 0.01}), trainer_of(optimizer={"clip": 0.01})
    scaled.precision.scaler = Scaler()
    losses = [one.step(0, [micro_batch(), micro_batch(1)])[0] for one in (plain, scaled)]
    assert scaled.precision.scaler.calls == ["scale", "scale", "unscale_", "step", "update"]
    assert losses[0] == losses[1]
    for key, tensor in plain.network.state_dict().items():
        assert torch.allclose(tensor, scaled.network.state_dict()[key], atol=1e-7), key


def test_a_scalers_state_is_resumed(tmp_path):
    saved = trainer_of(run={"amp": "fp16"})
    saved.precision.scaler.scale(torch.ones(1))
    scaler = {**saved.precision.scaler.state_dict(), "scale": 1024.0}
    run = training_of(tmp_path, CPU, run={"amp": "fp16"})
    weights = (saved.network.network.state_dict(), saved.optimizer.state_dict())
    run.restore(State(1, {}, "", {}, *weights, scaler, None, [], []))
    assert run.trainer.precision.scaler.state_dict() == scaler


@pytest.mark.parametrize(("device", "pinned"), [(CUDA, True), (CPU, False)], ids=str)
def test_a_gpu_gets_its_crops_from_pinned_memory(tmp_path, monkeypatch, device, pinned):
    asked = []
    monkeypatch.setattr(loader.data, "DataLoader", lambda *_, **options: asked.append(options) or [])
    run = training_of(tmp_path, CPU)
    run.device = device
    assert list(run.micro_batches()) == []
    assert [options["pin_memory"] for options in asked] == [pinned]


class Recorded(torch.Tensor):
    """A tensor that records where it is sent."""

    def to(self, *args, **options):
        if args:
            self.sent.append((*args, *options.items()))
        return self.as_subclass(torch.Tensor).to(*args, **options)


def test_crops_go_to_the_device_once_and_without_blocking():
    images, labels, names = micro_batch()
    images, labels = images.as_subclass(Recorded), labels.as_subclass(Recorded)
    images.sent, labels.sent = [], []
    trainer_of().step(0, [(images, labels, names)])
    assert images.sent == [(CPU, ("non_blocking", True))]
    assert labels.sent == [(CPU, ("non_blocking", True))]


def test_a_step_waits_for_the_device_as_often_for_many_micro_batches_as_for_one(monkeypatch):
    looks = []
    for name in ("__float__", "__bool__", "__int__", "item", "tolist", "cpu"):
        plain = getattr(torch.Tensor, name)
        monkeypatch.setattr(torch.Tensor, name, lambda one, *more, f=plain, n=name: (looks.append(n), f(one, *more))[1])
    counts = []
    for parts in (1, 4):
        one, before = trainer_of(), len(looks)
        one.gradients(0, [micro_batch(seed) for seed in range(parts)])
        counts.append(len(looks) - before)
    assert counts[0] == counts[1] > 0


@pytest.mark.parametrize("wanted", [False, True])
def test_channels_last_holds_for_weights_and_crops(wanted):
    one = trainer_of(run={"channels_last": wanted})
    weight = one.network.network.backbone[0].weight
    assert weight.is_contiguous(memory_format=torch.channels_last) == wanted
    one.step(0, [micro_batch()])
    ((crops, _, _),) = one.network.network.seen
    assert crops.is_contiguous(memory_format=torch.channels_last) == wanted


def test_validation_computes_where_the_network_is(monkeypatch):
    asked = []
    monkeypatch.setattr(validation, "Segmenter", lambda _, device: asked.append(device))
    monkeypatch.setattr(validation, "score", lambda *_: [])
    validation.validate(model_of(Network()), PHOTOS, META, Processes())
    assert asked == [META]


class Parallel(nn.Module):
    """Stands in for DistributedDataParallel with two processes that see the same crops: their average is their own."""

    def __init__(self, network):
        super().__init__()
        self.network = network
        self.learns = [parameter.requires_grad for parameter in network.parameters()]
        self.calls = []

    def forward(self, x):
        self.calls.append("forward")
        return self.network(x)

    @contextmanager
    def no_sync(self):
        self.calls.append("no_sync")
        yield


@pytest.fixture
def two_processes(monkeypatch):
    """Two processes with equal crops, seen from the first: every sum over them doubles."""
    monkeypatch.setattr(trainer, "DistributedDataParallel", Parallel)
    monkeypatch.setattr(trainer.distributed, "all_reduce", lambda values: values.mul_(2))
    return Processes(0, 2)


def test_processes_exchange_gradients_once_a_batch_and_do_as_one(two_processes):
    alone, together = trainer_of(), trainer_of(two_processes)
    batch = [micro_batch(seed) for seed in range(3)]
    assert alone.step(0, batch) == pytest.approx(together.step(0, batch))
    assert together.wrapped.calls == ["no_sync", "forward", "no_sync", "forward", "forward"]
    for key, tensor in alone.network.state_dict().items():
        assert torch.allclose(tensor, together.network.state_dict()[key], atol=1e-7), key


def test_a_micro_batch_counts_by_the_labelled_pixels_of_all_processes(monkeypatch):
    """100 and 300 here, 300 and 500 in the other process."""
    others = torch.tensor([300.0, 500.0])
    monkeypatch.setattr(trainer.distributed, "all_reduce", lambda values: values.add_(others))
    batch = [micro_batch(), micro_batch(1)]
    for (_, labels, _), labelled in zip(batch, (100, 300), strict=True):
        labels.view(-1)[labelled:] = VOID
    shares = trainer_of(Processes(0, 2))._shares([labels for _, labels, _ in batch])
    assert shares == pytest.approx([400 / 1200, 800 / 1200])


def test_processes_are_wrapped_anew_when_the_backbone_learns(two_processes):
    one = trainer_of(two_processes, model={"name": "v3-mobilenetv2", "freeze_backbone": 2})
    wrapped = []
    for iteration in range(4):
        one.step(iteration, [micro_batch()])
        wrapped.append(one.wrapped)
    assert wrapped[0] is wrapped[1] is not wrapped[2] is wrapped[3]
    assert not all(wrapped[0].learns)
    assert all(wrapped[2].learns)
