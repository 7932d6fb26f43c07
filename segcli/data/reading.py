"""Reading: how label files are read, as the user wishes it and as it was done."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from segcli.labels import Colour

PLAIN = "ids"
"""The form that everybody expects: masks that hold the ids of the classes."""


@dataclass(frozen=True)
class Choice:
    """What a user says about label files that could be read in two ways.

    Attributes:
        void: Values of pixels, colours, or names of classes that count as void, `--void`; None leaves that to the
            reader, an empty tuple says that there is none.
        as_: The form of the labels, `--as`; empty leaves that to the reader.
        fill_boxes: Take boxes for the objects themselves, `--fill-boxes`.
        skip_empty: Leave out photos whose labels hold no shape, `--skip-empty`.
        with_predictions: Take predictions that nobody has corrected, `--with-predictions`.
    """

    void: tuple[int | Colour | str, ...] | None = None
    as_: str = ""
    fill_boxes: bool = False
    skip_empty: bool = False
    with_predictions: bool = False


@dataclass(frozen=True)
class Reading:
    """How label files were read.

    Attributes:
        form: Their form in plain words, such as "class ids" or "COCO JSON".
        as_: The word for it that `--as` takes.
        void: The values of pixels that were taken for void.
        notes: One line for each decision between two readings; each says how to choose the other.
    """

    form: str
    as_: str
    void: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def is_plain(self) -> bool:
        """Whether the files are masks of class ids, about which nothing had to be decided."""
        return self.as_ == PLAIN and not self.notes

    def tell(self, note: Callable[[str], object], warn: Callable[[str], object]) -> None:
        """Say which form the labels have by `note`, and each decision by `warn`."""
        note(f"labels: {self.form}")
        for decision in self.notes:
            warn(decision)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON, recipes and checkpoints."""
        return {"form": self.form, "as": self.as_, "void": list(self.void), "notes": list(self.notes)}

    def with_notes(self, *notes: str) -> "Reading":
        """The same reading with more notes."""
        return Reading(self.form, self.as_, self.void, (*self.notes, *notes))


def read_void(text: str) -> tuple[int | Colour | str, ...]:
    """What `--void` takes: values, colours as #rrggbb and names of classes between commas, or "none"."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    return () if [word.lower() for word in words] == ["none"] else tuple(map(_void_word, words))


def _void_word(word: str) -> int | Colour | str:
    if word.lstrip("-").isascii() and word.lstrip("-").isdigit():
        return int(word)
    if len(word) == 7 and word[0] == "#":
        try:
            red, green, blue = bytes.fromhex(word[1:])
        except ValueError:
            return word
        return red, green, blue
    return word


def void_text(void: tuple[int | Colour | str, ...]) -> str:
    """The text that `read_void` reads as these values."""
    return ",".join(f"#{bytes(v).hex()}" if isinstance(v, tuple) else str(v) for v in void) or "none"
