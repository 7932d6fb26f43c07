"""ROIs: regions of ImageJ as files, made by roifile 2026.2.10 (BSD-3), and as zips."""

import base64
import io
import struct
import zipfile
import zlib
from collections.abc import Mapping

# fmt: off
_PACKED = {
    "polygon": "c-r&KFD+qs%Fe*R$iT$F&cMaM#y|*YAh9EWm>me2fe->%fshFZF~JNVhMLYu&=Q6mhE#?`hBO9U215WF_66S",
    "fractions": "c-r&KFD+qs%Fe*R1cYo1oD3`sgun_Ub^#Ex0U-o1Gcem9U|?|MfM5_Ch8<QwFcz=@i1`?Z1vw0<42cYB4Dk#GU}(so3u6HQ-{20B",
    "nameless": "c-r&KFD+qs%Fe*R2!yOa$ihGfXdtlzfS4HwAppTb1`~jo6T)OCXgGrb7#cC?!dL(bZUu7",
    "property": "c-r&KFD+qs%Fe*R2!yOa$ihGfXdtlzfS4HwAppTb1`~jo6N~sFAQs0EH2^~+23<HSnIVTEk)ap}tr!%5WC24yLkR;H"
                "Lmrq;1&bzv$s`6Y0R3MLoB",
    "large group": "c-r&KFD+qs%Fe*R2!yOa$ihGfXdtlzfS4HwAppTb1`~jo6Q6;MI!GJ?Ff?M&g|Pq*90i#",
    "slice": "c-r&KFD+qs!p^|J2!yOa$ihGfXh3OZAPxZ2%y1EAEb1o!F=10-AcrB9A(0^s0NQ;8Py",
    "rectangle": "c-r&KFD+qs%E-XL#K6qJ&cMw;8gRfO)&RsTM4OPqkjjwAkOlyd8U*_",
    "rounded": "c-r&KFD+qs%E$l)A`Eg2!~q^C?SMtD0f<=`hy^(esSJq>X#k+B1tI",
    "oval": "c-r&KFD+qs%EZ9H#K6qJ!ywK;8gRfO)&RsTM4M2|P{5GSPyzs%PX#*",
    "subrect": "c-r&KFD+qs%E-XL#K6qJ&cMyU;E<M<<{&w9mcuh3-IkWdfDRgv*bWQ~Smjw5hy^(esSJq>X#j^d3;h",
    "point": "c-r&KFD+qs%EiFI#J~*3j0~gz7aZa(K+Hn4Da8z_K$rpmoTmi|",
    "line": "c-r&KFD+qs%FKWO_6-p1umFPb0tYN&K)nns48(#mhE#@3hCBf7W(Yn",
    "ellipse": "c-r&KFD+qs%FciQ4h<0OxB!S77|;PT1A{%1Vg^hA(!;_)EXZL<Wk_U50|5G22u=",
    "turned": "c-r&KFD+qs%FciQ4h<0OxB!S77|;PLQ1$>qF#{$5>0x0Y7UVFbG9)sj0RTCw2@w",
    "composite": "c-r&KFD+qs%E-XL2!z}WybRcZ6b|tfAi}-@fgJ--*^UNCd?4GQ0iqE^JHW&RP}z=9GeKgG3<y1F-~|w~Fc1rJ7*ZJ$8PWiqq!k7",
}
# fmt: on
ROIS = {name: zlib.decompress(base64.b85decode(text)) for name, text in _PACKED.items()}
"""What it is -> the bytes of its .roi file.

The corners of "polygon" are (2, 1), (9, 1), (9, 6), (5, 6), (5, 3), (2, 3); those of "fractions" (1.5, 1.5) to (8.5,
5.25); of the squares "nameless" (group 7), "large group" (300), "property" and "slice" (3) (1, 1) to (4, 4); of
"rectangle" (3, 2) to (11, 7); of "rounded", with arcs of 12, (0, 0) to (30, 20); of "oval" (3, 2) to (23, 12); of
"subrect" (3.6, 2.4) to (10.8, 6.6). "ellipse" lies around (4, 4) to (20, 16), half as wide; "turned" too, 6 wide.
"composite" is (1, 1) to (13, 11) without (4, 4) to (9, 8).
"""


def zipped(entries: Mapping[str, bytes]) -> bytes:
    """A zip as the ROI Manager saves it: entry -> content."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def path(*numbers: float) -> bytes:
    """A composite ROI of a path: commands and points, with curves too, which roifile writes none of."""
    header = b"Iout" + struct.pack(">hBx4hH", 227, 1, 0, 0, 20, 20, 0)
    return (
        header.ljust(36, b"\0")
        + struct.pack(">i", len(numbers)).ljust(28, b"\0")
        + struct.pack(f">{len(numbers)}f", *numbers)
    )


def named(roi: bytes, name: str) -> bytes:
    """The same region under another name."""
    (offset,) = struct.unpack_from(">i", roi, 60)
    changed = bytearray(roi)
    struct.pack_into(">ii", changed, offset + 16, len(roi), len(name))
    return bytes(changed) + name.encode("utf-16-be")
