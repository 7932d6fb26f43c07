"""The memory of a training step: counted without taking it, against sums by hand and a real step."""

import torch
from torch import nn

from segcli.files import headroom
from segcli.models import variants
from segcli.training.planning import memory
from segcli.training.planning.memory import Living
from segcli.training.recipe import Recipe

SPEC = variants.get("v3-mobilenetv2-dm05")


def recipe_of(**tables):
    model = {"name": SPEC.name, "init": "random", **tables.pop("model", {})}
    return Recipe.from_dict({"augment": {"crop": 65}, "schedule": {"batch": 4}, **tables, "model": model})


def footprint(**tables):
    return memory.footprint(recipe_of(**tables), SPEC, 5)


def test_what_lives_at_a_time_is_counted_by_hand():
    """100 floats; with their double 200; the 300 of two more and the second; then one alone."""
    with Living() as living:
        one = torch.empty(100, device="meta")
        two = one * 2
        assert living.now == 800
        view = two.view(10, 10)
        assert living.now == 800  # the same storage
        del one
        assert living.now == 400
        three = torch.cat([two, two])
        del two, view, three
    assert (living.now, living.most) == (0, 1200)


def test_a_convolution_and_a_relu_keep_what_the_backward_pass_needs():
    """ReLU keeps its 4x8x8 output, not the convolution's; at the end there are the gradients of kernel and bias."""
    with torch.device("meta"):
        net, x = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU()), torch.empty(1, 3, 8, 8)
    with Living() as living:
        out = net(x)
        assert (living.now, living.most) == (4 * 256, 4 * 512)
        out.sum().backward()
        del out
    assert living.now == 4 * (12 + 4)


def test_a_step_on_real_tensors_takes_what_was_counted():
    """The same network, batch and loss with values, added up the same way."""
    recipe = recipe_of(model={"dropout": 0})
    network = memory.build(SPEC, 5).train()
    whole = memory.PartlyFrozen(network, freeze_bn=False)
    criterion = memory.Criterion.of(recipe.loss, SPEC, torch.device("cpu"))
    images, labels = torch.zeros(4, 3, 65, 65), torch.zeros(4, 65, 65, dtype=torch.uint8)
    with Living() as living:
        terms = criterion.terms(whole(images), labels)
        memory.losses.mean(terms, terms.detach()[:, 1]).backward()
    assert abs(living.most - footprint(model={"dropout": 0}).step) < 0.03 * living.most


def test_what_learns_less_or_passes_in_parts_takes_less():
    plain = footprint()
    assert footprint(schedule={"batch": 4, "accumulate": 4}).step < plain.step / 2.5
    assert footprint(model={"freeze_backbone": 30_000}).step < plain.step / 2
    assert footprint(model={"freeze_backbone": 100}).step == plain.step  # the larger of the two counts
    assert footprint(augment={"crop": [65, 129]}).step > 1.7 * plain.step
    assert footprint(run={"amp": "bf16"}).step < 0.7 * plain.step


def test_weights_momentum_and_averages_are_those_of_the_network():
    parameters = sum(p.numel() for p in memory.build(SPEC, 5).parameters())
    plain, more = footprint(), footprint(optimizer={"kind": "adamw", "ema": 0.9})
    assert plain.optimizer == 4 * parameters
    assert plain.average == 0
    assert (more.optimizer, more.average) == (8 * parameters, more.weights)
    assert plain.weights > 4 * parameters  # running statistics


def test_the_base_is_what_the_process_has_already(monkeypatch):
    monkeypatch.setattr(headroom, "own_bytes", lambda: 10**9)
    before = footprint()
    after = memory.footprint(recipe_of(), SPEC, 5, loaded=True)
    assert before.base == 10**9
    assert before.total - after.total == before.weights
    monkeypatch.setattr(headroom, "of_host", lambda: headroom.Headroom(3 * 10**9, 10**10))
    assert memory.available(torch.device("cpu")) == 4 * 10**9
    assert memory.step_bytes(recipe_of(), SPEC, 5) == before.total
