"""Whole numbers of 8 bits beside floats: the speed of each network, the labels that stay, and the mIOU that is lost.

python benchmarks/int8.py                                        # street on the scenes that come with segcli
python benchmarks/int8.py --models street,v3-mobilenetv2@voc2012 --photos PHOTOS --labels LABELS
python benchmarks/int8.py --speed-only --models v3plus-resnet101,v3plus-xception,v2-resnet101,v1-vgg16

A model is a name of `segcli models` with weights at hand, a checkpoint, or with --speed-only any variant, whose weights
are random then: labels of random networks say nothing, so that they are not compared. Each network is calibrated on the
photos of --calibrate (those that come with segcli). Floats and 8 bits take turns under onnxruntime; the rate is the
median of the rounds. Weights have 7 bits, which is the same form, and the same file, on every processor.
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from segcli.weights.model_io import LoadedModel

FORMS = ("floats", "8 bits")


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="street", help="separated by commas")
    parser.add_argument("--photos", type=Path, help="to compare labels on (examples/photos)")
    parser.add_argument("--labels", type=Path, help="of those photos; the classes are the model's")
    parser.add_argument("--void", type=int, help="the id of those labels that is no class")
    parser.add_argument("--calibrate", type=Path, help="photos to calibrate on")
    parser.add_argument("--output-stride", type=int)
    parser.add_argument("--size", type=int, default=513, help="side of the input whose passes are timed")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, help="as many as torch takes")
    parser.add_argument("--speed-only", action="store_true", help="compare no labels; random weights will do")
    return parser.parse_args()


HEADINGS = [
    "model",
    "floats, ms",
    "8 bits, ms",
    "times as fast",
    "floats, MB",
    "8 bits, MB",
    "equal labels",
    "worst photo",
]
HEADINGS += ["mIOU, floats", "mIOU, 8 bits"]


def report(chosen: argparse.Namespace) -> Iterator[str]:
    """The machine, and the table."""
    import measuring
    import torch

    if chosen.threads:
        torch.set_num_threads(chosen.threads)
    yield f"{measuring.machine(['torch', 'onnxruntime'])}.\n"
    yield measuring.table(HEADINGS, (row(name, chosen) for name in chosen.models.split(",")))


def row(name: str, chosen: argparse.Namespace) -> list[str]:
    """The cells of one model."""
    import measuring
    import torch

    from segcli.export import calibration, export, int8
    from segcli.images.reading import PLAIN
    from segcli.weights import model_io
    from segcli.weights.onnx_file import OnnxNetwork

    model = random_model(name, chosen) if chosen.speed_only else model_io.load(name, chosen.output_stride)
    files = [export.to_onnx(export.prepare(model)), int8.exported(model, calibration.of(chosen.calibrate), PLAIN)[1]]
    networks = [OnnxNetwork(data, len(model.labels)).eval() for data in files]
    x = torch.randn(1, 3, chosen.size, chosen.size)
    passes = {form: partial(network, x) for form, network in zip(FORMS, networks, strict=True)}
    before, after = (timings.seconds * 1000 for timings in measuring.in_turns(passes, chosen.rounds).values())
    cells = [
        name,
        f"{before:.0f}",
        f"{after:.0f}",
        f"{before / after:.2f}",
        *(f"{len(data) / 1e6:.1f}" for data in files),
    ]
    forms = [replace(model, network=network, engine="onnx") for network in networks]
    return cells + (["", "", "", ""] if chosen.speed_only else labels_kept(forms, chosen))


def random_model(name: str, chosen: argparse.Namespace) -> "LoadedModel":
    """A variant with random weights, and batch normalisation measured on photos."""
    import contenders
    import pictures
    import torch

    from segcli.images.read import read_rgb
    from segcli.inference.transform import to_input
    from segcli.labels import VOC
    from segcli.models import variants
    from segcli.models.networks import deeplab
    from segcli.models.preprocessing import Preprocessing
    from segcli.weights.model_io import LoadedModel

    spec, given = variants.get(name), Preprocessing(size=contenders.SIZE)
    stride = chosen.output_stride or spec.output_stride
    photos = sorted(pictures.EXAMPLES.glob("*.jpg"))[:2]
    inputs = torch.cat([to_input(read_rgb(photo), given)[0] for photo in photos])
    network = contenders.calibrated(deeplab.build(spec, len(VOC), stride), inputs)
    facts = {"spec": spec, "labels": VOC, "preprocessing": given, "output_stride": stride}
    return LoadedModel(**facts, network=network.eval(), provenance={})


def labels_kept(forms: list, chosen: argparse.Namespace) -> list[str]:
    """Cells: the share of equal labels, that of the worst photo, and the mIOU of both forms."""
    import pictures

    from segcli.data.reading import Choice
    from segcli.pipeline.int8 import Truth, compared, to_check
    from segcli.pipeline.listener import SILENT

    floats, whole = forms
    void = None if chosen.void is None else (chosen.void,)
    truth = chosen.labels and Truth(chosen.labels, Choice(void))
    kept = compared(floats, whole, {}, to_check(chosen.photos or pictures.EXAMPLES, truth, floats, SILENT))
    mious = ["" if miou is None else f"{miou:.2%}" for miou in kept.mious]
    return [f"{kept.share:.2%} of {len(kept.equal)} photos", f"{kept.worst[1]:.2%}", *mious]


def main() -> None:
    for line in report(options()):
        print(line, flush=True)


if __name__ == "__main__":
    main()
