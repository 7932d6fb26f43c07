"""`segcli export`: a model as one file for another runtime, compared with the original on real photos."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Option

from segcli.cli.display import Display
from segcli.cli.options import network
from segcli.cli.options.groups import grouped
from segcli.cli.options.int8 import Int8Options
from segcli.cli.options.network import Model, OutputStride, Weights
from segcli.cli.options.outputs import AsJson, Quiet
from segcli.cli.options.panels import OUTPUT
from segcli.cli.options.reading import ReadingOptions
from segcli.cli.progress import megabytes
from segcli.errors import InputError, SegcliError, UsageError
from segcli.export import calibration
from segcli.export.kept_labels import ENOUGH
from segcli.files import atomic
from segcli.files.paths import shown
from segcli.files.sources import Found
from segcli.images.read import read_rgb
from segcli.images.reading import PLAIN
from segcli.pipeline import photo_values
from segcli.pipeline.int8 import compared, to_check
from segcli.pipeline.model import load_network
from segcli.pipeline.reading import find_photos
from segcli.pipeline.records import check_folder

if TYPE_CHECKING:
    import numpy as np

    from segcli.export.calibration import Calibration
    from segcli.export.export import Export
    from segcli.export.kept_labels import KeptLabels
    from segcli.export.verify import Agreement
    from segcli.images.reading import PhotoReading
    from segcli.pipeline.int8 import Seen, Truth
    from segcli.weights.model_io import LoadedModel

FORMATS = {"onnx": "ONNX", "pt2": "torch.export"}
EXAMPLES = """\
[bold]Examples[/bold]\n
segcli export --model street -o model.onnx --check photos/\n
segcli export --weights run/best.safetensors -o model.pt2 --output-stride 8\n
segcli export --model v3-mobilenetv2 -o labels.onnx --with-preprocessing\n
segcli export --model street -o fast.onnx --precision int8 --calibrate some-photos/ --check other-photos/\n
segcli predict photos/ --weights model.onnx
"""

Form = Annotated[
    str | None,
    Option(
        "--format",
        metavar="onnx|pt2",
        help="Needed only if FILE does not end in .onnx or .pt2.",
        rich_help_panel=OUTPUT,
    ),
]
WithPreprocessing = Annotated[
    bool,
    Option(
        "--with-preprocessing",
        help="Pixels in, labels out: normalisation, enlargement and argmax are in the file; resizing and "
        "padding are not.",
        rich_help_panel=OUTPUT,
    ),
]
Check = Annotated[
    Path | None,
    Option(
        "--check",
        metavar="DIR",
        help="Run FILE on these photos, and fail if fewer than 99.9 % of its labels equal torch's; 98 % in int8.",
        rich_help_panel=OUTPUT,
    ),
]


@grouped
def export(
    *,
    output: Annotated[Path, Option("--output", "-o", metavar="FILE", help="What to write.", rich_help_panel=OUTPUT)],
    model: Model = None,
    weights: Weights = None,
    output_stride: OutputStride = None,
    form: Form = None,
    with_preprocessing: WithPreprocessing = False,
    check: Check = None,
    int8: Int8Options,
    reading: ReadingOptions,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Write a model as one file that other programs can open: ONNX, or torch.export's .pt2.

    The metadata in the file say what it is: classes, colours, preprocessing and origin. With --precision int8, photos
    calibrate it. It is not written if --check finds that fewer than 98 % of the labels stay.
    """
    form = _format(form, output)
    int8.check(form, check)
    truth = int8.labels(reading.choice())
    reference = network.reference(model, weights)
    reference.check_output_stride(output_stride)
    if reference.is_exported:
        raise UsageError(f"--weights {reference} was exported already", "Give the checkpoint that it was made of.")
    found = find_photos([str(check)], None) if check else None
    photos = calibration.of(int8.calibrate) if int8.wanted else None
    check_folder(output.parent)
    if output.is_dir():
        raise UsageError(f"--output {shown(output)} is a folder", "Name the file to write.")
    display = Display(as_json, quiet)
    loaded = load_network(reference, output_stride, display)
    if photos:
        return _in_8_bits(photos, int8, loaded, output, with_preprocessing, check, truth, display)
    from segcli.export import export as exporting

    plan = exporting.prepare(loaded, with_preprocessing)
    size = exporting.write(output, form, plan)
    named = f"{FORMATS[form]} opset {exporting.OPSET}" if form == "onnx" else FORMATS[form]
    display.data(f"{output}: {loaded.spec.name}, {len(loaded.labels)} classes, {named}, {megabytes(size)}")
    agreement = _checked(found, output, form, plan, loaded, display) if found else None
    display.json({**_facts(output, form, size, loaded, plan), "check": agreement and _report(agreement)})
    return None


def _in_8_bits(
    photos: Calibration,
    options: Int8Options,
    model: LoadedModel,
    output: Path,
    with_preprocessing: bool,
    check: Path | None,
    truth: Truth | None,
    display: Display,
) -> None:
    """Make a model's 8-bit form, compare it, and only then write it; SegcliError where too few labels stay."""
    from segcli.export import export as exporting
    from segcli.export.int8 import exported

    reading = photo_values.resolved(PLAIN, photos.pages, model.photos, listener=display)
    display.note(f"calibrating on {len(photos.photos)} photos{'' if options.calibrate else ' that come with segcli'}")
    plan, data = exported(model, photos, reading, with_preprocessing)
    kept = _kept(to_check(check, truth, model, display), model, plan, data) if check else None
    if kept and not (kept.suffices or options.force):
        hint = "Calibrate it on photos like these with --calibrate, or write it nevertheless with --force."
        raise SegcliError(f"{shown(output)} is not written: in 8 bits {kept}, below {ENOUGH:.0%}", hint)
    size = exporting.save(output, data)
    named = f"ONNX opset {exporting.OPSET} in 8 bits"
    display.data(f"{output}: {model.spec.name}, {len(model.labels)} classes, {named}, {megabytes(size)}")
    for line in kept.lines() if kept else ():
        display.data(line)
    if kept is None:
        display.note("not compared with floats: --check PHOTOS tells how many labels stay")
    display.json({**_facts(output, "onnx", size, model, plan), "check": kept and kept.to_dict()})


def _kept(photos: Iterable[Seen], model: LoadedModel, plan: Export, data: bytes) -> KeptLabels:
    """The labels that the file keeps, of the network in floats, on photos."""
    from segcli.weights.onnx_file import OnnxNetwork

    inside = model.preprocessing if plan.making.with_preprocessing else None
    network = OnnxNetwork(data, len(model.labels), inside).eval()
    form = replace(model, network=network, engine="onnx", int8=plan.making.int8)
    return compared(model, form, {}, photos)


def _format(form: str | None, output: Path) -> str:
    form = form or output.suffix.removeprefix(".")
    if form not in FORMATS:
        raise UsageError(
            f"--format {form}: not known" if form else f"--output {output}: a file without a suffix needs --format",
            f"Choose among {', '.join(FORMATS)}.",
        )
    return form


def _checked(found: Found, output: Path, form: str, plan: Export, loaded: LoadedModel, display: Display) -> Agreement:
    """Compare the file with torch on every photo that can be read; SegcliError where they do not agree."""
    from segcli.export import verify

    pages = [(source.path, source.page) for source in found.files]
    reading = photo_values.resolved(PLAIN, pages, loaded.photos, listener=display)
    run, total, photos = verify.runtime(output, form, plan), verify.Agreement(), 0
    with display.counting(len(found.files), "checking") as counter:
        for photo in _readable(found, reading, display):
            for x in verify.inputs(photo, loaded.preprocessing, plan):
                total += verify.compare(plan, run, x)
            photos += 1
            counter.advance()
    if not photos:
        message = f"{shown(output)} is not checked: none of the photos can be read"
        raise SegcliError(message, "Give other photos with --check.")
    display.data(
        f"checked on {photos} photos, {total.inputs} inputs: {total.share:.4%} of labels equal; logits up to "
        f"{total.largest:.4g} differ by {total.difference:.2g} at most"
    )
    if not total.holds:
        raise SegcliError(
            f"{shown(output)} gives {total.share:.2%} of torch's labels, below {verify.EQUAL:.1%}",
            "Do not use it; please report this with the versions that `segcli doctor` prints.",
        )
    return total


def _readable(found: Found, reading: PhotoReading, display: Display) -> Iterator[np.ndarray]:
    """The photos, uint8 (H, W, 3); one that cannot be read is named and left out."""
    for source in found.files:
        try:
            yield read_rgb(source.path, reading)
        except InputError as error:
            display.failure(f"{source.path} is left out: {error}")


def _facts(output: Path, form: str, size: int, loaded: LoadedModel, plan: Export) -> dict:
    return {
        "output": str(output),
        "format": form,
        "bytes": size,
        "sha256": atomic.sha256(output),
        "model": loaded.spec.name,
        "labels": loaded.labels.name,
        "classes": len(loaded.labels),
        **({"photos": photos} if (photos := loaded.photos.to_dict()) else {}),
        "input": plan.input,
        "outputs": list(plan.outputs),
        **plan.making.to_dict(),
    }


def _report(agreement: Agreement) -> dict:
    return {**asdict(agreement), "share": agreement.share}
