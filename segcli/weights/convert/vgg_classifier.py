"""ImageNet's VGG-16 classifier as the fc6 and fc7 of v1 and v2: made convolutions, and subsampled.

v1 (1412.7062, section 3.2): the first fully connected layer has 4,096 filters of 7x7; "simple decimation" makes them
4x4 or 3x3, and 1,024 filters do as well as 4,096. Of 7 x 7 weights every second row and column is kept for 4x4, every
third for 3x3. Which 1,024 filters are kept, v1 does not say, and v2 takes a random subset (1606.00915, section 4.1.1);
here it is every fourth, which is the same at each run.
"""

from collections.abc import Mapping

from torch import Tensor

from segcli.errors import WeightsError
from segcli.models.spec import BranchesSpec, ModelSpec

LAYERS = (("pre_logits.fc1", "pre_logits.fc2"), ("classifier.0", "classifier.3"))
"""The two fully connected layers before the 1000 classes, in timm's and in torchvision's names."""
FILTERS, CHANNELS, KERNEL = 4096, 512, 7
"""Filters of each layer; channels and kernel side of the first."""


def first_layers(tensors: Mapping[str, Tensor], spec: ModelSpec) -> dict[str, Tensor]:
    """The tensors of fc6 and fc7 in every branch of a model's head, `classifier.N.fc6.weight` and so on.

    Args:
        tensors: Of an ImageNet checkpoint, under its own names.
        spec: The model's description.

    Returns:
        Nothing where the model has no fc6 on a VGG-16, where the file holds no classifier, or where kernel or filters
        are none that decimation gives.

    Raises:
        WeightsError: The classifier is not VGG-16's.
    """
    head = spec.head
    if spec.backbone.kind != "vgg16" or not isinstance(head, BranchesSpec) or not _is_decimation(head):
        return {}
    found = next((pair for pair in LAYERS if all(f"{layer}.weight" in tensors for layer in pair)), None)
    if found is None:
        return {}
    fc6, fc7 = (
        _layer(tensors, name, inputs) for name, inputs in zip(found, (CHANNELS * KERNEL**2, FILTERS), strict=True)
    )
    kept = slice(None, None, FILTERS // head.channels)
    pixels = slice(None, None, (KERNEL - 1) // (head.kernel - 1))
    branch = {
        "fc6.weight": fc6[0].view(FILTERS, CHANNELS, KERNEL, KERNEL)[kept, :, pixels, pixels],
        "fc6.bias": fc6[1][kept],
        "fc7.weight": fc7[0].view(FILTERS, FILTERS, 1, 1)[kept, kept],
        "fc7.bias": fc7[1][kept],
    }
    return {f"classifier.{i}.{name}": tensor for i in range(len(head.rates)) for name, tensor in branch.items()}


def _is_decimation(head: BranchesSpec) -> bool:
    """Whether every n-th filter and every m-th pixel, the outermost ones included, give the head's fc6."""
    if not head.channels or FILTERS % head.channels:
        return False
    return 1 < head.kernel <= KERNEL and (KERNEL - 1) % (head.kernel - 1) == 0


def _layer(tensors: Mapping[str, Tensor], name: str, inputs: int) -> tuple[Tensor, Tensor]:
    """Weight (filters, inputs) and bias (filters,) of a fully connected layer, stored as such or as a convolution."""
    weight, bias = tensors[f"{name}.weight"], tensors.get(f"{name}.bias")
    if weight.numel() != FILTERS * inputs or len(weight) != FILTERS or bias is None or bias.shape != (FILTERS,):
        raise WeightsError(
            f"the ImageNet classifier has {name}.weight of {' x '.join(map(str, weight.shape))} numbers",
            "It is not VGG-16's; take the file of `segcli models`.",
        )
    return weight.reshape(FILTERS, inputs), bias
