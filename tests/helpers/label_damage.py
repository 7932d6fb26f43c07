"""Damages of label files: what can happen to text, pictures and regions in the forms of labelling tools."""

import base64
import binascii
import copy
import json
import random
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

import rois
from damage import DAMAGES

LONG = "x" * 10_000_000
DEEP = 100_000
_DEEP_MARK, _HUGE_MARK = "deep-mark", "huge-mark"
ABSURD = (
    *(0, -1, 1, 1e300, -1e300, 10**12, 2**31, 2**63, 2**64, -(2**63), 0.5, float("nan"), float("inf"), _HUGE_MARK),
    *(None, True, "", " ", "\0", "a\nb", "\ud800", "../../etc/passwd", "//x/y", "nan", "leaf", _DEEP_MARK),
    *([], {}, [[]], [None], [1, 2], {"a": []}, [[0, 0], [1e9, 0], [0, 1e9]]),
)
"""Values that make no sense where they are put."""
WORDS = (
    *(
        "1e300",
        "-1e300",
        "1000000000000",
        "-1",
        "0",
        "nan",
        "inf",
        "",
        "1e",
        "0x10",
        "99999999999999999999999",
        "9" * 5000,
    ),
    *("leaf", '"', "<", ">", "&", "&x;", "\0", "\n", "..", ",", ";", "&#0;", "\ufeff", "ü" * 300),
)
"""What stands in a text in place of a number or word."""
XML_BOMBS = (
    '<!DOCTYPE a [<!ENTITY b "x"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;"><!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;">]>',
    '<!DOCTYPE a SYSTEM "file:///etc/passwd">',
    '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///dev/zero">]>',
    "<a>" * DEEP,
    "<a/>" * DEEP,
    f"<!--{LONG}-->",
)
YAML_BOMBS = (
    "a: &a [x,x,x,x,x,x,x,x,x]\n"
    + "".join(f"{b}: &{b} [{','.join(['*' + a] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)),
    "a: " + "[" * DEEP,
    "a: !!python/object/apply:os.system ['false']\n",
    "a: " + LONG[: 1 << 20] + "\n",
    "<<: *a\n",
    "? [a, b]\n: c\n",
    "- " * 5000,
    "names: {0: a, 0: b, 1000000000: c, -1: d, x: e}\n",
)


def _json_absurd(data: bytes, chance: random.Random) -> bytes:
    """A value of a document is replaced by one that makes no sense, left out, doubled, or moved."""
    document = json.loads(data)
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        places = list(_places(document))
        holder, key = chance.choice(places)
        other, other_key = chance.choice(places)
        action = chance.choice(("absurd",) * 4 + ("remove", "double", "move", "wrap", "payload", "long"))
        if action == "remove":
            del holder[key]
        elif action == "double" and isinstance(holder, list):
            holder.insert(key, holder[key])
        elif action == "move":
            holder[key] = json.loads(json.dumps(other[other_key]))
        elif action == "wrap":
            holder[key] = [holder[key]]
        elif action == "payload" and isinstance(holder[key], str):
            holder[key] = _payload(holder[key], chance)
        elif action == "long":
            holder[key] = LONG if chance.random() < 0.05 else LONG[:5000]
        else:
            holder[key] = copy.deepcopy(chance.choice(ABSURD))
        if not document:
            break
    text = json.dumps(document).replace(f'"{_DEEP_MARK}"', "[" * DEEP).replace(f'"{_HUGE_MARK}"', "1" + "0" * 400)
    return text.encode(errors="surrogatepass")


def _places(document: Any) -> Iterator[tuple[Any, Any]]:
    """The (dict or list, key) of every value in a document."""
    stack = [document]
    while stack:
        holder = stack.pop()
        keys = holder.keys() if isinstance(holder, dict) else range(len(holder))
        for key in keys:
            yield holder, key
            if isinstance(holder[key], dict | list) and holder[key]:
                stack.append(holder[key])


def _payload(text: str, chance: random.Random) -> str:
    """What is packed in a text is damaged before it is packed again."""
    try:
        data = base64.b64decode(text, validate=True)
        packed = zlib.decompress(data) if data[:1] == b"\x78" else b""
    except (binascii.Error, zlib.error, ValueError):
        data = packed = b""
    if not data:
        return text[: chance.randrange(len(text) + 1)]
    changed = (
        _png_header(packed or data, chance) if chance.random() < 0.4 else chance.choice(DAMAGES)(packed or data, chance)
    )
    if chance.random() < 0.1:
        return base64.b64encode(zlib.compress(bytes(50 << 20), 1)).decode()
    return base64.b64encode(zlib.compress(changed) if packed else changed).decode()


def _json_doubled(data: bytes, chance: random.Random) -> bytes:
    """A key stands twice, the first time with another value."""
    keys = list(re.finditer(rb'"(\w+)": ', data))
    key = chance.choice(keys)
    value = json.dumps(chance.choice([value for value in ABSURD if isinstance(value, int | float | list)])).encode()
    return data[: key.start()] + key[0] + value + b", " + data[key.start() :]


def _text_absurd(data: bytes, chance: random.Random) -> bytes:
    """Numbers and words of a text are replaced by what makes no sense."""
    for _ in range(chance.choice((1, 1, 2, 5))):
        found = list(re.finditer(rb"-?\d+(\.\d+)?|\w+", data))
        if not found:
            break
        word = chance.choice(found)
        new = LONG if chance.random() < 0.005 else chance.choice(WORDS)
        data = data[: word.start()] + new.encode() + data[word.end() :]
    return data


def _bombed(bombs: tuple[str, ...]) -> Callable[[bytes, random.Random], bytes]:
    """A text that can mean or hold far more than it has is put in."""

    def bombed(data: bytes, chance: random.Random) -> bytes:
        places = [0, len(data), *(match.end() for match in re.finditer(rb"[>\n]", data))]
        place = chance.choice(places)
        return data[:place] + chance.choice(bombs).encode() + data[place:]

    return bombed


def _png_header(data: bytes, chance: random.Random) -> bytes:
    """A PNG states another size, depth or colour type, with a checksum that fits."""
    if len(data) < 33:
        return data
    header = bytearray(data[16:29])
    for _ in range(chance.choice((1, 1, 2))):
        place, kind = chance.choice(((0, ">I"), (4, ">I"), (8, ">B"), (9, ">B"), (12, ">B")))
        large = chance.choice((0, 1, 63, 65, 14_000, 100_000, 2**31 - 1, 2**32 - 1))
        struct.pack_into(kind, header, place, large if kind == ">I" else chance.choice((0, 1, 2, 3, 4, 6, 8, 16, 255)))
    return data[:16] + bytes(header) + struct.pack(">I", zlib.crc32(data[12:16] + header)) + data[33:]


def _roi_absurd(data: bytes, chance: random.Random) -> bytes:
    """Fields of a region, or of one in a zip, have numbers that make no sense."""
    if data.startswith(b"PK"):
        return _zip_absurd(data, chance)
    changed = bytearray(data)
    for _ in range(chance.randint(1, 3)):
        place = 2 * chance.randrange(min(len(data), 160) // 2 - 2)
        kind = chance.choice((">h", ">i", ">f"))
        number = (
            chance.choice((0, 1, -1, 2**15 - 1, -(2**15))) if kind == ">h" else chance.choice((0, -1, 2**31 - 1, 10**6))
        )
        number = chance.choice((float("nan"), float("inf"), 1e30, -1e30)) if kind == ">f" else number
        struct.pack_into(kind, changed, place, number)
    return bytes(changed)


def _zip_absurd(data: bytes, chance: random.Random) -> bytes:
    with zipfile.ZipFile(BytesIO(data)) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    name = chance.choice(list(entries))
    entries[name] = chance.choice((*DAMAGES, _roi_absurd))(entries[name], chance)
    if chance.random() < 0.05:
        entries[name] = entries[name].ljust(40 << 20, b"\0")
    elif chance.random() < 0.1:
        entries |= {f"{index}.roi": entries[name] for index in range(300)}
    if chance.random() < 0.2:
        entries[chance.choice(("../../x.roi", "/etc/x.roi", "a/b.roi", ".roi", "\u202e.roi"))] = entries.pop(name)
    return rois.zipped(entries)


OWN_DAMAGES: dict[str, tuple[Callable[[bytes, random.Random], bytes], ...]] = {
    "JSON": (_json_absurd, _json_absurd, _json_absurd, _json_doubled),
    "XML": (_text_absurd, _text_absurd, _bombed(XML_BOMBS)),
    "YAML": (_text_absurd, _text_absurd, _bombed(YAML_BOMBS)),
    "TXT": (_text_absurd, _text_absurd, _text_absurd),
    "PNG": (_png_header,),
    "ROI": (_roi_absurd, _roi_absurd),
}
"""What can happen to a file of a kind, beside what can happen to any."""
