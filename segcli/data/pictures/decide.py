"""Decisions: one reading for all masks of a dataset, from what they hold and what is known of their classes."""

from collections.abc import Iterator
from dataclasses import replace

from segcli.data import classes as class_names
from segcli.data.classes import Classes, Table, is_background
from segcli.data.pictures import binary, colours, tables, values
from segcli.data.pictures.evidence import Evidence, Pictures, counted
from segcli.data.pictures.palettes import colour_of
from segcli.data.pictures.survey import Survey
from segcli.data.reading import Choice
from segcli.errors import DatasetError, UsageError
from segcli.labels import BACKGROUND, CITYSCAPES, VOID, from_names

FORMS = ("ids", "one-based", "binary", "colours", "objects", "trimap", "spread")
"""The forms of masks that `--as` takes."""
OBJECT = "object"
"""The class of masks of one thing, where nobody names it."""


def decide(
    survey: Survey, classes: Classes | None, table: Table | None, choice: Choice, words: frozenset[str]
) -> Pictures:
    """The one reading of all masks of a dataset.

    The order of the decisions: what the user says (`--as`); masks cut out by transparency; black and white ones of two
    classes; colours; palettes that an editor renumbered; values, in the order of `values.DECISIONS`. What the user
    says is void is void in all of them.

    Args:
        survey: The masks.
        classes: The classes; None takes those that the masks or a file beside them name.
        table: What a file beside the masks says of their values or colours.
        choice: What the user decided.
        words: Names of the masks' folders and the affixes of their names, in lower case.

    Raises:
        UsageError: Nobody names the classes.
        DatasetError: No reading fits.
    """
    table, told = tables.with_background(table or _own_table(survey))
    found = frozenset(counted(survey.files))
    table = tables.with_greys(table, found)
    named = tables.by_greys(classes, found) or _implied(survey, table, choice, words)
    evidence = Evidence(survey.files, named, table, choice, words)
    evidence, notes = _with_background(evidence)
    notes = (*told, *notes)
    if classes is None and named.labels.names == (BACKGROUND, OBJECT) and not table:
        notes = (*notes, f"nothing names the classes: they are called {BACKGROUND} and {OBJECT}; --names names them")
    found = _reading(evidence)
    notes = (*notes, *_void_classes(evidence, found))
    return replace(found, reading=found.reading.with_notes(*notes)) if notes else found


def _void_classes(evidence: Evidence, found: Pictures) -> Iterator[str]:
    """A note for each class of a plain list that is called like void and stands in the masks."""
    for value, label in found.ids.items():
        name = evidence.labels.names[label] if label != VOID else ""
        if label != evidence.labels.ignore and class_names.is_void(name) and value in evidence.found:
            yield f"{name!r} is read as a class, because the names list it; if it is void, add --void {value}"


def _own_table(survey: Survey) -> Table:
    """The classes that masks written by segcli name."""
    return () if survey.labels is None else tuple(map(class_names.Named, survey.labels.names))


def _implied(survey: Survey, table: Table, choice: Choice, words: frozenset[str]) -> Classes:
    """The classes of masks that nobody named, from a file beside them or where they can only be two."""
    if survey.labels is not None and {entry.name for entry in table} == set(survey.labels.names):
        return class_names.from_labels(survey.labels)
    if table:
        named = class_names.from_table(_background_first(table))
        void = {word.lower(): VOID for word in choice.void or () if isinstance(word, str)}
        return replace(named, others={**named.others, **void})
    if any("labelids" in word or "labeltrainids" in word for word in words):
        return class_names.from_labels(CITYSCAPES)
    two = class_names.from_labels(from_names((BACKGROUND, OBJECT)))
    evidence = Evidence(survey.files, two, (), choice, words)
    if choice.as_ in ("binary", "objects", "trimap") or _is_clear(evidence):
        return two
    if not survey.files and survey.broken:
        raise DatasetError(next(iter(survey.broken.values())).message)
    raise _nameless(evidence)


def _background_first(table: Table) -> Table:
    """A table without values, whose lines are in no order that counts, with the background before the others."""
    if any(entry.value is not None for entry in table):
        return table
    return tuple(sorted(table, key=lambda entry: not is_background(entry.name)))


def _is_clear(evidence: Evidence) -> bool:
    """Whether masks that nobody named show one thing, whatever it is called."""
    if not evidence.files:
        return False
    ways = (binary.cut_outs, binary.black_and_white, values.oxford_trimap, values.objects)
    if any(way(evidence) is not None for way in ways):
        return True
    return not _has_colours(evidence) and evidence.values == {0, 1}


def _nameless(evidence: Evidence) -> UsageError:
    """The error for masks whose classes nobody names, with what they hold."""
    if _has_colours(evidence):
        found = counted(file for file in evidence.files if file.kind == "colours")
        held = "colours " + ", ".join(str(colour_of(code)) for code in sorted(found, key=found.get, reverse=True)[:5])
        hint = "Name them and their colours in a label-set TOML, or in the order of VOC's colours with --names."
    else:
        held = f"values {values.listing(evidence.found)}"
        hint = "Name them in the order of their values, such as --names background,leaf,spot."
    return UsageError(f"nothing names the classes of the masks, which hold the {held}", hint)


def _has_colours(evidence: Evidence) -> bool:
    return any(file.kind == "colours" for file in evidence.files)


def _with_background(evidence: Evidence) -> tuple[Evidence, tuple[str, ...]]:
    """A sole class with a background before it, where the masks hold more than one value; and the note that says so."""
    names = evidence.labels.names
    if len(names) != 1 or is_background(names[0]) or len(evidence.found) < 2 or evidence.stated_ids is not None:
        return evidence, ()
    two = class_names.from_labels(from_names((BACKGROUND, *names), evidence.labels.name, evidence.labels.ignore))
    shifted = {other: label + (label != VOID) for other, label in evidence.classes.others.items()}
    note = f"the class background was put before {names[0]!r}, the only class that is named"
    return replace(evidence, classes=replace(two, others=shifted)), (note,)


def _reading(evidence: Evidence) -> Pictures:
    """The first reading that fits, in the order that `decide` says."""
    if evidence.choice.as_:
        return _forced(evidence)
    for decision in (binary.cut_outs, binary.black_and_white):
        if evidence.files and (found := decision(evidence)) is not None:
            return found
    exact = _like_most(_exact(evidence))
    if _has_colours(exact):
        return colours.by_colour(exact)
    found = colours.renumbered(exact)
    if isinstance(found, Pictures):
        return found
    return values.by_values(found or exact)


def _exact(evidence: Evidence) -> Evidence:
    """The evidence of the masks whose format keeps values; DatasetError where there is none."""
    kept = tuple(file for file in evidence.files if file.keeps_ids)
    if evidence.files and not kept:
        message = (
            f"all {len(evidence.files)} masks are JPEG or similar, which keeps no ids, and they are not black and white"
        )
        raise DatasetError(message, "Export the masks again as PNG. To convert these files does not help.")
    return replace(evidence, files=kept)


def _like_most(evidence: Evidence) -> Evidence:
    """The evidence less a few masks in colours among many with values: reading one of those says what is wrong."""
    plain = tuple(file for file in evidence.files if file.kind != "colours")
    return replace(evidence, files=plain) if 2 * len(plain) > len(evidence.files) else evidence


def _forced(evidence: Evidence) -> Pictures:
    """The reading that the user asks for; DatasetError where the masks cannot be read so."""
    form = evidence.choice.as_
    if form == "binary":
        two = _two_classes(evidence)
        return binary.cut_outs(two) or binary.black_and_white(two) or binary.forced(two)
    exact = _exact(evidence)
    if form == "colours":
        return colours.by_colour(exact)
    exact = _like_most(exact)
    if _has_colours(exact):
        raise DatasetError(f"the masks hold colours, which --as {form} cannot read", "Take --as colours.")
    found = values.forced(_two_classes(exact) if form in ("objects", "trimap") else exact)
    if found is None:
        held = values.listing(exact.found)
        raise DatasetError(f"the masks hold the values {held}, which --as {form} cannot read", "Take another form.")
    return found


def _two_classes(evidence: Evidence) -> Evidence:
    if evidence.sole is None:
        message = f"--as {evidence.choice.as_} takes two classes, and {len(evidence.labels)} are named"
        raise DatasetError(message, "Name two, such as --names background,leaf.")
    return evidence
