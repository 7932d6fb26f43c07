"""Units: lengths in the units that microscopes write, as micrometres."""

import math

_MICROMETRES = {
    **dict.fromkeys(("\u00b5m", "\u03bcm", "um", r"\u00b5m", "micron", "microns", "micrometer", "micrometre"), 1.0),
    **dict.fromkeys(("nm", "nanometer", "nanometre"), 1e-3),
    **dict.fromkeys(("pm",), 1e-6),
    **dict.fromkeys(("\u00c5", "\u212b", "angstrom"), 1e-4),
    **dict.fromkeys(("mm", "millimeter", "millimetre"), 1e3),
    **dict.fromkeys(("cm", "centimeter", "centimetre"), 1e4),
    **dict.fromkeys(("m", "meter", "metre"), 1e6),
    **dict.fromkeys(("in", "inch", "inches"), 25_400.0),
}
"""Unit -> micrometres. The signs for micro and for the unit of Ångström each have two code points."""


def micrometres(number: str | float, unit: str) -> float | None:
    """A length in micrometres; None where it is no positive number, or the unit is none of length, such as pixels."""
    unit = unit.strip()
    factor = _MICROMETRES.get(unit.lower() if len(unit) > 2 else unit)  # Mm are not mm
    try:
        value = float(number) * (factor or math.nan)
    except ValueError:
        return None
    return value if 0 < value < math.inf else None
