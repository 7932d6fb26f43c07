"""Every option and argument that commands share, spelled once; defaults stand in each command's signature.

An option's text is parsed here, once: commands see values, never text to be parsed again. A default of such an option
stands as it would be typed.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, ClassVar

from PIL import ImageColor
from typer import Argument, Option

from segcli.errors import UsageError
from segcli.images.read import ValueRange
from segcli.inference.options import ENGINES, PRECISIONS
from segcli.inference.options import Precision as ModelPrecision
from segcli.models.variants import PAPER_SCALES
from segcli.pipeline.result import DEFAULT_KINDS
from segcli.pipeline.writer import one_of


class Parsed:
    """A parser as Typer's options take it, that keeps the text which it was given, for run.toml.

    Args:
        parse: From an option's text to its value; raises UsageError.
        option: The option, such as "--size".
    """

    typed: ClassVar[dict[str, str]] = {}
    """The text that each option of the present command line was given."""
    known: ClassVar[set[str]] = set()
    """The options that have such a parser."""

    def __init__(self, parse: Callable[[str], Any], option: str):
        self.parse = parse
        self.option = option
        self.known.add(option)
        self.__name__ = parse.__name__

    def __call__(self, text: Any) -> Any:
        """The text's value; a default that is a value already stays."""
        self.typed.pop(self.option, None)
        if not isinstance(text, str):
            return text
        self.typed[self.option] = text
        return self.parse(text)


def working_size(text: str) -> int:
    """The `--size` option: "full" is 0 (the photo's own size), else pixels of at least 33."""
    if text == "full":
        return 0
    if not text.isdecimal() or int(text) < 33:
        raise UsageError(f"--size {text}: not a size", "Give a number of pixels from 33 on, or `full`.")
    return int(text)


def scale_list(text: str) -> tuple[float, ...]:
    """The `--scales` option: the scales to average."""
    try:
        scales = tuple(float(word) for word in text.split(","))
    except ValueError:
        scales = (0.0,)
    if not all(0.1 <= scale <= 8 for scale in scales):
        raise UsageError(f"--scales {text}: not scales", "Give numbers from 0.1 to 8, such as 0.5,1,2.")
    return scales


def engine_name(text: str) -> str:
    """The `--engine` option."""
    if text not in ENGINES:
        raise UsageError(f"--engine {text}: not known", f"Choose among {', '.join(ENGINES)}.")
    return text


def value_range(text: str) -> ValueRange:
    """The `--range` option: "auto", or LO:HI as two numbers with LO < HI."""
    if text == "auto":
        return text
    low, _, high = text.partition(":")
    try:
        bounds = float(low), float(high)
    except ValueError:
        bounds = (0.0, 0.0)
    if not bounds[0] < bounds[1]:
        raise UsageError(f"--range {text}: not a range", "Give `auto`, or two numbers such as 0:4095.")
    return bounds


def words(text: str) -> tuple[str, ...]:
    """A list with commas, without empty words."""
    return tuple(word.strip() for word in text.split(",") if word.strip())


def choices(option: str, known: tuple[str, ...]) -> Parsed:
    """A parser of a list with commas whose every word must be known; it gives a frozenset."""

    def chosen(text: str) -> frozenset[str]:
        return one_of(option, words(text), known)

    return Parsed(chosen, option)


def colour(option: str) -> Parsed:
    """A parser of a colour as web pages write it, a name, #rgb, #rrggbb, rgb(...) or hsl(...): (red, green, blue)."""

    def parsed(text: str) -> tuple[int, int, int]:
        try:
            return ImageColor.getrgb(text)[:3]
        except ValueError:
            raise UsageError(f"{option} {text}: no colour", "Write a name such as white, or #rrggbb.") from None

    return Parsed(parsed, option)


DEFAULT_SAVE = ",".join(DEFAULT_KINDS)
"""The default of `--save`, as it would be typed."""
MODEL, PROTOCOL, OUTPUT, LOOKS = "Model", "Protocol", "Output", "Display"

Inputs = Annotated[
    list[str],
    Argument(metavar="INPUT", help="Photos, folders (with all their subfolders) or quoted globs; - reads a list."),
]
Model = Annotated[
    str | None,
    Option("--model", "-m", metavar="NAME[@LABELS]", help="See `segcli models`.", rich_help_panel=MODEL),
]
Weights = Annotated[
    Path | None,
    Option(
        "--weights",
        "-w",
        metavar="FILE",
        help="A segcli checkpoint, or an exported .onnx, instead.",
        rich_help_panel=MODEL,
    ),
]
Device = Annotated[
    str,
    Option("--device", metavar="auto|cpu|cuda[:N]|mps", help="Where the network runs.", rich_help_panel=MODEL),
]
Engine = Annotated[
    str,
    Option(
        "--engine",
        parser=Parsed(engine_name, "--engine"),
        metavar="|".join(ENGINES),
        help="What computes on the CPU; auto takes onnxruntime where that saves time.",
        rich_help_panel=MODEL,
    ),
]
OutputStride = Annotated[
    int | None,
    Option(
        "--output-stride",
        metavar="8|16|32",
        help="Input pixels a feature; smaller is finer and slower.",
        rich_help_panel=PROTOCOL,
    ),
]
Size = Annotated[
    int | None,
    Option(
        "--size",
        parser=Parsed(working_size, "--size"),
        metavar="N|full",
        help="Working size in pixels instead of the model's.",
        rich_help_panel=PROTOCOL,
    ),
]
MultiScale = Annotated[
    bool,
    Option("--ms", help="Average six scales, 0.5 to 1.75 (about 9 times slower).", rich_help_panel=PROTOCOL),
]
Flip = Annotated[
    bool,
    Option("--flip", help="Average with the mirrored photo (2 times slower).", rich_help_panel=PROTOCOL),
]
Scales = Annotated[
    tuple | None,
    Option(
        "--scales",
        parser=Parsed(scale_list, "--scales"),
        metavar="S,S,...",
        help="Average these scales instead of --ms.",
        rich_help_panel=PROTOCOL,
    ),
]
Tile = Annotated[
    int | None,
    Option(
        "--tile",
        min=64,
        metavar="N",
        help="Windows of N pixels where the working size is larger.",
        rich_help_panel=PROTOCOL,
    ),
]
Precision = Annotated[
    ModelPrecision,
    Option(
        "--precision",
        metavar="|".join(PRECISIONS),
        help="What the network computes in; half precision may change labels slightly.",
        rich_help_panel=PROTOCOL,
    ),
]
Batch = Annotated[
    int,
    Option("--batch", min=1, max=1024, help="Photos per step on a GPU; never changes a mask.", rich_help_panel=MODEL),
]
Output = Annotated[
    Path,
    Option("--output", "-o", metavar="DIR", help="Where the results go.", rich_help_panel=OUTPUT),
]
OptionalOutput = Annotated[
    Path | None,
    Option("--output", "-o", metavar="DIR", help="Where pictures and tables go.", rich_help_panel=OUTPUT),
]
AsJson = Annotated[
    bool,
    Option("--json", help="Print one JSON object on stdout and nothing else there.", rich_help_panel=LOOKS),
]
Quiet = Annotated[
    bool,
    Option("--quiet", "-q", help="No progress; errors only.", rich_help_panel=LOOKS),
]
DataDir = Annotated[
    Path | None,
    Option("--data-dir", metavar="DIR", help="The folder that holds the dataset.", rich_help_panel=PROTOCOL),
]


def averaged_scales(scales: tuple[float, ...] | None, multi_scale: bool) -> tuple[float, ...]:
    """What `--scales` and `--ms` come to; (1.0,) without either."""
    if scales and multi_scale:
        raise UsageError("--ms and --scales exclude each other", "--ms is --scales 0.5,0.75,1,1.25,1.5,1.75.")
    return scales or (PAPER_SCALES if multi_scale else (1.0,))
