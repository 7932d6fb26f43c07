"""From an option's text to its value: each is parsed once, so that commands see values, never text.

A default of such an option stands as it would be typed.
"""

from collections.abc import Callable
from typing import Any, ClassVar

from segcli.errors import UsageError
from segcli.films.options import parse_time
from segcli.images.reading import ValueRange, parse_bands, parse_range
from segcli.pipeline.outputs import one_of


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


def working_size(option: str, smallest: int) -> Parsed:
    """A parser of a size: "full" is 0 (the photo's own size), else pixels from `smallest` on."""

    def size(text: str) -> int:
        if text == "full":
            return 0
        if not text.isdecimal() or int(text) < smallest:
            raise UsageError(f"{option} {text}: not a size", f"Give a number of pixels from {smallest} on, or `full`.")
        return int(text)

    return Parsed(size, option)


def scale_list(text: str) -> tuple[float, ...]:
    """The `--scales` option: the scales to average."""
    try:
        scales = tuple(float(word) for word in text.split(","))
    except ValueError:
        scales = (0.0,)
    if not all(0.1 <= scale <= 8 for scale in scales):
        raise UsageError(f"--scales {text}: not scales", "Give numbers from 0.1 to 8, such as 0.5,1,2.")
    return scales


def value_range(text: str) -> ValueRange:
    """The `--range` option: "auto", LO:HI as two numbers with LO < HI, or "model", which is None."""
    try:
        return parse_range(text)
    except ValueError as error:
        raise UsageError(f"--range {text}: not a range", "Give auto, model, or two numbers such as 0:4095.") from error


def bands(text: str) -> tuple[str, ...]:
    """The `--bands` option: one or three bands by number or name."""
    try:
        return parse_bands(text)
    except ValueError as error:
        hint = "Name one band (grey) or three (red, green, blue), such as 5,3,2."
        raise UsageError(f"--bands {text}: not bands", hint) from error


def words(text: str) -> tuple[str, ...]:
    """A list with commas, without empty words."""
    return tuple(word.strip() for word in text.split(",") if word.strip())


def choice(option: str, known: tuple[str, ...]) -> Parsed:
    """A parser of one word that must be known."""

    def chosen(text: str) -> str:
        if text not in known:
            raise UsageError(f"{option} {text}: not known", f"Choose {' or '.join(known)}.")
        return text

    return Parsed(chosen, option)


def choices(option: str, known: tuple[str, ...]) -> Parsed:
    """A parser of a list with commas whose every word must be known; it gives a frozenset."""

    def chosen(text: str) -> frozenset[str]:
        return one_of(option, words(text), known)

    return Parsed(chosen, option)


def film_time(option: str) -> Parsed:
    """A parser of a time in a film: seconds."""

    def parsed(text: str) -> float:
        try:
            return parse_time(text)
        except ValueError:
            raise UsageError(f"{option} {text}: no time", "Write seconds, or 1:30, or 0:01:30.") from None

    return Parsed(parsed, option)


def colour(option: str) -> Parsed:
    """A parser of a colour as web pages write it, a name, #rgb, #rrggbb, rgb(...) or hsl(...): (red, green, blue)."""

    def parsed(text: str) -> tuple[int, int, int]:
        from PIL import ImageColor

        try:
            return ImageColor.getrgb(text)[:3]
        except ValueError:
            raise UsageError(f"{option} {text}: no colour", "Write a name such as white, or #rrggbb.") from None

    return Parsed(parsed, option)
