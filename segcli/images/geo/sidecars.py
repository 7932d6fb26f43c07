"""Sidecars: the files beside a picture that say where it lies: world files, .prj and GDAL's .aux.xml."""

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from segcli.files.paths import shown
from segcli.images.geo.affine import Transform, is_usable, shifted

AUX = ".aux.xml"
"""What GDAL appends to a picture's whole name."""
MOST_BYTES = {"world": 4096, "prj": 65_536, "aux": 2**22}
"""The largest files of each kind that are read."""


@dataclass(frozen=True)
class Sidecars:
    """What the files beside a picture say of its place; its pixels are counted as they are stored.

    Attributes:
        transform: From a world file or .aux.xml; None for none.
        world: The six lines of the world file as they stand there; () without one.
        wkt: The coordinate system, from .aux.xml or else .prj; empty for none.
        prj: What stands in the .prj; empty without one.
        notes: What could not be used, a sentence each.
    """

    transform: Transform | None = None
    world: tuple[str, ...] = ()
    wkt: str = ""
    prj: bytes = b""
    notes: tuple[str, ...] = ()


def read(path: Path) -> Sidecars:
    """What the files beside a picture say; nothing that is wrong with one of them is an error."""
    notes: list[str] = []
    world, transform = _world(path, notes)
    wkt, stated = _aux(path, notes)
    transform = stated or transform  # GDAL asks in this order
    prj = _content(path.with_suffix(".prj"), "prj", notes) if transform or wkt else b""
    wkt = wkt or _text(prj)
    return Sidecars(transform, world if transform and not stated else (), wkt, prj, tuple(notes))


def world_names(path: Path) -> Iterator[str]:
    """The names that a picture's world file may have: x.jgw, x.jpgw and x.wld, in small and in capital letters."""
    suffix = path.suffix[1:].lower()
    short = suffix[0] + suffix[-1] + "w" if len(suffix) > 1 else ""
    for ending in dict.fromkeys((short, f"{suffix}w" if suffix else "", "wld")):
        if ending:
            yield f"{path.stem}.{ending}"
            yield f"{path.stem}.{ending.upper()}"


def world_lines(transform: Transform) -> tuple[str, ...]:
    """The lines of a world file: x and y of a step of a column, of a row, and of the centre of the first pixel."""
    a, b, c, d, e, f = shifted(transform, 0.5)
    return tuple(map(repr, map(float, (a, d, b, e, c, f))))


def aux_path(path: Path) -> Path:
    """The .aux.xml of a picture."""
    return path.with_name(path.name + AUX)


def _world(path: Path, notes: list[str]) -> tuple[tuple[str, ...], Transform | None]:
    beside = next((place for name in world_names(path) if _is_there(place := path.with_name(name))), None)
    if beside is None:
        return (), None
    lines = tuple(_text(_content(beside, "world", notes)).split()[:6])
    try:
        a, d, b, e, c, f = (float(line.replace(",", ".")) for line in lines)
        transform = shifted((a, b, c, d, e, f), -0.5)
    except (ValueError, OverflowError):
        transform = (0.0,) * 6
    if is_usable(transform):
        return tuple(line.replace(",", ".") for line in lines), transform
    notes.append(f"{shown(beside.name)} does not say where the photo lies, and is not used.")
    return (), None


def _aux(path: Path, notes: list[str]) -> tuple[str, Transform | None]:
    """The coordinate system and the transform that an .aux.xml states."""
    beside = aux_path(path)
    text = _text(_content(beside, "aux", notes)) if _is_there(beside) else ""
    if not text:
        return "", None
    try:
        if "<!" in text.replace("<!--", ""):
            raise ValueError("it declares entities")
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError, RecursionError):
        notes.append(f"{shown(beside.name)} cannot be read, and is not used.")
        return "", None
    wkt = " ".join((root.findtext("SRS") or "").split())
    return wkt if len(wkt) <= MOST_BYTES["prj"] else "", _geo_transform(root.findtext("GeoTransform"))


def _geo_transform(text: str | None) -> Transform | None:
    """The transform of GDAL's six numbers; None where they are none, or say nothing."""
    try:
        c, a, b, f, d, e = map(float, (text or "").split(","))
    except ValueError:
        return None
    transform = (a, b, c, d, e, f)
    return transform if is_usable(transform) else None


def _is_there(path: Path) -> bool:
    """Whether a file has that name; False, where pathlib raises, for names that the disk cannot hold."""
    return os.path.exists(path)  # noqa: PTH110


def _content(path: Path, kind: str, notes: list[str]) -> bytes:
    """The bytes of a small file; none, with a remark, where it is too large, no file, or cannot be read."""
    try:
        facts = path.stat()
        if stat.S_ISREG(facts.st_mode) and facts.st_size <= MOST_BYTES[kind]:
            with path.open("rb") as file:
                return file.read(MOST_BYTES[kind])
    except FileNotFoundError:
        return b""
    except OSError:
        pass
    notes.append(f"{shown(path.name)} is too large or cannot be read, and is not used.")
    return b""


def _text(data: bytes) -> str:
    return data.decode("utf-8-sig", "replace").replace("\0", "").strip()


def pam(
    names: Sequence[str] = (),
    colours: Sequence[Sequence[int]] = (),
    wkt: str = "",
    no_data: int | None = None,
) -> bytes:
    """An .aux.xml that gives the values of a picture's band their names, and the picture its coordinate system.

    Args:
        names: The name of each value from 0 on, for QGIS's legend.
        colours: Red, green and blue, 0..255, of each of them.
        wkt: The coordinate system; empty for none.
        no_data: The value that means no data; None where the picture says it itself.
    """
    root = ElementTree.Element("PAMDataset")
    if wkt:
        ElementTree.SubElement(root, "SRS").text = xml_text(wkt)  # east first, as GDAL takes it without a word
    if names:
        band = ElementTree.SubElement(root, "PAMRasterBand", band="1")
        if no_data is not None:
            ElementTree.SubElement(band, "NoDataValue").text = str(no_data)
        categories = ElementTree.SubElement(band, "CategoryNames")
        for name in names:
            ElementTree.SubElement(categories, "Category").text = xml_text(name)
        band.append(_attribute_table(names, colours))
    ElementTree.indent(root)
    return ElementTree.tostring(root, "utf-8") + b"\n"


def _attribute_table(names: Sequence[str], colours: Sequence[Sequence[int]]) -> ElementTree.Element:
    """GDAL's raster attribute table: value, name, red, green, blue of each class."""
    table = ElementTree.Element("GDALRasterAttributeTable", tableType="thematic")
    fields = (("Value", 0, 5), ("Class", 2, 2), ("Red", 0, 6), ("Green", 0, 7), ("Blue", 0, 8))
    for index, (title, kind, usage) in enumerate(fields):
        field = ElementTree.SubElement(table, "FieldDefn", index=str(index))
        for key, value in (("Name", title), ("Type", kind), ("Usage", usage)):
            ElementTree.SubElement(field, key).text = str(value)
    for value, (name, colour) in enumerate(zip(names, colours, strict=True)):
        row = ElementTree.SubElement(table, "Row", index=str(value))
        for cell in (value, xml_text(name), *map(int, colour)):
            ElementTree.SubElement(row, "F").text = str(cell)
    return table


def xml_text(text: str) -> str:
    """The text without what XML cannot hold; bytes that are no text are escaped."""
    printable = text.encode(errors="backslashreplace").decode()
    return "".join(letter for letter in printable if letter >= " " and letter not in "\ufffe\uffff")
