"""What a row of `tables.md` is, and the rows of the v1 and v2 papers; `tables_v3_rows.py` has v3's and v3+'s.

Figures are the papers': 1412.7062 (v1), 1606.00915 (v2), 1706.05587 (v3) and 1802.02611 (v3+). Mean IOU in per cent.
"""

from typing import NamedTuple


class Row(NamedTuple):
    """A row: which network, how it is trained and evaluated, and what the paper says of it.

    Attributes:
        cells: The paper's own columns.
        model: The network, as `segcli models` takes it.
        miou: The paper's mean IOU, with a word where it is not on the validation set.
        train_stride: The output stride that it is trained at.
        eval_stride: The one that it is evaluated at; 0: the same.
        scales: Whether it is evaluated at six scales (MS).
        flip: Whether it is evaluated on mirrored photos too.
        changes: What else the recipe is told, as `--set` takes it.
        billions: The paper's multiply-adds in billions; 0 where it gives none.
        millions: The paper's parameters in millions; 0 where it gives none.
        weights: Published weights that were trained and scored as the row says.
    """

    cells: tuple[str, ...]
    model: str
    miou: str
    train_stride: int = 16
    eval_stride: int = 0
    scales: bool = False
    flip: bool = False
    changes: tuple[str, ...] = ()
    billions: float = 0
    millions: float = 0
    weights: str = ""


class Table(NamedTuple):
    """A table: its title, the paper's columns, the recipe of its rows, and what is to be said of it."""

    title: str
    columns: tuple[str, ...]
    recipe: str
    rows: tuple[Row, ...]
    note: str = ""


def _vgg(cells: tuple[str, ...], model: str, miou: str, *changes: str, millions: float = 0) -> Row:
    return Row(cells, model, miou, 8, changes=changes, millions=millions)


MSC = "+multi_scale_channels=128"
V1 = (
    Table(
        "v1, Table 1 (a): multi-scale features and field of view",
        ("method",),
        "v1-vgg16",
        tuple(
            _vgg((f"DeepLab-{name}".replace("DeepLab--", "DeepLab-").rstrip("-"),), model, miou)
            for name, model, miou in (
                ("", "v1-vgg16-4x4", "59.80"),
                ("CRF", "v1-vgg16-4x4", "63.74"),
                ("MSc", f"v1-vgg16-4x4{MSC}", "61.30"),
                ("MSc-CRF", f"v1-vgg16-4x4{MSC}", "65.21"),
                ("7x7", "v1-vgg16-7x7", "64.38"),
                ("CRF-7x7", "v1-vgg16-7x7", "67.64"),
                ("LargeFOV", "v1-vgg16", "62.25"),
                ("CRF-LargeFOV", "v1-vgg16", "67.64"),
                ("MSc-LargeFOV", f"v1-vgg16{MSC}", "64.21"),
                ("MSc-CRF-LargeFOV", f"v1-vgg16{MSC}", "68.70"),
            )
        ),
        "If the name has CRF, add `--crf`: the network is the same. The paper trains only the weights of the "
        "multi-scale features (MSc), on a network that is already trained. This recipe trains all weights.",
    ),
    Table(
        "v1, Table 2, and v2, Table 1: kernel and rate of fc6",
        ("kernel", "rate"),
        "v1-vgg16",
        (
            _vgg(("7x7", "4"), "v1-vgg16-7x7", "64.38, with CRF 67.64", millions=134.3),
            _vgg(("4x4", "4"), "v1-vgg16-4x4", "59.80, with CRF 63.74", millions=65.1),
            _vgg(("4x4", "8"), "v1-vgg16-4x4-r8", "63.41, with CRF 67.14", millions=65.1),
            _vgg(("3x3", "12"), "v1-vgg16", "62.25, with CRF 67.64", millions=20.5),
        ),
    ),
)

LARGE_FOV = "v2-vgg16-largefov"
PLAIN_101 = "v2-resnet101+rates=1+kernel=1"
LARGE_101 = "v2-resnet101+rates=12"
NO_MSC = "+scales="
STILL = "augment.scale=[1,1]"
COCO = "model.init=coco/last.safetensors"
RATE = "schedule.rate=0.001"
ELSEWHERE = "Counted with 21 classes."
TRANSFER = (
    f"{ELSEWHERE} `coco` stands for a run of the recipe `v2-resnet101-coco` with the same `model.name`. The copy of "
    "the paper that was read does not show in which rows photos are randomly scaled in training. Here it is done in "
    "the rows with MSC."
)
V2 = (
    Table(
        "v2, Table 2: learning rate policy",
        ("policy", "batch", "iterations"),
        "v2-vgg16",
        tuple(
            _vgg(
                (policy, batch, f"{steps // 1000}K"),
                LARGE_FOV,
                miou,
                f"schedule.policy={policy}",
                f"schedule.batch={batch}",
                f"schedule.iterations={steps}",
            )
            for policy, batch, steps, miou in (
                ("step", "30", 6000, "62.25"),
                ("poly", "30", 6000, "63.42"),
                ("poly", "30", 10000, "64.90"),
                ("poly", "10", 10000, "64.71"),
                ("poly", "10", 20000, "65.88"),
            )
        ),
        "One network, five recipes.",
    ),
    Table(
        "v2, Table 3: ASPP on VGG-16",
        ("method",),
        "v2-vgg16",
        (
            _vgg(("LargeFOV",), LARGE_FOV, "65.76, with CRF 69.84"),
            _vgg(("ASPP-S",), "v2-vgg16-aspp-s", "66.98, with CRF 69.73"),
            _vgg(("ASPP-L",), "v2-vgg16", "68.96, with CRF 71.57"),
        ),
    ),
    Table(
        "v2, Table 4: ResNet-101",
        ("MSC", "COCO", "Aug", "LargeFOV", "ASPP", "CRF"),
        "v2-resnet101",
        (
            _vgg(("", "", "", "", "", ""), f"{PLAIN_101}{NO_MSC}", "68.72", STILL),
            _vgg(("yes", "", "", "", "", ""), PLAIN_101, "71.27", STILL),
            _vgg(("yes", "yes", "", "", "", ""), PLAIN_101, "73.28", STILL, COCO),
            _vgg(("yes", "yes", "yes", "", "", ""), PLAIN_101, "74.87", COCO),
            _vgg(("yes", "yes", "yes", "yes", "", ""), LARGE_101, "75.54", COCO),
            _vgg(("yes", "yes", "yes", "", "yes", ""), "v2-resnet101", "76.35", COCO)._replace(
                weights="v2-resnet101@voc2012"
            ),
            _vgg(("yes", "yes", "yes", "", "yes", "yes"), "v2-resnet101", "77.69", COCO),
        ),
        "The paper does not print which layer the rows without LargeFOV and ASPP have. Here it is a 1x1 classifier. "
        "Aug is random scaling in training; `augment.scale=[1,1]` turns it off. `coco` stands for a run of the "
        "recipe `v2-resnet101-coco` with the same `model.name`.",
    ),
    Table(
        "v2, Table 6: PASCAL-Context",
        ("network",),
        "v2-resnet101-pascal-context",
        tuple(
            _vgg((network,), model, miou, *changes)
            for network, model, miou, *changes in (
                ("VGG-16, LargeFOV", LARGE_FOV, "37.6, with CRF 39.6", RATE, STILL),
                ("ResNet-101", f"{PLAIN_101}{NO_MSC}", "39.6", STILL),
                ("ResNet-101, MSC", PLAIN_101, "41.4"),
                ("ResNet-101, MSC, COCO", PLAIN_101, "42.9", COCO),
                ("ResNet-101, MSC, COCO, LargeFOV", LARGE_101, "43.5", COCO),
                ("ResNet-101, MSC, COCO, ASPP", "v2-resnet101", "44.7, with CRF 45.7", COCO),
            )
        ),
        TRANSFER,
    ),
    Table(
        "v2, Table 7: PASCAL-Person-Part",
        ("network",),
        "v2-resnet101-person-part",
        tuple(
            _vgg((network,), model, miou, *changes)
            for network, model, miou, *changes in (
                ("ResNet-101", f"{PLAIN_101}{NO_MSC}", "58.90", STILL),
                ("ResNet-101, MSC", PLAIN_101, "63.10"),
                ("ResNet-101, MSC, COCO", PLAIN_101, "64.40, with CRF 64.94", COCO),
                ("ResNet-101, MSC, COCO, LargeFOV", LARGE_101, "62.18", COCO),
                ("ResNet-101, MSC, COCO, ASPP", "v2-resnet101", "62.76", COCO),
            )
        ),
        TRANSFER,
    ),
    Table(
        "v2, Table 9: Cityscapes val",
        ("network",),
        "v2-resnet101-cityscapes",
        tuple(
            _vgg((network,), model, miou, *changes)
            for network, model, miou, *changes in (
                ("VGG-16, LargeFOV, half the side", LARGE_FOV, "62.97, with CRF 64.18", RATE, STILL, "data.size=1025"),
                ("VGG-16, LargeFOV", LARGE_FOV, "64.89, with CRF 65.94", RATE, STILL),
                ("ResNet-101", f"{PLAIN_101}{NO_MSC}", "66.6", STILL),
                ("ResNet-101, LargeFOV", f"{LARGE_101}{NO_MSC}", "69.2", STILL),
                ("ResNet-101, ASPP", "v2-resnet101-nomsc", "70.4", STILL),
                ("ResNet-101, ASPP, Aug", "v2-resnet101-nomsc", "71.0, with CRF 71.4"),
            )
        ),
        ELSEWHERE,
    ),
)
