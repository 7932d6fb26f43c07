"""Semantic segmentation: DeepLab v1, v2, v3, v3+ and the fully connected CRF, as a program and from Python.

    model = segcli.load("street")
    result = model.predict("photo.jpg")
    result.labels       # the class of every pixel

docs/python.md shows every name below at work. They are imported when they are first used, torch with the first model.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "segcli.crf.params": ("CRFParams",),
    "segcli.crf.settings": ("CRFSettings",),
    "segcli.data.dataset": ("Dataset",),
    "segcli.errors": ("DatasetError", "DeviceError", "InputError", "SegcliError", "UsageError", "WeightsError"),
    "segcli.images.overlay_style": ("OverlayStyle",),
    "segcli.labels": ("LabelSet",),
    "segcli.pipeline.evaluate": ("evaluate",),
    "segcli.pipeline.evaluation": ("Evaluation",),
    "segcli.pipeline.listener": ("Listener",),
    "segcli.pipeline.model": ("Model", "load"),
    "segcli.pipeline.predict_folder": ("predict_folder",),
    "segcli.pipeline.records": ("Record",),
    "segcli.pipeline.refine": ("refine",),
    "segcli.pipeline.result": ("Result",),
    "segcli.pipeline.run": ("FolderRun", "Summary"),
    "segcli.training.events": ("Step", "Validation"),
    "segcli.training.partition.own_photos": ("photos_of_run",),
    "segcli.training.planning.plan": ("Plan", "plan"),
    "segcli.training.recipe": ("Recipe",),
    "segcli.training.run": ("train",),
}
"""The public names by the module that each lives in."""
_MODULES = {name: module for module, names in _HOMES.items() for name in names}

__all__ = ["__version__", *sorted(_MODULES)]  # noqa: PLE0604 - names of modules' members, all of them text

if TYPE_CHECKING:
    from segcli.crf.params import CRFParams as CRFParams
    from segcli.crf.settings import CRFSettings as CRFSettings
    from segcli.data.dataset import Dataset as Dataset
    from segcli.errors import DatasetError as DatasetError
    from segcli.errors import DeviceError as DeviceError
    from segcli.errors import InputError as InputError
    from segcli.errors import SegcliError as SegcliError
    from segcli.errors import UsageError as UsageError
    from segcli.errors import WeightsError as WeightsError
    from segcli.images.overlay_style import OverlayStyle as OverlayStyle
    from segcli.labels import LabelSet as LabelSet
    from segcli.pipeline.evaluate import evaluate as evaluate
    from segcli.pipeline.evaluation import Evaluation as Evaluation
    from segcli.pipeline.listener import Listener as Listener
    from segcli.pipeline.model import Model as Model
    from segcli.pipeline.model import load as load
    from segcli.pipeline.predict_folder import predict_folder as predict_folder
    from segcli.pipeline.records import Record as Record
    from segcli.pipeline.refine import refine as refine
    from segcli.pipeline.result import Result as Result
    from segcli.pipeline.run import FolderRun as FolderRun
    from segcli.pipeline.summary import Summary as Summary
    from segcli.training.events import Step as Step
    from segcli.training.events import Validation as Validation
    from segcli.training.partition.own_photos import photos_of_run as photos_of_run
    from segcli.training.planning.plan import Plan as Plan
    from segcli.training.planning.plan import plan as plan
    from segcli.training.recipe import Recipe as Recipe
    from segcli.training.run import train as train


def __getattr__(name: str) -> Any:
    """A public name, imported from where it lives when it is first used."""
    if name not in _MODULES:
        raise AttributeError(f"module 'segcli' has no attribute {name!r}")
    value = getattr(import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
