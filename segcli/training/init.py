"""The model that training starts from: fresh, on an ImageNet backbone, or with the weights of another model."""

import math
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from segcli.errors import WeightsError
from segcli.files.download import Progress
from segcli.labels import LabelSet
from segcli.models.networks.deeplab import build
from segcli.models.preprocessing import Preprocessing, at_size
from segcli.models.spec import ModelSpec
from segcli.training import normalisation
from segcli.training.optimization.optimizer import is_classifier
from segcli.training.recipe import IMAGENET, RANDOM, Model, Recipe
from segcli.weights import manifest, model_io
from segcli.weights.lacking import Lacking, lacking_of, of_backbone
from segcli.weights.model_io import LoadedModel
from segcli.weights.reference import resolve


def start(recipe: Recipe, labels: LabelSet, progress: Progress | None = None, dry: bool = False) -> LoadedModel:
    """The model before its first step, as `model.init` says; fresh weights follow from `run.seed`.

    Args:
        recipe: What `model.init`, `data.size` and `run.seed` are.
        labels: The classes to learn. Weights with other classes lend all but their classifier.
        progress: Called while weights are downloaded.
        dry: Download nothing: where weights are lacking, random ones take their place, with which steps cost the same.

    Raises:
        UsageError: There is no such model, or it cannot have that output stride.
        WeightsError: The weights cannot be had, or belong to another model.
    """
    settings = recipe.model
    if settings.init == RANDOM:
        found = _fresh(settings.asked(), labels, Preprocessing(), recipe)
    elif dry and lacking(settings):
        found = _stand_in(recipe, labels)
    elif settings.init == IMAGENET:
        found = _on_imagenet(recipe, labels, progress)
    else:
        found = _continued(recipe, labels, progress)
    set_layers(found.network, settings)
    preprocessing = at_size(found.preprocessing, recipe.data.size)
    preprocessing = replace(preprocessing, pad=recipe.data.pad or preprocessing.pad)
    normalised = normalisation.of(preprocessing, recipe.data)
    other = normalised != preprocessing and settings.init != RANDOM
    notes = (*found.notes, normalisation.note(recipe.data)) if other else found.notes
    return replace(found, preprocessing=normalised, notes=notes)


def lacking(settings: Model) -> Lacking | None:
    """What would be downloaded or converted for the first weights; None where they are ready."""
    if settings.init == RANDOM:
        return None
    if settings.init == IMAGENET:
        return of_backbone(settings.asked())
    return lacking_of(resolve(settings.init, must_exist=False))


def _stand_in(recipe: Recipe, labels: LabelSet) -> LoadedModel:
    """The model that weights of the manifest would begin, by the manifest alone and with random weights."""
    settings = recipe.model
    if settings.init == IMAGENET:
        entry = manifest.backbone(settings.asked())
        return _fresh(manifest.adapted(settings.asked(), entry.spec), labels, entry.preprocessing, recipe)
    entry = resolve(settings.init).entry
    own = entry.model_spec()
    spec = settings.asked() if settings.name and settings.asked().name != own.name else own
    return _fresh(spec, labels, entry.preprocessing, recipe)


def rebuild(spec: ModelSpec, labels: LabelSet, preprocessing: Preprocessing, settings: Model) -> LoadedModel:
    """The same model as `start` gives, its weights yet to be filled in: for a run that is resumed."""
    stride = settings.output_stride or spec.output_stride
    network = build(spec, len(labels), stride)
    set_layers(network, settings)
    facts = {"spec": spec, "labels": labels, "preprocessing": preprocessing, "output_stride": stride}
    return LoadedModel(**facts, network=network, provenance={})


def scored(model: LoadedModel, stride: int) -> LoadedModel:
    """The model as it is scored and saved: at another output stride than it learns at, where the recipe has one.

    The v3 paper learns at 16, where a step takes less time, and scores at 8, which is finer (section 4.1).

    Args:
        model: As it is trained.
        stride: Of `model.eval_output_stride`; 0: as it is trained.

    Returns:
        The model itself, or a second one that shares every value with it and follows it as it learns.
    """
    if stride in (0, model.output_stride):
        return model
    with torch.device("meta"):
        network = build(model.spec, len(model.labels), stride)
    network.load_state_dict(model.network.state_dict(), assign=True)
    return replace(model, network=network.requires_grad_(False).eval(), output_stride=stride)


def set_layers(network: nn.Module, settings: Model) -> None:
    """Give batch normalisation and dropout of a network the recipe's decay and share."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1 - settings.bn_decay
        elif isinstance(module, nn.Dropout) and settings.dropout is not None:
            module.p = settings.dropout


def _fresh(spec: ModelSpec, labels: LabelSet, preprocessing: Preprocessing, recipe: Recipe) -> LoadedModel:
    stride = recipe.model.output_stride or spec.output_stride
    torch.manual_seed(recipe.run.seed)
    network = build(spec, len(labels), stride)
    initialise(network)
    clear_unreached(network, stride, recipe.augment.crop_size)
    facts = {"spec": spec, "labels": labels, "preprocessing": preprocessing, "output_stride": stride}
    return LoadedModel(**facts, network=network, provenance={"weights": RANDOM}, trained=False)


def initialise(network: nn.Module) -> None:
    """Set fresh weights: He's for convolutions, by their fan-out; the classifier normal with deviation 0.01, as v1's.

    A depthwise convolution's fan-out is that of one channel. Torch's own `kaiming_normal_` counts all channels, which
    leaves so little of the signal that batch normalisation's eps swallows part of it.
    """
    for name, module in network.named_modules():
        if not isinstance(module, nn.Conv2d):
            continue
        if is_classifier(f"{name}.weight"):
            nn.init.normal_(module.weight, std=0.01)
        else:
            fan_out = module.weight[0, 0].numel() * module.out_channels // module.groups
            nn.init.normal_(module.weight, std=math.sqrt(2 / fan_out))
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def clear_unreached(network: nn.Module, stride: int, crop: tuple[int, int]) -> None:
    """Set to zero what fresh atrous filters have beyond every crop: it would never learn, and blur larger photos.

    A filter of 3x3 whose rate is not less than the side of the features is 1x1 in truth (v3 paper, section 3.3). The
    eight other weights would stay at random, and come into play where a photo larger than the crops is predicted.

    Args:
        network: With fresh weights.
        stride: Its output stride, at which all atrous filters lie.
        crop: Height and width in pixels of what is learned from.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and max(module.dilation) > 1:
            for axis, side in enumerate(crop):
                rate, features = module.dilation[axis], (side - 1) // stride + 1
                reach = torch.arange(module.kernel_size[axis]) * rate - module.padding[axis]
                with torch.no_grad():
                    module.weight.index_fill_(2 + axis, torch.nonzero(reach.abs() >= features).flatten(), 0)


def _on_imagenet(recipe: Recipe, labels: LabelSet, progress: Progress | None) -> LoadedModel:
    spec = recipe.model.asked()
    try:
        pretrained = model_io.pretrained(spec, progress)
    except WeightsError as error:
        hint = f'{error.hint} Or train from scratch: model.init = "{RANDOM}".'.strip()
        raise WeightsError(error.message, hint) from error
    found = _fresh(pretrained.spec, labels, pretrained.preprocessing, recipe)
    wanted = {f"backbone.{name}" for name in found.network.backbone.state_dict()} | pretrained.tensors.keys()
    _copy(found.network, pretrained.tensors, wanted, f"{spec.backbone.kind}@imagenet")
    return replace(found, provenance=pretrained.provenance, notes=(*pretrained.notes, *_unready(found, recipe.model)))


def _continued(recipe: Recipe, labels: LabelSet, progress: Progress | None) -> LoadedModel:
    settings = recipe.model
    asked = settings.asked() if settings.name else None
    lender = _lender(settings, asked, progress)
    if asked is not None and asked.name != lender.spec.name:
        return _on_its_backbone(lender, asked, labels, recipe)
    found = _fresh(lender.spec, labels, lender.preprocessing, recipe)
    tensors = lender.network.state_dict()
    same = lender.labels.names == labels.names
    wanted = {name for name in tensors if same or not is_classifier(name)}
    _copy(found.network, tensors, wanted, settings.init)
    return replace(found, provenance=lender.provenance, notes=lender.notes, trained=same)


def _lender(settings: Model, asked: ModelSpec | None, progress: Progress | None) -> LoadedModel:
    """The model that `model.init` names; refused where it cannot learn, or the model asked for has another backbone."""
    name = settings.init
    lender = model_io.load(name, None if asked else settings.output_stride or None, progress=progress)
    if lender.engine != "torch":
        hint = "Give the checkpoint that it was exported from."
        raise WeightsError(f"model.init = {name!r} is an exported model and cannot be trained", hint)
    if asked is not None and asked.backbone.untapped != lender.spec.backbone.untapped:
        raise WeightsError(
            f"model.init = {name!r} holds {lender.spec.name}, and {asked.name} has another backbone",
            "Leave out model.name: the model is then the one of the weights.",
        )
    return lender


def _on_its_backbone(lender: LoadedModel, spec: ModelSpec, labels: LabelSet, recipe: Recipe) -> LoadedModel:
    """A fresh model on the backbone of another one, such as v3+'s decoder on what v3 has learned."""
    found = _fresh(spec, labels, lender.preprocessing, recipe)
    backbone = {f"backbone.{name}" for name in found.network.backbone.state_dict()}
    _copy(found.network, lender.network.state_dict(), backbone, recipe.model.init)
    note = f"{spec.name} begins with the backbone of {recipe.model.init}; all other layers are new"
    notes = (*lender.notes, note, *_unready(found, recipe.model))
    return replace(found, provenance=lender.provenance, notes=notes)


def _unready(model: LoadedModel, settings: Model) -> tuple[str, ...]:
    """What to say where batch normalisation behind the backbone is frozen before it has seen a photo."""
    behind = (module for name, module in model.network.named_modules() if not name.startswith("backbone."))
    if not settings.freeze_bn or not any(isinstance(module, nn.BatchNorm2d) for module in behind):
        return ()
    why = "model.freeze_bn also freezes the new batch normalisation after the backbone, which has no statistics yet"
    return (f"{why}: the model will learn badly; set model.freeze_bn = false",)


def _copy(network: nn.Module, tensors: Mapping[str, Tensor], wanted: set[str], name: str) -> None:
    """Copies the wanted tensors; WeightsError if one is missing or has another shape."""
    own = network.state_dict()
    for key in sorted(wanted):
        if key.endswith("num_batches_tracked"):
            continue
        if key not in tensors or tensors[key].shape != own[key].shape:
            raise WeightsError(
                f"the weights {name} do not fit at {key}",
                "They belong to another model. Choose other weights with model.init.",
            )
        own[key].copy_(tensors[key])
