"""Values: what the numbers in masks mean, decided for all masks of a dataset at once."""

from collections.abc import Callable, Iterable, Mapping

from segcli.data.pictures.binary import TRIMAP_GREYS, read_any
from segcli.data.pictures.evidence import Evidence, Pictures
from segcli.data.pictures.survey import Facts
from segcli.labels import CITYSCAPES, CITYSCAPES_ID_NAMES, VOID

IDS = ("class ids", "ids")
ONE_BASED = ("class ids from 1", "one-based")
TRIMAP = ("trimaps", "trimap")
SPREAD = ("class ids spread over 0 to 255", "spread")
OBJECTS = ("numbers of objects", "objects")
"""The forms of masks of values: in plain words, and as `--as` takes them."""

MOST_SPREAD = 64
"""The most classes that are spread over the greys; of more, nearly every grey would be one."""
MANY_OBJECTS, MANY_DEEP = 5, 3
"""The number of objects from which values 1 to m, with another m in each mask, number them; of 16-bit masks."""

STRAY = 0.001
"""The share of the pixels from which on the highest value counts as one of the classes from 1 on."""
_OBJECT_WORDS = ("cp_masks", "instance", "inst_", "nuclei_masks")


def by_values(evidence: Evidence) -> Pictures:
    """The first reading of values that fits, in the order of `DECISIONS`; else that of plain ids, with a note."""
    for decision in DECISIONS:
        if (found := decision(evidence)) is not None:
            return found
    listed = listing(evidence.found)
    other = "--as for another form" if evidence.sole is None else "--as objects if they number objects"
    note = (
        f"the masks hold the values {listed}, which fit no reading of {len(evidence.labels)} classes: they are read as "
        f"class ids; if that is wrong, add {other}, name all classes, or write an ids table into a label-set TOML"
    )
    return _plain(evidence, note)


def stated(evidence: Evidence) -> Pictures | None:
    """By the values that the user's file of classes gives."""
    ids = evidence.stated_ids
    return None if ids is None else evidence.pictures(IDS, evidence.reader, evidence.with_void(ids))


def tabled(evidence: Evidence) -> Pictures | None:
    """By name, through the values that a file beside the masks gives, unless the masks plainly hold others."""
    names = {entry.value: entry.name for entry in evidence.table if entry.value is not None}
    ids = {value: evidence.classes.find(name) for value, name in names.items()}
    if not any(label not in (None, VOID) for label in ids.values()):
        return None
    unknown = evidence.values - ids.keys()
    notes = []
    if unknown == {0} and 0 not in ids and evidence.background not in (None, *ids.values()):
        ids, unknown = {0: evidence.background} | ids, frozenset()
        notes.append(f"read 0 as {evidence.name(evidence.background)}, which the file beside the masks does not list")
    if unknown and (sorted(ids) == list(range(len(ids))) or 2 * len(unknown) >= len(evidence.values)):
        return None
    return evidence.pictures(IDS, evidence.reader, evidence.with_void(ids), *notes, value_names=_unnamed(ids, names))


def _unnamed(ids: Mapping[int, int | None], names: Mapping[int, str]) -> dict[int, str]:
    return {value: names[value] for value, label in ids.items() if label is None}


def cityscapes(evidence: Evidence) -> Pictures | None:
    """Cityscapes' own ids, told by the names of the files, by name; classes that nobody named are void."""
    trained = evidence.names_of(["labeltrainids"])
    if not trained and not evidence.names_of(["labelids"]):
        return None
    names = CITYSCAPES.names if trained else CITYSCAPES_ID_NAMES
    found = {value: evidence.classes.find(name) for value, name in enumerate(names)}
    if not {*range(len(evidence.labels))} <= set(found.values()) or not evidence.values <= found.keys():
        return None
    ids = {value: VOID if label is None else label for value, label in found.items()}
    left = [names[value] for value in evidence.values if found[value] is None]
    notes = [f"classes of Cityscapes that nobody named are void: {', '.join(left)}"] if left else []
    return evidence.pictures(IDS, evidence.reader, evidence.with_void(ids), *notes)


def plain(evidence: Evidence) -> Pictures | None:
    """Values are places in the list of classes."""
    if not evidence.values <= set(range(len(evidence.order))):
        return None
    if len(evidence.labels) > 2 and set(evidence.found) == {0, VOID} and evidence.choice.void is None:
        note = "read 255 as void, though the masks hold only 0 and 255; if 255 is a class, name only two classes"
        return _plain(evidence, note)
    if evidence.sole is not None and evidence.choice.void is None and _is_mixed(evidence.files):
        note = "read 255 as void, though no mask holds both 1 and 255; if 1 or 255 is the class, add --as binary"
        return _plain(evidence, note)
    return _plain(evidence)


def _is_mixed(files: Iterable[Facts]) -> bool:
    """Whether some masks hold 0 and 1, others 0 and 255, and none anything else."""
    held = {frozenset(file.codes.tolist()) for file in files}
    return {frozenset({0, 1}), frozenset({0, VOID})} <= held and all(len(values) <= 2 for values in held)


def _plain(evidence: Evidence, *notes: str) -> Pictures:
    ids = evidence.with_void(dict(enumerate(evidence.order)))
    names = {value: name for value, name in enumerate(evidence.listed) if ids.get(value) is None}
    return evidence.pictures(IDS, evidence.reader, ids, *notes, value_names=names)


def oxford_trimap(evidence: Evidence) -> Pictures | None:
    """Two classes and the values 1, 2 and 3: the thing, the background and the rim between, which is void."""
    named = evidence.names_of(["trimap"]) and evidence.values <= {1, 2, 3}
    if evidence.sole is None or evidence.background is None or not (named or evidence.values == {1, 2, 3}):
        return None
    sole, rest = evidence.name(evidence.sole), evidence.name(evidence.rest)
    note = f"read 1 as {sole}, 2 as {rest} and 3 as void, as in trimaps; if the values are class ids, add --as ids"
    ids = evidence.with_void({1: evidence.sole, 2: evidence.rest, 3: VOID})
    return evidence.pictures(TRIMAP, evidence.reader, ids, note)


def matting_trimap(evidence: Evidence) -> Pictures | None:
    """Two classes and black, grey and white: the grey between is void."""
    middle = set(evidence.found) - {0, VOID}
    if evidence.sole is None or len(middle) != 1 or not middle <= set(TRIMAP_GREYS) or VOID not in evidence.found:
        return None
    if VOID in (evidence.choice.void or ()):
        return None
    grey = middle.pop()
    note = (
        f"read 255 as {evidence.name(evidence.sole)} and {grey} as void, as in trimaps; if 255 is void, add --void 255"
    )
    ids = evidence.with_void({0: evidence.rest, grey: VOID, VOID: evidence.sole})
    return evidence.pictures(TRIMAP, evidence.reader, ids, note)


def one_based(evidence: Evidence) -> Pictures | None:
    """Classes from 1 on, up to their number, and 0 for void; not where 0 is most of the pixels and background named."""
    count = len(evidence.order)
    if count < 2 or count not in evidence.values or not evidence.values <= set(range(count + 1)):
        return None
    commonest = max(evidence.found, key=evidence.found.get)
    if commonest == 0 and evidence.background is not None:
        return None
    if evidence.found[count] < STRAY * sum(evidence.found.values()):
        return None  # a few strokes of a wrong value must not renumber a whole dataset
    return _one_based(evidence)


def _one_based(evidence: Evidence) -> Pictures:
    count = len(evidence.order)
    ids = evidence.with_void({0: VOID} | {place + 1: label for place, label in enumerate(evidence.order)})
    note = (
        f"read 0 as void and 1 to {count} as the classes in their order, because {count} are named and the masks "
        f"hold {count}; if 0 is a class, name it too"
    )
    names = {place + 1: name for place, name in enumerate(evidence.listed) if ids.get(place + 1) is None}
    return evidence.pictures(ONE_BASED, evidence.reader, ids, note, value_names=names)


def spread(evidence: Evidence) -> Pictures | None:
    """Classes at even steps from 0 to 255, as V7 exports them: 255 is the last class and not void."""
    steps = _steps(evidence)
    if steps is None or not set(evidence.found) & set(steps) - {0, VOID}:
        return None
    return _spread(evidence, steps)


def _steps(evidence: Evidence) -> list[int] | None:
    """The greys of the classes, rounded down or to the nearest, of which the masks hold no others."""
    last = len(evidence.order) - 1
    if not 2 <= last < MOST_SPREAD or VOID in (evidence.choice.void or ()):
        return None
    places = range(last + 1)
    rounded = [place * 255 // last for place in places], [round(place * 255 / last) for place in places]
    return next((steps for steps in rounded if set(evidence.found) - evidence.given_void <= set(steps)), None)


def _spread(evidence: Evidence, steps: list[int]) -> Pictures:
    ids = evidence.with_void(dict(zip(steps, evidence.order, strict=True)))
    note = f"read {_pairs(evidence, ids)}: the classes are spread over 0 to 255; if 255 is void, add --void 255"
    return evidence.pictures(SPREAD, evidence.reader, ids, note)


def gaps(evidence: Evidence) -> Pictures | None:
    """As many values as classes, with or without those that count as void: in the order of the classes."""
    every = sorted(value for value in evidence.found if value >= 0 and value not in evidence.given_void)
    rest = sorted(evidence.values)
    values = next((values for values in (rest, every) if len(values) == len(evidence.order)), None)
    if values is None or None in evidence.order or len(values) < 2:
        return None
    ids = evidence.with_void(dict(zip(values, evidence.order, strict=True)))
    table = ids_table(evidence, ids)
    void = ", ".join(str(value) for value in evidence.found if ids.get(value) == VOID)
    void = f" and {void} as void" if void else ""
    note = (
        f"read {_pairs(evidence, ids)}{void}, by their order; "
        f"if that is wrong, correct {table} and write it into a label-set TOML"
    )
    return evidence.pictures(("class ids with gaps", ""), evidence.reader, ids, note)


def objects(evidence: Evidence) -> Pictures | None:
    """Two classes and values that count objects: each value above 0 is the class."""
    if evidence.sole is None or min(evidence.found, default=0) < 0:
        return None
    if not evidence.names_of(_OBJECT_WORDS) and not _count_objects(evidence.files):
        return None
    note = (
        f"read every value above 0 as {evidence.name(evidence.sole)}: they number objects; "
        "if they are class ids, add --as ids"
    )
    return _objects(evidence, note)


def _objects(evidence: Evidence, *notes: str) -> Pictures:
    ids = evidence.with_void({0: evidence.rest, 1: evidence.sole})
    return evidence.pictures(OBJECTS, read_any, ids, *notes)


def _count_objects(files: Iterable[Facts]) -> bool:
    """Whether values number objects: 16 bits that are used, or 1 to m in each mask, with another m in each."""
    highest, deep = set(), True
    for file in files:
        inside = file.codes[file.codes > 0]
        if not len(inside):
            continue
        if file.deep and inside[-1] > VOID:
            return True
        if inside[-1] != len(inside):
            return False
        highest.add(len(inside))
        deep = deep and file.deep
    return len(highest) > 1 and max(highest) >= (MANY_DEEP if deep else MANY_OBJECTS)


DECISIONS: tuple[Callable[[Evidence], Pictures | None], ...] = (
    *(stated, cityscapes, tabled, plain, oxford_trimap, one_based, matting_trimap, spread, gaps, objects),
)
"""The readings of values, those first that somebody stated, then those that need least."""


def listing(values: Iterable[int]) -> str:
    """At most eight values in a sentence."""
    values = list(values)
    return ", ".join(map(str, values[:8])) + (f" and {len(values) - 8} more" if len(values) > 8 else "")


def _pairs(evidence: Evidence, ids: Mapping[int, int | None]) -> str:
    """Which value is which class, in a sentence, at most four."""
    pairs = [f"{value} as {evidence.name(label)}" for value, label in sorted(ids.items()) if label not in (None, VOID)]
    return ", ".join(pairs[:4]) + (f" and {len(pairs) - 4} more" if len(pairs) > 4 else "")


def ids_table(evidence: Evidence, ids: Mapping[int, int | None]) -> str:
    """The `ids` of a label-set TOML that says what the values mean, at most four of its entries."""
    names = evidence.labels.names
    entries = [f'"{names[label]}" = {value}' for value, label in sorted(ids.items()) if label not in (None, VOID)]
    return "ids = {" + ", ".join(entries[:4]) + (", ..." if len(entries) > 4 else "") + "}"


def forced(evidence: Evidence) -> Pictures | None:
    """The reading that the user asks for by `--as`; None where it is none of values."""
    steps = _steps(evidence)
    return {
        "ids": lambda: stated(evidence) or cityscapes(evidence) or tabled(evidence) or _plain(evidence),
        "one-based": lambda: _one_based(evidence),
        "objects": lambda: _objects(evidence),
        "trimap": lambda: oxford_trimap(evidence) or matting_trimap(evidence),
        "spread": lambda: None if steps is None else _spread(evidence, steps),
    }[evidence.choice.as_]()
