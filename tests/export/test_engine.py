"""Which engine runs a network, without a network: every combination of what is asked for and what is there."""

import pytest
import torch
from tiny import tiny_model

from segcli.errors import SegcliError
from segcli.export import conversions, engine, onnx_cache
from segcli.export.engine import ALWAYS, WORTHWHILE, by_number, select_engine

CPU, GPU = torch.device("cpu"), torch.device("cuda")
MODEL = tiny_model()
CONVERTED = tiny_model()
FEW, MANY = 3, 4
BY_DEFAULT = WORTHWHILE


class Cache:
    """A stand-in for the conversions on disk; converting may fail."""

    def __init__(self, converted: bool = False, installed: bool = True, trouble: str = ""):
        self.converted, self.installed, self.trouble, self.conversions = converted, installed, trouble, 0

    def available(self):
        return self.installed

    def kept(self, model):
        return "a file" if self.converted else None

    def accelerated(self, model):
        return CONVERTED if self.converted else None

    def convert(self, model):
        if self.trouble:
            raise SegcliError(self.trouble)
        self.conversions += 1
        self.converted = True


@pytest.fixture
def cache(monkeypatch):
    def use(**facts) -> Cache:
        made = Cache(**facts)
        for module, names in ((conversions, ("available", "kept")), (onnx_cache, ("accelerated", "convert"))):
            for name in names:
                monkeypatch.setattr(module, name, getattr(made, name))
        return made

    return use


@pytest.fixture(autouse=True)
def _worthwhile(monkeypatch):
    monkeypatch.setattr(engine, "WORTHWHILE", MANY)


def test_one_photo_is_enough_by_default(cache, monkeypatch):
    """Whoever labels a photo at a time begins the output folder with the first one, and it keeps its engine."""
    monkeypatch.setattr(engine, "WORTHWHILE", BY_DEFAULT)
    cache()
    assert select_engine(MODEL, "auto", CPU, 1) is CONVERTED
    assert select_engine(MODEL, "auto", CPU, 1, "torch") is MODEL


@pytest.mark.parametrize(
    ("device", "passes", "keep", "converted", "onnx"),
    [
        (CPU, FEW, None, False, False),
        (CPU, MANY, None, False, True),
        (CPU, FEW, None, True, True),
        (CPU, MANY, "torch", True, False),
        (CPU, FEW, "onnx", False, True),
        (GPU, MANY, None, True, False),
        (GPU, MANY, "onnx", True, False),
    ],
)
def test_auto_takes_onnxruntime_where_that_saves_time(cache, device, passes, keep, converted, onnx):
    cache(converted=converted)
    assert (select_engine(MODEL, "auto", device, passes, keep) is CONVERTED) == onnx


def test_without_the_packages_auto_is_torch_and_says_nothing(cache):
    cache(installed=False)
    heard = []
    assert select_engine(MODEL, "auto", CPU, MANY, "onnx", tell=heard.append) is MODEL
    assert not heard


def test_torch_is_torch_and_what_was_exported_stays_as_it_is(cache):
    cache(converted=True)
    assert select_engine(MODEL, "torch", CPU, MANY, "onnx") is MODEL
    exported = tiny_model()
    object.__setattr__(exported, "engine", "onnx")
    assert select_engine(exported, "auto", CPU, MANY) is exported


def test_a_conversion_is_announced_once_and_before_it_begins(cache):
    there, heard = cache(), []
    assert select_engine(MODEL, "onnx", CPU, 1, tell=lambda text: heard.append((text, there.conversions))) is CONVERTED
    assert heard == [("converting v3-mobilenetv2 for onnxruntime, once: it is faster on the CPU", 0)]
    assert select_engine(MODEL, "onnx", CPU, 1, tell=heard.append) is CONVERTED
    assert len(heard) == 1


def test_where_it_does_not_work_out_auto_says_why_and_onnx_fails(cache):
    cache(trouble="onnxruntime gives 90.00% of torch's labels")
    heard = []
    assert select_engine(MODEL, "auto", CPU, MANY, tell=heard.append) is MODEL
    assert heard[-1] == "the network runs under torch: onnxruntime gives 90.00% of torch's labels"
    with pytest.raises(SegcliError, match=r"90\.00%"):
        select_engine(MODEL, "onnx", CPU, MANY)


def test_a_conversion_that_is_damaged_at_once_is_no_silent_torch(cache, monkeypatch):
    cache()
    monkeypatch.setattr(onnx_cache, "accelerated", lambda model: None)
    with pytest.raises(SegcliError, match="damaged at once"):
        select_engine(MODEL, "onnx", CPU, MANY)


def test_runs_of_the_same_kind_choose_the_same_engine_whatever_is_converted(cache):
    cache(converted=True)
    assert [by_number(passes) for passes in (1, ALWAYS - 1, ALWAYS)] == ["torch", "torch", "onnx"]


def test_a_dry_run_converts_nothing_and_says_what_a_run_would_convert(cache):
    heard, there = [], cache()
    assert select_engine(MODEL, "onnx", CPU, MANY, tell=heard.append, dry=True) is MODEL
    assert there.conversions == 0
    assert "would convert" in heard[0]
    select_engine(MODEL, "onnx", CPU, MANY)
    assert select_engine(MODEL, "auto", CPU, MANY, dry=True) is CONVERTED
