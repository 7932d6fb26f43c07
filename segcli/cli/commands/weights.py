"""`segcli weights`: fetch, check, list, remove, convert and shrink."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer
from typer import Argument, Option

from segcli.cli.display import Display, columns
from segcli.cli.options import completion
from segcli.cli.options.outputs import AsJson, Quiet
from segcli.cli.options.parsing import Parsed
from segcli.cli.progress import megabytes
from segcli.data import names
from segcli.errors import EXIT_FAILED, UsageError, WeightsError
from segcli.labels import LabelSet
from segcli.pipeline.records import check_folder
from segcli.weights import manifest
from segcli.weights.manifest import Format
from segcli.weights.reference import CHECKPOINT_SUFFIX, checkpoint_at

if TYPE_CHECKING:
    from segcli.weights.cache import Cached

LAYOUTS = get_args(Format)

app = typer.Typer(no_args_is_help=True, rich_markup_mode="rich")

_PULL = "`segcli weights pull NAME` fetches what is damaged or missing; so does the next use."
_REINSTALL = "Install segcli anew: the built-in weights are part of it."

Names = Annotated[
    list[str], Argument(metavar="NAME[@LABELS]", help="See `segcli models`.", autocompletion=completion.weights)
]


@app.command(epilog="[bold]Example[/bold]\n\nsegcli weights pull v3-mobilenetv2")
def pull(names: Names, as_json: AsJson = False, quiet: Quiet = False) -> None:
    """Download weights now, check and convert them, so that later runs need no network."""
    display = Display(as_json, quiet)
    entries = [manifest.find(name) for name in names]
    from segcli.weights import cache

    facts = []
    for entry in entries:
        with display.downloading() as progress:
            here = cache.obtain(entry, progress)
        if here.newly_recorded:
            display.say(here.note())
        display.data(f"{here.name}  {megabytes(here.bytes)}  {here.path}")
        facts.append(_facts(here))
    display.json({"weights": facts})


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the weights that are on this computer."""
    display = Display(as_json)
    from segcli.weights import cache

    here = cache.cached()
    table = columns("weights", "size", "sha256 of the download", "file", right=("size",))
    for item in here:
        table.add_row(item.name, megabytes(item.bytes), item.record.sha256[:12], str(item.path))
    if here:
        display.table(table)
    else:
        display.say(f"no weights in {_folder()}; `segcli weights pull NAME` fetches some")
    display.json({"folder": _folder(), "weights": [_facts(item) for item in here]})


@app.command()
def verify(
    names: Annotated[
        list[str] | None, Argument(metavar="[NAME[@LABELS]]...", help="Which weights; without a name, all.")
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Check the weights on this computer; exit code 1 if a file is damaged or missing."""
    display = Display(as_json, quiet)
    chosen = {manifest.find(name).name for name in names or ()}
    from segcli.weights import cache

    facts, cures = [], set()
    for here, problem in cache.verify(chosen):
        display.data(f"{here.name}  {problem or 'is intact'}")
        facts.append({**_facts(here), "problem": problem or None})
        if problem:
            cures.add(_REINSTALL if here.built_in else _PULL)
    for name in sorted(chosen - {fact["name"] for fact in facts}):
        display.data(f"{name}  is not here")
        facts.append({"name": name, "problem": "is not here"})
        cures.add(_PULL)
    if not facts:
        display.say(f"no weights in {_folder()}")
    display.json({"weights": facts})
    for cure in sorted(cures):
        display.say(cure)
    if cures:
        raise typer.Exit(EXIT_FAILED)


@app.command(epilog="[bold]Example[/bold]\n\nsegcli weights remove v3-mobilenetv2")
def remove(names: Names, as_json: AsJson = False) -> None:
    """Delete weights from this computer, also from the Hub's cache."""
    display = Display(as_json)
    entries = [manifest.find(name) for name in names]
    from segcli.export import onnx_cache
    from segcli.weights import cache

    hashes = {here.name: here.record.sha256 for here in cache.cached()}
    freed = {entry.name: cache.remove(entry.name) for entry in entries}
    for name in freed.keys() & hashes.keys():
        freed[name] += onnx_cache.forget(hashes[name])
    for name, count in freed.items():
        display.data(f"{name}  {megabytes(count)} freed" if count else f"{name}  was not here")
    display.json({"freed": freed})


@app.command(epilog="[bold]Example[/bold]\n\nsegcli weights halve mine -o small.safetensors")
def halve(
    file: Annotated[
        Path, Argument(metavar="FILE|RUN", help="A checkpoint that segcli has trained or converted, or a run's folder.")
    ],
    output: Annotated[Path, Option("--output", "-o", metavar="FILE.safetensors", help="What to write.")],
    as_json: AsJson = False,
) -> None:
    """Store a checkpoint in half precision, to pass it on: half the bytes, the same model up to rounding."""
    display = Display(as_json)
    if file.is_dir():
        meant = checkpoint_at(file, "")
        file = meant.path
        display.note(meant.note or f"{file} is taken")
    _check_output(output, file)
    from segcli.weights import conversion

    conversion.halve(file, output)
    before, after = file.stat().st_size, output.stat().st_size
    display.data(f"{output}: {megabytes(after)} instead of {megabytes(before)}")
    display.json({"output": str(output), "bytes": after})


def _check_output(output: Path, source: Path) -> None:
    if not source.exists():
        raise UsageError(f"{source}: no such file", "Give the path of the checkpoint.")
    if output.suffix != CHECKPOINT_SUFFIX:
        raise UsageError(f"--output {output}: must end with {CHECKPOINT_SUFFIX}", "For example: -o weights.safetensors")
    if output.exists() and output.samefile(source):
        raise UsageError(f"--output {output} is the file that is read", "Give another name.")
    if output.is_dir():
        raise UsageError(f"--output {output} is a folder", "Name the file to write.")
    check_folder(output.parent)


def _label_set(text: str) -> LabelSet:
    return names.parse(text).labels


@app.command(
    epilog="[bold]Example[/bold]\n\n"
    "segcli weights convert model.pth --from torchvision --model v3-resnet101 -o mine.safetensors"
)
def convert(
    file: Annotated[Path, Argument(metavar="FILE", help="A checkpoint of another project.")],
    layout: Annotated[str, Option("--from", metavar="|".join(LAYOUTS), help="The project that wrote it.")],
    model: Annotated[str, Option("--model", "-m", metavar="NAME[@LABELS]", help="Which model it is.")],
    output: Annotated[Path, Option("--output", "-o", metavar="FILE.safetensors", help="What to write.")],
    labels: Annotated[
        LabelSet | None,
        Option(
            "--labels",
            parser=Parsed(_label_set, "--labels"),
            metavar="A,B,...|FILE|SET",
            help="Its classes, if they differ from those of the model.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a segcli checkpoint from a checkpoint of another project; every tensor is checked."""
    display = Display(as_json)
    if layout not in LAYOUTS:
        raise UsageError(f"--from {layout}: not known", f"Choose among {', '.join(LAYOUTS)}.")
    _check_output(output, file)
    from segcli.weights import conversion

    if doubt := conversion.doubt(layout, model):
        display.note(doubt)
    made = conversion.convert_file(file, layout, model, output, labels)
    if len(made.labels):
        display.data(f"{output}: {made.spec.name}, {len(made.labels)} classes, {len(made.tensors)} tensors")
        display.say(f"Use it: segcli predict PHOTOS --weights {output}", "dim")
    else:
        display.data(f"{output}: the backbone of {made.spec.name}, to train from, {len(made.tensors)} tensors")
    display.json({"output": str(output), "model": made.spec.name, "labels": list(made.labels.names)})


def _facts(here: Cached) -> dict:
    record = here.record
    return {
        "name": here.name,
        "path": str(here.path),
        "bytes": here.bytes,
        "source": record.source,
        "commit": record.commit,
        "sha256": record.sha256,
    }


def _folder() -> str | None:
    """The cache's folder; None for a user without one."""
    from segcli.weights import cache

    try:
        return str(cache.folder())
    except WeightsError:
        return None
